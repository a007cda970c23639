"""ISO 230-1: angular errors of a linear motion, roll, pitch and yaw. From memory of the standard (2012).

The error E_AX is the rotation about A (around X) of the axis X, and so on: of X, A is roll, B is pitch, C is yaw (of a horizontal axis, C turning in the
horizontal plane). Reported for each direction as the range of the mean angle over the targets; for both together as the range of all means; the reversal as
the largest |mean ↑ − mean ↓|. Sign: positive is the right-handed rotation about A, B or C.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..uncertainty.readings import Readings
from .arrays import Array, frozen, table, vector
from .reported import Reported, figure, keyed


class Angle(Enum):
    """Angular error of a motion, for a machine whose Z is vertical."""

    ROLL = "roll"
    PITCH = "pitch"
    YAW = "yaw"


_ABOUT: Final[Mapping[str, Mapping[Angle, str]]] = MappingProxyType({
    "X": MappingProxyType({Angle.ROLL: "A", Angle.PITCH: "B", Angle.YAW: "C"}),
    "Y": MappingProxyType({Angle.ROLL: "B", Angle.PITCH: "A", Angle.YAW: "C"}),
    # A vertical axis has no yaw and pitch of its own; ISO 230-1 calls its tilts about Y and X. By custom pitch is about the axis across the operator's view.
    "Z": MappingProxyType({Angle.ROLL: "C", Angle.PITCH: "A", Angle.YAW: "B"}),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Angular error. Figures "E" (both directions), "E_up", "E_down", "B" (reversal), rad.

    axis, angle, about : the motion, which angle, and the letter of the rotation ("A", "B", "C").
    position_m : (n,) float64.
    mean_rad : (directions, n) float64, mean of the runs.
    """

    axis: str
    angle: Angle
    about: str
    position_m: Array
    mean_rad: Array


def evaluate(position_m: ArrayLike, angle_rad: ArrayLike, *, angle: Angle, axis: str = "X", readings: Readings | None = None) -> Result:
    """Evaluate roll, pitch or yaw.

    Parameters
    ----------
    position_m : (n,) ascending
    angle_rad : (directions, n, runs), 1 direction or 2 (↑, ↓); the zero of the instrument does not matter
    readings : what is known about one reading (rad), for U

    Raises
    ------
    DataError       shapes, positions that do not ascend, an axis other than X, Y, Z

    Examples
    --------
    >>> yaw = evaluate([0, 1], [[[0.0], [2e-6]], [[1e-6], [3e-6]]], angle=Angle.YAW)
    >>> yaw.figures["E"].symbol, f"{yaw['E']:.1e}", f"{yaw['B']:.1e}"
    ('E_CX', '3.0e-06', '1.0e-06')
    """
    x = vector("position_m", position_m, fewest=2, ascending=True)
    values = table("angle_rad", angle_rad, (None, x.size, None))
    if values.shape[0] > 2:
        raise DataError(f"angle_rad has shape {values.shape}; expected 1 or 2 directions first (↑, ↓)")
    if axis not in _ABOUT:
        raise DataError(f"axis is {axis!r}; expected 'X', 'Y' or 'Z'")
    about = _ABOUT[axis][angle]
    mean = values.mean(axis=2)
    both, runs = mean.shape[0] == 2, values.shape[2]
    symbol = f"E_{about}{axis}"
    u = noise_u = reversal_u = None
    if readings is not None:
        averaged = Readings(device=readings.device, noise=readings.noise / runs**0.5, drift_range=readings.drift_range, resolution=readings.resolution)
        u, noise_u = averaged.of_range(mean.size), averaged.of_range(x.size)
        reversal_u = noise_u
    missing = "only one direction was measured"
    name = f"{angle.value} of {axis}"
    flags = [] if both else ["one direction only: the reversal of the angle is not evaluated"]
    return Result(
        title=f"ISO 230-1 angular error {symbol}, {x.size} targets over {(x[-1] - x[0]) * 1e3:g} mm, {runs} run{'s' if runs > 1 else ''}",
        stated=(f"{angle.value}: right-handed rotation about {about}",),
        figures=keyed([
            figure("E", f"{name}, both directions" if both else name, float(np.ptp(mean)), "rad", u, symbol=symbol),
            figure("E_up", f"{name}, positive direction", float(np.ptp(mean[0])) if both else missing, "rad", noise_u, symbol=f"{symbol}↑"),
            figure("E_down", f"{name}, negative direction", float(np.ptp(mean[1])) if both else missing, "rad", noise_u, symbol=f"{symbol}↓"),
            figure("B", f"reversal of {name}", float(np.abs(mean[0] - mean[1]).max()) if both else missing, "rad", reversal_u, symbol=f"B_{about}{axis}"),
        ]),
        flags=tuple(flags),
        axis=axis,
        angle=angle,
        about=about,
        position_m=x,
        mean_rad=frozen(mean),
    )  # fmt: skip
