"""A path of lines and arcs as lines of G-code."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from precision.drivers.roles import Arc, Line
from precision.errors import PlanError

from . import codec

_PLANES: Final = {("X", "Y"): "G17", ("Z", "X"): "G18", ("Y", "Z"): "G19"}
_OFFSETS: Final = {"X": "I", "Y": "J", "Z": "K"}
_LARGEST_SWEEP_RAD: Final = math.radians(350)
"""Of one line: an arc of a whole turn is told from one of no turn only by rounding."""
_PLACES: Final = 4
"""Decimals of mm: 0.1 µm, below the steps of such controllers, and short lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A path, ready to be sent. modes : a line before the others. lines : in their order. corners_m : places that lie furthest out, to be checked against limits.
    end_m : of the axes that move. length_m : of the whole way."""

    modes: str
    lines: tuple[str, ...]
    corners_m: tuple[dict[str, float], ...]
    end_m: dict[str, float]
    length_m: float


def program(path: Sequence[Line | Arc], start_m: Mapping[str, float], feed_m_per_s: float) -> Program:
    """The G-code of `path` from `start_m` (work positions, m).

    Raises
    ------
    PlanError       arcs in two planes, or in one that G17 … G19 do not name; an arc without radius; no way at all
    """
    planes = {arc.axes for arc in path if isinstance(arc, Arc)}
    if len(planes) > 1 or not planes <= set(_PLANES):
        raise PlanError(f"Grbl: arcs in the planes {', '.join('-'.join(plane) for plane in sorted(planes))}; one of X-Y, Z-X, Y-Z is expected")
    plane = _PLANES[next(iter(planes), ("X", "Y"))]
    here, lines, corners, length_m = dict(start_m), [], [], 0.0
    for piece in path:
        if isinstance(piece, Line):
            length_m += math.dist(list(piece.end_m.values()), [here[axis] for axis in piece.end_m])
            here |= piece.end_m
            corners.append(dict(piece.end_m))
            lines.append("G1" + "".join(f"{axis}{_mm(value)}" for axis, value in piece.end_m.items()))
            continue
        radius_m = math.dist(piece.centre_m, [here[axis] for axis in piece.axes])
        if radius_m < 1e-6 or piece.sweep_rad == 0:
            raise PlanError(f"Grbl: an arc of {radius_m * 1e3:g} mm radius and {math.degrees(piece.sweep_rad):g}°; a radius and a sweep are expected")
        corners += _extremes(piece, here, radius_m)
        length_m += radius_m * abs(piece.sweep_rad)
        for part, end in _parts(piece, here, radius_m):
            lines.append(part)
            here |= end
    moved = {axis for corner in corners for axis in corner}
    if length_m == 0:
        raise PlanError("Grbl: a path without a way; nothing was sent")
    lines[0] += f"F{codec.decimals(feed_m_per_s * 60e3, 3)}"
    return Program(modes=f"G90G21G94{plane}", lines=tuple(lines), corners_m=tuple(corners), end_m={axis: here[axis] for axis in sorted(moved)}, length_m=length_m)


def chunks(lines: Sequence[str], room: int) -> Iterator[list[str]]:
    """The lines in pieces that the controller's receive buffer of `room` bytes takes at once."""
    chunk: list[str] = []
    for line in lines:
        if chunk and sum(len(one) + 1 for one in chunk) + len(line) + 1 > room:
            yield chunk
            chunk = []
        chunk.append(line)
    if chunk:
        yield chunk


def _parts(arc: Arc, here: Mapping[str, float], radius_m: float) -> Iterator[tuple[str, dict[str, float]]]:
    """Lines of at most 350°, and where each ends."""
    first, second = arc.axes
    begin = math.atan2(here[second] - arc.centre_m[1], here[first] - arc.centre_m[0])
    count = math.ceil(abs(arc.sweep_rad) / _LARGEST_SWEEP_RAD)
    at = dict(here)
    for number in range(1, count + 1):
        angle = begin + arc.sweep_rad * number / count
        end = {first: arc.centre_m[0] + radius_m * math.cos(angle), second: arc.centre_m[1] + radius_m * math.sin(angle)}
        ways = "".join(f"{axis}{_mm(end[axis])}" for axis in sorted(end))
        offsets = "".join(f"{_OFFSETS[axis]}{_mm(centre - at[axis])}" for axis, centre in sorted(zip(arc.axes, arc.centre_m, strict=True)))
        yield f"{'G3' if arc.sweep_rad > 0 else 'G2'}{ways}{offsets}", end
        at |= end


def _extremes(arc: Arc, here: Mapping[str, float], radius_m: float) -> list[dict[str, float]]:
    """The end of an arc and every place on it where an axis turns round."""
    first, second = arc.axes
    begin = math.atan2(here[second] - arc.centre_m[1], here[first] - arc.centre_m[0])
    low, high = sorted((begin, begin + arc.sweep_rad))
    quarters = range(math.ceil(low / (math.pi / 2)), math.floor(high / (math.pi / 2)) + 1)
    angles = [*(k * math.pi / 2 for k in list(quarters)[:4]), begin + arc.sweep_rad]
    return [{first: arc.centre_m[0] + radius_m * math.cos(angle), second: arc.centre_m[1] + radius_m * math.sin(angle)} for angle in angles]


def _mm(value_m: float) -> str:
    return codec.decimals(value_m * 1e3, _PLACES)
