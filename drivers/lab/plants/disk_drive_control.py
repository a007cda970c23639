"""The published controllers of the dual-stage disk drive: feedback of voice coil and piezo at 50.4 kHz, each followed by a filter at twice that
rate that keeps the resonances still.

    e ─► C_v ─hold─► F_v (2·fs) ─hold─► P_v ─┐
     └─► C_p ─hold─► F_p (2·fs) ─hold─► P_p ─┴─► y

Numbers: T. Atsumi's benchmark (IEEJ committee on precision servo technology), as its Python port by Santoso, Liu, Lu, Wan, Hu, Chu and Chen
(University of Washington, MIT licence)
prints them, four digits each. The filters are chains of sections of second order, last first: of each its two coefficients and its input; what
couples the sections
follows from output and input, A_ik = (b_i/d) c_k for the sections before it.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from .disk_drive import RATE_HZ, DiskDrive
from .linear_plant import Array, Complex, StateSpace, connected, generator

PASSES: Final = 2
"""Steps of the filters in one of the controllers."""

_COIL_A: Final = (
    (0.3698, -0.1788, 0, 0.06347, 0.07123, 0.0108, 0.1905, -0.007906, 0.3993),
    (0.4453, 0.9419, 0, 0.02063, 0.02315, 0.003512, 0.06192, -0.00257, 0.1298),
    (0.01809, 0.07891, 1, 0.0008384, 0.0009409, 0.0001427, 0.002516, -0.0001044, 0.005275),
    (0, 0, 0, -0.9378, 0.06619, 0.01004, 0.177, -0.007347, 0.3711),
    (0, 0, 0, 0, 1.124, -0.02249, 0.1706, -0.00708, 0.3576),
    (0, 0, 0, 0, 16, 0, 0, 0, 0),
    (0, 0, 0, 0, 0, 0, 0.5258, -0.02182, 1.102),
    (0, 0, 0, 0, 0, 0, 8, 0, 0),
    (0, 0, 0, 0, 0, 0, 0, 0, 0.2038),
)
_COIL_B: Final = (0.004101, 0.001333, 5.417e-05, -0.0006892, -0.0006641, 0, -0.002047, 0, 0.008734)
_COIL_C: Final = (-226.7, -143.1, 3.927, 62.47, 70.11, 10.63, 187.5, -7.782, 393.1)
_COIL_D: Final = 4.037
_PIEZO_A: Final = (
    (-0.9378, 0.01655, 0.0803, 0.0885, -0.05877), (0, 1.124, -0.7196, 0.3411, -0.2265), (0, 0.5, 0, 0, 0), (0, 0, 0, 0.5258, -0.3492), (0, 0, 0, 0.5, 0),
)  # fmt: skip
_PIEZO_B: Final = (0.09679, 0.3731, 0, 0.575, 0)
_PIEZO_C: Final = (0.4578, 0.1285, 0.6235, 0.6871, -0.4563)
_PIEZO_D: Final = 0.7514

_COIL_FILTER: Final = (  # two coefficients, lower entry, input
    (1.82, -0.9386, 1, 0.09968), (1.739, -0.9803, 1, 0.05009), (1.175, -0.9462, 1, 0.102), (0.8875, -0.8972, 1, 0.1065), (0.4488, -0.6752, 1, 0.2541),
    (-0.0882, -0.8504, 1, 0.1354), (-0.1566, -0.8472, 1, 0.289), (-0.4247, -0.8346, 1, 0.3103), (-0.6766, -0.6694, 1, 0.3688), (-1.29, -0.7876, 1, 0.4047),
    (-1.577, -0.7635, 1, 0.4491), (-1.632, -0.7563, 1, 0.5),
)  # fmt: skip
_COIL_FILTER_C: Final = (
    -0.1736, 0.1852, -0.06698, 0.07632, -0.08124, 0.1356, -0.1354, 0.2971, -0.09525, 0.4577, 0.02796, 0.3382, 0.01971, 0.1618, 0.04514, 0.1628, 0.16, 0.3073, 0.128, 0.1594,
    0.1581, 0.1594, 0.1519, 0.1473,
)  # fmt: skip
_COIL_FILTER_D: Final = 0.3891
_PIEZO_FILTER: Final = (
    (1.088, -0.8294, 1, 0.08534), (0.4113, -0.7649, 1, 0.09346), (-0.2773, -0.4853, 1, 0.1198), (-0.3191, -0.1653, 0.5, 0.5848), (-0.7463, -0.4005, 0.5, 1.0),
)  # fmt: skip
_PIEZO_FILTER_C: Final = (-0.1256, 0.2176, -0.04971, 0.2704, 0.1971, 0.4668, 0.3277, 0.4503, 0.1309, 0.1808)
_PIEZO_FILTER_D: Final = 0.1601


def coil_controller() -> StateSpace:
    """C_v, at the rate of the head's readings."""
    return _system(_COIL_A, _COIL_B, _COIL_C, _COIL_D, 1 / RATE_HZ)


def piezo_controller() -> StateSpace:
    """C_p, at the rate of the head's readings."""
    return _system(_PIEZO_A, _PIEZO_B, _PIEZO_C, _PIEZO_D, 1 / RATE_HZ)


def coil_filter() -> StateSpace:
    """F_v, at twice that rate."""
    return _chain(_COIL_FILTER, _COIL_FILTER_C, _COIL_FILTER_D)


def piezo_filter() -> StateSpace:
    """F_p, at twice that rate."""
    return _chain(_PIEZO_FILTER, _PIEZO_FILTER_C, _PIEZO_FILTER_D)


@cache
def loops(case: int = 2) -> tuple[StateSpace, StateSpace]:
    """Open loops of voice coil and piezo, from the error to the head, at the rate of its readings; their sum is L."""
    drive = DiskDrive(case=case)
    pairs = ((coil_controller(), coil_filter(), drive.voice_coil), (piezo_controller(), piezo_filter(), drive.piezo))
    found = [connected(law, _slower(connected(filtered, plant.held(1 / (PASSES * RATE_HZ))))) for law, filtered, plant in pairs]
    return found[0], found[1]


def loop_response(frequency_hz: ArrayLike, case: int = 2) -> Complex:
    """(m,) L at the frequencies."""
    one, other = loops(case)
    first, second = one.response(frequency_hz), other.response(frequency_hz)
    return np.asarray(first[:, 0, 0] + second[:, 0, 0], dtype=np.complex128)


def closed(case: int = 2) -> StateSpace:
    """From a disturbance at the head to the error (the sensitivity S), all states in one."""
    one, other = loops(case)
    n, m = one.a.shape[0], other.a.shape[0]
    a = np.block([[one.a, np.zeros((n, m))], [np.zeros((m, n)), other.a]])
    b, c = np.vstack([one.b, other.b]), np.hstack([one.c, other.c])
    d = float(one.d[0, 0] + other.d[0, 0])
    # e = w − y, y = C x + d e
    return StateSpace(a=a - b @ c / (1 + d), b=b / (1 + d), c=-c / (1 + d), d=np.array([[1 / (1 + d)]]), step_s=1 / RATE_HZ)


class DualLoop:
    """The drive while both stages hold the head, excited at the error. Its input is that error with the excitation, its output the head as read:
    P = L, without a unit."""

    def __init__(self, *, case: int = 2, noise: float = 0.0, seed: int = 0) -> None:
        one, other = loops(case)
        n, m = one.a.shape[0], other.a.shape[0]
        self._a = np.block([[one.a, np.zeros((n, m))], [np.zeros((m, n)), other.a]])
        self._b, self._c = np.concatenate([one.b[:, 0], other.b[:, 0]]), np.concatenate([one.c[0], other.c[0]])
        self._x, self._noise, self._source = np.zeros(n + m), noise, generator(seed, "dual head")

    def advance(self, excitation: Array, set_point: Array) -> tuple[Array, ...]:
        """Error with excitation, and reading of the head (n,), for an excitation and a track to follow (n,)."""
        given, seen = np.empty(excitation.size), np.empty(excitation.size)
        sensor = self._noise * self._source.standard_normal(excitation.size)
        a, b, c, x = self._a, self._b, self._c, self._x
        for k in range(excitation.size):
            seen[k] = c @ x + sensor[k]
            given[k] = excitation[k] + set_point[k] - seen[k]
            x = a @ x + b * given[k]
        self._x = x
        return given, seen


def _system(a: object, b: object, c: object, d: float, step_s: float) -> StateSpace:
    matrix = np.array(a, dtype=np.float64)
    n = matrix.shape[0]
    return StateSpace(
        a=matrix, b=np.array(b, dtype=np.float64).reshape(n, 1), c=np.array(c, dtype=np.float64).reshape(1, n), d=np.array([[d]]), step_s=step_s
    )


def _chain(sections: tuple[tuple[float, float, float, float], ...], c: tuple[float, ...], d: float) -> StateSpace:
    n = 2 * len(sections)
    a, b = np.zeros((n, n)), np.zeros(n)
    for k, (one, other, lower, into) in enumerate(sections):
        a[2 * k, 2 * k : 2 * k + 2] = one, other
        a[2 * k + 1, 2 * k] = lower
        a[2 * k, 2 * k + 2 :] = into / d * np.array(c[2 * k + 2 :])
        b[2 * k] = into
    return _system(a, b, c, d, 1 / (PASSES * RATE_HZ))


def _slower(fast: StateSpace) -> StateSpace:
    """Seen at every second step, the input held in between."""
    return StateSpace(a=fast.a @ fast.a, b=fast.b + fast.a @ fast.b, c=fast.c, d=fast.d, step_s=1 / RATE_HZ)
