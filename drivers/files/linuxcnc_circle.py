"""Circles in a servo-rate recording of LinuxCNC (see `linuxcnc_log`): each cut out by the column `trig`, which is 1 while it is driven at full feed.

The circle is that of the command; the path is that of the tool's true position where the recording has it (`x_tool`), else of the feedback (`x_fb`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.units import MM

from . import linuxcnc_log
from .outside import refuse

_ROUND_M = 1e-6
"""A command that leaves its circle by more than this is none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Circle:
    """One circle. direction : +1 from the first axis to the second. angle_rad, deviation_m : (n,) of the path, about the commanded centre, less the commanded radius."""

    axes: tuple[str, str]
    centre_m: tuple[float, float]
    radius_m: float
    feed_m_per_s: float
    direction: int
    angle_rad: NDArray[np.float64]
    deviation_m: NDArray[np.float64]
    source: str


def read(path: Path) -> tuple[Circle, ...]:
    """The circles in a file, in its order.

    Raises
    ------
    DataError       no `trig`, no window, or a window whose command is no circle, with its line
    """
    log = linuxcnc_log.read(path)
    columns = log.columns
    if "trig" not in columns:
        raise DataError(f"{path.name}: has no column trig, which marks where a circle is driven; set a digital output during the circle and record it")
    trig = columns["trig"] > 0.5
    edges = np.flatnonzero(np.diff(np.concatenate([[0], trig.astype(np.int8), [0]])))
    if not edges.size:
        raise DataError(f"{path.name}: trig is never 1, so no circle is marked in it")
    return tuple(_circle(path, log, slice(int(a), int(b))) for a, b in edges.reshape(-1, 2))


def _circle(path: Path, log: linuxcnc_log.Log, window: slice) -> Circle:
    columns, line = log.columns, window.start + 2
    moved = {axis: float(np.ptp(columns[f"{axis}_cmd"][window])) * MM for axis in "xyz" if f"{axis}_cmd" in columns}
    axes = [axis for axis, way in moved.items() if way > 10 * _ROUND_M]
    if len(axes) != 2 or window.stop - window.start < 64:
        refuse(path, line, f"a marked window of {window.stop - window.start} rows in which {', '.join(axes) or 'no axis'} moves; a circle of two axes is expected")
    first, second = ("z", "x") if axes == ["x", "z"] else (axes[0], axes[1])
    x, y = (columns[f"{axis}_cmd"][window] * MM for axis in (first, second))
    # x² + y² = 2ax + 2by + c is linear in the circle; the command lies on it to rounding.
    (a, b, c), *_ = np.linalg.lstsq(np.stack([2 * x, 2 * y, np.ones_like(x)], axis=-1), x**2 + y**2, rcond=None)
    radius = math.sqrt(max(0.0, float(c + a**2 + b**2)))
    off = float(np.abs(np.hypot(x - a, y - b) - radius).max())
    if off > _ROUND_M:
        refuse(path, line, f"the command leaves its circle by {off * 1e6:.3g} µm; a marked window holds one circle at full feed")
    turned = np.unwrap(np.arctan2(y - b, x - a))
    source = "tool" if f"{first}_tool" in columns and f"{second}_tool" in columns else "fb"
    if f"{first}_{source}" not in columns or f"{second}_{source}" not in columns:
        refuse(path, 1, f"has neither {first}_tool and {second}_tool nor {first}_fb and {second}_fb: only a command")
    u, v = (columns[f"{axis}_{source}"][window] * MM - centre for axis, centre in ((first, a), (second, b)))
    speed = abs(float(turned[-1] - turned[0])) / ((turned.size - 1) * log.servo_period_s)
    return Circle(
        axes=(first.upper(), second.upper()), centre_m=(float(a), float(b)), radius_m=radius, feed_m_per_s=speed * radius, direction=1 if turned[-1] > turned[0] else -1,
        angle_rad=np.arctan2(v, u), deviation_m=np.hypot(u, v) - radius, source=source,
    )  # fmt: skip
