"""A path of lines and arcs in a plane, each with the line of the part program that it stands in (`part_program` reads one)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels.contour import Toolpath

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GcodePath:
    """m segments. point_m : (2, m + 1). centre_m : (2, m). sweep_rad : (m,), 0 for a line. line : (m,) int, of the program, from 1. rapid : (m,) bool, G0.

    third_m : (2, m) of the axis across the plane at begin and end of each segment, or None where nothing is known of it; it goes evenly along the segment.
    """

    point_m: Array
    centre_m: Array
    sweep_rad: Array
    line: NDArray[np.int64]
    rapid: NDArray[np.bool_]
    third_m: Array | None = None

    @property
    def length_m(self) -> Array:
        """(m,) length of each segment."""
        chord = np.hypot(*np.diff(self.point_m, axis=1))
        radius = np.hypot(*(self.point_m[:, :-1] - self.centre_m))
        return np.asarray(np.where(self.sweep_rad == 0, chord, radius * np.abs(self.sweep_rad)), dtype=np.float64)

    @property
    def toolpath(self) -> Toolpath:
        """As the contour error takes it."""
        return Toolpath(self.point_m, self.centre_m, self.sweep_rad)
