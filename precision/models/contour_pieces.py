"""Part programs of contouring tests, as G-code: circle, square, diamond, arcs at two feeds, and all of them one inside the other.

The piece "circle-diamond-square" follows the contouring test piece of ISO 10791-7 (before it NAS 979): a square, a square turned by 45° in it, a circle in
that, and a square turned by 3°, on whose sides one axis hardly moves; from memory of the standard, with proportions of our own. Every contour is driven in
both directions, so that what depends on the direction of travel (servo mismatch, backlash) can be told from what does not (squareness, scales).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from ..errors import DataError

PIECES: Final = ("circle-diamond-square", "circle", "square", "diamond", "arcs")
SLOPE: Final = math.radians(3)
"""Turn of the square on whose sides one axis hardly moves."""
LEAD: Final = 0.03
"""Length of the way onto each contour at feed, from inside, as a share of the size."""
_PLANES: Final = {"XY": ("G17", "XY", "IJ"), "ZX": ("G18", "ZX", "KI"), "YZ": ("G19", "YZ", "JK")}

Point = tuple[float, float]


def contour_piece(name: str, *, plane: str, centre_m: Point, size_m: float, feed_m_per_s: float, slow_feed_m_per_s: float) -> str:
    """The program of a piece, in mm with 0.1 µm.

    Parameters
    ----------
    name : one of `PIECES`. plane : "XY", "ZX" or "YZ". centre_m : in the two axes, in the order of the plane's letters
    size_m : side of the outer square, diameter of "circle" and "arcs"
    slow_feed_m_per_s : of the slow turns of "arcs"

    Raises
    ------
    DataError       a name or plane that is none

    Examples
    --------
    >>> print(contour_piece("circle", plane="XY", centre_m=(0.0, 0.0), size_m=0.1, feed_m_per_s=0.05, slow_feed_m_per_s=0.01))
    ( circle, 100 mm, F3000 )
    G21 G90 G91.1 G94 G17
    F3000
    ( circle, radius 50 mm, counter-clockwise )
    G0 X47 Y0
    G1 X50 Y0
    G3 X50 Y0 I-50 J0
    ( circle, radius 50 mm, clockwise )
    G2 X50 Y0 I-50 J0
    M2
    <BLANKLINE>
    """
    if name not in PIECES or plane not in _PLANES:
        raise DataError(f"piece {name!r} in {plane!r}; expected is one of {', '.join(PIECES)} in one of {', '.join(_PLANES)}")
    word, letters, offsets = _PLANES[plane]
    pen = _Pen(letters, offsets, centre_m, LEAD * size_m)
    if name == "circle-diamond-square":
        body = [*pen.polygon("square", size_m, 0.0), *pen.polygon("diamond", size_m / math.sqrt(2), math.pi / 4),
                *pen.polygon("square turned by 3 degrees", 0.4 * size_m, SLOPE), *pen.circle(0.3 * size_m)]  # fmt: skip
    elif name == "circle":
        body = list(pen.circle(size_m / 2))
    elif name == "square":
        body = list(pen.polygon("square", size_m, 0.0))
    elif name == "diamond":
        body = list(pen.polygon("diamond", size_m / math.sqrt(2), math.pi / 4))
    else:
        body = [f"F{_mm(slow_feed_m_per_s * 60)}", *pen.circle(size_m / 2), f"F{_mm(feed_m_per_s * 60)}", *pen.circle(size_m / 2)]
    head = [f"( {name}, {_mm(size_m)} mm, F{_mm(feed_m_per_s * 60)} )", f"G21 G90 G91.1 G94 {word}", f"F{_mm(feed_m_per_s * 60)}"]
    return "\n".join([*head, *body, "M2", ""])



class _Pen:
    """Lines of G-code in a plane, about a centre."""

    def __init__(self, letters: str, offsets: str, centre_m: Point, lead_m: float) -> None:
        self._letters, self._offsets, self._centre, self._lead_m = letters, offsets, centre_m, lead_m

    def to(self, point: Point) -> str:
        """Words of a place, from the centre."""
        return " ".join(f"{letter}{_mm(value + centre)}" for letter, value, centre in zip(self._letters, point, self._centre, strict=True))

    def circle(self, radius_m: float) -> Iterator[str]:
        """A whole turn each way, from the first axis."""
        begin = (radius_m, 0.0)
        lead = radius_m - self._lead_m
        offset = f"{self._offsets[0]}{_mm(-radius_m)} {self._offsets[1]}0"
        for sense, turn in (("counter-clockwise", "G3"), ("clockwise", "G2")):
            yield f"( circle, radius {_mm(radius_m)} mm, {sense} )"
            if turn == "G3":
                yield f"G0 {self.to((lead, 0.0))}"
                yield f"G1 {self.to(begin)}"
            yield f"{turn} {self.to(begin)} {offset}"

    def polygon(self, name: str, side_m: float, turned: float) -> Iterator[str]:
        """A square each way, from the middle of a side, so that each corner is passed."""
        half = side_m / 2

        def at(x: float, y: float) -> str:
            return self.to((math.cos(turned) * x - math.sin(turned) * y, math.sin(turned) * x + math.cos(turned) * y))

        corners = [(half, half), (-half, half), (-half, -half), (half, -half)]
        for sense, way in (("counter-clockwise", corners), ("clockwise", corners[::-1])):
            yield f"( {name}, side {_mm(side_m)} mm, {sense} )"
            if way is corners:
                yield f"G0 {at(half - self._lead_m, 0.0)}"
                yield f"G1 {at(half, 0.0)}"
            yield from (f"G1 {at(*corner)}" for corner in way)
            yield f"G1 {at(half, 0.0)}"


def _mm(value_m: float) -> str:
    """Millimetres with 0.1 µm, without zeros at the end."""
    text = f"{value_m * 1e3:.4f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
