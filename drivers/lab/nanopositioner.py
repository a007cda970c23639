"""The virtual nanopositioner: a flexure stage with a piezo (hysteresis, creep) under integral control, and the homodyne interferometer that watches it.

The flexure is a mode of f₀ and ζ, advanced exactly from sample to sample. Hysteresis is a sum of plays (Prandtl–Ishlinskii), creep a slow first-order share of the
expansion; both act on the piezo, and the integral controller takes them out as fast as ki < 2 ζ ω₀ lets it. The interferometer's two signals have offsets, unequal
gains, a phase error and a third harmonic; its reflector is moved by a slide of its own for linearity tests.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .noise import Channel

Array = NDArray[np.float64]

RATE_HZ: Final = 10_000.0
_TS: Final = 1 / RATE_HZ
PERIOD_M: Final = 632.8e-9 / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One axis of an XY flexure stage of 100 µm."""

    mode_hz: float = 420.0
    damping: float = 0.02
    integral_per_s: float = 60.0
    hysteresis: float = 0.12
    creep: float = 0.015
    creep_s: float = 8.0
    sensor_m: float = 0.4e-9
    amplifier_m: float = 0.5e-9
    crosstalk: float = 0.004
    """Of the motion of one axis that pushes the other."""

    @classmethod
    def drawn(cls, seed: int) -> Stage:
        """A stage of its own for every seed; its loop is stable: ki < 2 ζ ω₀."""
        unit = Channel(seed, "nanopositioner/parameters")
        mode = 420.0 * (0.85 + 0.3 * unit.uniform(0))
        damping = 0.02 * (0.8 + 0.4 * unit.uniform(1))
        return cls(mode_hz=mode, damping=damping, integral_per_s=0.55 * 2 * damping * 2 * math.pi * mode, hysteresis=0.12 * (0.7 + 0.6 * unit.uniform(2)), creep=0.015 * (0.7 + 0.6 * unit.uniform(3)), crosstalk=0.004 * (0.5 + unit.uniform(4)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Two signals in quadrature, V: s = p + R cos θ + h cos 3θ, c = q + (R/r) sin(θ − α) − h sin 3θ."""

    p: float
    q: float
    radius: float
    ratio: float
    alpha_rad: float
    third: float
    noise: float

    @classmethod
    def drawn(cls, seed: int) -> Signals:
        """Signals of their own for every seed."""
        unit = Channel(seed, "quadrature/parameters")
        return cls(
            p=unit.within(0.03, 0), q=unit.within(0.03, 1), radius=1.0 + unit.within(0.1, 2), ratio=1.0 + unit.within(0.04, 3),
            alpha_rad=math.radians(unit.within(3.0, 4)), third=0.004 * unit.uniform(5), noise=2e-3,
        )  # fmt: skip

    def seen(self, theta: Array) -> tuple[Array, Array]:
        """(n,) V each, without noise."""
        s = self.p + self.radius * np.cos(theta) + self.third * np.cos(3 * theta)
        c = self.q + self.radius / self.ratio * np.sin(theta - self.alpha_rad) - self.third * np.sin(3 * theta)
        return s, c


def staircase(count: int, step_m: float, hold_s: float) -> Array:
    """Set-point of a test: `count` steps up, as many down, each held; (n,) m."""
    levels = np.concatenate([np.arange(count + 1), np.arange(count - 1, -1, -1)]) * step_m
    return np.repeat(levels, round(hold_s * RATE_HZ))


def respond(stage: Stage, seed: int, set_m: Array, *, pushed_m: Array | None = None, axis: str = "x") -> tuple[Array, Array]:
    """(n,) m: true position of one axis, and what its capacitive sensor says of it. pushed_m : (n,) what the other axis would move it by without control."""
    from scipy.linalg import expm

    w, zeta = 2 * math.pi * stage.mode_hz, stage.damping
    whole = expm(np.array([[0.0, 1.0, 0.0], [-w * w, -2 * zeta * w, w * w], [0.0, 0.0, 0.0]]) * _TS)
    count = set_m.size
    sensor = stage.sensor_m * Channel(seed, f"nanopositioner/{axis}/sensor").normals(0, count)
    amplifier = stage.amplifier_m * Channel(seed, f"nanopositioner/{axis}/amplifier").normals(0, count)
    true = np.empty(count)
    plays = [0.0] * 6
    widths = [0.5e-6 * (k + 1) for k in range(6)]
    x = v = command = crept = 0.0
    a11, a12, b1, a21, a22, b2 = whole[0, 0], whole[0, 1], whole[0, 2], whole[1, 0], whole[1, 1], whole[1, 2]
    slow = _TS / stage.creep_s
    pushed = np.zeros(count) if pushed_m is None else pushed_m
    for n in range(count):
        true[n] = x
        command += stage.integral_per_s * _TS * (set_m[n] - (x + sensor[n]))
        lag = 0.0
        for k, width in enumerate(widths):
            plays[k] = min(max(plays[k], command - width), command + width)
            lag += command - plays[k]
        expanded = command - stage.hysteresis * lag / len(widths)
        crept += slow * (stage.creep * expanded - crept)
        force = expanded + crept + amplifier[n] + pushed[n]
        x, v = a11 * x + a12 * v + b1 * force, a21 * x + a22 * v + b2 * force
    return true, true + sensor


def other_axis(stage: Stage, seed: int, true_m: Array) -> tuple[Array, Array]:
    """(n,) m: true position of the axis that is held at 0 while the other is at `true_m`, and what its sensor says."""
    return respond(stage, seed, np.zeros_like(true_m), pushed_m=stage.crosstalk * true_m, axis="y")


def sweep_phase(seed: int, time_s: Array, speed_m_per_s: float) -> tuple[Array, Array]:
    """(n,) true displacement (m) of a slide at nearly constant speed, and the phase θ of the signals (rad)."""
    wobble = Channel(seed, "quadrature/slide")
    displacement = speed_m_per_s * time_s + 0.1e-6 * (0.5 + wobble.uniform(0)) * np.sin(2 * math.pi * 0.12 * time_s + 6 * wobble.uniform(1))
    return displacement, 2 * math.pi * displacement / PERIOD_M + 2 * math.pi * wobble.uniform(2)


def truth(stage: Stage, signals: Signals) -> dict[str, Any]:
    """All that the bench holds, as plain JSON types."""
    return {"stage": asdict(stage), "signals": asdict(signals), "period_m": PERIOD_M}
