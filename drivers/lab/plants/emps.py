"""An electro-mechanical positioning system (EMPS): a ball-screw drive with viscous and Coulomb friction and an offset.

    M q̈ = g u − F_v q̇ − F_c sgn q̇ − F_0

Numbers: A. Janot, M. Gautier, M. Brunot, "Data set and reference models of EMPS", Nonlinear System Identification Benchmarks 2019; the drive's gain g and the gains of
its cascade (proportional position and velocity control) from memory. Between two changes of the direction of motion the drive is linear, so it is moved by the closed
form from each sample to the next, with the instant at which it comes to rest; it sticks while the force stays within F_c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .linear_plant import Array, generator, truth_of

STEP_S: Final = 1e-3
VOLTAGE_LIMIT: Final = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """(n,) each: reference (m), excitation and voltage (V), position as read and position and velocity as they are, and where the voltage was at its limit."""

    step_s: float
    reference: Array
    excitation: Array
    voltage: Array
    output: Array
    position_m: Array
    velocity_m_per_s: Array
    limited: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Emps:
    """mass_kg: M.  viscous_n_s_per_m: F_v.  coulomb_n: F_c.  offset_n: F_0.  gain_n_per_v: g.  position_gain_per_s, velocity_gain_v_s_per_m: of the cascade.
    noise_m, resolution_m: of the encoder.  seed: of the noise."""

    mass_kg: float = 95.1089
    viscous_n_s_per_m: float = 203.5034
    coulomb_n: float = 20.3935
    offset_n: float = -3.1648
    gain_n_per_v: float = 35.15
    position_gain_per_s: float = 160.18
    velocity_gain_v_s_per_m: float = 243.45
    noise_m: float = 0.0
    resolution_m: float = 0.0
    seed: int = 0

    def run(self, reference_m: ArrayLike, *, excitation_v: ArrayLike | None = None, closed: bool = True) -> Trace:
        """Follow `reference_m` (n,) from rest, with `excitation_v` (n,) added to the voltage; `closed` False: the voltage is the excitation alone."""
        return Drive(self, closed=closed).advance(reference_m, excitation_v=excitation_v)

    def moved(self, q: float, v: float, voltage: float, time_s: float) -> tuple[float, float]:
        """Position and velocity `time_s` later under a constant voltage, exactly."""
        force = self.gain_n_per_v * voltage - self.offset_n
        decay = self.viscous_n_s_per_m / self.mass_kg
        while time_s > 0:
            if v == 0:
                if abs(force) <= self.coulomb_n:
                    return q, 0.0
                direction = math.copysign(1.0, force)
            else:
                direction = math.copysign(1.0, v)
            final = (force - self.coulomb_n * direction) / self.viscous_n_s_per_m
            # v(t) = final + (v − final) exp(−decay·t) passes 0 only where final lies on the other side of it.
            rest = math.log((v - final) / -final) / decay if v * final < 0 else math.inf
            t = min(time_s, rest)
            faded = -math.expm1(-decay * t)
            q += final * t + (v - final) * faded / decay
            v = 0.0 if rest <= time_s else final + (v - final) * (1 - faded)
            time_s -= t
        return q, v

    def truth(self) -> dict[str, Any]:
        """The parameters, as published with a run."""
        return truth_of(plant="EMPS", **{name: getattr(self, name) for name in self.__slots__})


class Drive:
    """An EMPS while it runs: what it did so far is kept, so that a run in pieces is the run in one. Begins at the first reference where the loop is closed, else at 0."""

    def __init__(self, emps: Emps, *, closed: bool = True) -> None:
        self._emps, self._closed = emps, closed
        self._q, self._v, self._before = math.nan, 0.0, math.nan
        self._noise = generator(emps.seed, "encoder")

    def advance(self, reference_m: ArrayLike, *, excitation_v: ArrayLike | None = None) -> Trace:
        """The next samples; as `Emps.run`."""
        emps = self._emps
        r = np.array(reference_m, dtype=np.float64)
        w = np.zeros_like(r) if excitation_v is None else np.array(excitation_v, dtype=np.float64)
        if r.ndim != 1 or w.shape != r.shape or not r.size:
            raise ValueError(f"reference_m has shape {r.shape} and excitation_v {w.shape}; expected the same (n,)")
        sensor = emps.noise_m * self._noise.standard_normal(int(r.size))
        q, v, before = self._q, self._v, self._before
        if math.isnan(q):
            q = float(r[0]) if self._closed else 0.0
        position, velocity, voltage, output = (np.empty(r.size) for _ in range(4))
        limited = np.zeros(r.size, dtype=np.bool_)
        for k in range(r.size):
            reading = q + float(sensor[k])
            if emps.resolution_m:
                reading = emps.resolution_m * round(reading / emps.resolution_m)
            wanted = float(w[k])
            if self._closed:
                # The drive differentiates its encoder; the first sample has none before it.
                speed = 0.0 if math.isnan(before) else (reading - before) / STEP_S
                wanted += emps.velocity_gain_v_s_per_m * (emps.position_gain_per_s * (float(r[k]) - reading) - speed)
            before = reading
            u = min(VOLTAGE_LIMIT, max(-VOLTAGE_LIMIT, wanted))
            position[k], velocity[k], voltage[k], output[k], limited[k] = q, v, u, reading, u != wanted
            q, v = emps.moved(q, v, u, STEP_S)
        self._q, self._v, self._before = q, v, before
        return Trace(
            step_s=STEP_S, reference=r, excitation=w, voltage=voltage, output=output, position_m=position, velocity_m_per_s=velocity, limited=limited
        )
