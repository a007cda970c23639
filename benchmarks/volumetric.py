"""The volumetric test: from each station in turn, drive the reflector to points all over the volume and read how far away it is.

`acquire` is the only code here that touches a device; `volumetric_evaluation.analyse` judges what it left behind.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from precision.drivers.roles import EnvironmentSensor, Interferometer, MotionController
from precision.errors import BeamLost, DeviceFault, PlanError, SafetyStop
from precision.models.rigid_body import AXES
from precision.runs.capture import Column

from .procedure import Sink, block
from .volumetric_compensation import VolumetricallyCompensated
from .volumetric_plan import Parameters, Station

Array = NDArray[np.float64]

ZERO, POINT = 0, 1
"""Phases of the capture: the environment when a station's count was set to zero (at its first point); a point. Both have all columns."""
NOT_READ, READ = 0, 1
"""What became of a point: the `outcome` column. Only READ rows are evaluated."""
CLIMATE_EVERY: Final = 10
"""Points between two readings of air and material: half a minute, in which screws (time constants of many minutes) and air of a closed room hardly change."""
PLAUSIBLE_M: Final = 5e-3
"""A change of distance further than this from the nominal one, beside 10 % of what the station may stand off, is another station or another reflector."""

COLUMNS: Final = (
    Column("t_mono_ns", "i8", "ns", wall_clock=True),
    Column("phase", "i8", ""),
    Column("station", "i8", ""),
    Column("zero", "i8", ""),
    Column("point", "i8", ""),
    Column("attempt", "i8", ""),
    Column("outcome", "i8", ""),
    Column("x_m", "f8", "m"),
    Column("y_m", "f8", "m"),
    Column("z_m", "f8", "m"),
    Column("displacement_m", "f8", "m"),
    Column("signal_quality", "f8", ""),
    Column("air_temperature_k", "f8", "K"),
    Column("air_pressure_pa", "f8", "Pa"),
    Column("relative_humidity", "f8", ""),
    Column("material_x_k", "f8", "K"),
    Column("material_y_k", "f8", "K"),
    Column("material_z_k", "f8", "K"),
)


@runtime_checkable
class Operator(Protocol):
    """Whoever moves the tracking interferometer and mounts the reflector."""

    def station(self, place_m: Sequence[float], reflector_m: Sequence[float]) -> None:
        """Returns when both are done and the beam is on the reflector."""
        ...


class Person:
    """The one in front of the machine, asked on the terminal."""

    def station(self, place_m: Sequence[float], reflector_m: Sequence[float]) -> None:
        """Say where, and wait for Enter.

        Raises
        ------
        PlanError       nobody is there to be asked
        """
        if not sys.stdin.isatty():
            raise PlanError("the tracking interferometer has to be moved, and there is nobody to ask: run this from a terminal")
        place, reflector = (
            ", ".join(f"{axis} {value * 1e3:.0f} mm" for axis, value in zip(AXES, values, strict=True)) for values in (place_m, reflector_m)
        )
        print(
            f"\nPut the station at {place} (work coordinates), mount the reflector at {reflector} from the spindle's reference point (a controller that corrects its volume has to know it as its tool), aim the beam, then press Enter: ",
            end="",
            file=sys.stderr,
        )
        sys.stdin.readline()


@dataclass(frozen=True, slots=True)
class Rig:
    """The devices of a volumetric test. environments : for the screws of X, Y and Z."""

    controller: MotionController
    tracker: Interferometer
    environments: tuple[EnvironmentSensor, ...]
    operator: Operator


def points_m(plan: Parameters) -> Array:
    """(3, n) positions of X, Y, Z: the corners, and points spread evenly (Roberts' additive recurrence), in an order without long ways. Pure.

    Every coordinate comes once only, so that errors of any short period are met at all of their phases.
    """
    lows, highs = np.array(list(plan.volume.spans.values())).T
    corners = np.stack(np.meshgrid([0.0, 1.0], [0.0, 1.0], [0.0, 1.0], indexing="ij")).reshape(3, -1)
    ratio = 1.2207440846057596  # the real root of g⁴ = g + 1
    number = np.arange(1, plan.volume.points - corners.shape[1] + 1)
    spread = np.mod(np.random.default_rng(plan.seed).random(3)[:, None] + number / np.array([[ratio], [ratio**2], [ratio**3]]), 1.0)
    share = np.concatenate([corners, spread], axis=1)
    order = _short_way(share * (highs - lows)[:, None])
    # Whole micrometres: what a controller's step and a person can follow.
    return np.asarray(np.round((lows[:, None] + share * (highs - lows)[:, None])[:, order], 6))


def approach_m(plan: Parameters, point: Array) -> Array:
    """From where a point is approached: before it in all axes, (3,)."""
    return np.asarray(point - plan.volume.overshoot)


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Measure all stations; every reading is on disk before the next move.

    Raises
    ------
    PlanError       the instrument corrects for air and the plan would do it again; it cannot average for long enough
    SafetyStop      points outside the soft limits, feed above the maximum; before anything moves
    BeamLost        no reading at a point after the plan's repeats
    DeviceFault     a distance that does not belong to the point
    """
    if rig.tracker.compensates_air and plan.evaluation.refractive_index != "off":
        raise PlanError('the interferometer corrects for air itself; set evaluation.refractive_index = "off", or the index would be applied twice')
    controller = rig.controller
    if plan.compensation is not None:
        log("software compensation", what=plan.compensation.sentence)
        controller = VolumetricallyCompensated(rig.controller, plan.compensation.errors(plan.volume.chain))
    elif plan.axis_tables is not None:
        log("software compensation", what=plan.axis_tables.sentence)
        controller = plan.axis_tables.around(rig.controller)
    points = points_m(plan)
    check_envelope(plan, controller)
    averaging_s = rig.tracker.set_averaging(plan.cycle.averaging)
    if averaging_s < 0.5 * plan.cycle.averaging:
        raise PlanError(
            f"cycle.averaging is {plan.cycle.averaging:g} s; the interferometer averages over {averaging_s:.3g} s at most. Nothing was moved"
        )
    if not controller.homed:
        log("homing")
        controller.home()
        check_envelope(plan, controller)
    total = len(plan.stations) * points.shape[1]
    for number, station in enumerate(plan.stations):
        if isinstance(controller, VolumetricallyCompensated):
            controller.tool_m = station.reflector
        _move(plan, controller, points[:, 0])
        log("station", name=station.name, place_m=list(station.place), reflector_m=list(station.reflector))
        rig.operator.station(station.place, station.reflector)
        rig.tracker.start()
        controller.dwell(plan.cycle.dwell + averaging_s)
        rig.tracker.reset()
        zeros = [points[:, 0]]
        climate = _climate(rig)
        sink.append_and_wait(block(COLUMNS, phase=ZERO, station=number, zero=0, point=0, outcome=NOT_READ, **_at(points[:, 0]), **climate))
        for index in range(points.shape[1]):
            progress(number * points.shape[1] + index, total)
            if index % CLIMATE_EVERY == 0 and index:
                climate = _climate(rig)
            _measure(plan, rig, controller, sink, station, number, index, points[:, index], zeros, averaging_s, climate, log)
    progress(total, total)


def check_envelope(plan: Parameters, controller: MotionController) -> None:
    """Compare what the test needs with what the controller allows now, read back from it.

    Raises
    ------
    SafetyStop      an axis is missing, points outside the soft limits, feed above the maximum
    """
    limits, fastest = controller.soft_limits(), controller.max_feed()
    for axis, (lowest, highest) in envelope_m(plan).items():
        if axis not in limits:
            raise SafetyStop(
                f"the controller has no axis {axis}; it reports soft limits for {', '.join(sorted(limits)) or 'none'}. Nothing was moved."
            )
        low, high = limits[axis]
        if lowest < low or highest > high:
            raise SafetyStop(
                f"the test needs {axis} from {lowest * 1e3:.3f} mm to {highest * 1e3:.3f} mm (points with overshoot), but the soft limits are {low * 1e3:.3f} mm to "
                f"{high * 1e3:.3f} mm. Nothing was moved; set volume.{axis.lower()} or volume.overshoot."
            )
        if plan.volume.feed > fastest.get(axis, math.inf):
            raise SafetyStop(
                f"volume.feed is {plan.volume.feed * 60e3:.0f} mm/min; the controller allows {fastest[axis] * 60e3:.0f} mm/min on {axis}. Nothing was moved."
            )


def envelope_m(plan: Parameters) -> dict[str, tuple[float, float]]:
    """Axis -> lowest and highest position that is driven to."""
    return {axis: (low - plan.volume.overshoot, high) for axis, (low, high) in plan.volume.spans.items()}


def duration_s(plan: Parameters) -> float:
    """Expected time on the machine without moving the station."""
    points = points_m(plan)
    ways = np.linalg.norm(np.diff(points, axis=1), axis=0).sum() + points.shape[1] * 2 * math.sqrt(3) * plan.volume.overshoot
    return len(plan.stations) * float(ways / plan.volume.feed + points.shape[1] * (plan.cycle.dwell + plan.cycle.averaging))


def _measure(
    plan: Parameters, rig: Rig, controller: MotionController, sink: Sink, station: Station, number: int, index: int, point: Array, zeros: list[Array],
    averaging_s: float, climate: Mapping[str, float], log: Callable[..., None],
) -> None:  # fmt: skip
    """Go to a point and read it; where the beam was interrupted, begin a new count there."""
    for attempt in range(plan.cycle.repeats + 1):
        _move(plan, controller, point)
        controller.dwell(plan.cycle.dwell + averaging_s)
        reading = rig.tracker.displacement()
        sink.append_and_wait(block(
            COLUMNS, t_mono_ns=reading.t_mono_ns, phase=POINT, station=number, zero=len(zeros) - 1, point=index, attempt=attempt, outcome=READ if reading.valid else NOT_READ,
            displacement_m=reading.value if reading.valid else math.nan, signal_quality=math.nan if reading.signal_quality is None else reading.signal_quality,
            **_at(point), **climate,
        ))  # fmt: skip
        if reading.valid:
            _refuse_implausible(station, index, point, zeros[-1], reading.value)
            return
        log("beam lost", station=station.name, point=index, attempt=attempt, reason=reading.reason)
        try:
            rig.tracker.reset()
        except BeamLost:
            continue
        zeros.append(point)
        sink.append_and_wait(
            block(COLUMNS, phase=ZERO, station=number, zero=len(zeros) - 1, point=index, outcome=NOT_READ, **_at(point), **_climate(rig))
        )
    raise BeamLost(
        f"station {station.name}, point {index + 1}: no valid reading in {plan.cycle.repeats + 1} attempts. Free the beam and start the test again"
    )


def _refuse_implausible(station: Station, index: int, point: Array, zero: Array, change_m: float) -> None:
    place, tool = np.array(station.place), np.array(station.reflector)
    nominal = float(np.linalg.norm(point + tool - place) - np.linalg.norm(zero + tool - place))
    # A station that stands 50 mm off changes a distance by at most 2·50 mm; in air readings are 0.03 % long.
    if abs(change_m - nominal) > 0.1 + PLAUSIBLE_M:
        raise DeviceFault(
            f"station {station.name}, point {index + 1}: the distance changed by {change_m * 1e3:.1f} mm, nominally by {nominal * 1e3:.1f} mm. "
            "Is the station where the plan says, and does the beam follow the reflector?"
        )


def _move(plan: Parameters, controller: MotionController, point: Array) -> None:
    for way in (approach_m(plan, point), point):
        controller.move_to({axis: float(value) for axis, value in zip(AXES, way, strict=True)}, feed_m_per_s=plan.volume.feed)


def _climate(rig: Rig) -> dict[str, float]:
    seen = [environment.read() for environment in rig.environments]
    screws = [seen[min(k, len(seen) - 1)].material_temperature_k for k in range(3)]
    return {
        "air_temperature_k": seen[0].air_temperature_k, "air_pressure_pa": seen[0].air_pressure_pa, "relative_humidity": seen[0].relative_humidity,
        "material_x_k": screws[0], "material_y_k": screws[1], "material_z_k": screws[2],
    }  # fmt: skip


def _at(point: Array) -> dict[str, Any]:
    return {"x_m": float(point[0]), "y_m": float(point[1]), "z_m": float(point[2])}


def _short_way(points: Array) -> NDArray[np.int64]:
    """An order that goes to the nearest point that is left."""
    left = np.ones(points.shape[1], dtype=bool)
    order = [0]
    left[0] = False
    while left.any():
        away = np.linalg.norm(points - points[:, order[-1]][:, None], axis=0)
        away[~left] = np.inf
        order.append(int(np.argmin(away)))
        left[order[-1]] = False
    return np.array(order)
