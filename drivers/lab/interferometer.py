"""The interferometer's light: what an ideal count of half wavelengths would say of the reflector, with everything that light does on the way.

A reflector sits beside the tool point (Abbe offset) and the beam is not quite parallel to the axis, so what counts is the reflector's exact position
projected on the beam's exact direction. The light passes the dead path and the measured path in air: the instrument, which reports at the vacuum
wavelength, sees the optical path ∫ n dl, and it believes in a wavelength that is off by its certificate:

    reported = (1 + κ) [ n(t) ℓ(t) − n(t₀) ℓ(t₀) ],   ℓ = u · p − h.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .clock import NS_PER_S
from .kinematics import Vector
from .machine import Machine, Stop
from .noise import Channel
from .parameters import AXES, Parameters
from .square import Square
from .workshop import Workshop

_PM = 1e-12
_UNIT: tuple[Vector, Vector, Vector] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Zero:
    """The state at the last reset of one axis."""

    number: int
    optical_m: float
    point_m: float
    """Tool point along the measured direction, as it was."""
    point_20c_m: float
    """Tool point along the measured direction, had all been at 20 °C and the structure still."""
    reflector_20c_m: float


class Optics:
    """Three beams, along X, Y and Z (0, 1, 2); each measures the displacement of its reflector since its reset."""

    def __init__(self, parameters: Parameters, seed: int, machine: Machine, workshop: Workshop) -> None:
        self._parameters, self._machine, self._workshop = parameters, machine, workshop
        self._noise = [Channel(seed, f"interferometer/{name}/noise") for name in AXES]
        self._turbulence = [Channel(seed, f"interferometer/{name}/turbulence") for name in AXES]
        self._contrast = [Channel(seed, f"interferometer/{name}/contrast") for name in AXES]
        self._phase = [2 * math.pi * Channel(seed, f"interferometer/{name}/periodic").uniform(0) for name in AXES]
        self.beams = [_beam(index, parameters) for index in range(3)]
        self.reflectors = [_reflector(index, parameters, parameters.tool_m) for index in range(3)]
        self._blocked_at_m: list[float | None] = [None, None, None]
        self._lost_m = [0.0, 0.0, 0.0]
        self._seen: list[tuple[tuple[int, float, bool], float, list[Stop]] | None] = [None, None, None]
        self._readings: dict[tuple[int, int, int, int], dict[str, object]] = {}
        self._square = Square.drawn(seed)
        self._mirrors = False
        self.along: list[Vector] = list(_UNIT)
        """What each beam is there to measure; the beam itself is a little beside it."""
        self._diagonal_origin_m = 0.0
        self._zeros: list[Zero] = []
        for axis in range(3):
            self._zeros.append(self._zero(axis, 0))

    def set_up(self, what: str, direction: Sequence[float] | None = None) -> None:
        """What an operator does before a test; all counts are zero afterwards.

        "reflectors" : one on the tool for each beam, beams along X, Y and Z, as from the start. "square" : the three beams look at the mirrors of the square.
        "line" : beam 0 and its reflector along `direction` (x, y, z, any length), from where the tool is now.

        Raises ValueError for anything else.
        """
        if what not in ("reflectors", "square", "line") or (what == "line") != (direction is not None):
            raise ValueError(f"set-up {what!r} with direction {direction!r}; expected reflectors, square, or line with a direction")
        self._mirrors = what == "square"
        self.along, self.beams = list(_UNIT), [_beam(index, self._parameters) for index in range(3)]
        if direction is not None:
            wanted = _unit(direction)
            self.along[0], self.beams[0] = wanted, _beside(wanted, self._parameters)
            stop = self._machine.stops(self._parameters.laser_noise_correlation_s)[0]
            self._diagonal_origin_m = _dot(self.beams[0], self._machine.point_m(stop, self.reflectors[0])) - self._parameters.dead_path_m
        self._seen = [None, None, None]
        for axis in range(3):
            self.reset(axis)

    def mount(self, reflector_m: Sequence[float]) -> None:
        """The operator mounts the reflectors of all three beams at one place on the tool, an offset from the spindle's reference point, as well as he can (Abbe
        offset). The beams stay where they are; all counts are zero afterwards.

        Raises ValueError where that is not three numbers within 10 m.
        """
        place = [float(part) for part in reflector_m]
        if len(place) != 3 or not all(abs(part) <= 10 for part in place):
            raise ValueError(f"reflector_m is {place[:4]}; expected x, y, z from the spindle's reference point, m")
        self.reflectors = [_reflector(index, self._parameters, place) for index in range(3)]
        self.set_up("reflectors")

    def truth(self) -> dict[str, Any]:
        """What the mirrors of the square are."""
        return self._square.truth()

    def displacement_pm(self, axis: int, averaging_s: float) -> int:
        """Displacement since the reset, averaged over the `averaging_s` that ended now, in whole pm at the vacuum wavelength."""
        zero, blocked_at_m = self._zeros[axis], self._blocked_at_m[axis]
        # Whoever polls at one lab time gets one value: it is worked out once.
        moment = (self._machine.now_ns, averaging_s, self._machine.moving)
        seen = self._seen[axis]
        if seen is None or seen[0] != moment:
            stops = self._machine.stops(averaging_s)
            seen = self._seen[axis] = (moment, self._optical_m(axis, stops, averaging_s), stops)
        _, optical_m, stops = seen
        if blocked_at_m is not None:
            optical_m = blocked_at_m
        reported_pm = round((1 + self._parameters.laser_scale) * (optical_m - self._lost_m[axis] - zero.optical_m) / _PM)
        if blocked_at_m is None and not self._machine.busy:
            self._record(axis, averaging_s, stops, zero, reported_pm)
        return reported_pm

    def reset(self, axis: int) -> None:
        """Make the present position the zero."""
        self._zeros[axis] = self._zero(axis, self._zeros[axis].number + 1)
        self._lost_m[axis] = 0.0

    def interrupt(self, axis: int) -> None:
        """Something stands in the beam: no signal, and the count stays what it was."""
        if self._blocked_at_m[axis] is None:
            self._blocked_at_m[axis] = self._optical_now_m(axis)

    def restore(self, axis: int) -> None:
        """The beam is free again; what moved meanwhile was not counted and is missing until the next reset."""
        blocked_at_m = self._blocked_at_m[axis]
        if blocked_at_m is not None:
            self._lost_m[axis] += self._optical_now_m(axis) - blocked_at_m
            self._blocked_at_m[axis] = None

    def quality(self, axis: int) -> tuple[int, int]:
        """Contrast and baseline in permille; a blocked beam has neither."""
        if self._blocked_at_m[axis] is not None:
            return (0, 0)
        return (820 + round(8 * self._contrast[axis].normal(self._machine.now_ns)), 310)

    def readings(self) -> list[dict[str, object]]:
        """Truth beside every reading that was taken with nothing under way, one per axis, reset, lab time and averaging time."""
        return [self._readings[key] for key in sorted(self._readings, key=lambda key: (key[2], key[0], key[1], key[3]))]

    def _optical_m(self, axis: int, stops: list[Stop], averaging_s: float) -> float:
        p, t_ns = self._parameters, self._machine.now_ns
        length_m = _mean([self._path_m(axis, stop) for stop in stops]) - self._origin_m(axis)
        index = 1 + self._workshop.refractivity(t_ns)
        index += self._turbulence[axis].averaged(p.turbulence, p.turbulence_correlation_s, averaging_s, t_ns)
        noise_m = self._noise[axis].averaged(p.laser_noise_m, p.laser_noise_correlation_s, averaging_s, t_ns)
        optical_m = index * length_m
        periodic_m = p.periodic_m * math.sin(4 * math.pi * optical_m / p.bounds.vacuum_wavelength_m + self._phase[axis])
        return optical_m + periodic_m + noise_m

    def _path_m(self, axis: int, stop: Stop) -> float:
        """Up to a constant, how far the beam goes."""
        if self._mirrors:
            return self._square.seen_m(axis, self._machine.point_m(stop, self._parameters.tool_m))
        return _dot(self.beams[axis], self._machine.point_m(stop, self.reflectors[axis]))

    def _optical_now_m(self, axis: int) -> float:
        averaging_s = self._parameters.laser_noise_correlation_s
        return self._optical_m(axis, self._machine.stops(averaging_s), averaging_s)

    def _origin_m(self, axis: int) -> float:
        if self.along[axis] != _UNIT[axis]:
            return self._diagonal_origin_m
        return self._parameters.axes[axis].lowest_m + self._parameters.tool_m[axis] - self._parameters.dead_path_m

    def _zero(self, axis: int, number: int) -> Zero:
        averaging_s = self._parameters.laser_noise_correlation_s
        stops = self._machine.stops(averaging_s)
        machine, tool, reflector, along = self._machine, self._parameters.tool_m, self.reflectors[axis], self.along[axis]
        return Zero(
            number=number,
            optical_m=self._optical_m(axis, stops, averaging_s),
            point_m=_mean([_dot(along, machine.point_m(stop, tool)) for stop in stops]),
            point_20c_m=_mean([_dot(along, machine.point_m(stop, tool, at_reference=True)) for stop in stops]),
            reflector_20c_m=_mean([_dot(along, machine.point_m(stop, reflector, at_reference=True)) for stop in stops]),
        )

    def _record(self, axis: int, averaging_s: float, stops: list[Stop], zero: Zero, reported_pm: int) -> None:
        machine, t_ns = self._machine, self._machine.now_ns
        key = (axis, zero.number, t_ns, round(averaging_s * NS_PER_S))
        if key in self._readings:
            return
        tool, reflector, along = self._parameters.tool_m, self.reflectors[axis], self.along[axis]
        self._readings[key] = {
            "axis": AXES[axis],
            "reset": zero.number,
            "lab_time_ns": t_ns,
            "averaging_s": averaging_s,
            "commanded_m": dict(zip(AXES, (c.commanded_m for c in machine.carriages), strict=True)),
            "direction": dict(zip(AXES, (c.direction for c in machine.carriages), strict=True)),
            "reported_pm": reported_pm,
            "true_displacement_m": _mean([_dot(along, machine.point_m(stop, tool)) for stop in stops]) - zero.point_m,
            "true_displacement_20c_m": _mean([_dot(along, machine.point_m(stop, tool, at_reference=True)) for stop in stops]) - zero.point_20c_m,
            "true_reflector_displacement_20c_m":
                _mean([_dot(along, machine.point_m(stop, reflector, at_reference=True)) for stop in stops]) - zero.reflector_20c_m,
            "screw_temperature_k": machine.screw_temperature_k(machine.axes[axis], machine.carriages[axis], t_ns),
            "structure_m": self._workshop.structure_m(t_ns)[axis],
            "refractivity": self._workshop.refractivity(t_ns),
        }


def _beam(axis: int, parameters: Parameters) -> Vector:
    """Unit vector along the beam: the axis, tilted by `beam_tilt_rad` towards `beam_azimuth_rad` of the two others."""
    tilt, azimuth = parameters.beam_tilt_rad, parameters.beam_azimuth_rad
    sides = [math.sin(tilt) * math.cos(azimuth), math.sin(tilt) * math.sin(azimuth)]
    sides.insert(axis, math.cos(tilt))
    return (sides[0], sides[1], sides[2])


def _reflector(axis: int, parameters: Parameters, place_m: Sequence[float]) -> Vector:
    """The reflector as the tool carries it: the place it is meant for and the Abbe offset along the two axes that are not measured."""
    offset = list(parameters.abbe_m)
    offset.insert(axis, 0.0)
    x, y, z = (place + abbe for place, abbe in zip(place_m, offset, strict=True))
    return (x, y, z)


def _beside(direction: Vector, parameters: Parameters) -> Vector:
    """A beam as far beside `direction` as the others are beside their axes."""
    helper = (0.0, 0.0, 1.0) if abs(direction[2]) < 0.9 else (1.0, 0.0, 0.0)
    first = _unit(_cross(direction, helper))
    second = _cross(direction, first)
    tilt, azimuth = parameters.beam_tilt_rad, parameters.beam_azimuth_rad
    x, y, z = (
        math.cos(tilt) * d + math.sin(tilt) * (math.cos(azimuth) * a + math.sin(azimuth) * b) for d, a, b in zip(direction, first, second, strict=True)
    )
    return (x, y, z)


def _cross(a: Vector, b: Vector) -> Vector:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def _unit(vector: Sequence[float]) -> Vector:
    parts = [float(part) for part in vector]
    length = math.sqrt(math.fsum(part * part for part in parts)) if len(parts) == 3 else math.nan
    if not 1e-9 < length < math.inf:
        raise ValueError(f"direction is {list(vector)[:4]}; expected x, y, z, not all zero")
    return (parts[0] / length, parts[1] / length, parts[2] / length)


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
