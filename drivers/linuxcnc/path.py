"""A path of lines and arcs as a G-code program of LinuxCNC."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from precision.drivers.roles import Arc, Line
from precision.errors import PlanError

_PLANES: Final = {("X", "Y"): "G17", ("Z", "X"): "G18", ("Y", "Z"): "G19"}
_OFFSETS: Final = {"X": "I", "Y": "J", "Z": "K"}
SYSTEMS: Final = ("G54", "G55", "G56", "G57", "G58", "G59", "G59.1", "G59.2", "G59.3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a program's coordinates begin: the active coordinate system, and per axis what is added to them to make machine coordinates, m."""

    system: str
    offset_m: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """text : G-code. corners_m : machine positions that lie furthest out, to be checked against limits. end_m : of the axes that move."""

    text: str
    corners_m: tuple[dict[str, float], ...]
    end_m: dict[str, float]


def program(path: Sequence[Line | Arc], start_m: Mapping[str, float], feed_m_per_s: float, origin: Origin) -> Program:
    """The program of `path` from `start_m`; both are machine positions, m.

    An arc is one line whatever its sweep (word P counts the turns), so that nothing is slowed down within it; corners are exact (G61).

    Raises
    ------
    PlanError       arcs in two planes, or in one that G17 … G19 do not name; an arc without radius or sweep; no way at all
    """
    planes = {arc.axes for arc in path if isinstance(arc, Arc)}
    if len(planes) > 1 or not planes <= set(_PLANES):
        raise PlanError(f"LinuxCNC: arcs in the planes {', '.join('-'.join(plane) for plane in sorted(planes))}; one of X-Y, Z-X, Y-Z is expected")
    here, corners = dict(start_m), list[dict[str, float]]()
    lines = [f"G21 G90 G91.1 G94 G61 G40 {_PLANES[next(iter(planes), ('X', 'Y'))]} {origin.system}", f"F{feed_m_per_s * 60e3:.6f}"]
    for piece in path:
        if isinstance(piece, Line):
            word, end, offsets = "G1", dict(piece.end_m), ""
            corners.append(end)
        else:
            word, end, offsets, furthest = _arc(piece, here)
            corners += furthest
        ways = " ".join(f"{axis}{(value - origin.offset_m.get(axis, 0.0)) * 1e3:.7f}" for axis, value in end.items())
        lines.append(f"{word} {ways}{offsets}")
        here |= end
    if not corners:
        raise PlanError("LinuxCNC: a path without a way; nothing was sent")
    moved = sorted({axis for corner in corners for axis in corner})
    return Program(text="\n".join([*lines, "M2", ""]), corners_m=tuple(corners), end_m={axis: here[axis] for axis in moved})


def _arc(arc: Arc, here: Mapping[str, float]) -> tuple[str, dict[str, float], str, list[dict[str, float]]]:
    """Its word, its end, its centre and turns as words, and where it lies furthest out."""
    centre = dict(zip(arc.axes, arc.centre_m, strict=True))
    first, second = arc.axes
    radius_m = math.dist(arc.centre_m, (here[first], here[second]))
    if radius_m < 1e-6 or arc.sweep_rad == 0:
        raise PlanError(f"LinuxCNC: an arc of {radius_m * 1e3:g} mm radius and {math.degrees(arc.sweep_rad):g}°; a radius and a sweep are expected")
    begin = math.atan2(here[second] - centre[second], here[first] - centre[first])

    def at(angle: float) -> dict[str, float]:
        return {first: centre[first] + radius_m * math.cos(angle), second: centre[second] + radius_m * math.sin(angle)}

    turns = max(1, math.ceil(abs(arc.sweep_rad) / (2 * math.pi) - 1e-12))
    offsets = "".join(f" {_OFFSETS[axis]}{(value - here[axis]) * 1e3:.7f}" for axis, value in centre.items())
    low, high = sorted((begin, begin + arc.sweep_rad))
    quarters = range(math.ceil(low / (math.pi / 2)), math.floor(high / (math.pi / 2)) + 1)
    whole = math.isclose(abs(arc.sweep_rad) % (2 * math.pi), 0, abs_tol=1e-12)
    end = {axis: here[axis] for axis in arc.axes} if whole else at(begin + arc.sweep_rad)
    return "G3" if arc.sweep_rad > 0 else "G2", end, f"{offsets} P{turns}", [*(at(k * math.pi / 2) for k in list(quarters)[:4]), end]
