"""Readings as an evaluation takes them: checked once, float64, read-only."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError

Array = NDArray[np.float64]

LARGEST: float = 1e6
"""m, rad or K. A larger number is no reading of a machine, and the squares of much larger ones leave float64."""


def vector(name: str, values: ArrayLike, *, fewest: int = 1, size: int | None = None, ascending: bool = False, largest: float = LARGEST) -> Array:
    """(n,) float64, finite, a read-only copy.

    Raises
    ------
    DataError       naming the array: shape, count, a value that is not finite or no reading, order
    """
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or array.size < fewest or (size is not None and array.size != size):
        expected = f"({size},)" if size is not None else f"(n,) with n ≥ {fewest}"
        raise DataError(f"{name} has shape {array.shape}; expected {expected}")
    return _finite(name, array, ascending, largest)


def table(name: str, values: ArrayLike, shape: tuple[int | None, ...], *, largest: float = LARGEST) -> Array:
    """float64 of the given shape (None: any length of at least 1), finite, a read-only copy. DataError as `vector`."""
    array = np.array(values, dtype=np.float64)
    if array.ndim != len(shape) or any(length == 0 or expected not in (None, length) for length, expected in zip(array.shape, shape, strict=True)):
        raise DataError(f"{name} has shape {array.shape}; expected ({', '.join('n' if length is None else str(length) for length in shape)})")
    return _finite(name, array, False, largest)


def positive(name: str, value: float, unit: str) -> float:
    """`value` if it is finite and above zero; else DataError."""
    if not (np.isfinite(value) and value > 0):
        raise DataError(f"{name} is {value:g}; expected more than zero, in {unit}")
    return float(value)


def frozen(array: Array) -> Array:
    """The same array, read-only."""
    array.flags.writeable = False
    return array


def _finite(name: str, array: Array, ascending: bool, largest: float) -> Array:
    bad = np.flatnonzero(~(np.abs(array.ravel()) <= largest))
    if bad.size:
        raise DataError(f"{name}: value {bad[0] + 1} of {array.size} is {array.ravel()[bad[0]]}; expected finite SI values, at most {largest:g}; remove or correct it")
    if ascending and not np.all(np.diff(array) > 0):
        place = int(np.flatnonzero(~(np.diff(array) > 0))[0])
        raise DataError(f"{name} does not ascend: value {place + 2} is {array[place + 1]:g} after {array[place]:g}; sort the readings and remove duplicates")
    return frozen(array)
