"""Where an instrument's zero lies and how it is turned against the machine, taken off the tool's readings by least squares of the contour error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.models.gcode_path import GcodePath
from precision.standards import recorded_contour
from precision.standards.recorded_contour import Commanded
from precision.uncertainty.readings import Readings as Known

Array = NDArray[np.float64]
_ROUNDS: Final = 4
_DIRECTIONS: Final = 720
"""Directions of the path's normal that are told apart for the gain of the fit."""
_LEAST: Final = 1e-6
"""Smallest share of the other direction that the path has to have."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alignment:
    """position_m : (2, n) of the tool, aligned. offset_m : what was taken off. rotation_rad : about the middle of the path; 0 where it was not fitted.

    gain : c of bounded errors: the fit moves with them, by at most gain times their size."""

    position_m: Array
    offset_m: tuple[float, float]
    rotation_rad: float
    gain: float

    def widened(self, known: Known | None) -> Known | None:
        """What is known of the readings once the alignment has moved with their errors."""
        if known is None:
            return None
        return replace(known, device=known.device * (1 + self.gain), drift_range=known.drift_range * (1 + self.gain), resolution=known.resolution * (1 + self.gain))


def aligned(path: GcodePath, commanded: Commanded, tool_m: Array, *, rotation: bool, window_m: float | None, rapids: bool) -> Alignment:
    """Shift, and where asked turn, the tool's positions so that Σ ε² is least.

    Raises
    ------
    DataError       a path along one line only, on which an offset along it cannot be seen
    """
    # to where the command is on the average: near enough for the nearest place to be on the right piece
    moving = commanded.moving
    total = np.mean((tool_m - commanded.position_m)[:, moving], axis=1)
    middle = np.mean(commanded.position_m[:, moving], axis=1)
    place, angle = tool_m - total[:, None], 0.0
    gain = 0.0
    for _ in range(_ROUNDS):
        found = recorded_contour.evaluate(path, commanded, place, window_m=window_m, rapids=rapids)
        kept = found.counted
        _, normal = path_normals(path, found.foot_m[kept])
        arm = place[:, kept] - middle[:, None]
        columns = [normal[0], normal[1], *([normal[1] * arm[0] - normal[0] * arm[1]] if rotation else [])]
        matrix = np.stack(columns, axis=1)
        size = np.sqrt((matrix**2).sum(axis=0))
        if size[:2].min() < _LEAST * size[:2].max():
            raise DataError("the path runs along one direction only: where the instrument's zero lies cannot be told from it; set evaluation.alignment=none")
        step = np.linalg.lstsq(matrix / size, found.deviation_m[kept], rcond=None)[0] / size
        # ε is linear in the shift: moving the tool by −step takes this much of the error off
        turn = float(step[2]) if rotation else 0.0
        place = place - step[:2, None]
        if turn:
            about = place - middle[:, None]
            cos, sin = np.cos(turn), np.sin(turn)
            place = middle[:, None] + np.stack([cos * about[0] + sin * about[1], cos * about[1] - sin * about[0]])
        total, angle = total + step[:2], angle + turn
        gain = _gain(normal)
    return Alignment(position_m=place, offset_m=(float(total[0]), float(total[1])), rotation_rad=angle, gain=gain)


def path_normals(path: GcodePath, along_m: Array) -> tuple[Array, Array]:
    """Positions on the path (2, n) and the direction to its left (2, n), unit vectors, at places along it (n,), m from its begin."""
    ends = np.concatenate([[0.0], np.cumsum(path.length_m)])
    k = np.clip(np.searchsorted(ends, along_m, side="left") - 1, 0, path.line.size - 1)
    share = (along_m - ends[k]) / np.where(path.length_m[k] > 0, path.length_m[k], 1.0)
    chord = path.point_m[:, k + 1] - path.point_m[:, k]
    arm = path.point_m[:, k] - path.centre_m[:, k]
    arcs = path.sweep_rad[k] != 0
    around = np.arctan2(arm[1], arm[0]) + share * path.sweep_rad[k]
    radius = np.hypot(*arm)
    heading = np.where(arcs, around + np.sign(path.sweep_rad[k]) * np.pi / 2, np.arctan2(chord[1], chord[0]))
    on_arc = path.centre_m[:, k] + radius * np.stack([np.cos(around), np.sin(around)])
    place = np.where(arcs, on_arc, path.point_m[:, k] + share * chord)
    return place, np.stack([-np.sin(heading), np.cos(heading)])


def _gain(normal: Array) -> float:
    """Largest shift across the path that errors of size 1 across it can make the fit do: max_i Σ_j |nᵢᵀ M⁻¹ nⱼ|, M = Σ n nᵀ, by directions."""
    step = 2 * np.pi / _DIRECTIONS
    number = np.round(np.arctan2(normal[1], normal[0]) / step).astype(np.int64) % _DIRECTIONS
    weight = np.bincount(number, minlength=_DIRECTIONS).astype(np.float64)
    at = np.flatnonzero(weight)
    n = np.stack([np.cos(at * step), np.sin(at * step)])
    inverse = np.linalg.inv((n * weight[at]) @ n.T)
    return float((np.abs(n.T @ inverse @ n) @ weight[at]).max())
