"""From the trials of a learning test to errors with U, what repeats, and how fast it was learned beside what the measured response foretold. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.figures import Figure
from precision.standards import learning, learning_law, noise_density
from precision.standards.reported import figure

from . import ilc
from .ilc_plan import Parameters
from .procedure import Readings

Array = NDArray[np.float64]
SEEN: Final = 30.0
"""Times the variance of a distance that its square must pass to count for the rate: what was learned of the noise is then small beside it."""


RINGING: Final = 0.01
"""Of the impulse response, what is left of it after a trial, above which the report says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One trial. phase : ilc.BEFORE, LEARNING or AFTER.  rms, rms_u, peak, peak_u : of the error and their U (k = 2).  signal_peak : of the
    feed-forward.  foretold : rms error, or None."""

    number: int
    phase: int
    rms: float
    rms_u: float
    peak: float
    peak_u: float
    signal_peak: float
    foretold: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysis:
    """law : as it was designed.  trials : all of them.  time_s : (n,) of the judged samples.  error, signal : (trials, n) and the feed-forward. 
    learned : of the trials with
    learning, after the last without; None where fewer than two were made.  before, after : of the trials without learning; after is None where
    there are none.
    figures : all by key.  flags, remarks : sentences."""

    law: learning_law.Law
    trials: tuple[Trial, ...]
    time_s: Array
    reference: Array
    error: Array
    signal: Array
    foretold: learning_law.Forecast | None
    learned: learning.Result | None
    before: learning.Result
    after: learning.Result | None
    noise: float
    figures: dict[str, Figure]
    flags: tuple[str, ...]
    remarks: tuple[str, ...]


def analyse(plan: Parameters, readings: Readings) -> Analysis:
    """Evaluate a learning test, also one that was stopped.

    Raises
    ------
    DataError       no response, or fewer than two whole trials without signal
    """
    phase, number = np.asarray(readings["phase"]), np.asarray(readings["trial"])
    response = phase == ilc.RESPONSE
    if not response.any():
        raise DataError("the capture holds no response of the plant to its feed-forward; without it there is no law to judge")
    rate = _rate(np.asarray(readings["t_s"], dtype=np.float64)[response])
    law = ilc.law(plan, readings["feed_forward"][response], readings["output"][response], rate)
    whole = [k for k in range(int(number.max()) + 1) if np.count_nonzero(number == k) == law.samples]
    phases = [int(phase[number == k][0]) for k in whole]
    if phases.count(ilc.BEFORE) < 2:
        raise DataError(f"the capture holds {phases.count(ilc.BEFORE)} whole trials without signal; two are needed to tell what repeats")
    reference = np.asarray(readings["reference"][number == whole[0]], dtype=np.float64)
    errors = np.stack([reference - readings["output"][number == k] for k in whole])
    signal = np.stack([readings["feed_forward"][number == k] for k in whole])
    of = {which: np.flatnonzero(np.array(phases) == which) for which in (ilc.BEFORE, ilc.LEARNING, ilc.AFTER)}
    judged = errors[:, : law.judged]
    unit = plan.units.output
    before = learning.evaluate(judged[of[ilc.BEFORE]], converged=of[ilc.BEFORE].size, unit=unit)
    after = learning.evaluate(judged[of[ilc.AFTER]], converged=of[ilc.AFTER].size, unit=unit) if of[ilc.AFTER].size >= 2 else None
    steps = [of[ilc.BEFORE][-1], *of[ilc.LEARNING]]
    converged = plan.evaluation.converged if plan.evaluation.converged is not None and plan.evaluation.converged < len(steps) else None
    learned = learning.evaluate(judged[steps], converged=converged, unit=unit) if len(steps) > 2 else None
    foretold = None
    if len(steps) > 1:
        line = learning_law.noise_by_line(errors[of[ilc.BEFORE]])
        foretold = learning_law.forecast(law, errors[of[ilc.BEFORE]].mean(axis=0), line, trials=len(steps) - 1)
    apart = [judged[of[which]] - judged[of[which]].mean(axis=0) for which in (ilc.BEFORE, ilc.AFTER) if of[which].size >= 2]
    free = sum(part.shape[0] - 1 for part in apart)
    noise = np.concatenate(apart)
    trials = tuple(_trial(judged[k], signal[k], whole[k], phases[k], noise, free, foretold, of) for k in range(len(whole)))
    remarks = []
    if learned and any("still change" in flag for flag in learned.flags):
        remarks.append("the last trials with learning still change: more of them would learn more")
    if law.ringing > RINGING:
        remarks.append(
            f"a trial after a blow the output still answers with {law.ringing:.2g} of its largest: what is foretold is in doubt by about as much; "
            "a longer trajectory.dwell lets it die away"
        )
    figures, flags = _figures(plan, law, judged, of, trials, before, after, learned, foretold, noise, free, _freedom(apart))
    return Analysis(
        law=law, trials=trials, time_s=np.arange(law.judged) / rate, reference=reference[: law.judged], error=judged, signal=signal[:, : law.judged],
        foretold=foretold, learned=learned, before=before, after=after, noise=_rms(noise) * math.sqrt(noise.shape[0] / free), figures=figures, flags=flags, remarks=tuple(remarks),
    )  # fmt: skip


def _rate(time_s: Array) -> float:
    steps = np.diff(time_s)
    if steps.size < 16 or not np.ptp(steps) < 1e-3 * float(np.median(steps)):
        raise DataError("the samples of the response are not even in time; some are missing, or their time stamps are wrong")
    return float(f"{(time_s.size - 1) / (time_s[-1] - time_s[0]):.9g}")


def _rms(values: Array) -> float:
    return math.sqrt(float(np.mean(values**2)))


def _trial(
    error: Array,
    signal: Array,
    number: int,
    phase: int,
    noise: Array,
    free: int,
    foretold: learning_law.Forecast | None,
    of: dict[int, NDArray[np.int64]],
) -> Trial:
    """rms and peak of a trial; U from what the repeated trials differ by, in its real correlation: d rms = ⟨e n⟩/rms, and ⟨n n⟩/(2 rms) beside it."""
    rms, at = _rms(error), int(np.argmax(np.abs(error)))
    along = np.sum((noise @ error / error.size) ** 2) / free / max(rms, 1e-300) ** 2
    square = np.mean(noise**2, axis=1)
    across = float(np.var(square)) * noise.shape[0] / free / (2 * max(rms, 1e-300)) ** 2
    factor = _student(free)
    j = number - int(of[ilc.BEFORE].size) + 1
    known = foretold is not None and phase == ilc.LEARNING and 0 <= j < foretold.rms.size
    return Trial(
        number=number, phase=phase, rms=rms, rms_u=factor * math.sqrt(float(along) + across), peak=float(np.abs(error).max()),
        peak_u=factor * math.sqrt(float(np.sum(noise[:, at] ** 2)) / free), signal_peak=float(np.abs(signal).max()),
        foretold=float(foretold.rms[j]) if known and foretold is not None else None,
    )  # fmt: skip


def _student(free: int) -> float:
    from scipy.stats import t

    return float(t.ppf(0.97725, free))


def _freedom(apart: list[Array]) -> float:
    """ν, degrees of freedom of the noise within one trial, (Σλ)²/Σλ² of its covariance: 1 where it is one slow drift, the samples where it is white.

    Two trials have the mean product ⟨n_i n_j⟩ = 0 with variance Σλ², and each the mean square Σλ. What is left of trials less their mean (of r) has Σλ (1 − 1/r), and products
    in one set the mean −Σλ/r.
    """
    total, products = [], []
    for part in apart:
        r = part.shape[0]
        gram = part @ part.T / part.shape[1]
        total.append(float(np.trace(gram)) / (r - 1))
        one, other = np.triu_indices(r, 1)
        products += ((gram[one, other] + total[-1] / r) ** 2 / ((1 - 1 / r) ** 2 + 1 / r**2)).tolist()
    if len(apart) == 2:
        cross = apart[0] @ apart[1].T / apart[0].shape[1]
        products += (cross.ravel() ** 2 / math.prod(1 - 1 / part.shape[0] for part in apart)).tolist()
    spread = float(np.mean(products))
    return max(1.0, float(np.mean(total)) ** 2 / spread) if spread > 0 else 1.0


def _figures(
    plan: Parameters, law: learning_law.Law, error: Array, of: dict[int, NDArray[np.int64]], trials: tuple[Trial, ...], before: learning.Result,
    after: learning.Result | None, learned: learning.Result | None, foretold: learning_law.Forecast | None, noise: Array, free: int, freedom: float,
) -> tuple[dict[str, Figure], tuple[str, ...]]:  # fmt: skip
    unit = plan.units.output
    worst, worst_u, at = law.worst
    found = [figure("contraction", f"largest |Q (1 − L J)|, at {at:.4g} Hz", worst, "", worst_u, symbol="|M|")]
    flags: list[str] = []
    if worst + worst_u >= 1:
        flags.append(f"at {at:.4g} Hz the measured response does not exclude that trials become worse: |Q (1 − L J)| = {worst:.3g} ± {worst_u:.2g}")
    rates, said = _rates(error, of, foretold, noise, free, law.ringing)
    found += rates
    flags += said
    for prefix, words, which, result in (("before", "without signal", ilc.BEFORE, before), ("after", "with the learned signal", ilc.AFTER, after)):
        if result is None:
            why = "the run has no two trials with the learned signal unchanged"
            found += [figure(f"{prefix}_{key}", f"{name}, {words}", why, unit) for key, name in (("rms", "rms error"), ("peak", "largest error"))]
            continue
        found += _of_repeats(prefix, words, [trial for trial in trials if trial.phase == which], result, unit, freedom)
    if after is not None and before["first"] and after["floor"]:
        u = math.hypot(
            *(
                found_u / value
                for found_u, value in ((_u(found, "before_rms"), float(before["floor"] or 1)), (_u(found, "after_rms"), float(after["floor"])))
            )
        )
        ratio = float(before["floor"] or 0) / float(after["floor"])
        found.append(figure("improvement", "rms error without signal over that with it", ratio, "", ratio * u, symbol="e_0/e"))
    if learned is not None:
        found.append(replace(learned.figures["trials_to_floor"], uncertainty_reason="a count"))
        flags += [flag for flag in learned.flags if "worse" in flag]
    return {one.key: one for one in found}, tuple(flags)


def _u(found: list[Figure], key: str) -> float:
    return next(float(one.uncertainty or 0.0) for one in found if one.key == key)


def _of_repeats(prefix: str, words: str, trials: list[Trial], result: learning.Result, unit: str, freedom: float) -> list[Figure]:
    """rms (root of the mean square), peak, repeatable and non-repeatable part of trials that were the same."""
    count, sign = len(trials), "e_0" if prefix == "before" else "e_"
    u_rms = max(trial.rms_u for trial in trials) / math.sqrt(count)
    u_peak = max(trial.peak_u for trial in trials) / math.sqrt(count)
    scatter = float(result["non_repeatable"] or 0.0)
    # Slow noise has few degrees of freedom a trial, and its variance is known as badly: the larger side of the χ² interval of 95 %, upwards.
    u_scatter = scatter * (math.sqrt(noise_density.confidence_factors((count - 1) * freedom)[1]) - 1)
    repeatable = result.figures["repeatable"]
    made = [
        figure(f"{prefix}_rms", f"rms error {words}", float(result["floor"] or 0.0), unit, u_rms, symbol=sign.rstrip("_")),
        figure(
            f"{prefix}_peak",
            f"largest error {words}, mean over the trials",
            float(np.mean([trial.peak for trial in trials])),
            unit,
            u_peak,
            symbol=f"{sign}max",
        ),
        figure(f"{prefix}_non_repeatable", f"non-repeatable part {words}, rms", scatter, unit, u_scatter, symbol=f"{sign}nr"),
    ]
    if repeatable.value is None:
        made.insert(2, figure(f"{prefix}_repeatable", f"repeatable part {words}, rms", repeatable.reason or "not found", unit, symbol=f"{sign}rep"))
    else:
        made.insert(2, figure(f"{prefix}_repeatable", f"repeatable part {words}, rms", repeatable.value, unit, u_rms, symbol=f"{sign}rep"))
    return [replace(one, name=one.name.replace("  ", " ")) for one in made]


def _rates(
    error: Array, of: dict[int, NDArray[np.int64]], foretold: learning_law.Forecast | None, noise: Array, free: int, ringing: float
) -> tuple[list[Figure], list[str]]:
    """By what each trial shortens the way to the error that remains, as found and as the response foretold it, over the same trials."""
    names = {"rate": "convergence per trial, as found", "rate_foretold": "convergence per trial, foretold from the response"}
    after = of[ilc.AFTER]
    if foretold is None or after.size < 2:
        why = "the run has no two trials with the last signal unchanged, so what remains is not known"
        return [figure(key, name, why, "") for key, name in names.items()], []
    remains = error[after].mean(axis=0)
    steps = [error[of[ilc.BEFORE]].mean(axis=0), *error[of[ilc.LEARNING]]]
    variance = float(np.mean(np.sum(noise**2, axis=0) / free))
    shares = [variance * (1 / of[ilc.BEFORE].size + 1 / after.size), *[variance * (1 + 1 / after.size)] * of[ilc.LEARNING].size]
    square = np.array([float(np.mean((one - remains) ** 2)) - share for one, share in zip(steps, shares, strict=True)])
    # The last trial had the signal of those after it: only trials before it have a way to go.
    clear = [j for j in range(1, len(steps) - 1) if square[j] > SEEN * shares[j]]
    last = next((j - 1 for j in range(1, len(steps)) if j not in clear), len(steps) - 2)
    if last < 1 or square[0] <= SEEN * shares[0]:
        why = "what was left to learn was not clearly above the noise in the first trial with learning already"
        return [figure(key, name, why, "") for key, name in names.items()], []
    trials = len(steps) - 1
    shrunk = math.sqrt(square[last] / square[0])
    rate = _per_trial(shrunk, last, trials)
    way = (steps[last] - remains) / math.sqrt(square[last])
    # Of the last of these trials, of those that remain, and as much again for the noise that was learned.
    u_last = _student(free) * math.sqrt(float(np.sum((noise @ way / way.size) ** 2)) / free * (2 + 1 / after.size) / square[last])
    u_rate = _per_trial(shrunk * (1 + u_last), last, trials) - rate
    told = float(foretold.distance[last] / foretold.distance[0])
    expected = _per_trial(told, last, trials)
    u_expected = _per_trial(told * (1 + 2 * float(foretold.distance_u[last] / foretold.distance[last])), last, trials) - expected
    u_expected = math.hypot(u_expected, ringing * expected)
    if not math.isfinite(rate + u_rate + expected + u_expected):
        why = "the error did not shrink from trial to trial"
        return [figure(key, name, why, "") for key, name in names.items()], []
    flags = []
    if abs(rate - expected) > 1.5 * math.hypot(u_rate, u_expected) + 0.05 * expected:
        flags.append(
            f"the error shrank by {rate:.3g} a trial, the response foretold {expected:.3g} ± {u_expected:.2g}: the plant is not linear (friction, play, limits), or it changed "
            "between the measurement of the response and the trials"
        )
    return [
        figure("rate", f"{names['rate']} (trials 1 to {last} of learning)", rate, "", u_rate, symbol="γ"),
        figure("rate_foretold", names["rate_foretold"], expected, "", u_expected, symbol="γ_J"),
    ], flags


def _per_trial(shrunk: float, last: int, trials: int) -> float:
    """γ of a geometric course: what is left to the error after all `trials` falls to `shrunk` in `last` of them, (γ^last − γ^trials)/(1 −
    γ^trials)."""
    from scipy.optimize import brentq

    def left(rate: float) -> float:
        # (γ^l − γ^m)/(1 − γ^m) as a quotient of sums, which holds at γ = 1 too
        powers = rate ** np.arange(trials)
        return float(np.sum(powers[last:]) / np.sum(powers))

    return float(brentq(lambda rate: left(rate) - shrunk, 0.0, 1e3, xtol=1e-12)) if 0 < shrunk < left(1e3) else 0.0 if shrunk <= 0 else math.inf
