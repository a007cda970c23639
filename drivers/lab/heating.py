"""The virtual lab's thermal test: a mandrel in a spindle that warms up, and an axis whose screw grows, seen over hours.

Each growth is an exact first-order response to its own heating, each drift of the room a smooth function of time. The mandrel is a rigid body: it shifts and
tilts, and the gauges a distance apart see both.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .noise import Channel
from .waves import Waves

Array = NDArray[np.float64]

GAUGE_DISTANCE_M: Final = 127e-3
TARGETS_M: Final = (0.1, 0.9)
_HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heating:
    """One machine. growth : of x, y, z (m) and tilts a, b (rad) towards the running spindle's steady state. screw_m : growth of the screw at 1 m."""

    growth: tuple[float, ...]
    time_constant_s: tuple[float, ...]
    screw_strain: float
    screw_time_constant_s: float
    nose_rise_k: float
    ambient_k: float
    ambient_drift: Waves
    room_per_k: tuple[float, ...]
    """Of x, y, z (m/K) and a, b (rad/K): what the machine follows the room by, an hour late."""
    gauge_noise_m: float

    @classmethod
    def drawn(cls, seed: int) -> Heating:
        """A machine of its own for every seed."""
        unit = Channel(seed, "heating/parameters")

        def near(index: int, value: float) -> float:
            return value * (0.7 + 0.6 * unit.uniform(index))

        return cls(
            growth=(near(0, 4e-6), near(1, -9e-6), near(2, 28e-6), near(3, 12e-6), near(4, -6e-6)),
            time_constant_s=(near(5, 3000.0), near(6, 4200.0), near(7, 2400.0), near(8, 3600.0), near(9, 3300.0)),
            screw_strain=near(10, 35e-6), screw_time_constant_s=near(11, 2700.0), nose_rise_k=near(12, 14.0), ambient_k=293.15 + 2 * unit.uniform(13),
            ambient_drift=Waves.drawn(Channel(seed, "heating/ambient"), bound=0.4, periods=(7 * _HOUR_S, 2.3 * _HOUR_S, 0.6 * _HOUR_S)),
            room_per_k=(1.2e-6, -2.1e-6, 3.0e-6, 2e-6, -1.5e-6), gauge_noise_m=15e-9,
        )  # fmt: skip

    def pose(self, time_s: Array, *, running_s: float) -> Array:
        """(n, 5): x, y, z (m) at the outer gauges and tilts a, b (rad), with the spindle running from 0 to `running_s`."""
        room = self.ambient(time_s - _HOUR_S) - self.ambient(np.array([-_HOUR_S]))
        columns = []
        for growth, tau, per_k in zip(self.growth, self.time_constant_s, self.room_per_k, strict=True):
            columns.append(growth * _response(time_s, tau, running_s) + per_k * room)
        return np.stack(columns, axis=1)

    def gauges(self, time_s: Array, *, running_s: float) -> Array:
        """(n, 5) m: X1, Y1, Z, X2, Y2; the second pair `GAUGE_DISTANCE_M` further up the rigid mandrel."""
        x, y, z, a, b = self.pose(time_s, running_s=running_s).T
        return np.stack([x, y, z, x + GAUGE_DISTANCE_M * np.sin(b) * np.cos(a), y - GAUGE_DISTANCE_M * np.sin(a)], axis=1)

    def axis(self, time_s: Array, *, running_s: float) -> Array:
        """(n, 2) m: deviation at the near and the far target while the axis goes back and forth from 0 to `running_s`."""
        grown = self.screw_strain * _response(time_s, self.screw_time_constant_s, running_s)
        room = self.ambient(time_s - _HOUR_S) - self.ambient(np.array([-_HOUR_S]))
        return np.stack([target * grown + self.room_per_k[0] * room for target in TARGETS_M], axis=1)

    def ambient(self, time_s: Array) -> Array:
        """(n,) K."""
        return self.ambient_k + np.array([self.ambient_drift(float(t)) for t in time_s])

    def nose(self, time_s: Array, *, running_s: float) -> Array:
        """(n,) K, temperature of the spindle nose (or of the screw)."""
        return self.ambient(time_s) + self.nose_rise_k * _response(time_s, self.time_constant_s[2], running_s)

    def truth(self) -> dict[str, Any]:
        """All that the machine holds, as plain JSON types."""
        held = asdict(self)
        held["ambient_drift"] = [list(term) for term in self.ambient_drift.terms]
        return held | {"gauge_distance_m": GAUGE_DISTANCE_M, "targets_m": list(TARGETS_M)}


def _response(time_s: Array, tau_s: float, running_s: float) -> Array:
    """1 − e^{−t/τ} while heated, and its decay afterwards."""
    warm = -np.expm1(-np.clip(time_s, 0, running_s) / tau_s)
    decay = np.exp(-np.maximum(time_s - running_s, 0) / tau_s)
    return np.asarray(warm * decay)
