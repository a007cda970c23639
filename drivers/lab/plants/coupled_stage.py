"""A gantry: a beam on two guides, each with a drive and an encoder of its own, that carries a head on a compliant mount away from its middle.
Two inputs, two outputs.

    M ẍ = F_1 + F_2 − c ẋ + f            x: middle of the beam, θ: its yaw, q: the head
    J θ̈ = (b/2)(F_2 − F_1) − k_θ θ − c_θ θ̇ + a f
    m q̈ = −f,     f = k (q − x − a θ) + d (q̇ − ẋ − a θ̇),     y_1 = x − b θ/2,   y_2 = x + b θ/2

Each drive moves both encoders: through the yaw, and through the head that swings. The numbers are ours, of the size of a small machine; the
state space is exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from .linear_plant import Array, Complex, Noise, StateSpace, generator, pid, truth_of

STEP_S: Final = 1 / 2000
KP, KI, KD, TAU_S = 20_000.0, 60_000.0, 1_200.0, 2e-3
"""Of the PID controller of each side, kp + ki/s + kd s/(τ s + 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gantry:
    """mass_kg, inertia_kg_m2: M and J of the beam.  width_m: b.  friction_n_s_per_m: c.  yaw_n_m_per_rad, yaw_n_m_s_per_rad: k_θ and c_θ. 
    head_kg: m.  offset_m: a.
    mount_n_per_m, mount_n_s_per_m: k and d."""

    mass_kg: float = 40.0
    inertia_kg_m2: float = 2.5
    width_m: float = 0.8
    friction_n_s_per_m: float = 120.0
    yaw_n_m_per_rad: float = 60_000.0
    yaw_n_m_s_per_rad: float = 12.0
    head_kg: float = 8.0
    offset_m: float = 0.18
    mount_n_per_m: float = 6.5e5
    mount_n_s_per_m: float = 90.0

    @property
    def plant(self) -> StateSpace:
        """Positions of both sides (m) over both forces (N)."""
        a, b = self.offset_m, self.width_m
        mass = np.diag([self.mass_kg, self.inertia_kg_m2, self.head_kg])
        # What stretches the mount: q − x − a θ.
        stretch = np.array([[-1.0, -a, 1.0]])
        stiffness = np.diag([0.0, self.yaw_n_m_per_rad, 0.0]) + self.mount_n_per_m * stretch.T @ stretch
        damping = np.diag([self.friction_n_s_per_m, self.yaw_n_m_s_per_rad, 0.0]) + self.mount_n_s_per_m * stretch.T @ stretch
        force = np.array([[1.0, 1.0], [-b / 2, b / 2], [0.0, 0.0]])
        inverse = np.linalg.inv(mass)
        whole = np.block([[np.zeros((3, 3)), np.eye(3)], [-inverse @ stiffness, -inverse @ damping]])
        seen = np.array([[1.0, -b / 2, 0.0], [1.0, b / 2, 0.0]])
        return StateSpace(a=whole, b=np.vstack([np.zeros((3, 2)), inverse @ force]), c=np.hstack([seen, np.zeros((2, 3))]), d=np.zeros((2, 2)))

    @property
    def controller(self) -> StateSpace:
        """Of one side, from its error to its force."""
        return pid(KP, KI, KD, TAU_S, step_s=STEP_S)

    def plant_response(self, frequency_hz: ArrayLike) -> Complex:
        """(m, 2, 2) of the sampled plant with its hold."""
        return self.plant.held(STEP_S).response(frequency_hz)

    def sensitivity(self, frequency_hz: ArrayLike) -> Complex:
        """(m, 2, 2) from excitation to input, (I + C P)⁻¹."""
        p, c = self.plant_response(frequency_hz), self.controller.response(frequency_hz)[:, 0, 0]
        return np.asarray(np.linalg.inv(np.eye(2) + c[:, None, None] * p))

    def truth(self) -> dict[str, Any]:
        """Parameters, modes and controller, as published with a run."""
        poles = self.plant.poles()
        modes = sorted({round(abs(pole) / (2 * math.pi), 6) for pole in poles.tolist() if pole.imag > 0})
        return truth_of(
            plant="coupled gantry",
            **{name: getattr(self, name) for name in self.__slots__},
            modes_hz=modes,
            controller={"kp": KP, "ki": KI, "kd": KD, "tau_s": TAU_S},
        )


class GantryLoop:
    """A gantry while it runs under the controllers of both sides: what it did so far is kept."""

    def __init__(self, gantry: Gantry, *, noise: Noise, seed: int) -> None:
        self._plant, self._law, self._noise = gantry.plant.held(STEP_S), gantry.controller, noise
        self._x, self._state = np.zeros(self._plant.a.shape[0]), np.zeros((self._law.a.shape[0], 2))
        self._sources = [generator(seed, f"gantry {name}") for name in ("input", "output")]

    def advance(self, excitation: Array) -> tuple[Array, Array]:
        """Inputs and measured outputs (2, n) for excitations (2, n) added to the forces."""
        if excitation.ndim != 2 or excitation.shape[0] != 2:
            raise ValueError(f"excitation has shape {excitation.shape}; expected (2, n): both sides")
        n = excitation.shape[1]
        disturbance, sensor = (
            sigma * source.standard_normal((n, 2)) for sigma, source in zip((self._noise.input, self._noise.output), self._sources, strict=True)
        )
        a, b, c, law = self._plant.a, self._plant.b, self._plant.c, self._law
        given, seen = np.empty((2, n)), np.empty((2, n))
        for k in range(n):
            y = c @ self._x + sensor[k]
            u = excitation[:, k] + law.c[0] @ self._state - law.d[0, 0] * y
            self._state = law.a @ self._state - law.b * y
            self._x = a @ self._x + b @ (u + disturbance[k])
            given[:, k], seen[:, k] = u, y
        return given, seen
