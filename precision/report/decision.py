"""Conforms, does not conform, or undecided: the decision rule of ISO 14253-1 for an upper limit.

The measured value is known to ± U. It proves conformity only when the whole interval lies on the good side of the limit, and non-conformity only
when the whole interval lies beyond it (from memory of ISO 14253-1, clauses 5.2–5.4, the rule where nothing else was agreed):

    conforms            |value| + U ≤ limit
    does not conform    |value| − U > limit
    undecided           in between: at the limit, within the uncertainty

The guard band is U with k = 2, as in the editions of 1998 and 2013. The edition of 2017 asks for a conformance probability of 95 %, which for one
limit is a guard band of 1.65 u; the band of 2 u used here accepts nothing that the newer rule would not accept.

A signed figure (the mean reversal) is judged by its magnitude.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """What may be claimed."""

    CONFORMS = "conforms"
    DOES_NOT_CONFORM = "does not conform"
    UNDECIDED = "undecided"


class Rule(StrEnum):
    """How the uncertainty takes part in the decision."""

    GUARDED = "guarded acceptance"
    """ISO 14253-1: guard band U on both sides of the limit; without U nothing can be decided."""
    SIMPLE = "simple acceptance"
    """JCGM 106, 8.2: the value alone against the limit, shared risk; only where customer and supplier agreed on it."""

    @property
    def statement(self) -> str:
        """The rule in one sentence, as a report must print it."""
        if self is Rule.GUARDED:
            return "Decision rule: ISO 14253-1, guard band U (k = 2). Conforms if |value| + U ≤ limit; does not conform if |value| − U > limit; otherwise undecided."
        return "Decision rule: simple acceptance (JCGM 106, 8.2), by agreement. Conforms if |value| ≤ limit; the risk of a wrong decision is shared."


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One value against one limit. `reason` says in words why the outcome is what it is."""

    outcome: Outcome
    rule: Rule
    limit: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the decisions of one report amount to. `headline` for the badge, `detail` for the line below it; `rule` is None where nothing was judged."""

    outcome: Outcome
    rule: Rule | None
    headline: str
    detail: str


ROUNDING = 4 * sys.float_info.epsilon
"""Value, U and limit each carry the error of one decimal-to-binary conversion and one scaling (≤ 1 ulp), their sum half an ulp more: less than
4 ε of the largest. A sum that equals the limit in decimal digits (8 µm + 2 µm against 10 µm) therefore conforms."""


def decide(value: float | None, uncertainty: float | None, limit: float, *, rule: Rule = Rule.GUARDED) -> Decision:
    """Decide on one value, any unit, the same for all three.

    Parameters
    ----------
    value : float or None
        Measured value; None where it could not be evaluated (undecided).
    uncertainty : float or None
        Expanded uncertainty U, k = 2, ≥ 0; None where it is not stated (undecided under `Rule.GUARDED`).
    limit : float
        Largest permitted magnitude, > 0.

    Raises
    ------
    ValueError      a number that is not finite, U < 0, or limit ≤ 0

    Examples
    --------
    >>> [decide(value, 2.0, 10.0).outcome.value for value in (8.0, 8.1, 12.0, 12.1)]
    ['conforms', 'undecided', 'undecided', 'does not conform']
    """
    if not (math.isfinite(limit) and limit > 0):
        raise ValueError(f"limit is {limit}; a finite number above zero is expected")
    if value is not None and not math.isfinite(value):
        raise ValueError(f"value is {value}; a finite number is expected, or None where it was not evaluated")
    if uncertainty is not None and not (math.isfinite(uncertainty) and uncertainty >= 0):
        raise ValueError(f"uncertainty is {uncertainty}; a finite number, zero or more, is expected, or None where it is not stated")

    def decision(outcome: Outcome, reason: str) -> Decision:
        return Decision(outcome=outcome, rule=rule, limit=limit, reason=reason)

    if value is None:
        return decision(Outcome.UNDECIDED, "the figure was not evaluated")
    if rule is Rule.SIMPLE:
        guard = 0.0
    elif uncertainty is None:
        return decision(Outcome.UNDECIDED, "no uncertainty is stated, so the rule cannot decide")
    else:
        guard = uncertainty

    magnitude = abs(value)
    slack = ROUNDING * max(magnitude, guard, limit)
    if magnitude + guard <= limit + slack:
        return decision(Outcome.CONFORMS, "within the limit" if rule is Rule.SIMPLE else "within the limit by at least U")
    if magnitude - guard > limit + slack:
        return decision(Outcome.DOES_NOT_CONFORM, "beyond the limit" if rule is Rule.SIMPLE else "beyond the limit by more than U")
    return decision(Outcome.UNDECIDED, "at the limit, within the uncertainty")


def verdict(decisions: Sequence[tuple[str, Decision]], *, departs: bool = False, not_for_acceptance: str = "") -> Verdict | None:
    """What several decisions, each with the symbol of its figure, amount to; None where nothing was decided.

    One figure that does not conform decides the whole; one that is undecided keeps the whole undecided.

    Parameters
    ----------
    departs : bool
        The test departs from its standard: the headline then speaks of the limits alone and says so, since figures of another test prove no conformity.
    not_for_acceptance : str
        Why the test can prove nothing at all (a run that was stopped, a step cycle); "" where it can. The verdict is then undecided, whatever the figures.

    Raises
    ------
    ValueError      decisions made under different rules
    """
    rules = {decision.rule for _, decision in decisions}
    if len(rules) > 1:
        raise ValueError(f"one report, one decision rule; seen {', '.join(sorted(rules))}")
    rule = decisions[0][1].rule if decisions else None
    outcome, detail = _sum(decisions)
    if not_for_acceptance:
        # What is beyond its limit is said also then; what lies within it would read like an acceptance.
        beyond = f"; {detail}" if outcome is Outcome.DOES_NOT_CONFORM else ""
        return Verdict(outcome=Outcome.UNDECIDED, rule=rule, headline="Not for acceptance", detail=not_for_acceptance + beyond)
    if outcome is None or rule is None:
        return None
    return Verdict(outcome=outcome, rule=rule, headline=_departing_headline(outcome, len(decisions)) if departs else _HEADLINES[outcome], detail=detail)


_HEADLINES: Final = {Outcome.CONFORMS: "Conforms", Outcome.DOES_NOT_CONFORM: "Does not conform", Outcome.UNDECIDED: "Undecided"}


def _departing_headline(outcome: Outcome, limits: int) -> str:
    limit = "limit" if limits == 1 else "limits"
    seen = {Outcome.CONFORMS: f"Within the {limit}", Outcome.DOES_NOT_CONFORM: f"Beyond the {limit}", Outcome.UNDECIDED: "Undecided"}[outcome]
    return f"{seen}; the test departs from the standard"


def _sum(decisions: Sequence[tuple[str, Decision]]) -> tuple[Outcome | None, str]:
    """The outcome of all, the worst first, and the figures that make it; None where there are none."""
    for outcome in (Outcome.DOES_NOT_CONFORM, Outcome.UNDECIDED):
        if those := [f"{symbol}: {decision.reason}" for symbol, decision in decisions if decision.outcome is outcome]:
            return outcome, "; ".join(those)
    if not decisions:
        return None, ""
    symbols = ", ".join(symbol for symbol, _ in decisions)
    margin = "" if decisions[0][1].rule is Rule.SIMPLE else " by at least U"
    return Outcome.CONFORMS, f"{symbols} within the {'limit' if len(decisions) == 1 else 'limits'}{margin}"
