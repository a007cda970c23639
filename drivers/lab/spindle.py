"""The virtual lab's spindle: a rotor with error motions, a mandrel of two master balls in it, and five displacement gauges around them.

The gauges see the surface of real spheres: centre and contact are worked out in the plane of each gauge, nothing is linearised. Everything is a function of
(seed, time), so that reading in other pieces changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .noise import Channel

Array = NDArray[np.float64]

GAUGES: Final = ("X1", "Y1", "Z", "X2", "Y2")
BALL_RADIUS_M: Final = 12.5e-3
BALL_DISTANCE_M: Final = 80e-3
_SYNCHRONOUS: Final = (2, 3, 4, 5, 7, 11)
_ASYNCHRONOUS: Final = (0.4137, 2.3719, 3.6283, 5.1361)
"""Orders of cage, balls and rings of the bearings: no whole numbers, so that they repeat in no revolution."""
_FORM: Final = (2, 3, 5, 6)


@dataclass(frozen=True, slots=True)
class Motion:
    """Σ a cos(k θ + φ): terms (amplitude a, order k, phase φ)."""

    terms: tuple[tuple[float, float, float], ...]

    @classmethod
    def drawn(cls, seed: int, name: str, *, size: float, orders: tuple[float, ...]) -> Motion:
        channel = Channel(seed, f"spindle/{name}")
        return cls(tuple((size / (1 + i) * (0.6 + 0.8 * channel.uniform(2 * i)), float(order), 2 * math.pi * channel.uniform(2 * i + 1)) for i, order in enumerate(orders)))

    def __call__(self, theta: Array) -> Array:
        total = np.zeros_like(theta)
        for amplitude, order, phase in self.terms:
            total += amplitude * np.cos(order * theta + phase)
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Spindle:
    """One spindle. Motions of the rotor's axis at the outer ball (m) and its tilts (rad); the mandrel's eccentricity and the form of its balls (m)."""

    x: tuple[Motion, Motion]
    y: tuple[Motion, Motion]
    z: tuple[Motion, Motion]
    tilt_a: tuple[Motion, Motion]
    tilt_b: tuple[Motion, Motion]
    eccentricity_m: tuple[tuple[float, float], tuple[float, float]]
    """radius and angle, of the outer and the inner ball"""
    form: tuple[Motion, Motion]
    speed_wobble: float
    """relative, sinusoidal, at 1.7 Hz"""
    gauge_noise_m: float
    gauge_gain: tuple[float, ...]
    """Relative error of each gauge's calibration."""

    @classmethod
    def drawn(cls, seed: int) -> Spindle:
        """A spindle of its own for every seed."""

        def pair(name: str, synchronous: float, asynchronous: float) -> tuple[Motion, Motion]:
            return (
                Motion.drawn(seed, f"{name}/synchronous", size=synchronous, orders=_SYNCHRONOUS),
                Motion.drawn(seed, f"{name}/asynchronous", size=asynchronous, orders=_ASYNCHRONOUS),
            )

        unit = Channel(seed, "spindle/parameters")
        return cls(
            x=pair("x", 0.45e-6, 0.12e-6), y=pair("y", 0.4e-6, 0.12e-6), z=pair("z", 0.25e-6, 0.08e-6), tilt_a=pair("a", 1.5e-6, 0.5e-6), tilt_b=pair("b", 1.5e-6, 0.5e-6),
            eccentricity_m=((6e-6 * (0.5 + unit.uniform(0)), 2 * math.pi * unit.uniform(1)), (4e-6 * (0.5 + unit.uniform(2)), 2 * math.pi * unit.uniform(3))),
            form=(Motion.drawn(seed, "form/outer", size=12e-9, orders=_FORM), Motion.drawn(seed, "form/inner", size=12e-9, orders=_FORM)),
            speed_wobble=2e-4 * (0.5 + unit.uniform(4)),
            gauge_noise_m=8e-9,
            gauge_gain=tuple(max(-1.0, min(1.0, unit.normal(10 + i) / 2)) * 2e-3 for i in range(len(GAUGES))),
        )  # fmt: skip

    def angle(self, time_s: Array, speed_rad_per_s: float) -> Array:
        """Angle of the rotor, rad, from 0 at time 0; rising."""
        wobble = 2 * math.pi * 1.7
        return speed_rad_per_s * (time_s + self.speed_wobble / wobble * np.sin(wobble * time_s))

    def axis_motion(self, theta: Array) -> dict[str, Array]:
        """What a perfect artefact would show: "x", "y", "z" at the outer ball (m), "a", "b" (rad)."""
        return {
            name: both[0](theta) + both[1](theta)
            for name, both in (("x", self.x), ("y", self.y), ("z", self.z), ("a", self.tilt_a), ("b", self.tilt_b))
        }

    def surface(self, theta: Array) -> Array:
        """(n, 5) m: where the surface of the ball stands before each gauge, positive along the gauge's axis of the machine."""
        motion = self.axis_motion(theta)
        turn = self._pose(motion)
        rows = np.empty((theta.size, len(GAUGES)))
        centres = []
        for ball in range(2):
            radius, angle = self.eccentricity_m[ball]
            below = np.array([0.0, 0.0, BALL_DISTANCE_M * ball])
            spun = np.stack([radius * np.cos(theta + angle), radius * np.sin(theta + angle), np.zeros_like(theta)])
            offset = np.einsum("ijn,jn->in", turn, spun + below[:, None])
            centres.append(np.stack([motion["x"], motion["y"], motion["z"]]) + offset - below[:, None])
        for ball, (gx, gy) in enumerate(((0, 1), (3, 4))):
            cx, cy, cz = centres[ball]
            form = self.form[ball]
            rows[:, gx] = cx + _sagitta(cy, cz) + form(-theta)
            rows[:, gy] = cy + _sagitta(cx, cz) + form(math.pi / 2 - theta)
        cx, cy, cz = centres[0]
        rows[:, 2] = cz + _sagitta(cx, cy)
        return rows

    def _pose(self, motion: dict[str, Array]) -> Array:
        """(3, 3, n) rotation by the tilts."""
        ca, sa, cb, sb = np.cos(motion["a"]), np.sin(motion["a"]), np.cos(motion["b"]), np.sin(motion["b"])
        zero = np.zeros_like(ca)
        return np.array([[cb, sb * sa, sb * ca], [zero, ca, -sa], [-sb, cb * sa, cb * ca]])

    def truth(self) -> dict[str, Any]:
        """All that the spindle holds, as plain JSON types."""
        return {name: value for name, value in asdict(self).items()} | {"ball_distance_m": BALL_DISTANCE_M, "ball_radius_m": BALL_RADIUS_M}


def _sagitta(across: Array, along: Array) -> Array:
    """What a gauge on the line through a ball reads less, because the ball's centre has left that line."""
    square = across * across + along * along
    return -square / (BALL_RADIUS_M + np.sqrt(BALL_RADIUS_M**2 - square))
