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

from .tracking_parts import REASON, JudgedPart, Known, OwnError, Traverse, scatter
from .tracking_plan import Parameters, Recorded

Array = NDArray[np.float64]


def figures(
    plan: Parameters | Recorded, result: following_error.Result, loop: position_loop.Result, parts: Sequence[JudgedPart], traverses: Sequence[Traverse],
    waves: Mapping[str, Sequence[position_ripple.Wave]], known: Known, tool: Array | None, feedback: Array, own: OwnError | None, settle_s: float, unit: str,
) -> list[Figure]:  # fmt: skip
    found = _errors(result, parts, known, unit)
    constant = [part for part in parts if part.part.phase == "constant velocity"]
    no_constant = f"no stretch at constant velocity of {plan.evaluation.shortest:g} s or more is left after {settle_s:.3g} s of settling: take a longer stroke, a lower feed, or evaluation.settle"
    found.append(
        figure("e_constant", "largest |following error| at constant velocity", max(part.part.largest for part in constant), unit, _larger(constant), symbol="e_v")
        if constant else figure("e_constant", "largest |following error| at constant velocity", no_constant, unit, symbol="e_v")
    )  # fmt: skip
    still = [part for part in parts if part.part.phase == "standstill"]
    found.append(
        figure("e_standstill", "rms following error at standstill", still[0].part.rms, unit, REASON if still[0].rms_u is None else still[0].rms_u, symbol="e_0")
        if still else figure("e_standstill", "rms following error at standstill", "the axis does not stand", unit, symbol="e_0")
    )  # fmt: skip
    found += _times(result, loop, traverses, known, no_constant)
    for direction in ("forward", "backward"):
        reason = no_constant if not any(part.part.direction == direction for part in constant) else "no wave stands out of noise and counts"
        if result.ripple[direction] is None and reason.startswith("no wave"):
            reason = "the axis does not follow the set-point at constant velocity, or for too few samples"
        arrow = "↑" if direction == "forward" else "↓"
        one = waves[direction][0] if waves[direction] else None
        size = figure(
            f"ripple_{direction}",
            f"amplitude of the strongest wave along the travel, {direction}",
            reason if one is None else one.amplitude,
            unit,
            None if one is None else one.amplitude_u,
            symbol=f"ripple {arrow}",
        )
        period = figure(
            f"ripple_period_{direction}",
            f"period of the strongest wave along the travel, {direction}",
            reason if one is None else one.period,
            unit,
            None if one is None else one.period_u,
            symbol=f"period {arrow}",
        )
        found += [size, period]
    if tool is not None:
        apart = tool - feedback
        found.append(
            figure(
                "mechanics",
                "largest − smallest tool − feedback: what the feedback does not see",
                float(np.ptp(apart)),
                unit,
                "the instrument at the tool has no statement here",
                symbol="tool − fb",
            )
        )
    if own is not None:
        words = (
            "at equal rows"
            if own.cycles == 0
            else f"with ours {abs(own.cycles)} {'row' if abs(own.cycles) == 1 else 'rows'} {'earlier' if own.cycles > 0 else 'later'}"
        )
        found.append(
            figure(
                "own_difference",
                f"rms difference to the controller's own following error, {words}",
                own.difference,
                unit,
                "a comparison of two computations",
                symbol="Δ own",
            )
        )
    return found


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
            leads = f"the feedback leads the command by {-lag.value:.3g} s at constant velocity: feed-forward above 100 %, or the command is recorded late (evaluation.command_ahead)"
            reason = leads if lag.value <= 0 else gain.reason or f"the lag of {lag.value:.3g} s is not larger than its U of {u or 0.0:.2g} s"
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
