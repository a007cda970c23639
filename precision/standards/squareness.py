"""ISO 230-1: squareness of two motions, and parallelism. From memory of the standard (2012).

In the plane of axes U and V: b = dv/du, slope of the trajectory of U across (towards +V), and a = du/dv, slope of the trajectory of V (towards +U). Then

    angle(+U, +V) = 90° − (a + b)

The sign of a squareness is a convention, and vendors differ; it is an argument and is stated in the result:

    ROTATION         right-handed rotation of the second axis about the third (ISO 230-1: E_C0Y, E_B0Z, E_A0Z): of Y about +C in XY and of Z about +A in YZ
                     positive opens the angle beyond 90°; of Z about +B in the plane of X and Z positive closes it below 90°
    LARGER_THAN_90   positive: the angle of the positive axes is larger than 90°, in every plane
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..errors import DataError
from ..uncertainty.readings import Readings
from .arrays import Array, vector
from .reported import Reported, figure, keyed
from .straightness import Line, ReferenceLine, line, slope_uncertainty


class SquarenessSign(Enum):
    """What a positive squareness error means."""

    ROTATION = "positive: right-handed rotation of the second axis about the third (ISO 230-1)"
    LARGER_THAN_90 = "positive: angle of the positive axes larger than 90°"


class ParallelismSign(Enum):
    """What a positive parallelism error means."""

    DIVERGING = "positive: the two lines move apart, in the positive direction across, as the position grows"
    CONVERGING = "positive: the two lines come together, in the positive direction across, as the position grows"


# plane -> (axis that is turned, rotation, +1 where a positive rotation opens the angle beyond 90°)
_PLANES: Final = {("X", "Y"): ("Y", "C", 1.0), ("Y", "Z"): ("Z", "A", 1.0), ("X", "Z"): ("Z", "B", -1.0)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """A line of measured points: positions along an axis, (n,) m ascending, and displacements across it, (n,) m."""

    position_m: Array
    displacement_m: Array

    def __post_init__(self) -> None:
        x = vector("position_m", self.position_m, fewest=3, ascending=True)
        object.__setattr__(self, "position_m", x)
        object.__setattr__(self, "displacement_m", vector("displacement_m", self.displacement_m, size=x.size))


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Squareness or parallelism. Figures in rad: "E" (signed), and for squareness "angle" (of the positive axes), "slope_first", "slope_second".

    axes : the two axes; sign, reference : the conventions.
    lines : the reference lines of the first and the second.
    """

    axes: tuple[str, str]
    sign: SquarenessSign | ParallelismSign
    reference: ReferenceLine
    lines: tuple[Line, Line]


def squareness(
    first: Trajectory,
    second: Trajectory,
    *,
    sign: SquarenessSign,
    axes: tuple[str, str] = ("X", "Y"),
    reference: ReferenceLine = ReferenceLine.LEAST_SQUARES,
    readings: Readings | None = None,
    square_uncertainty_rad: float | None = None,
) -> Result:
    """Squareness of two motions from their straightness lines along the two sides of a square.

    Parameters
    ----------
    first : along the first axis, displacement towards + of the second
    second : along the second axis, displacement towards + of the first
    sign : what positive means; there is no default, because vendors differ
    axes : ("X", "Y"), ("X", "Z") or ("Y", "Z")
    readings : what is known about the displacement readings (m), for U
    square_uncertainty_rad : expanded uncertainty (k = 2) of the square, for U

    Raises
    ------
    DataError       another plane

    Examples
    --------
    X climbs by 10 µrad towards Y, Y is turned away from X by 30 µrad:

    >>> x = Trajectory(position_m=[0, 0.5, 1], displacement_m=[0, 5e-6, 10e-6])
    >>> y = Trajectory(position_m=[0, 0.5, 1], displacement_m=[0, -15e-6, -30e-6])
    >>> f"{squareness(x, y, sign=SquarenessSign.LARGER_THAN_90)['E'] * 1e6:.1f} µrad"
    '20.0 µrad'
    """
    if axes not in _PLANES:
        raise DataError(f"axes are {axes}; expected ('X', 'Y'), ('X', 'Z') or ('Y', 'Z'), in this order")
    turned, rotation, opens = _PLANES[axes]
    b, a = line(first.position_m, first.displacement_m, reference), line(second.position_m, second.displacement_m, reference)
    beyond = -(math.atan(a.slope) + math.atan(b.slope))
    value = beyond if sign is SquarenessSign.LARGER_THAN_90 else opens * beyond
    u_first, u_second = (slope_uncertainty(trajectory.position_m, reference, readings) for trajectory in (first, second))
    u: float | str | None
    if isinstance(u_first, float) and isinstance(u_second, float):
        u = "the uncertainty of the square was not given" if square_uncertainty_rad is None else math.hypot(u_first, u_second, square_uncertainty_rad)
    else:
        u = u_first
    one, two = axes
    return Result(
        title=f"ISO 230-1 squareness of {one} and {two}",
        stated=(sign.value, f"reference line: {reference.value}"),
        figures=keyed([
            figure("E", f"squareness of {turned} to {one}", value, "rad", u, symbol=f"E_{rotation}0{turned}"),
            figure("angle", f"angle from +{one} to +{two}", math.pi / 2 + beyond, "rad", u, symbol=f"∠{one}{two}"),
            figure("slope_first", f"slope of {one} towards +{two}", b.slope, "rad", u_first, symbol=f"d{two}/d{one}"),
            figure("slope_second", f"slope of {two} towards +{one}", a.slope, "rad", u_second, symbol=f"d{one}/d{two}"),
        ]),
        flags=(),
        axes=axes,
        sign=sign,
        reference=reference,
        lines=(b, a),
    )  # fmt: skip


def parallelism(
    first: Trajectory,
    second: Trajectory,
    *,
    sign: ParallelismSign,
    names: tuple[str, str] = ("first", "second"),
    reference: ReferenceLine = ReferenceLine.LEAST_SQUARES,
    readings: Readings | None = None,
) -> Result:
    """Parallelism of two lines measured along the same axis, displacement in the same direction across: slope of the second − slope of the first.

    Raises
    ------
    DataError       lines that share no part of the travel
    """
    low, high = max(t.position_m[0] for t in (first, second)), min(t.position_m[-1] for t in (first, second))
    if low >= high:
        raise DataError(f"the two lines share no travel: {first.position_m[0]:g} to {first.position_m[-1]:g} m, and {second.position_m[0]:g} to {second.position_m[-1]:g} m")
    lines = tuple(line(t.position_m, t.displacement_m, reference) for t in (first, second))
    apart = math.atan(lines[1].slope) - math.atan(lines[0].slope)
    value = apart if sign is ParallelismSign.DIVERGING else -apart
    parts = [slope_uncertainty(t.position_m, reference, readings) for t in (first, second)]
    u = parts[0] if not all(isinstance(part, float) for part in parts) else math.hypot(*(float(part) for part in parts if part is not None))
    length = float(high - low)
    u_length = u * length if isinstance(u, float) else u
    return Result(
        title=f"ISO 230-1 parallelism of {names[1]} to {names[0]}",
        stated=(sign.value, f"reference line: {reference.value}"),
        figures=keyed([
            figure("E", f"parallelism of {names[1]} to {names[0]}", value, "rad", u, symbol="E"),
            figure("over_length", f"the same over the common travel of {length * 1e3:g} mm", value * length, "m", u_length, symbol="E·L"),
        ]),
        flags=(),
        axes=names,
        sign=sign,
        reference=reference,
        lines=(lines[0], lines[1]),
    )  # fmt: skip

