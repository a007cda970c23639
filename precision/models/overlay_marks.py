"""Where overlay is read: marks, the fields that they were exposed in, and the layouts of a wafer.

Two pairs of coordinates, both in the wafer's axes: X, Y of the field's centre from the wafer's centre, and x, y of the mark from its field's centre.
The mark itself stands at (X + x, Y + y).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError

Array = NDArray[np.float64]

LARGEST_M = 1.0
"""No wafer, plate or field is larger; larger numbers are in other units."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OverlayMarks:
    """The marks of a layout, one row a mark; arrays are read-only.

    field_centre_m : (n, 2) float64, X, Y.
    in_field_m : (n, 2) float64, x, y.
    field : (n,) int64, number of the field (exposure). By default equal centres are one field, numbered from 0 in the order of their first mark.
    scan_up : (n,) bool, whether the field was scanned upwards (+y), or None where that is not known.

    Raises
    ------
    DataError       shapes, no mark at all, a coordinate that is not finite or beyond 1 m, one number for fields at different places
    """

    field_centre_m: Array
    in_field_m: Array
    field: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    scan_up: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        centre = _pairs("field_centre_m", self.field_centre_m)
        inside = _pairs("in_field_m", self.in_field_m)
        if inside.shape != centre.shape:
            raise DataError(f"in_field_m has shape {inside.shape}; expected {centre.shape}, one row for each of field_centre_m")
        number = np.array(self.field, dtype=np.int64)
        if number.size == 0:
            number = first_come(centre)
        _check_labels("field", number, centre.shape[0])
        for one in np.unique(number):
            if np.ptp(centre[number == one], axis=0).max() > 1e-9:
                raise DataError(f"field {one} has marks with different field centres; give one centre a field, or numbers of their own")
        number.flags.writeable = False
        object.__setattr__(self, "field_centre_m", centre)
        object.__setattr__(self, "in_field_m", inside)
        object.__setattr__(self, "field", number)
        if self.scan_up is not None:
            scan = np.array(self.scan_up, dtype=np.bool_)
            _check_labels("scan_up", scan, centre.shape[0])
            scan.flags.writeable = False
            object.__setattr__(self, "scan_up", scan)

    @property
    def count(self) -> int:
        """How many marks there are."""
        return int(self.field.size)

    @property
    def position_m(self) -> Array:
        """(n, 2) float64, the marks from the wafer's centre: (X + x, Y + y)."""
        return self.field_centre_m + self.in_field_m

    @property
    def fields(self) -> NDArray[np.int64]:
        """The fields' numbers, ascending."""
        return np.unique(self.field)

    @property
    def place(self) -> NDArray[np.int64]:
        """(n,) int64, which place within the field a mark has: marks with the same x, y (within 1 nm) share one."""
        return first_come(self.in_field_m)

    def part(self, chosen: NDArray[Any]) -> OverlayMarks:
        """Some of the marks, by index or by (n,) bool."""
        return OverlayMarks(
            field_centre_m=self.field_centre_m[chosen],
            in_field_m=self.in_field_m[chosen],
            field=self.field[chosen],
            scan_up=None if self.scan_up is None else self.scan_up[chosen],
        )

    def describe(self, index: int) -> str:
        """A mark as a message names it: "mark 12 (field 3, x = 12 mm, y = −15 mm)"."""
        x, y = self.in_field_m[index] * 1e3
        return f"mark {index} (field {self.field[index]}, x = {x:g} mm, y = {y:g} mm)".replace("-", "−")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "field_centre_m": self.field_centre_m.tolist(),
            "in_field_m": self.in_field_m.tolist(),
            "field": self.field.tolist(),
            "scan_up": None if self.scan_up is None else self.scan_up.tolist(),
        }


def full_fields(*, width_m: float = 0.026, height_m: float = 0.033, within_radius_m: float = 0.147) -> Array:
    """Centres (f, 2) of the fields of a grid around the wafer's centre whose four corners lie within a radius, row by row upwards.

    >>> full_fields().shape
    (57, 2)
    """
    if not (0 < width_m < LARGEST_M and 0 < height_m < LARGEST_M and 0 < within_radius_m < LARGEST_M):
        raise ValueError(
            f"width_m, height_m, within_radius_m are {width_m}, {height_m}, {within_radius_m}; expected lengths between 0 and {LARGEST_M:g} m"
        )
    columns, rows = (math.ceil(within_radius_m / size) for size in (width_m, height_m))
    y, x = np.meshgrid(np.arange(-rows, rows + 1) * height_m, np.arange(-columns, columns + 1) * width_m, indexing="ij")
    inside = np.hypot(np.abs(x) + width_m / 2, np.abs(y) + height_m / 2) <= within_radius_m
    return np.stack([x[inside], y[inside]], axis=-1)


def layout(field_centres_m: ArrayLike, in_field_m: ArrayLike, *, meander: bool = False) -> OverlayMarks:
    """Every field (f, 2) with every mark (m, 2): f·m marks, field by field.

    meander : also the scan directions of a wafer exposed field by field, which alternate in the order given.
    """
    centres, inside = _pairs("field_centres_m", field_centres_m), _pairs("in_field_m", in_field_m)
    fields, marks = centres.shape[0], inside.shape[0]
    number = np.repeat(np.arange(fields), marks)
    return OverlayMarks(
        field_centre_m=np.repeat(centres, marks, axis=0),
        in_field_m=np.tile(inside, (fields, 1)),
        field=number,
        scan_up=number % 2 == 0 if meander else None,
    )


def field_grid(columns: int, rows: int, *, width_m: float = 0.024, height_m: float = 0.030) -> Array:
    """Marks (columns·rows, 2) evenly over a field, its corners ±width/2, ±height/2 included; one column or row stands in the middle.

    >>> field_grid(2, 2).tolist()
    [[-0.012, -0.015], [0.012, -0.015], [-0.012, 0.015], [0.012, 0.015]]
    """
    if columns < 1 or rows < 1:
        raise ValueError(f"columns, rows are {columns}, {rows}; expected at least 1 each")

    def along(count: int, size: float) -> Array:
        return np.linspace(-size / 2, size / 2, count) if count > 1 else np.zeros(1)

    y, x = np.meshgrid(along(rows, height_m), along(columns, width_m), indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=-1)


def first_come(points_m: Array) -> NDArray[np.int64]:
    """(n,) numbers of equal points (within 1 nm), from 0 in the order in which they come."""
    number: dict[tuple[int, ...], int] = {}
    rounded: Sequence[Sequence[int]] = np.rint(points_m * 1e9).astype(np.int64).tolist()
    return np.array([number.setdefault(tuple(point), len(number)) for point in rounded], dtype=np.int64)


def _pairs(name: str, values: ArrayLike) -> Array:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2 or array.shape[0] == 0:
        raise DataError(f"{name} has shape {array.shape}; expected (n, 2) with n ≥ 1: x and y of each in m")
    bad = np.flatnonzero(~(np.abs(array) <= LARGEST_M).all(axis=1))
    if bad.size:
        raise DataError(f"{name}: row {bad[0]} is {array[bad[0]].tolist()}; expected finite coordinates in m, at most {LARGEST_M:g}")
    array.flags.writeable = False
    return array


def _check_labels(name: str, array: NDArray[Any], count: int) -> None:
    if array.shape != (count,):
        raise DataError(f"{name} has shape {array.shape}; expected ({count},), one for each mark")
