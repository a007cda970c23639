"""Klipper's accelerometer files (`ACCELEROMETER_MEASURE`, `raw_data_*.csv`): `#time,accel_x,accel_y,accel_z`, in s and mm/s²."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .outside import lines_of, refuse

HEADER: Final = "#time,accel_x,accel_y,accel_z"
_ROW: Final = re.compile(r"[0-9+\-.eE]+(?:,[0-9+\-.eE]+){3}", re.ASCII)
GAP: Final = 1.8
"""Times the median interval: a sample is missing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Acceleration:
    """time_s (n,), strictly ascending; acceleration_m_per_s2 (3, n): x, y, z. gaps : indices after which samples are missing."""

    time_s: NDArray[np.float64]
    acceleration_m_per_s2: NDArray[np.float64]
    gaps: tuple[int, ...]

    @property
    def sample_rate_hz(self) -> float:
        """From the median interval."""
        return 1.0 / float(np.median(np.diff(self.time_s)))


def read(path: Path) -> Acceleration:
    """The record in a file.

    Raises
    ------
    DataError       naming the line: another header, a row that is not four numbers (a file that was cut off), time that does not ascend
    """
    lines = lines_of(path, ended=True)
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines or lines[0].replace(" ", "") != HEADER:
        refuse(path, 1, f"{(lines or [''])[0][:60]!r}; {HEADER} is expected")
    for line, text in enumerate(lines[1:], 2):
        if not _ROW.fullmatch(text):
            refuse(path, line, f"{text[:60]!r}; time and three accelerations are expected")
    if len(lines) < 4:
        refuse(path, len(lines), "fewer than three samples")
    try:
        table = np.array([text.split(",") for text in lines[1:]], dtype=np.float64)
    except ValueError as error:
        refuse(path, None, f"a cell is not a number ({error})")
    time_s = table[:, 0]
    wrong = np.flatnonzero(np.diff(time_s) <= 0)
    if wrong.size or not np.all(np.isfinite(table)):
        refuse(path, int(wrong[0]) + 3 if wrong.size else None, "time does not ascend, or a number is not finite")
    interval = np.diff(time_s)
    return Acceleration(time_s=time_s, acceleration_m_per_s2=table[:, 1:].T * 1e-3, gaps=tuple(np.flatnonzero(interval > GAP * np.median(interval)).tolist()))
