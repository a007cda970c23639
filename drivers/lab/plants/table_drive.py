"""The EMPS drive with a table behind a coupling that has backlash and gives way, and a guide that holds the table: a
drive that has been in use.

    M q̈ = g u − F_v q̇ − F_m sgn q̇ − F_0 − f,     f = k·sgn δ·max(|δ| − b/2, 0),  δ = q − y,     |f| ≤ F_g(q̇) = F_g + (F_sg − F_g) e^{−(q̇/v_s)²}

Mass, viscous friction, offset, gain and cascade are those published for the EMPS (`emps`), and so is the whole Coulomb
friction F_m + F_g; its share in the guide, the rise of the guide's friction toward standstill, backlash and stiffness
are ours. The table is taken without inertia beyond M: it moves as soon as the coupling pulls with F_g.

While the table moves the force of the coupling is constant within a sample and the drive follows the closed form; while
the coupling unwinds it is stepped finely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from .emps import STEP_S, VOLTAGE_LIMIT, Emps
from .linear_plant import Array, generator, truth_of

_FINE: Final = 20
"""Steps of a sample while the coupling unwinds: the drive on the spring swings 33 times a second, so one is a
six-hundredth of a turn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """(n,) each: reference (m), voltage, motor and table position as read, and as they are."""

    reference: Array
    voltage: Array
    output: Array
    load: Array
    motor_m: Array
    table_m: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDrive:
    """emps : the drive, its coulomb_n that of drive and guide together.  guide_n: F_g.  guide_static_n: F_sg.
    stribeck_m_per_s: v_s.  backlash_m: b. stiffness_n_per_m: k.  noise_m, resolution_m : of the table's scale, those of
    the motor's encoder are the drive's."""

    emps: Emps = field(default_factory=Emps)
    guide_n: float = 10.0
    guide_static_n: float = 16.0
    stribeck_m_per_s: float = 5e-3
    backlash_m: float = 12e-6
    stiffness_n_per_m: float = 4e6
    noise_m: float = 0.0
    resolution_m: float = 0.0

    def held_n(self, velocity_m_per_s: float) -> float:
        """F_g at a velocity."""
        return self.guide_n + (self.guide_static_n - self.guide_n) * math.exp(
            -((velocity_m_per_s / self.stribeck_m_per_s) ** 2)
        )

    def run(self, reference_m: ArrayLike, *, excitation_v: ArrayLike | None = None) -> Trace:
        """Follow `reference_m` (n,) from rest."""
        return Running(self).advance(reference_m, excitation_v=excitation_v)

    def truth(self) -> dict[str, Any]:
        """The parameters, and what an ideal measurement would find, as published with a run."""
        own = {name: getattr(self, name) for name in self.__slots__ if name != "emps"}
        return truth_of(
            **{**self.emps.truth(), "plant": "EMPS with a table"},
            **{f"table_{name}" if name in ("noise_m", "resolution_m") else name: value for name, value in own.items()},
            drive_friction_n=self.emps.coulomb_n - self.guide_n,
            static_n=self.emps.coulomb_n - self.guide_n + self.guide_static_n,
            lost_motion_m=self.backlash_m + 2 * self.guide_static_n / self.stiffness_n_per_m,
        )


class Running:
    """A drive with its table while it runs; begins at the first reference, the coupling without force."""

    def __init__(self, drive: TableDrive) -> None:
        self._drive = drive
        self._motor = replace(drive.emps, coulomb_n=drive.emps.coulomb_n - drive.guide_n)
        self._q, self._v, self._y, self._before = math.nan, 0.0, 0.0, math.nan
        self._sources = [generator(drive.emps.seed, name) for name in ("encoder", "scale")]

    def advance(self, reference_m: ArrayLike, *, excitation_v: ArrayLike | None = None) -> Trace:
        """The next samples; as `TableDrive.run`."""
        r = np.array(reference_m, dtype=np.float64)
        w = np.zeros_like(r) if excitation_v is None else np.array(excitation_v, dtype=np.float64)
        if r.ndim != 1 or w.shape != r.shape or not r.size:
            raise ValueError(f"reference_m has shape {r.shape} and excitation_v {w.shape}; expected the same (n,)")
        emps = self._drive.emps
        encoder, scale = (
            sigma * source.standard_normal(int(r.size))
            for sigma, source in zip((emps.noise_m, self._drive.noise_m), self._sources, strict=True)
        )
        if math.isnan(self._q):
            self._q = self._y = float(r[0])
        motor, table, voltage, output, load = (np.empty(r.size) for _ in range(5))
        for k in range(r.size):
            reading = _rounded(self._q + float(encoder[k]), emps.resolution_m)
            speed = 0.0 if math.isnan(self._before) else (reading - self._before) / STEP_S
            wanted = float(w[k]) + emps.velocity_gain_v_s_per_m * (
                emps.position_gain_per_s * (float(r[k]) - reading) - speed
            )
            self._before = reading
            u = min(VOLTAGE_LIMIT, max(-VOLTAGE_LIMIT, wanted))
            motor[k], table[k], voltage[k], output[k] = self._q, self._y, u, reading
            load[k] = _rounded(self._y + float(scale[k]), self._drive.resolution_m)
            self._sample(u)
        return Trace(reference=r, voltage=voltage, output=output, load=load, motor_m=motor, table_m=table)

    def _sample(self, u: float) -> None:
        """One sample under a constant voltage."""
        drive, gain = self._drive, self._motor.gain_n_per_v
        side = math.copysign(1.0, self._v)
        held = drive.held_n(self._v)
        end = side * (held / drive.stiffness_n_per_m + drive.backlash_m / 2)
        if self._v != 0 and (self._q - self._y) * side >= end * side - 1e-15:
            q, v = self._motor.moved(self._q, self._v, u - side * held / gain, STEP_S)
            if v * side > 0:
                self._q, self._v = q, v
                self._y = q - side * (drive.held_n(v) / drive.stiffness_n_per_m + drive.backlash_m / 2)
                return
        for _ in range(_FINE):
            delta = self._q - self._y
            pull = drive.stiffness_n_per_m * math.copysign(max(abs(delta) - drive.backlash_m / 2, 0.0), delta)
            self._q, self._v = self._motor.moved(self._q, self._v, u - pull / gain, STEP_S / _FINE)
            reach = drive.held_n(self._v) / drive.stiffness_n_per_m + drive.backlash_m / 2
            self._y = min(max(self._y, self._q - reach), self._q + reach)


def _rounded(value: float, resolution: float) -> float:
    return resolution * round(value / resolution) if resolution else value
