"""From position and force of a drive to its friction curve, a feed-forward model, what its reversals lose and its
quadrant glitches. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.figures import Figure
from precision.standards import (
    constant_velocity,
    feed_forward_fit,
    friction_curve,
    hysteresis,
    lost_motion,
    quadrant_glitch,
    sampling,
)
from precision.standards.constant_velocity import Stretch

from . import friction, set_points
from .friction_plan import Parameters, Recorded
from .procedure import Readings

Array = NDArray[np.float64]
T = TypeVar("T")
_STUCK: Final = 0.2
"""Share of the reversal's velocity below which the motor counts as standing: it is held by friction while its controller
winds up."""
_NO_FRICTION: Final = "what is fitted there is no friction; run slower or accelerate less"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Analysis:
    """Each is None where the record does not hold it; `lacking` then says why, by title.

    curve, runs : friction over velocity, and its points.  fit, fitted : feed-forward, and the motion it was fitted to.
    lost : backlash and windup.
    loop : force over motor position.  lag : load over motor position.  glitches : (speed, result), by speed.
    """

    force_unit: str
    rate_hz: float
    curve: friction_curve.Result | None
    runs: tuple[Stretch, ...]
    fit: feed_forward_fit.Result | None
    fitted: feed_forward_fit.Record | None
    lost: lost_motion.Result | None
    loop: hysteresis.Result | None
    lag: hysteresis.Result | None
    glitches: tuple[quadrant_glitch.Result, ...]
    figures: Mapping[str, Figure]
    lacking: Mapping[str, str]
    flags: tuple[str, ...]


def analyse(plan: Parameters | Recorded, readings: Readings) -> Analysis:
    """Evaluate a friction test.

    Raises
    ------
    DataError       too little was recorded, uneven samples, gaps, or a record that holds nothing that can be evaluated
    """
    record, signals, part = _signals(plan, readings)
    gain = plan.drive.force_constant
    force_unit = plan.units.input if gain is None else "N"
    force = signals["input"] * (1.0 if gain is None else gain)
    lacking: dict[str, str] = {}
    whole = np.ones(force.size, dtype=bool)
    motion = plan.evaluation.motion if isinstance(plan, Recorded) else None
    wanted: dict[str, NDArray[np.bool_]] = {
        "velocities": part == friction.VELOCITIES if motion is None else whole & (motion == "velocities"),
        "reversal": part == friction.REVERSAL if motion is None else whole & (motion == "reversal"),
    }
    units: dict[str, Any] = {"force_unit": force_unit, "unit": plan.units.output}

    def tried(title: str, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except DataError as error:
            lacking[title] = str(error)
            return None

    runs: tuple[Stretch, ...] = ()
    curve = fit = fitted = lost = loop = lag = None
    if motion in (None, "velocities"):
        both = tried("Feed-forward", lambda: _fit(plan, signals, force, record.rate_hz, part, units))
        fit, fitted = both if both is not None else (None, None)
    if wanted["velocities"].any():
        mass = fit["mass"] or 0.0 if fit is not None else 0.0
        runs = tried("Friction curve", lambda: _runs(plan, signals, force, record.rate_hz, wanted["velocities"], mass)) or ()
        curve = tried("Friction curve", lambda: _curve(runs, units)) if runs else None
    slow = wanted["reversal"]
    if slow.any():
        loop = tried("Hysteresis", lambda: _loop(plan, signals["output"], force, slow, record.rate_hz, force_unit))
        if "load" in signals:
            lost = tried("Lost motion", lambda: _lost(plan, signals, force, slow, record.rate_hz, units))
            lag = tried(
                "Hysteresis of the load",
                lambda: _loop(plan, signals["output"], signals["load"], slow, record.rate_hz, plan.units.output),
            )
        else:
            lacking["Lost motion"] = (
                "no channel load: the position behind the drive was not measured, so backlash and windup are not seen"
            )
    glitches = _glitches(plan, signals, part, record.rate_hz, motion, lacking)
    results = (
        ("", curve),
        ("ff_", fit),
        ("lost_", lost),
        ("loop_", loop),
        ("lag_", lag),
        *((f"glitch_{k}_", one) for k, one in enumerate(glitches, 1)),
    )
    if all(result is None for _, result in results):
        raise DataError("nothing can be evaluated: " + "; ".join(f"{title}: {why}" for title, why in lacking.items()))
    said = [
        *record.flags,
        *set_points.limited(signals["input"], _NO_FRICTION),
        *(flag for _, result in results if result is not None for flag in result.flags),
    ]
    return Analysis(
        force_unit=force_unit,
        rate_hz=record.rate_hz,
        curve=curve,
        runs=runs,
        fit=fit,
        fitted=fitted,
        lost=lost,
        loop=loop,
        lag=lag,
        glitches=glitches,
        figures=_figures(plan, results, force_unit),
        lacking=lacking,
        flags=tuple(dict.fromkeys(said)),
    )


def _signals(plan: Parameters | Recorded, readings: Readings) -> tuple[sampling.Record, dict[str, Array], NDArray[np.int64]]:
    time = np.asarray(readings["t_s"], dtype=np.float64)
    if time.size < 64:
        raise DataError(f"the capture holds {time.size} samples; runs, moves or reversals are needed")
    names = [name for name in friction.CHANNELS if np.isfinite(readings[name]).any()]
    if missing := [name for name in ("input", "output") if name not in names]:
        raise DataError(f"no {' and no '.join(missing)} was recorded; friction is the force over the motion")
    resample = isinstance(plan, Recorded) and plan.evaluation.resample
    record = sampling.even_record(time, np.stack([readings[name] for name in names]), resample_to_even=resample)
    signals = dict(zip(names, record.values, strict=True))
    if np.ptp(signals["output"]) == 0:
        raise DataError(
            f"the output stays at {signals['output'][0]:g} in the whole record: nothing moved, or the sensor is not "
            "connected"
        )
    part = np.asarray(readings["part"], dtype=np.int64)
    size = signals["output"].size
    return record, signals, part if part.size == size else np.full(size, -1, dtype=np.int64)


def _runs(
    plan: Parameters | Recorded,
    signals: dict[str, Array],
    force: Array,
    rate_hz: float,
    where: NDArray[np.bool_],
    mass: float,
) -> tuple[Stretch, ...]:
    """Runs at constant velocity, their force without what is left of acceleration."""
    own = plan.evaluation
    found = constant_velocity.stretches(
        signals["output"],
        force,
        rate_hz=rate_hz,
        reference=signals.get("set"),
        window_s=own.window,
        settle_s=own.settle,
        shortest_s=own.shortest,
    )
    kept = tuple(
        replace(one, force=one.force - mass * one.acceleration) for one in found if where[one.begin : one.end].all()
    )
    if not kept:
        raise DataError("no stretch of constant velocity lies within the runs; the axis did not follow its set-point")
    return kept


def _curve(runs: tuple[Stretch, ...], units: dict[str, Any]) -> friction_curve.Result:
    return friction_curve.evaluate(
        [one.velocity for one in runs], [one.force for one in runs], force_u=[one.force_u for one in runs], **units
    )


def _fit(
    plan: Parameters | Recorded,
    signals: dict[str, Array],
    force: Array,
    rate_hz: float,
    part: NDArray[np.int64],
    units: dict[str, Any],
) -> tuple[feed_forward_fit.Result, feed_forward_fit.Record]:
    from scipy.signal import butter, sosfiltfilt

    own = plan.evaluation
    if own.cutoff >= 0.45 * rate_hz:
        raise DataError(
            f"evaluation.cutoff is {own.cutoff:g} Hz; at {rate_hz:g} Hz less than {0.45 * rate_hz:g} Hz is expected"
        )
    low = butter(4, own.cutoff, fs=rate_hz, output="sos")
    # A held input acts from its sample to the next: its mean with the one before is centred on the sample.
    acting = np.concatenate([force[:1], (force[1:] + force[:-1]) / 2]) if own.held else force
    smooth = np.asarray(sosfiltfilt(low, signals["output"] - signals["output"].mean()))
    pushed = np.asarray(sosfiltfilt(low, acting - acting.mean())) + acting.mean()
    velocity = np.gradient(smooth) * rate_hz
    acceleration = np.zeros_like(smooth)
    acceleration[1:-1] = np.diff(smooth, 2) * rate_hz**2
    planned = bool((part == friction.FIT).any())
    # Of what is left below the cutoff, more samples say nothing more: one of so many that neighbours hardly know of each
    # other.
    every = max(1, round(rate_hz / (2.5 * own.cutoff)))

    def taken(where: NDArray[np.bool_]) -> feed_forward_fit.Record:
        few = np.flatnonzero(where)[::every]
        return feed_forward_fit.Record(
            velocity=velocity[few], acceleration=acceleration[few], force=pushed[few], rate_hz=rate_hz / every
        )

    fitted, kept_back = (
        (part == friction.FIT, part == friction.VALIDATION)
        if planned
        else _shared(velocity, own.v_min, round(rate_hz / own.cutoff))
    )
    first, second = taken(fitted), taken(kept_back)
    return feed_forward_fit.evaluate(first, v_min=own.v_min, validation=second, **units), first


def _shared(velocity: Array, v_min: float, edge: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of a log: every other way there and back to fit, the rest to validate; halves where there are fewer than four
    ways. Without the filter's beginning and end."""
    going = np.flatnonzero(np.abs(velocity) >= max(v_min, 1e-3 * float(np.abs(velocity).max())))
    inner = np.zeros(velocity.size, dtype=bool)
    inner[edge : velocity.size - edge] = True
    turns = going[1:][np.diff(np.sign(velocity[going])) != 0]
    if turns.size < 3:
        half = np.arange(velocity.size) < velocity.size // 2
        return inner & half, inner & ~half
    way = np.searchsorted(turns, np.arange(velocity.size), side="right")
    own = way // 2 % 2 == 0
    return inner & own, inner & ~own


def _direction(plan: Parameters | Recorded, motor: Array, rate_hz: float) -> Array:
    """+1, −1, or 0 where the motor stands: what friction holds while the controller winds up."""
    window = max(3, round(plan.evaluation.window * rate_hz))
    if 3 * window > motor.size:
        raise DataError(
            f"evaluation.window of {plan.evaluation.window:g} s does not fit into {motor.size / rate_hz:.3g} s of reversals"
        )
    velocity = constant_velocity.slope(motor, rate_hz=rate_hz, window=window)
    typical = float(np.median(np.abs(velocity[velocity != 0]))) if velocity.any() else 0.0
    return np.where(np.abs(velocity) > _STUCK * typical, np.sign(velocity), 0.0)


def _loop(
    plan: Parameters | Recorded, x: Array, y: Array, slow: NDArray[np.bool_], rate_hz: float, y_unit: str
) -> hysteresis.Result:
    return hysteresis.evaluate(x[slow], y[slow], _direction(plan, x[slow], rate_hz), x_unit=plan.units.output, y_unit=y_unit)


def _lost(
    plan: Parameters | Recorded,
    signals: dict[str, Array],
    force: Array,
    slow: NDArray[np.bool_],
    rate_hz: float,
    units: dict[str, Any],
) -> lost_motion.Result:
    motor = signals["output"][slow]
    return lost_motion.evaluate(motor, signals["load"][slow], _direction(plan, motor, rate_hz), force[slow], **units)


def _glitches(
    plan: Parameters | Recorded,
    signals: dict[str, Array],
    part: NDArray[np.int64],
    rate_hz: float,
    motion: str | None,
    lacking: dict[str, str],
) -> tuple[quadrant_glitch.Result, ...]:
    if motion in ("velocities", "reversal"):
        return ()
    if "set" not in signals:
        lacking["Quadrant glitches"] = "no channel set: the circle that the axis was to follow was not recorded"
        return ()
    chosen = (
        [np.ones(part.size, dtype=bool)]
        if motion == "circle"
        else [part == number for number in range(friction.CIRCLE, int(part.max(initial=-1)) + 1)]
    )
    # What the drive moves shows the glitch, where it is measured; else the drive's own encoder.
    behind = signals.get("load", signals["output"])
    found = []
    for number, where in enumerate(chosen, 1):
        r, y = signals["set"][where], behind[where]
        skipped = 0
        if motion is None and isinstance(plan, Parameters):
            skipped = round(2 * math.pi * plan.circle.radius / plan.circle.speeds[number - 1] * rate_hz / 4)  # the run-in
        try:
            found.append(quadrant_glitch.evaluate(r[skipped:], y[skipped:], rate_hz=rate_hz, unit=plan.units.output))
        except DataError as error:
            lacking[f"Quadrant glitches, circle {number}"] = str(error)
    return tuple(found)


def _figures(plan: Parameters | Recorded, results: tuple[tuple[str, Any], ...], force_unit: str) -> dict[str, Figure]:
    """All figures by key; forces with the U of the force constant, and mass in kg."""
    share = plan.drive.force_constant_u or 0.0
    found: dict[str, Figure] = {}
    for prefix, result in results:
        if result is None:
            continue
        for key, one in result.figures.items():
            mark = {"ff_": " (ff)", "lag_": " (load)"}.get(
                prefix, f" {prefix.split('_')[1]}" if prefix.startswith("glitch_") else ""
            )
            figure = replace(
                one, key=key if prefix == "lost_" and key != "residual" else f"{prefix}{key}", symbol=f"{one.symbol}{mark}"
            )
            forced = one.unit.split(" ")[0].split("/")[0] == force_unit or one.unit == "J"
            if share and forced and figure.value is not None and figure.uncertainty is not None:
                figure = replace(figure, uncertainty=math.hypot(figure.uncertainty, share * figure.value))
            found[figure.key] = replace(figure, unit="kg") if figure.unit == "N s²/m" else figure
    return found
