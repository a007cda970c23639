"""The lab's tracking interferometer: it stands somewhere on the table, follows a reflector that the tool carries, and counts the change of their distance.

The operator puts it down and mounts the reflector where he is told, as well as a hand and a rule allow; where they then are nobody knows but `truth`. The
light passes air all the way, the instrument reports the optical path at the vacuum wavelength and believes in a wavelength that is off by its certificate:

    reported = (1 + κ) [ n(t) |p(t) − S| − n(t₀) |p(t₀) − S| ] + noise.

It speaks as the other interferometer does, with one axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from .kinematics import Vector
from .machine import Machine
from .noise import Channel
from .parameters import AXES, Parameters
from .workshop import Workshop

_PM: Final = 1e-12
PLACE_RANGE_M: Final = 0.02
"""Half range of where the station really is against where it should be, each direction."""
REFLECTOR_RANGE_M: Final = 0.3e-3
"""The same for the reflector on the tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerBounds:
    """What its data sheet says."""

    noise_m: float = 0.1e-6
    """Standard deviation of a reading: sphere, pointing, counting."""
    noise_per_m: float = 0.1e-6
    """The same, growing with the distance: air."""
    scale_u: float = 0.1e-6
    """Certificate of the wavelength: U (k = 2), m/m."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Where the station and the reflector really are."""

    number: int
    asked_place_m: Vector
    asked_reflector_m: Vector
    place_m: Vector
    reflector_m: Vector


class Tracker:
    """One beam, axis 0."""

    def __init__(self, parameters: Parameters, seed: int, machine: Machine, workshop: Workshop) -> None:
        self._parameters, self._machine, self._workshop, self._seed = parameters, machine, workshop, seed
        self.bounds = TrackerBounds()
        self._noise = Channel(seed, "tracker/noise")
        self._contrast = Channel(seed, "tracker/contrast")
        self.scale = max(-1.0, min(1.0, Channel(seed, "tracker/scale").normal(0) / 2)) * self.bounds.scale_u
        self.setups: list[Setup] = []
        self._blocked_at_m: float | None = None
        self._lost_m = 0.0
        self._zero_m = 0.0
        # As it was left by those who used it last: in a corner of the table, the reflector at the tool.
        self.stand((parameters.x.lowest_m - 0.2, parameters.y.lowest_m - 0.2, parameters.z.lowest_m - 0.2), parameters.tool_m)

    def stand(self, place_m: Sequence[float], reflector_m: Sequence[float]) -> None:
        """The operator puts the station at `place_m` and the reflector on the tool at the offset `reflector_m`; the beam is found and the count is zero.

        Raises ValueError where either is not three finite numbers within 10 m.
        """
        place, reflector = _three("place_m", place_m), _three("reflector_m", reflector_m)
        number = len(self.setups)

        def about(what: str, asked: Vector, half_range: float) -> Vector:
            x, y, z = (
                value + Channel(self._seed, f"tracker/{number}/{what}/{axis}").within(half_range) for axis, value in zip(AXES, asked, strict=True)
            )
            return (x, y, z)

        self.setups.append(Setup(
            number=number, asked_place_m=place, asked_reflector_m=reflector, place_m=about("place", place, PLACE_RANGE_M),
            reflector_m=about("reflector", reflector, REFLECTOR_RANGE_M),
        ))  # fmt: skip
        self._blocked_at_m, self._lost_m = None, 0.0
        self._zero_m = self._optical_m(self._parameters.laser_noise_correlation_s)

    def displacement_pm(self, axis: int, averaging_s: float) -> int:
        """Change of the optical path since the reset, averaged over the `averaging_s` that ended now, in whole pm at the vacuum wavelength."""
        optical_m = self._optical_m(averaging_s) if self._blocked_at_m is None else self._blocked_at_m
        return round((1 + self.scale) * (optical_m - self._lost_m - self._zero_m) / _PM)

    def reset(self, axis: int) -> None:
        """Make the present distance the zero."""
        self._zero_m, self._lost_m = self._optical_m(self._parameters.laser_noise_correlation_s), 0.0

    def interrupt(self, axis: int) -> None:
        """Something stands in the beam: no signal, and the count stays what it was."""
        if self._blocked_at_m is None:
            self._blocked_at_m = self._optical_m(self._parameters.laser_noise_correlation_s)

    def restore(self, axis: int) -> None:
        """The beam is free again; what moved meanwhile was not counted."""
        if self._blocked_at_m is not None:
            self._lost_m += self._optical_m(self._parameters.laser_noise_correlation_s) - self._blocked_at_m
            self._blocked_at_m = None

    def quality(self, axis: int) -> tuple[int, int]:
        """Contrast and baseline in permille; a blocked beam has neither."""
        if self._blocked_at_m is not None:
            return (0, 0)
        return (760 + round(8 * self._contrast.normal(self._machine.now_ns)), 290)

    def truth(self) -> dict[str, Any]:
        """Where everything really was, and what the data sheet says."""
        return {"bounds": asdict(self.bounds), "scale": self.scale, "setups": [asdict(setup) for setup in self.setups]}

    def _optical_m(self, averaging_s: float) -> float:
        setup, t_ns = self.setups[-1], self._machine.now_ns
        lengths = [math.dist(self._machine.point_m(stop, setup.reflector_m), setup.place_m) for stop in self._machine.stops(averaging_s)]
        length_m = math.fsum(lengths) / len(lengths)
        noise_m = math.hypot(self.bounds.noise_m, self.bounds.noise_per_m * length_m) * self._noise.normal(t_ns)
        return (1 + self._workshop.refractivity(t_ns)) * length_m + noise_m


def _three(name: str, values: Sequence[float]) -> Vector:
    try:
        x, y, z = (float(value) for value in values)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {values!r}; expected three numbers, m") from None
    if not all(abs(value) <= 10.0 for value in (x, y, z)):
        raise ValueError(f"{name} is {values!r}; expected three finite numbers within 10 m")
    return (x, y, z)
