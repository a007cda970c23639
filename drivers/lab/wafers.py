"""The virtual lab's wafers: marks printed by two exposures, the wafer deformed between them, and an overlay tool that looks at them.

Each mark has a position on the wafer after each exposure: mask and lens map it into the field, the stage puts the field somewhere, the
wafer lies turned, shifted and warm under it. Overlay is the second position minus the first. Nothing is linearised: rotations are
rotations, expansion divides. Everything is a function of (seed, wafer, mark), so that measuring in another order changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .noise import Channel

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

WAFER_RADIUS_M: Final = 0.150
FIELD_RADIUS_M: Final = 0.021
"""From the centre of a field of 26 mm × 33 mm to its corner: where lens distortion is quoted."""
_MOST_MARKS: Final = 1_000_000
"""Spacing of the noise of one wafer from that of the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """How one layer is exposed, the same for all wafers. magnification, rotation : of the field's image in x and y. distortion_m :
    third-order radial, at the corner. grid : waves of the stage (amplitude m, wave vector rad/m, phase) along x and along y. up_m : where
    fields scanned upwards stand against the mean."""

    magnification: tuple[float, float]
    rotation_rad: tuple[float, float]
    distortion_m: float
    grid: tuple[tuple[tuple[float, float, float, float], ...], tuple[tuple[float, float, float, float], ...]]
    up_m: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Wafers of one lot.

    shift_m, rotation_rad, expansion : how the second layer lies on the first, mean of the lot (expansion of x and of y). stress_m : radial
    and tangential deformation by the process, at the edge. spot : a particle's chuck spot: place x, y, radius and size, m. *_spread :
    standard deviation over the wafers.
    field_noise_m : stage scatter of a field. tool_noise_m : of one reading. outlier_share, missing_share : of the marks.
    """

    seed: int
    first: Exposure
    second: Exposure
    shift_m: tuple[float, float]
    rotation_rad: float
    expansion: tuple[float, float]
    stress_m: tuple[float, float]
    spot: tuple[float, float, float, float]
    shift_spread_m: float = 0.8e-9
    rotation_spread_rad: float = 0.015e-6
    expansion_spread: float = 0.02e-6
    field_noise_m: float = 0.5e-9
    tool_noise_m: float = 0.35e-9
    outlier_share: float = 0.004
    outlier_m: float = 30e-9
    missing_share: float = 0.01

    @classmethod
    def drawn(cls, seed: int) -> Lot:
        """A lot of its own for every seed."""
        unit = Channel(seed, "wafers/lot")

        def sized(number: int, size: float) -> float:
            return size * (0.5 + unit.uniform(2 * number)) * (1 if unit.uniform(2 * number + 1) < 0.5 else -1)

        def exposure(name: str, start: int) -> Exposure:
            wave = Channel(seed, f"wafers/grid {name}")

            def waves(first: int) -> tuple[tuple[float, float, float, float], ...]:
                periods = [0.04 + 0.12 * wave.uniform(first + 10 * k) for k in range(4)]
                turns = [2 * math.pi * wave.uniform(first + 10 * k + 1) for k in range(4)]
                return tuple(
                    (
                        0.8e-9 * (0.4 + wave.uniform(first + 10 * k + 2)),
                        2 * math.pi / period * math.cos(turn),
                        2 * math.pi / period * math.sin(turn),
                        2 * math.pi * wave.uniform(first + 10 * k + 3),
                    )
                    for k, (period, turn) in enumerate(zip(periods, turns, strict=True))
                )

            return Exposure(
                magnification=(sized(start, 0.15e-6), sized(start + 1, 0.15e-6)),
                rotation_rad=(sized(start + 2, 0.12e-6), sized(start + 3, 0.12e-6)),
                distortion_m=sized(start + 4, 0.8e-9),
                grid=(waves(0), waves(100)),
                up_m=(sized(start + 5, 0.15e-9), sized(start + 6, 0.3e-9)),
            )

        return cls(
            seed=seed,
            first=exposure("first", 20),
            second=exposure("second", 40),
            shift_m=(sized(0, 2.5e-9), sized(1, 2.5e-9)),
            rotation_rad=sized(2, 0.04e-6),
            expansion=(sized(3, 0.05e-6), sized(4, 0.05e-6)),
            stress_m=(sized(5, 3e-9), sized(6, 1.5e-9)),
            spot=(0.09 * (2 * unit.uniform(60) - 1), 0.09 * (2 * unit.uniform(61) - 1), 0.010, 3e-9),
        )

    def placement(self, wafer: int) -> tuple[Array, float, Array]:
        """How the second layer lies on wafer number `wafer`: shift (2,) m, rotation rad, expansion (2,)."""
        drawn = Channel(self.seed, "wafers/placement").normals(8 * wafer, 5)
        shift = np.array(self.shift_m) + self.shift_spread_m * drawn[:2]
        return (
            shift,
            self.rotation_rad + self.rotation_spread_rad * float(drawn[2]),
            np.array(self.expansion) + self.expansion_spread * drawn[3:5],
        )

    def overlay(self, wafer: int, centre_m: Array, inside_m: Array, field: Whole, up: NDArray[np.bool_]) -> Array:
        """(n, 2) true overlay of marks: fields' centres (n, 2), places in the fields (n, 2), fields' numbers and scan directions (n,)."""
        scatter = Channel(self.seed, f"wafers/fields of {wafer}").normals(0, 4 * (int(field.max()) + 1)).reshape(-1, 4) * self.field_noise_m
        printed = [
            _printed(exposure, centre_m, inside_m, up) + scatter[field, 2 * layer : 2 * layer + 2]
            for layer, exposure in enumerate((self.first, self.second))
        ]
        shift, rotation, expansion = self.placement(wafer)
        turned = _turned(printed[1], rotation) * (1 + expansion) + shift
        return turned - self._processed(printed[0])

    def measured(
        self, wafer: int, centre_m: Array, inside_m: Array, field: Whole, up: NDArray[np.bool_]
    ) -> tuple[Array, NDArray[np.bool_]]:
        """(n, 2) what the tool says, and (n, 2) whether it found the mark in x and in y."""
        n = centre_m.shape[0]
        noise = Channel(self.seed, "wafers/tool").normals(2 * _MOST_MARKS * wafer, 2 * n).reshape(n, 2) * self.tool_noise_m
        damaged, direction = self.outliers(wafer, n)
        noise[damaged] += self.outlier_m * direction
        lost = Channel(self.seed, "wafers/lost").normals(2 * _MOST_MARKS * wafer, 2 * n).reshape(n, 2)
        found = np.abs(lost) > _quantile(self.missing_share)
        return self.overlay(wafer, centre_m, inside_m, field, up) + noise, found

    def outliers(self, wafer: int, count: int) -> tuple[Whole, Array]:
        """Damaged marks of a wafer: their indices, and (k, 2) in which direction and how far (in `outlier_m`) each is read wrongly."""
        drawn = Channel(self.seed, "wafers/damage").normals(4 * _MOST_MARKS * wafer, 4 * count).reshape(count, 4)
        damaged = np.flatnonzero(np.abs(drawn[:, 0]) < _quantile(self.outlier_share))
        angle = math.pi * drawn[damaged, 1]
        size = 0.5 + np.abs(drawn[damaged, 2])
        return damaged, np.stack([size * np.cos(angle), size * np.sin(angle)], axis=1)

    def _processed(self, position: Array) -> Array:
        """Where marks of the first layer stand after the process has bent the wafer and a particle has lifted it."""
        r2 = (position * position).sum(axis=1, keepdims=True) / WAFER_RADIUS_M**2
        radial, around = self.stress_m
        x, y = position.T / WAFER_RADIUS_M
        turned = np.stack([-y, x], axis=1)
        away = position - np.array(self.spot[:2])
        spot = self.spot[3] * away / self.spot[2] * np.exp(0.5 - (away * away).sum(axis=1, keepdims=True) / (2 * self.spot[2] ** 2))
        moved: Array = position + r2 * (radial * position / WAFER_RADIUS_M + around * turned) + spot
        return moved

    def truth(self, wafers: int, marks: int) -> dict[str, Any]:
        """All that the lot holds, as plain JSON types, with how each wafer lies and which of its marks are damaged."""
        placed = [self.placement(wafer) for wafer in range(wafers)]
        each = [
            {
                "shift_m": shift.tolist(),
                "rotation_rad": rotation,
                "expansion": expansion.tolist(),
                "damaged_marks": self.outliers(wafer, marks)[0].tolist(),
            }
            for wafer, (shift, rotation, expansion) in enumerate(placed)
        ]
        return asdict(self) | {"wafers": each}


def _printed(exposure: Exposure, centre: Array, inside: Array, up: NDArray[np.bool_]) -> Array:
    """Where marks are printed on a wafer that lies as it should."""
    mx, my = exposure.magnification
    rx, ry = exposure.rotation_rad
    # Each axis of the image is turned by its own angle: a scanner's mask and wafer scan along slightly different lines.
    x, y = inside[:, 0] * (1 + mx), inside[:, 1] * (1 + my)
    image = np.stack([x * math.cos(ry) - y * math.sin(rx), x * math.sin(ry) + y * math.cos(rx)], axis=1)
    radius2 = (inside * inside).sum(axis=1, keepdims=True) / FIELD_RADIUS_M**2
    lens = exposure.distortion_m * radius2 * inside / FIELD_RADIUS_M
    stage = np.stack([_waves(waves, centre) for waves in exposure.grid], axis=1)
    scan = np.where(up[:, None], 1.0, -1.0) * np.array(exposure.up_m)
    return np.asarray(centre + stage + scan + image + lens)


def _waves(waves: tuple[tuple[float, float, float, float], ...], place: Array) -> Array:
    """(n,) Σ a·cos(k·place + φ)."""
    total = np.zeros(place.shape[0])
    for amplitude, kx, ky, phase in waves:
        total += amplitude * np.cos(kx * place[:, 0] + ky * place[:, 1] + phase)
    return total


def _turned(position: Array, angle: float) -> Array:
    c, s = math.cos(angle), math.sin(angle)
    turned: Array = position @ np.array([[c, s], [-s, c]])
    return turned


def _quantile(share: float) -> float:
    """|N| is below this with a probability of `share`."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 + share / 2)
