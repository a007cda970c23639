"""A high-precision stage with a rocking mode: force on the lower body, position measured at a height on the upper one.

Numbers: H. Fujimoto, K. Sakata, K. Saiki, "Application of perfect tracking control to large-scale high-precision stage", IFAC Symposium on Mechatronic Systems 2010;
A. Hara et al., IECON 2008. The measuring height decides: at 0 the plant is collocated, at 0.085 m not, at 0.3 m it has a zero in the right half plane.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .linear_plant import Array, Bench, Noise, StateSpace, gain, of_polynomials, truth_of

HEIGHTS_M: Final = (0.0, 0.085, 0.3)
TRAVEL_M: Final = 10e-3
FORCE_LIMIT_N: Final = 100.0
STEP_S: Final = 1 / 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NanoStage:
    """mass_kg, upper_kg: M and m.  inertia_kg_m2: J.  damping_n_s_per_m: C.  stiffness_n_m_per_rad, rocking_n_m_s_per_rad: k_θ and μ_θ.  arm_m: L.  height_m: l."""

    mass_kg: float = 7.7
    upper_kg: float = 5.3
    inertia_kg_m2: float = 0.015
    damping_n_s_per_m: float = 24.0
    stiffness_n_m_per_rad: float = 1700.0
    rocking_n_m_s_per_rad: float = 0.20
    arm_m: float = 0.092
    gravity_m_per_s2: float = 9.8
    height_m: float = 0.0

    @property
    def numerator(self) -> Array:
        """Of position over force, highest power first."""
        weight = self.upper_kg * self.gravity_m_per_s2 * self.arm_m
        about = self.upper_kg * self.arm_m**2 + self.inertia_kg_m2
        return np.array([about - self.upper_kg * self.arm_m * self.height_m, self.rocking_n_m_s_per_rad, self.stiffness_n_m_per_rad - weight])

    @property
    def denominator(self) -> Array:
        """Highest power first; the last is 0, a rigid body that slides."""
        lower, upper, c = self.mass_kg, self.upper_kg, self.damping_n_s_per_m
        about = upper * self.arm_m**2 + self.inertia_kg_m2
        weight = self.gravity_m_per_s2 * self.arm_m * upper
        whole = lower + upper
        return np.array([
            lower * about + upper * self.inertia_kg_m2,
            whole * self.rocking_n_m_s_per_rad + about * c,
            whole * (self.stiffness_n_m_per_rad - weight) + self.rocking_n_m_s_per_rad * c,
            (self.stiffness_n_m_per_rad - weight) * c,
            0.0,
        ])  # fmt: skip

    @property
    def plant(self) -> StateSpace:
        """Position (m) over force (N)."""
        return of_polynomials(self.numerator, self.denominator)

    def bench(self, *, loop_gain: float = 1e4, noise: Noise | None = None, seed: int = 0) -> Bench:
        """The stage under proportional control of `loop_gain` (N/m), at 10 kHz; 0: open loop."""
        quiet = Noise(output=1e-9) if noise is None else noise
        controller = gain(loop_gain, step_s=STEP_S) if loop_gain else None
        return Bench(plant=self.plant, step_s=STEP_S, controller=controller, limit=FORCE_LIMIT_N, noise=quiet, seed=seed)

    def truth(self) -> dict[str, Any]:
        """Poles, zeros and mode, as published with a run."""
        poles, zeros = np.roots(self.denominator), np.roots(self.numerator)
        mode = poles[np.argmax(np.abs(poles))]
        return truth_of(
            plant="nano stage",
            height_m=self.height_m,
            numerator=self.numerator,
            denominator=self.denominator,
            mode_hz=float(abs(mode) / (2 * math.pi)),
            damping=float(-mode.real / abs(mode)),
            zeros_rad_per_s=[[zero.real, zero.imag] for zero in zeros.tolist()],
        )
