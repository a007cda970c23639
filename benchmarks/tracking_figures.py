"""The figures of one record, each with its uncertainty or the reason why there is none. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from precision.figures import Figure
from precision.standards import following_error, position_loop, position_ripple
from precision.standards.reported import figure
from precision.units import text

from .tracking_parts import REASON, JudgedPart, Known, OwnError, Traverse, scatter
from .tracking_plan import Parameters, Recorded

Array = NDArray[np.float64]


def figures(
    plan: Parameters | Recorded, result: following_error.Result, loop: position_loop.Result, parts: Sequence[JudgedPart], traverses: Sequence[Traverse],
    waves: Mapping[str, Sequence[position_ripple.Wave]], known: Known, tool: Array | None, feedback: Array, own: OwnError | None, settle_s: float, unit: str,
) -> list[Figure]:  # fmt: skip
    """All figures of a record, in the order of the report. tool : (n,) or None. settle_s : that was used."""
    shortest = plan.evaluation.shortest
    no_constant = (
        f"no stretch at constant velocity of {shortest:g} s or more is left after {settle_s:.3g} s of settling: take a longer stroke, a lower feed, or evaluation.settle"
    )
    found = [*_errors(result, parts, known, unit), *_by_phase(parts, no_constant, unit), *_times(result, loop, traverses, known, no_constant)]
    for direction in ("forward", "backward"):
        constant = any(one.part.phase == "constant velocity" and one.part.direction == direction for one in parts)
        found += _ripple(result, waves[direction], direction, no_constant if not constant else "", unit)
    if tool is not None:
        said = "the instrument at the tool has no statement here"
        name = "largest − smallest tool − feedback: what the feedback does not see, and the travel between two readings that are not simultaneous"
        found.append(figure("mechanics", name, float(np.ptp(tool - feedback)), unit, said, symbol="tool − fb"))
    if own is not None:
        rows = f"with ours {abs(own.cycles)} {'row' if abs(own.cycles) == 1 else 'rows'} {'earlier' if own.cycles > 0 else 'later'}"
        name = f"rms difference to the controller's own following error, {rows if own.cycles else 'at equal rows'}"
        # Positions are known to the last bit of the largest: less than that is no difference.
        apart = own.difference if own.difference > float(np.spacing(np.abs(feedback).max())) else 0.0
        found.append(figure("own_difference", name, apart, unit, "a comparison of two computations", symbol="Δ own"))
    return found


def _by_phase(parts: Sequence[JudgedPart], no_constant: str, unit: str) -> list[Figure]:
    """At constant velocity, and at standstill."""
    constant = [one for one in parts if one.part.phase == "constant velocity"]
    still = next((one for one in parts if one.part.phase == "standstill"), None)
    largest = max((one.part.largest for one in constant), default=None)
    rms: float | str = "the axis does not stand" if still is None else still.part.rms
    return [
        figure(
            "e_constant", "largest |following error| at constant velocity", no_constant if largest is None else largest, unit, _larger(constant) if constant else None,
            symbol="e_v",
        ),
        figure("e_standstill", "rms following error at standstill", rms, unit, REASON if still is None or still.rms_u is None else still.rms_u, symbol="e_0"),
    ]  # fmt: skip


def _ripple(result: following_error.Result, waves: Sequence[position_ripple.Wave], direction: str, no_constant: str, unit: str) -> list[Figure]:
    """Amplitude and period of the strongest wave."""
    arrow, one = "↑" if direction == "forward" else "↓", next(iter(waves), None)
    does_not = "the axis does not follow the set-point at constant velocity, or for too few samples"
    reason = no_constant or (does_not if result.ripple[direction] is None else "no wave stands out of noise and counts")
    words = f"of the strongest wave along the travel, {direction}"
    size = (reason, None) if one is None else (one.amplitude, one.amplitude_u)
    period = (reason, None) if one is None else (one.period, one.period_u)
    return [
        figure(f"ripple_{direction}", f"amplitude {words}", size[0], unit, size[1], symbol=f"ripple {arrow}"),
        figure(f"ripple_period_{direction}", f"period {words}", period[0], unit, period[1], symbol=f"period {arrow}"),
    ]


def _errors(result: following_error.Result, parts: Sequence[JudgedPart], known: Known, unit: str) -> list[Figure]:
    """The whole record; U of the largest is that of the phase where it is largest."""
    u_max = _larger(parts)
    stated = [part.rms_u for part in parts]
    u_rms: float | str = REASON
    if known.synchronisation_s is not None:
        # rms² is the mean of the parts' rms², weighted by samples: their U, taken as correlated.
        total, rms = sum(part.part.samples for part in parts), result.figures["e_rms"].value or 0.0
        u_rms = (
            sum(part.part.samples * part.part.rms * (u or 0.0) for part, u in zip(parts, stated, strict=True)) / (total * rms)
            if rms > 0
            else 2 * known.count
        )
    keys = {
        "e_max": u_max,
        "e_rms": u_rms,
        "e_max_without_shift": u_max if isinstance(u_max, str) else 2 * math.hypot(known.count, known.noise),
        "e_rms_without_shift": u_rms if isinstance(u_rms, str) else 2 * known.count,
    }
    return [_with_u(result.figures[key], u) for key, u in keys.items()]


def _larger(parts: Sequence[JudgedPart]) -> float | str:
    """U of the largest error of some parts."""
    worst = max(parts, key=lambda part: part.part.largest)
    return REASON if worst.largest_u is None else worst.largest_u


def _times(
    result: following_error.Result, loop: position_loop.Result, traverses: Sequence[Traverse], known: Known, no_constant: str
) -> list[Figure]:
    """Shift, lag and gain. The scatter of the traverses counts where it is larger than what the residuals say; simultaneity is part of each but the loop's gain."""
    sync = known.synchronisation_s
    shift, lag, gain = (result.figures[key] for key in ("time_shift", "velocity_lag", "k_v"))
    found: list[Figure] = [_with_u(shift, REASON if sync is None else math.hypot(shift.uncertainty or 0.0, 2 * sync))]
    if lag.value is None or not traverses:
        found += [
            replace(
                one,
                value=None,
                reason=no_constant if not traverses else lag.reason or no_constant,
                uncertainty=None,
                uncertainty_reason="the figure is not evaluated",
            )
            for one in (lag, gain)
        ]
    else:
        offset = float(np.mean([one.mean - lag.value * one.velocity for one in traverses]))
        # With one direction or none to spare the offset stays in the lag, as `following_error` flags.
        if len({one.direction for one in traverses}) < 2:
            offset = 0.0
        repeats_u = 2 * scatter([(one.mean - offset) / one.velocity for one in traverses])
        u = None if sync is None else math.hypot(max(lag.uncertainty or 0.0, repeats_u), 2 * sync)
        found.append(_with_u(lag, REASON if u is None else u))
        if gain.value is None or lag.value <= 0 or (u is not None and lag.value <= u):
            leads = f"the feedback leads the command by {text(-lag.value, 's', digits=3)} at constant velocity: feed-forward above 100 %, steps that are sent early, or the command is recorded late (evaluation.command_ahead)"
            reason = leads if lag.value <= 0 else gain.reason or f"the lag of {text(lag.value, 's', digits=3)} is not larger than its U of {text(u or 0.0, 's', digits=2)}"
            found.append(replace(gain, value=None, reason=reason, uncertainty=None, uncertainty_reason="the figure is not evaluated"))
        else:
            found.append(_with_u(gain, REASON if u is None else u / lag.value**2))
    found.append(loop.figures["loop_gain"])
    dead = loop.figures["dead_time"]
    found.append(dead if dead.value is None else _with_u(dead, REASON if sync is None else math.hypot(dead.uncertainty or 0.0, 2 * sync)))
    return found


def _with_u(one: Figure, u: float | str) -> Figure:
    if one.value is None:
        return one
    return replace(one, uncertainty=None, uncertainty_reason=u) if isinstance(u, str) else replace(one, uncertainty=u, uncertainty_reason=None)
