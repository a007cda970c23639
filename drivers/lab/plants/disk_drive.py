"""A dual-stage disk drive: a voice-coil motor with fifteen resonances and a piezo actuator with eight, read by one head.

Numbers: T. Atsumi, "Magnetic-head positioning control system in HDDs", benchmark of the IEEJ committee on precision servo technology; 7200 rpm × 420 sectors, so
50.4 kHz; nine cases: cold (frequencies +4 %, +6 %, damping × 0.8), room and hot (−4 %, −6 %, × 1.2), each with the piezo's gain as it is, 5 % up and 5 % down. Input
and output are in the units of the benchmark. The controller here is ours, a lead at 300 Hz that holds the head while it is excited; it is no part of the benchmark.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from .linear_plant import Array, StateSpace, generator, of_modes, of_polynomials, truth_of

RATE_HZ: Final = 7200 / 60 * 420
VCM_GAIN: Final = 3.7976e7
VCM_HZ: Final = (0, 5300, 6100, 6500, 8050, 9600, 14800, 17400, 21000, 26000, 26600, 29000, 32200, 38300, 43300, 44800)
VCM_KAPPA: Final = (1, -1.0, 0.1, -0.1, 0.04, -0.7, -0.2, -1.0, 3.0, -3.2, 2.1, -1.5, 2.0, -0.2, 0.3, -0.5)
VCM_ZETA: Final = (0, 0.02, 0.04, 0.02, 0.01, 0.03, 0.01, 0.02, 0.02, 0.012, 0.007, 0.01, 0.03, 0.01, 0.01, 0.01)
PZT_HZ: Final = (14800, 21500, 28000, 40200, 42050, 44400, 46500, 100000)
PZT_KAPPA: Final = (-0.005, -0.01, -0.1, 0.8, 0.3, -0.25, 0.3, 10.0)
PZT_ZETA: Final = (0.025, 0.03, 0.05, 0.008, 0.008, 0.01, 0.02, 0.3)
CASES: Final = tuple((temperature, gain) for gain in (1.0, 1.05, 0.95) for temperature in ("cold", "room", "hot"))
"""Case k + 1 of the benchmark: temperature, and factor of the piezo's gain."""
_TEMPERATURES: Final = {"cold": (1.04, 1.06, 0.8), "room": (1.0, 1.0, 1.0), "hot": (0.96, 0.94, 1.2)}
CROSSING_HZ: Final = 300.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """excitation, input : (2, n), voice coil and piezo.  output : (n,) as read.  noise_free : (n,)."""

    step_s: float
    excitation: Array
    input: Array
    output: Array
    noise_free: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskDrive:
    """case : 1 … 9 of the benchmark, 2 (room temperature) is nominal.  noise : standard deviation of the head's reading.  seed : of it."""

    case: int = 2
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.case <= len(CASES):
            raise ValueError(f"case is {self.case}; expected 1 … {len(CASES)}")

    @property
    def voice_coil(self) -> StateSpace:
        """Continuous plant of the voice coil."""
        faster, _, damped = _TEMPERATURES[CASES[self.case - 1][0]]
        return of_modes(2 * math.pi * faster * np.array(VCM_HZ, dtype=float), damped * np.array(VCM_ZETA), VCM_GAIN * np.array(VCM_KAPPA))

    @property
    def piezo(self) -> StateSpace:
        """Continuous plant of the piezo, with gain 1 at low frequencies, times that of the case."""
        temperature, factor = CASES[self.case - 1]
        _, faster, damped = _TEMPERATURES[temperature]
        omega, kappa = 2 * math.pi * faster * np.array(PZT_HZ, dtype=float), np.array(PZT_KAPPA)
        return of_modes(omega, damped * np.array(PZT_ZETA), factor * kappa / abs(float(np.sum(kappa / omega**2))))

    @property
    def plant(self) -> StateSpace:
        """Both inputs, one output."""
        coil, piezo = self.voice_coil, self.piezo
        n, m = coil.a.shape[0], piezo.a.shape[0]
        a = np.block([[coil.a, np.zeros((n, m))], [np.zeros((m, n)), piezo.a]])
        b = np.block([[coil.b, np.zeros((n, 1))], [np.zeros((m, 1)), piezo.b]])
        return StateSpace(a=a, b=b, c=np.hstack([coil.c, piezo.c]), d=np.zeros((1, 2)))

    @property
    def controller(self) -> StateSpace:
        """Of the voice coil, from the error: a lead around 300 Hz and two poles at 3 kHz, by Tustin's rule."""
        from scipy.signal import bilinear

        w = 2 * math.pi * CROSSING_HZ
        rigid = VCM_GAIN / w**2
        top = np.array([3 / w, 1.0]) / (3 * rigid)
        bottom = np.polymul([1 / (3 * w), 1.0], np.polymul([1 / (10 * w), 1.0], [1 / (10 * w), 1.0]))
        numerator, denominator = bilinear(top, bottom, fs=RATE_HZ)
        return of_polynomials(numerator, denominator, step_s=1 / RATE_HZ)

    def run(self, excitation: ArrayLike) -> Trace:
        """Add `excitation` (2, n) to the inputs of voice coil and piezo while the loop holds the head at 0."""
        w = np.array(excitation, dtype=np.float64)
        if w.ndim != 2 or w.shape[0] != 2:
            raise ValueError(f"excitation has shape {w.shape}; expected (2, n): voice coil and piezo")
        sampled, law = self.plant.held(1 / RATE_HZ), self.controller
        sensor = self.noise * generator(self.seed, "head").standard_normal(int(w.shape[1]))
        x, state = np.zeros(sampled.a.shape[0]), np.zeros(law.a.shape[0])
        u = w.copy()
        clean = np.zeros(w.shape[1])
        for k in range(w.shape[1]):
            clean[k] = sampled.c[0] @ x
            error = -float(clean[k] + sensor[k])
            u[0, k] += float(law.c[0] @ state + law.d[0, 0] * error)
            state = law.a @ state + law.b[:, 0] * error
            x = sampled.a @ x + sampled.b @ u[:, k]
        return Trace(step_s=1 / RATE_HZ, excitation=w, input=u, output=clean + sensor, noise_free=clean)

    def truth(self) -> dict[str, Any]:
        """Modes of the case, as published with a run."""
        temperature, factor = CASES[self.case - 1]
        return truth_of(plant="dual-stage disk drive", case=self.case, temperature=temperature, piezo_gain=factor, rate_hz=RATE_HZ, seed=self.seed)
