"""Positions of an encoder whose counter wraps: unwrapped where that is certain, refused where it is not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError

SURE = 0.45
"""Largest step between samples, as a share of the wrap, that is still one direction or the other without doubt."""


def unwrapped(position: ArrayLike, *, wrap: float) -> NDArray[np.float64]:
    """Positions (n,) without the jumps of a counter that wraps after `wrap` (the same unit); NaN stays NaN.

    Raises
    ------
    DataError       a step between neighbouring samples that could be a motion in either direction, naming the sample

    >>> unwrapped([0.8, 0.95, 0.1, 0.3], wrap=1.0).round(3).tolist()
    [0.8, 0.95, 1.1, 1.3]
    """
    x = np.asarray(position, dtype=np.float64)
    if not (np.isfinite(wrap) and wrap > 0):
        raise DataError(f"the wrap of the encoder is {wrap:g}; expected more than zero")
    known = np.flatnonzero(np.isfinite(x))
    if known.size < 2:
        return x.copy()
    step = np.diff(x[known])
    turns = np.rint(step / wrap)
    left = np.abs(step - turns * wrap)
    if left.max() > SURE * wrap:
        at = int(known[int(left.argmax()) + 1])
        raise DataError(
            f"sample {at + 1} lies {left.max() / wrap:.2f} of a wrap from the one before: it may have moved either way. Sample faster, move slower, or check the wrap ({wrap:g})"
        )
    found = x.copy()
    found[known[1:]] -= np.cumsum(turns) * wrap
    return found
