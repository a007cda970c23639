"""The virtual lab's XY stage with a plate of marks on it: a flexure nanopositioner of 10 mm travel, read through a microscope that is
nulled on each mark.

The stage says where it is, with errors of its scales, of their angle, of its guides and of the encoders' gratings; the marks of the plate
are not quite where they were designed. A view is the plate laid down by hand, turned and shifted: its small misplacement is a rotation and
a shift of its own, and the errors of the stage are those of the place where a mark really is. Everything is a function of (seed, view, mark, repeat).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .noise import Channel

Array = NDArray[np.float64]
Wave = tuple[float, float, float, float]
"""Amplitude m, wave vector rad/m, phase."""

_REPEATS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateStage:
    """One stage and one plate.

    scale : errors of the x and the y scale. square_rad : by how much the angle between the axes is less than 90°. bend : curvature of the
    guides, 1/m, of x in y and of y in x. waves : of the stage in x and in y. plate_scale, plate_square_rad : of the plate. plate_noise_m :
    scatter of its marks.
    noise_m : of one nulled reading. misplacement_m, misplacement_rad : half ranges of how well the plate is laid down. span_m : size of the travel.
    """

    seed: int
    scale: tuple[float, float]
    square_rad: float
    bend_per_m: tuple[float, float]
    waves: tuple[tuple[Wave, ...], tuple[Wave, ...]]
    plate_scale: tuple[float, float]
    plate_square_rad: float
    plate_noise_m: float = 35e-9
    noise_m: float = 4e-9
    misplacement_m: float = 2e-6
    misplacement_rad: float = 30e-6
    span_m: float = 10e-3

    @classmethod
    def drawn(cls, seed: int) -> PlateStage:
        """A stage and a plate of their own for every seed."""
        unit = Channel(seed, "plate stage")

        def sized(number: int, size: float) -> float:
            return size * (0.5 + unit.uniform(2 * number)) * (1 if unit.uniform(2 * number + 1) < 0.5 else -1)

        def waves(first: int) -> tuple[Wave, ...]:
            made = []
            for k in range(3):
                period, turn = 3e-3 + 5e-3 * unit.uniform(first + 4 * k), 2 * math.pi * unit.uniform(first + 4 * k + 1)
                made.append(
                    (
                        25e-9 * (0.4 + unit.uniform(first + 4 * k + 2)),
                        2 * math.pi / period * math.cos(turn),
                        2 * math.pi / period * math.sin(turn),
                        2 * math.pi * unit.uniform(first + 4 * k + 3),
                    )
                )
            return tuple(made)

        return cls(
            seed=seed,
            scale=(sized(0, 8e-6), sized(1, 8e-6)),
            square_rad=sized(2, 12e-6),
            bend_per_m=(sized(3, 3e-3), sized(4, 3e-3)),
            waves=(waves(100), waves(200)),
            plate_scale=(sized(5, 3e-6), sized(6, 3e-6)),
            plate_square_rad=sized(7, 5e-6),
        )

    def stage_error(self, position_m: Array) -> Array:
        """(n, 2) what the stage adds to a true position (n, 2)."""
        x, y = position_m.T
        wavy = [sum(a * np.cos(kx * x + ky * y + phase) for a, kx, ky, phase in waves) for waves in self.waves]
        return np.stack(
            [
                self.scale[0] * x + math.sin(self.square_rad) * y + self.bend_per_m[0] * y * y + wavy[0],
                self.scale[1] * y + self.bend_per_m[1] * x * x + wavy[1],
            ],
            axis=1,
        )

    def plate_error(self, n: int, pitch_m: float) -> Array:
        """(n·n, 2) by how much each mark is off its design, row by row."""
        place = _places(n, pitch_m)
        scatter = Channel(self.seed, "plate stage/marks").normals(0, 2 * n * n).reshape(-1, 2) * self.plate_noise_m
        linear = np.stack(
            [self.plate_scale[0] * place[:, 0] + math.sin(self.plate_square_rad) * place[:, 1], self.plate_scale[1] * place[:, 1]], axis=1
        )
        return linear + scatter

    def placed(self, view: int) -> tuple[Array, float]:
        """How the plate was misplaced in view number `view`: (2,) m, rad."""
        unit = Channel(self.seed, f"plate stage/view {view}")
        return np.array([unit.within(self.misplacement_m, k) for k in (0, 1)]), unit.within(self.misplacement_rad, 2)

    def readings(self, view: int, turns: int, shift: Sequence[int], n: int, pitch_m: float, repeat: int) -> Array:
        """(n·n, 2) stage position of the mark at each place less that place, m; NaN where no mark stands."""
        place = _places(n, pitch_m)
        shift_m = np.array(shift) * pitch_m
        quarter = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns % 4]
        back = np.array([[quarter[0], -quarter[1]], [quarter[1], quarter[0]]])
        mark = np.rint((place - shift_m) @ back / pitch_m + (n - 1) / 2).astype(np.int64)
        there = ((mark >= 0) & (mark < n)).all(axis=1)
        number = np.where(there, n * mark[:, 1] + mark[:, 0], 0)
        on_plate = place[number] + self.plate_error(n, pitch_m)[number]
        (tx, ty), theta = self.placed(view)
        c, s = math.cos(theta), math.sin(theta)
        true = (on_plate @ back.T + shift_m) @ np.array([[c, s], [-s, c]]) + [tx, ty]
        noise = (
            Channel(self.seed, f"plate stage/noise {view}").normals(2 * n * n * (repeat % _REPEATS), 2 * n * n).reshape(-1, 2)
            * self.noise_m
        )
        return np.where(there[:, None], true + self.stage_error(true) + noise - place, np.nan)

    def truth(self, n: int, pitch_m: float, views: int) -> dict[str, Any]:
        """All that stage and plate hold, as plain JSON types, with their errors at the places of a grid and how each view lies."""
        return asdict(self) | {
            "stage_error_m": self.stage_error(_places(n, pitch_m)).reshape(n, n, 2).tolist(),
            "plate_error_m": self.plate_error(n, pitch_m).reshape(n, n, 2).tolist(),
            "placed": [[*offset.tolist(), angle] for offset, angle in (self.placed(view) for view in range(views))],
        }


def _places(n: int, pitch_m: float) -> Array:
    steps = (np.arange(n) - (n - 1) / 2) * pitch_m
    return np.stack([np.tile(steps, n), np.repeat(steps, n)], axis=1)
