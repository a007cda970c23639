"""Contour error of a part program: how far the tool was from the commanded path, by segment and by line of the program.

    ε = signed shortest distance to the path, searched around the commanded place; positive to the left of the direction of travel (`kernels.contour`)

Samples whose foot is an end of the whole path lie beyond it: they have no contour error proper and are counted, not evaluated. A sample belongs to the
segment on which its foot lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..kernels import contour
from ..models.gcode_path import GcodePath
from .arrays import Array, frozen, positive, table, vector
from .reported import Reported, figure, keyed

WORST: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The contour error on one segment, m. line : of the program. smallest, largest : signed extremes. samples : whose feet lie on it."""

    number: int
    line: int
    arc: bool
    length_m: float
    samples: int
    mean: float
    rms: float
    smallest: float
    largest: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Contour error. Figures "max", "rms", "mean", "left", "right".

    deviation_m, path_m : (n,) ε and the foot's path parameter, NaN beyond the ends. segments : those with samples, in order. worst : largest |ε| first.
    """

    deviation_m: Array
    path_m: Array
    segments: tuple[Segment, ...]
    worst: tuple[Segment, ...]


def evaluate(path: GcodePath, actual_m: ArrayLike, commanded_m: ArrayLike, *, window_m: float) -> Result:
    """Contour error of a record against a program's path.

    Parameters
    ----------
    actual_m : (2, n) float64, X and Y of the tool, m
    commanded_m : (n,) float64, length along the path of the command at the same instants, m
    window_m : how far along the path to search: more than the following error, less than the path between two passes of one place

    Raises
    ------
    DataError       shapes, values that are not finite, no sample beside the path
    """
    actual = table("actual_m", actual_m, (2, None))
    commanded = vector("commanded_m", commanded_m, size=actual.shape[1])
    positive("window_m", window_m, "m")
    found = contour.contour_error(path.toolpath, actual, commanded, window_m=window_m)
    beyond = np.asarray(found.beyond_end)
    deviation = np.where(beyond, np.nan, found.deviation_m)
    foot = np.where(beyond, np.nan, found.path_m)
    beside = ~beyond
    if not beside.any():
        raise DataError("every sample lies beyond an end of the path; check units, origin and the commanded place")
    segments = _segments(path, deviation[beside], foot[beside])
    e = deviation[beside]
    size = np.abs(e)
    at = segments_at(path, foot[beside][int(np.argmax(size))])
    figures = (
        figure("max", f"largest |contour error|, line {int(path.line[at])} of the program", float(size.max()), "m", symbol="|ε|_max"),
        figure("rms", "rms contour error", float(np.sqrt(np.mean(e**2))), "m", symbol="ε_rms"),
        figure("mean", "mean contour error, positive to the left", float(e.mean()), "m", symbol="ε̄"),
        figure("left", "largest error to the left", max(float(e.max()), 0.0), "m", symbol="ε_left"),
        figure("right", "largest error to the right", max(float(-e.min()), 0.0), "m", symbol="ε_right"),
    )
    return Result(
        title=f"Contour error, {path.line.size} segments",
        stated=("positive to the left of the direction of travel", f"searched {window_m:g} m along the path before and after the command"),
        figures=keyed(figures),
        flags=(f"{int(beyond.sum())} samples lie beyond an end of the path and are left out",) if beyond.any() else (),
        deviation_m=frozen(deviation),
        path_m=frozen(foot),
        segments=segments,
        worst=tuple(sorted(segments, key=lambda one: -max(-one.smallest, one.largest))[:WORST]),
    )


def segments_at(path: GcodePath, path_m: ArrayLike) -> np.ndarray:
    """Index of the segment at each path parameter; at a joint the later one."""
    ends = np.cumsum(path.length_m)
    return np.minimum(np.searchsorted(ends, np.asarray(path_m, dtype=np.float64), side="right"), ends.size - 1)


def _segments(path: GcodePath, deviation: Array, foot: Array) -> tuple[Segment, ...]:
    index = segments_at(path, foot)
    order = np.argsort(index, kind="stable")
    which, begins = np.unique(index[order], return_index=True)
    length = path.length_m
    return tuple(
        Segment(
            number=int(k) + 1,
            line=int(path.line[k]),
            arc=bool(path.sweep_rad[k] != 0),
            length_m=float(length[k]),
            samples=int(e.size),
            mean=float(e.mean()),
            rms=float(np.sqrt(np.mean(e**2))),
            smallest=float(e.min()),
            largest=float(e.max()),
        )
        for k, e in zip(which, np.split(deviation[order], begins[1:]), strict=True)
    )
