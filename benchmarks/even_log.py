"""A log that somebody else has recorded, at equal steps: as it is, or resampled where that was asked for, and then said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from precision.errors import DataError
from precision.standards import sampling

from .procedure import Readings


def even_log(readings: Readings, *, held: Sequence[str] = (), resample: bool, gaps: bool = False) -> tuple[Readings, float, tuple[str, ...]]:
    """The columns of a log at equal steps, its samples a second, and flags that say what was done to it.

    held : columns that are numbers or jump (a field's number, a set-point's step): resampling takes the nearest reading, and no cubic. The rest, but for
    "t_s", are signals. gaps : whole samples may be missing.

    Raises
    ------
    DataError       uneven time stamps or gaps, quantified, where resampling was not asked for; a gap that is too long for it
    """
    time = np.asarray(readings["t_s"])
    judged = sampling.sampling(time)
    if judged.even or (gaps and judged.worst_s <= sampling.EVEN / judged.rate_hz):
        return readings, judged.rate_hz, ()
    names = [name for name in readings if name != "t_s" and name not in held and np.isfinite(readings[name]).any()]
    if not names:
        raise DataError("the log holds no readings; its signals are all empty")
    signals = np.stack([readings[name] for name in names])
    record = sampling.even_record(time, signals, resample_to_even=resample)
    count = record.values.shape[1]
    first = int(np.flatnonzero(np.isfinite(signals).all(axis=0))[0])
    even_s = time[first] + np.arange(count) / record.rate_hz
    nearest = np.clip(np.searchsorted(time, even_s - 0.5 / record.rate_hz), 0, time.size - 1)
    empty = [name for name in readings if name != "t_s" and name not in held and name not in names]
    made = {"t_s": even_s, **{name: readings[name][nearest] for name in held}, **dict(zip(names, record.values, strict=True)), **{name: np.full(count, np.nan) for name in empty}}
    return made, record.rate_hz, record.flags
