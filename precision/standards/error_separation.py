"""Separation of the error motion of a spindle from the form of the artefact: Donaldson reversal and the three-probe method (ISO 230-7 annex, ASME B89.3.4).
From memory of the standards.

Reversal. Artefact and probe turned by 180° against the spindle for the second measurement: m_1 = P + S, m_2 = P − S, hence

    P = (m_1 + m_2)/2      S = (m_1 − m_2)/2        radial only: an axial motion cannot be reversed

Multiprobe. Probe i stands at φ_i: m_i(θ) = P(θ − φ_i) + X(θ) cosφ_i + Y(θ) sinφ_i. Weights with a_1 = 1, Σ a_i cosφ_i = 0 and Σ a_i sinφ_i = 0 take the
motion out of M = Σ a_i m_i, and P_k = M_k/W_k, W_k = Σ a_i e^{−jkφ_i}. W_1 = 0 by construction, and harmonics with a small |W_k| would be amplified noise:
they are suppressed (taken as zero in P, and so left in X and Y) and reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..uncertainty.readings import CIRCLE_GAIN, Readings
from .arrays import Array, frozen, table, vector
from .reported import Reported, figure, keyed, plain

FEWEST_SAMPLES: Final = 16
SMALLEST_WEIGHT: Final = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Reversal(Reported):
    """Figures "part", "spindle": range of each after mean and once-per-revolution term are taken off, m.

    part_m, spindle_m : (n,) float64, P and S as they are, with mean and once-per-revolution term.
    """

    part_m: Array
    spindle_m: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Multiprobe(Reported):
    """Figures "part" (range of P), "x", "y" (ranges of the motion, mean and once-per-revolution term taken off), m; "smallest_weight".

    part_m : (n,) float64, P(θ), harmonics 2 … highest without the suppressed ones.
    x_m, y_m : (n,) float64, motion of the axis (with the artefact's eccentricity).
    weights : (3,), a_i.
    transfer : (highest + 1,) complex, W_k.
    suppressed : harmonics k in 2 … highest that were not recovered.
    """

    part_m: Array
    x_m: Array
    y_m: Array
    weights: Array
    transfer: np.ndarray[tuple[int], np.dtype[np.complex128]]
    suppressed: tuple[int, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain JSON types; of `transfer` the absolute values."""
        return {name: plain(getattr(self, name)) for name in ("title", "stated", "figures", "flags", "part_m", "x_m", "y_m", "weights", "suppressed", "conforming")} | {
            "transfer": np.abs(self.transfer).tolist()
        }


def form(contour: Array) -> Array:
    """A contour at equal angles without its mean and its once-per-revolution term."""
    angle = np.arange(contour.size) * (2 * math.pi / contour.size)
    term = 2 * np.mean(contour * np.exp(-1j * angle))
    rest: Array = contour - contour.mean() - np.real(term * np.exp(1j * angle))
    return rest


def donaldson_reversal(first_m: ArrayLike, reversed_m: ArrayLike, *, readings: Readings | None = None) -> Reversal:
    """Separate artefact and spindle from two mean contours, before and after reversal of artefact and probe.

    Parameters
    ----------
    first_m, reversed_m : (n,) m at the same n equal angles of the spindle, each positive towards its probe's positive reading
    readings : what is known about one value of a contour (m), for U

    Raises
    ------
    DataError       contours of different length, fewer than 16 samples
    """
    one = vector("first_m", first_m, fewest=FEWEST_SAMPLES)
    two = vector("reversed_m", reversed_m, size=one.size)
    part, spindle = (one + two) / 2, (one - two) / 2
    # Half the sum of two readings errs by no more than one; their independent noise by 1/√2.
    u = None if readings is None else readings.of_range(one.size, bounded=CIRCLE_GAIN, random=math.sqrt(0.5))
    return Reversal(
        title=f"Donaldson reversal, {one.size} angles",
        stated=("form: range without mean and once-per-revolution term",),
        figures=keyed([
            figure("part", "form of the artefact", float(np.ptp(form(part))), "m", u, symbol="P"),
            figure("spindle", "synchronous radial error motion of the spindle", float(np.ptp(form(spindle))), "m", u, symbol="S"),
        ]),
        flags=(),
        part_m=frozen(part),
        spindle_m=frozen(spindle),
    )  # fmt: skip


def multiprobe(contours_m: ArrayLike, angles_rad: Sequence[float], *, highest: int | None = None, smallest_weight: float = SMALLEST_WEIGHT) -> Multiprobe:
    """Separate artefact and motion from the mean contours of three probes.

    Parameters
    ----------
    contours_m : (3, n) m at the same n equal angles of the spindle
    angles_rad : φ_1, φ_2, φ_3, no two of them equal or opposite, unequally spaced: equal spacing loses every k = 3q ± 1
    highest : highest harmonic that is recovered; default 59, at most (n − 1)/2
    smallest_weight : |W_k| below which a harmonic is suppressed

    Raises
    ------
    DataError       shapes, probes whose angles determine no weights, a highest harmonic that the sampling does not carry (7 samples in an undulation are asked
                    for, 2 are the limit)
    """
    contours = table("contours_m", contours_m, (3, None))
    phi = vector("angles_rad", angles_rad, size=3)
    n = contours.shape[1]
    limit = (n - 1) // 2
    top = min(59, limit) if highest is None else highest
    if n < FEWEST_SAMPLES or not 2 <= top <= limit:
        raise DataError(f"{n} samples a revolution and harmonics up to {top}; expected at least {FEWEST_SAMPLES} samples, and 2 to {limit} as the highest harmonic")
    directions = np.stack([np.cos(phi), np.sin(phi)])
    if min(abs(math.sin(phi[j] - phi[i])) for i, j in ((0, 1), (0, 2), (1, 2))) < 1e-3:
        raise DataError(f"probes at {', '.join(f'{math.degrees(p):g}°' for p in phi)}: two are parallel; expected three different directions, for example 0°, 99.844°, 202.5°")
    weights = np.concatenate([[1.0], np.linalg.solve(directions[:, 1:], -directions[:, 0])])
    k = np.arange(top + 1)
    transfer = (weights[:, None] * np.exp(-1j * np.outer(phi, k))).sum(axis=0)
    spectrum = np.fft.rfft(weights @ contours)
    kept = (k >= 2) & (np.abs(transfer) >= smallest_weight)
    part_spectrum = np.zeros(n // 2 + 1, dtype=np.complex128)
    part_spectrum[: top + 1][kept] = spectrum[: top + 1][kept] / transfer[kept]
    part = np.fft.irfft(part_spectrum, n)
    order = np.arange(n // 2 + 1)
    at_probes = np.stack([np.fft.irfft(part_spectrum * np.exp(-1j * order * p), n) for p in phi])
    motion = np.linalg.lstsq(directions.T, contours - at_probes, rcond=None)[0]
    suppressed = tuple(int(v) for v in k[2:][~kept[2:]])
    least = float(np.abs(transfer[kept]).min()) if kept.any() else 0.0
    reason = "errors of the probes and of their angles are amplified by 1/|W_k|, differently in each harmonic"
    flags = []
    if suppressed:
        flags.append(f"harmonics {', '.join(map(str, suppressed))} were suppressed (|W_k| below {smallest_weight:g}): they are missing in the part's form and left in x and y; choose other probe angles")
    if n < 7 * top:
        flags.append(f"{n} samples a revolution for harmonics up to {top}: {n / top:.1f} in an undulation instead of 7; the part's form suffers")
    return Multiprobe(
        title=f"Three-probe separation, probes at {', '.join(f'{math.degrees(p):g}°' for p in phi)}, harmonics 2 to {top}",
        stated=("not recoverable: k = 0 and k = 1", f"smallest |W_k| used: {least:.3f}"),
        figures=keyed(_figures(part, motion, least, reason)),
        flags=tuple(flags),
        part_m=frozen(part),
        x_m=frozen(motion[0].copy()),
        y_m=frozen(motion[1].copy()),
        weights=frozen(weights),
        transfer=transfer,
        suppressed=suppressed,
    )


def _figures(part: Array, motion: Array, least: float, reason: str) -> list[Figure]:
    return [
        figure("part", "form of the artefact", float(np.ptp(part)), "m", reason, symbol="P"),
        figure("x", "synchronous radial error motion in X", float(np.ptp(form(motion[0]))), "m", reason, symbol="X"),
        figure("y", "synchronous radial error motion in Y", float(np.ptp(form(motion[1]))), "m", reason, symbol="Y"),
        figure("smallest_weight", "smallest |W_k| of the harmonics used", least, "", "follows from the angles of the probes", symbol="|W|min"),
    ]
