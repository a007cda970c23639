"""ISO 230-3: thermal effects; three tests. From memory of the standard (2020); its reporting windows are not confirmed.

Five displacement sensors around a mandrel in the spindle: X1, Y1, Z near its end, X2, Y2 a distance L from them towards the spindle.

    tilt about X:   A = (Y1 − Y2)/L           tilt about Y:   B = (X2 − X1)/L
    combined:       range of √(x² + y² + z²) with x, y, z the drift of X1, Y1, Z since the start

(a) ETVE, environmental temperature variation error: spindle stopped, at least 4 h: range of each, and the largest range in any window of 1 h.
(b) Distortion by the rotating spindle: drift at the end of running and over the first 60 min; running for 4 h, or until the change in 60 min is below 15 % of
    the largest change in 60 min; then cooling down.
(c) Distortion by a moving axis: drift of the position at two targets, of their mean (shift) and of their distance (expansion).

For (b) and (c) also the first-order response, d_∞ and τ with their uncertainty (`precision.standards.first_order`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..uncertainty.readings import Readings
from .arrays import Array, frozen, positive, vector
from .first_order import FirstOrder, fit
from .reported import Reported, figure, keyed

HOUR_S: Final = 3600.0
SHORTEST_RECORD_S: Final = 4 * HOUR_S
STEADY_SHARE: Final = 0.15
RESPONSE: Final = "first-order response d_∞·(1 − exp(−t/τ)); its U is from the scatter about it, without the calibration of the sensors"
ROOM: Final = "and with the most that a drift of the room, of the stated range, can change it"
SENSORS: Final = ("X1", "Y1", "Z", "X2", "Y2")


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """Drift of a mandrel against the table.

    time_s : (n,) float64 ascending, n ≥ 2.
    displacement_m : "X1", "Y1", "Z", "X2", "Y2" (any of them) -> (n,) m.
    sensor_distance_m : L, from X1, Y1 to X2, Y2; needed for tilt.
    temperature_k : name of the place ("ambient", "spindle nose", …) -> (n,) K.
    """

    time_s: Array
    displacement_m: Mapping[str, Array]
    sensor_distance_m: float | None = None
    temperature_k: Mapping[str, Array]

    def __post_init__(self) -> None:
        time = vector("time_s", self.time_s, fewest=2, ascending=True, largest=1e12)
        unknown = [name for name in self.displacement_m if name not in SENSORS]
        if unknown or not self.displacement_m:
            raise DataError(f"sensors {', '.join(map(str, unknown)) or 'none'}; expected some of {', '.join(SENSORS)}")
        if self.sensor_distance_m is not None:
            positive("sensor_distance_m", self.sensor_distance_m, "m")
        object.__setattr__(self, "time_s", time)
        for field in ("displacement_m", "temperature_k"):
            arrays = {name: vector(f"{field} of {name}", values, size=time.size) for name, values in getattr(self, field).items()}
            object.__setattr__(self, field, MappingProxyType(arrays))

    def series(self) -> dict[str, tuple[str, Array | str]]:
        """Name of each quantity -> its unit, and its (n,) readings or why there are none: X1 … Y2, A, B, combined."""
        found: dict[str, tuple[str, Array | str]] = {}
        for name in SENSORS:
            found[name] = ("m", self.displacement_m.get(name, f"no sensor {name}"))
        for name, first, second in (("A", "Y1", "Y2"), ("B", "X2", "X1")):
            one, two = self.displacement_m.get(first), self.displacement_m.get(second)
            if one is None or two is None:
                found[name] = ("rad", f"a tilt needs sensors {first} and {second}")
            elif self.sensor_distance_m is None:
                found[name] = ("rad", "a tilt needs the distance of the sensors")
            else:
                found[name] = ("rad", (one - two) / self.sensor_distance_m)
        parts = [self.displacement_m.get(name) for name in ("X1", "Y1", "Z")]
        known = [part - part[0] for part in parts if part is not None]
        found["combined"] = ("m", np.sqrt(sum((part**2 for part in known), np.zeros(self.time_s.size))) if len(known) == 3 else "needs sensors X1, Y1 and Z")
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """A thermal test. Figures by test; lengths in m, tilts in rad, times in s, temperatures in K.

    time_s : (n,), of the part that was evaluated.
    series : name -> (n,) drift since its start.
    responses : name -> first-order response, where it is determined.
    steady : whether the change in the last 60 min was below 15 % of the largest in 60 min; None where that is not asked.
    """

    time_s: Array
    series: Mapping[str, Array]
    responses: Mapping[str, FirstOrder]
    steady: bool | None


def environmental(record: Record, *, window_s: float = HOUR_S, readings: Readings | None = None) -> Result:
    """(a) ETVE: "X1", …, "A", "B", "combined" (range over the record), the same with "_window" (largest range in any window), and "T_<place>" (range).

    Raises
    ------
    DataError       a window that is not above zero
    """
    positive("window_s", window_s, "s")
    time = record.time_s
    figures: list[Figure] = []
    windows: list[Figure] = []
    for name, (unit, values) in record.series().items():
        u = _range_u(name, record, readings)
        name_ = "combined drift of X1, Y1, Z" if name == "combined" else f"tilt {name}" if unit == "rad" else f"drift of {name}"
        figures.append(figure(name, f"ETVE, {name_}", values if isinstance(values, str) else float(np.ptp(values)), unit, u, symbol=f"ETVE({name})"))
        short = _windowless(time, window_s)
        value = values if isinstance(values, str) else short or largest_range(time, values, window_s)
        windows.append(figure(f"{name}_window", f"largest range in {_minutes(window_s)} of the {name_}", value, unit, u, symbol=f"{name}({_minutes(window_s)})"))
    return Result(
        title=f"ISO 230-3 environmental temperature variation error, {_hours(time)}",
        stated=(),
        figures=keyed([*figures, *windows, *_temperatures(record)]),
        flags=tuple(_flags(record)),
        time_s=time,
        series=_since_start(record, time.size),
        responses=MappingProxyType({}),
        steady=None,
    )


def spindle_heating(
    record: Record, *, stop_s: float | None = None, readings: Readings | None = None, room: Mapping[str, float] | None = None
) -> Result:
    """(b) Distortion by the rotating spindle: "X1_end", "X1_60", "X1_cooling", "X1_final" (d_∞), "X1_tau", and so on for each sensor and tilt.

    Parameters
    ----------
    stop_s : time at which the spindle was stopped; None: it ran to the end of the record, and there is no cooling
    room : unit ("m", "rad") -> range of the drift that the room alone may cause meanwhile (an ETVE test shows it); U of the responses then holds with it

    Raises
    ------
    DataError       a stop outside the record, or fewer than 2 readings before it
    """
    time = record.time_s
    running = int(np.searchsorted(time, time[-1] if stop_s is None else stop_s, side="right"))
    if running < 2 or (stop_s is not None and stop_s > time[-1]):
        raise DataError(f"stop_s is {stop_s} with a record from {time[0]:g} s to {time[-1]:g} s; expected a stop after at least two readings, within the record")
    heat = time[:running]
    figures: list[Figure] = []
    responses: dict[str, FirstOrder] = {}
    worst: list[bool] = []
    for name, (unit, values) in record.series().items():
        if name == "combined":
            u = _range_u(name, record, readings)
            figures.append(figure("combined_end", "combined drift at the end of running", values if isinstance(values, str) else float(values[running - 1]), unit, u, symbol="d(combined,end)"))
            continue
        u = _range_u(name, record, readings)
        what = f"tilt {name}" if unit == "rad" else name
        end: float | str = values if isinstance(values, str) else float(values[running - 1] - values[0])
        figures.append(figure(f"{name}_end", f"drift of {what} at the end of running", end, unit, u, symbol=f"d({name},end)"))
        figures.append(figure(f"{name}_60", f"drift of {what} over the first 60 min", values if isinstance(values, str) else _first_hour(heat, values[:running]), unit, u, symbol=f"d({name},60)"))
        cooling: float | str = values if isinstance(values, str) else "the record ends with the running spindle"
        if not isinstance(values, str) and running < time.size:
            cooling = float(values[-1] - values[running - 1])
        figures.append(figure(f"{name}_cooling", f"drift of {what} while cooling down", cooling, unit, u, symbol=f"d({name},cool)"))
        figures += _response(name, what, unit, heat, values if isinstance(values, str) else values[:running], responses, room)
        if not isinstance(values, str):
            state = _steady(heat, values[:running])
            worst += [state] if state is not None else []
    steady = all(worst) if worst else None
    flags = _flags(record, heat)
    if steady is not True and heat[-1] - heat[0] < SHORTEST_RECORD_S * (1 - 1e-9):
        flags = [flag for flag in flags if "at least 4 h" not in flag]
        flags.append(f"the spindle ran for {_hours(heat)}, neither 4 h nor until the change in 60 min was below 15 % of the largest: the drift at the end is not the final one")
    elif steady:
        flags = [flag for flag in flags if "at least 4 h" not in flag]
    return Result(
        title=f"ISO 230-3 distortion by the rotating spindle, {_hours(heat)} running",
        stated=(f"{RESPONSE}, {ROOM}" if room else RESPONSE,),
        figures=keyed([*figures, *_temperatures(record)]),
        flags=tuple(flags),
        time_s=time,
        series=_since_start(record, time.size),
        responses=MappingProxyType(responses),
        steady=steady,
    )


def axis_heating(
    time_s: ArrayLike, near_m: ArrayLike, far_m: ArrayLike, *, axis: str = "X", distance_m: float | None = None, temperature_k: Mapping[str, Any] | None = None,
    readings: Readings | None = None, room: Mapping[str, float] | None = None,
) -> Result:  # fmt: skip
    """(c) Distortion by a moving axis: deviations at two targets in one direction of approach, over time.

    Parameters
    ----------
    time_s : (n,) ascending
    near_m, far_m : (n,) m, deviation at the target nearer to the axis's zero, and at the farther one
    distance_m : of the targets, for the expansion as a ratio
    room : as in `spindle_heating`

    Returns
    -------
    Result
        Figures "near", "far" (drift range), "shift" (of the mean), "expansion" (of far − near), each with "_final" and "_tau"; "strain" (expansion over
        distance).
    """
    time = vector("time_s", time_s, fewest=2, ascending=True, largest=1e12)
    near, far = vector("near_m", near_m, size=time.size), vector("far_m", far_m, size=time.size)
    series = {"near": near - near[0], "far": far - far[0], "shift": (near + far - near[0] - far[0]) / 2, "expansion": far - near - (far[0] - near[0])}
    words = {"near": "drift at the near target", "far": "drift at the far target", "shift": "shift, mean of both targets", "expansion": "expansion between the targets"}
    figures: list[Figure] = []
    responses: dict[str, FirstOrder] = {}
    for name, values in series.items():
        gain = 2.0 if name == "expansion" else 1.0
        u = None if readings is None else readings.of_range(time.size, bounded=gain, random=math.sqrt(2) if name == "expansion" else 1.0)
        figures.append(figure(name, words[name], float(np.ptp(values)), "m", u))
        figures += _response(name, words[name], "m", time, values, responses, room)
    strain: float | str = "the distance of the targets was not given"
    strain_u: float | str | None = None
    if distance_m is not None:
        positive("distance_m", distance_m, "m")
        strain = float(np.ptp(series["expansion"])) / distance_m
        strain_u = None if readings is None else readings.of_range(time.size, bounded=2.0, random=math.sqrt(2)) / distance_m
    figures.append(figure("strain", "expansion over the distance of the targets", strain, "", strain_u))
    temperatures = {name: vector(f"temperature_k of {name}", values, size=time.size) for name, values in (temperature_k or {}).items()}
    figures += [_temperature(name, values) for name, values in temperatures.items()]
    flags = [] if time[-1] - time[0] >= SHORTEST_RECORD_S * (1 - 1e-9) or _steady(time, series["expansion"]) else [f"the record of {_hours(time)} is shorter than 4 h and not steady: near, far and expansion are not the final ones"]
    return Result(
        title=f"ISO 230-3 distortion by the moving axis {axis}, {_hours(time)}",
        stated=(f"{RESPONSE}, {ROOM}" if room else RESPONSE,),
        figures=keyed(figures),
        flags=tuple(flags),
        time_s=time,
        series=MappingProxyType({name: frozen(values) for name, values in series.items()}),
        responses=MappingProxyType(responses),
        steady=_steady(time, series["expansion"]),
    )


def largest_range(time_s: Array, values: Array, window_s: float) -> float:
    """Largest max − min of readings that lie within `window_s` of each other."""
    last = np.searchsorted(time_s, time_s + window_s * (1 + 1e-12), side="right")
    return float(max(np.ptp(values[k:end]) for k, end in enumerate(last)))


def _windowless(time: Array, window_s: float) -> str | None:
    if time[-1] - time[0] < window_s * (1 - 1e-9):
        return f"the record of {_hours(time)} is shorter than the window of {_minutes(window_s)}"
    return None


def _first_hour(time: Array, values: Array) -> float | str:
    if time[-1] - time[0] < HOUR_S * (1 - 1e-9):
        return f"the spindle ran for {_hours(time)}, less than 60 min"
    return float(np.interp(time[0] + HOUR_S, time, values) - values[0])


def _steady(time: Array, values: Array) -> bool | None:
    """Whether the change in the last 60 min is below 15 % of the largest change in any 60 min; None for a record below 2 h, or of no change at all."""
    if time[-1] - time[0] < 2 * HOUR_S * (1 - 1e-9):
        return None
    starts = time[time <= time[-1] - HOUR_S * (1 - 1e-9)]
    change = np.abs(np.interp(starts + HOUR_S, time, values) - np.interp(starts, time, values))
    last = abs(float(values[-1] - np.interp(time[-1] - HOUR_S, time, values)))
    return bool(last < STEADY_SHARE * change.max()) if change.max() > 0 else None


def _response(
    name: str, what: str, unit: str, time: Array, values: Array | str, responses: dict[str, FirstOrder], room: Mapping[str, float] | None
) -> list[Figure]:
    found = values if isinstance(values, str) else fit(time, values)
    if room is not None and not isinstance(found, str):
        found = found.disturbed_by(room[unit]) if unit in room else f"the {'tilt' if unit == 'rad' else 'drift'} that the room may cause is not stated"
    if isinstance(found, str):
        return [
            figure(f"{name}_final", f"final drift of {what}", found, unit, symbol=f"d_∞({name})"),
            figure(f"{name}_tau", f"time constant of {what}", found, "s", symbol=f"τ({name})"),
        ]
    responses[name] = found
    return [
        figure(f"{name}_final", f"final drift of {what}", found.final, unit, found.final_uncertainty, symbol=f"d_∞({name})"),
        figure(f"{name}_tau", f"time constant of {what}", found.time_constant_s, "s", found.time_constant_uncertainty_s, symbol=f"τ({name})"),
    ]


def _range_u(name: str, record: Record, readings: Readings | None) -> float | None:
    if readings is None:
        return None
    count = record.time_s.size
    if name in ("A", "B"):
        return readings.of_range(count, bounded=2.0, random=math.sqrt(2)) / record.sensor_distance_m if record.sensor_distance_m else None
    # Three sensors, each with its own error: √3 of one, since |‖d + e‖ − ‖d‖| ≤ ‖e‖.
    return readings.of_range(count) * (math.sqrt(3) if name == "combined" else 1.0)


def _temperatures(record: Record) -> list[Figure]:
    return [_temperature(name, values) for name, values in record.temperature_k.items()]


def _temperature(name: str, values: Array) -> Figure:
    return figure(f"T_{name}", f"range of temperature, {name}", float(np.ptp(values)), "K", "the uncertainty of the thermometers was not given", symbol=f"ΔT({name})")


def _since_start(record: Record, count: int) -> Mapping[str, Array]:
    return MappingProxyType({name: frozen(values[:count] - values[0]) for name, (_, values) in record.series().items() if not isinstance(values, str)})


def _flags(record: Record, time: Array | None = None) -> list[str]:
    time = record.time_s if time is None else time
    flags = []
    if time[-1] - time[0] < SHORTEST_RECORD_S * (1 - 1e-9):
        flags.append(f"the record covers {_hours(time)}; the test asks for at least 4 h: every range may be larger")
    absent = [name for name in SENSORS if name not in record.displacement_m]
    if absent:
        flags.append(f"no sensor {', '.join(absent)}: what needs it is not evaluated")
    if "ambient" not in record.temperature_k:
        flags.append("no ambient temperature: the drift cannot be related to it")
    gap = float(np.diff(record.time_s).max())
    if gap > 10 * float(np.median(np.diff(record.time_s))):
        flags.append(f"a gap of {gap / 60:.3g} min in the record: ranges may be larger than those seen")
    return flags


def _hours(time: Array) -> str:
    span = float(time[-1] - time[0])
    return f"{span / HOUR_S:.3g} h" if span >= HOUR_S else f"{span / 60:.3g} min"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} min"
