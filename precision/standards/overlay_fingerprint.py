"""What fields have in common: the mean overlay at each place in the field, its repeatable part, and a mask's own map taken away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..models.overlay_marks import OverlayMarks
from .arrays import Array, frozen
from .overlay import checked_overlay
from .overlay_statistics import OverlayStatistics, statistics


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fingerprint:
    """in_field_m : (q, 2) places. mean_m : (q, 2) mean overlay there, NaN where none was read. standard_error_m : (q, 2) s/√fields, NaN
    with fewer than two.
    count : (q, 2) readings. common, rest : statistics of the mean map, and of what the marks differ from it."""

    in_field_m: Array
    mean_m: Array
    standard_error_m: Array
    count: Array
    common: OverlayStatistics
    rest: OverlayStatistics


def field_fingerprint(marks: OverlayMarks, overlay_m: ArrayLike) -> Fingerprint:
    """The mean over the fields at each place in the field, of overlay or residuals (n, 2), m."""
    overlay, valid = checked_overlay(marks, overlay_m)
    place = marks.place
    places = int(place.max()) + 1
    first = [int(np.flatnonzero(place == one)[0]) for one in range(places)]
    mean, error = np.full((2, places, 2), np.nan)
    count = np.zeros((places, 2))
    for one in range(places):
        for axis in (0, 1):
            values = overlay[(place == one) & valid[:, axis], axis]
            count[one, axis] = values.size
            if values.size:
                mean[one, axis] = values.mean()
            if values.size > 1:
                error[one, axis] = values.std(ddof=1) / np.sqrt(values.size)
    return Fingerprint(
        in_field_m=frozen(marks.in_field_m[first]),
        mean_m=frozen(mean),
        standard_error_m=frozen(error),
        count=frozen(count),
        common=statistics(mean),
        rest=statistics(overlay - mean[place]),
    )


def without_field_map(marks: OverlayMarks, overlay_m: ArrayLike, *, in_field_m: ArrayLike, map_m: ArrayLike) -> Array:
    """Overlay less a known map of the field (a mask's registration at wafer scale): (n, 2), m.

    Parameters
    ----------
    in_field_m, map_m : (q, 2) places and what the map moves them by. Every place of the marks has to be among them, within 1 nm.

    Raises
    ------
    DataError       shapes, or a mark whose place the map does not have
    """
    overlay, _ = checked_overlay(marks, overlay_m)
    places, moved = (np.asarray(values, dtype=np.float64) for values in (in_field_m, map_m))
    if places.ndim != 2 or places.shape[1] != 2 or moved.shape != places.shape:
        raise DataError(f"in_field_m, map_m have shapes {places.shape}, {moved.shape}; expected (q, 2) each")
    known = {tuple(point): row for row, point in enumerate(np.rint(places * 1e9).astype(np.int64).tolist())}
    rows = [known.get(tuple(point), -1) for point in np.rint(marks.in_field_m * 1e9).astype(np.int64).tolist()]
    if min(rows) < 0:
        raise DataError(
            f"the map has nothing at {marks.describe(rows.index(-1))}; it has {places.shape[0]} places; interpolate it to the marks first"
        )
    return overlay - moved[rows]
