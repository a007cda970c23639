"""Reference circles for an evaluation: the kernels', with an error where points determine none."""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from ..kernels.circle import (
    Circle,
    Zone,
    maximum_inscribed_circle,
    minimum_circumscribed_circle,
    minimum_zone_circle,
)
from .arrays import Array


def minimum_zone(x_m: Array, y_m: Array) -> Zone:
    """Common centre and radii of the two circles, least apart, that enclose (n,) points.

    Raises
    ------
    DataError       points on a line
    """
    zone = minimum_zone_circle(x_m, y_m)
    _determined(zone.x, "the points lie on a line, or in one place; expected a path around a centre")
    return zone


def minimum_circumscribed(x_m: Array, y_m: Array) -> Circle:
    """The smallest circle around (n,) points. Errors as `minimum_zone`: points that are not finite."""
    circle = minimum_circumscribed_circle(x_m, y_m)
    _determined(circle.x, "the points hold a NaN or an infinity; expected finite coordinates")
    return circle


def maximum_inscribed(x_m: Array, y_m: Array) -> Circle:
    """The largest circle that none of (n,) points around it lies inside of.

    Raises
    ------
    DataError       points on a line, or within half a turn
    """
    circle = maximum_inscribed_circle(x_m, y_m)
    _determined(circle.x, "the points lie on a line, or leave half a turn open; expected a path around a centre")
    return circle


def _determined(x: Array, problem: str) -> None:
    if not np.isfinite(x):
        raise DataError(problem)
