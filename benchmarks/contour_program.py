"""The part program of a contour test: its text from file or piece, the motions in it, and what of it a machine may be told."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from precision.drivers.roles import Arc, Line
from precision.errors import DataError, PlanError
from precision.models.contour_pieces import contour_piece
from precision.models.part_program import Motion, motions
from precision.regular_file import open_regular

from .contour_plan import LONGEST_PROGRAM, DrivenProgram, Program

_COMMENT: Final = re.compile(r"\([^)]*\)|;.*")
_WAITING: Final = {0: "waits for a person", 1: "waits for a person", 66: "waits for an input"}
_SAME_PLACE_M: Final = 20e-6
"""Ends that are nearer than this cannot be told apart by where a controller reports to stand."""
_TURNING: Final = {3: "turns the spindle", 4: "turns the spindle", 6: "changes the tool", 7: "switches coolant on", 8: "switches coolant on"}


def program_text(program: Program) -> str:
    """The program, from where the plan says.

    Raises
    ------
    DataError       a file that cannot be read, is too large, or is no text; no program at all
    """
    if program.text is not None:
        return program.text
    if program.file is not None:
        return read_program(Path(program.file))
    if isinstance(program, DrivenProgram) and program.piece is not None:
        return contour_piece(
            program.piece, plane=program.plane, centre_m=program.centre, size_m=program.size, feed_m_per_s=program.feed, slow_feed_m_per_s=program.slow_feed
        )
    raise DataError("the recording comes without its part program; name the G-code that was run: --set program=part.ngc")


def read_program(path: Path) -> str:
    """The text of a G-code file; raises `DataError`."""
    try:
        with open_regular(path) as file:
            data = file.read(LONGEST_PROGRAM + 1)
    except OSError as error:
        raise DataError(f"{path}: the part program cannot be read ({error.strerror or error})") from error
    if len(data) > LONGEST_PROGRAM:
        raise DataError(f"{path.name}: more than {LONGEST_PROGRAM >> 20} MB of G-code; split the program")
    if b"\0" in data:
        raise DataError(f"{path.name}: holds NUL bytes; G-code is text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    if not text.strip():
        raise DataError(f"{path.name}: is empty; a part program is expected")
    return text


def program_motions(program: Program) -> tuple[Motion, ...]:
    """The motions of the program, from where it begins.

    Raises
    ------
    DataError       as `part_program.motions`, naming the line
    """
    return motions(program_text(program), start_m=start_of(program), units=program.units)


def start_of(program: Program) -> tuple[float, float, float]:
    """Work position of X, Y, Z where the program begins: as the plan says, where a piece begins, or 0."""
    if program.start is not None:
        return program.start
    if isinstance(program, DrivenProgram) and program.piece is not None:
        first, second = ("XYZ".index(letter) for letter in program.plane)
        place = [program.height] * 3
        begin = motions(program_text(program), units="mm")[0].end_m
        place[first], place[second] = begin[first], begin[second]
        return (place[0], place[1], place[2])
    return (0.0, 0.0, 0.0)


def refuse_what_no_test_does(text: str) -> None:
    """Raises `PlanError` for a program that would wait, or that would turn the spindle in which an instrument sits."""
    for number, line in enumerate(text.split("\n"), 1):
        for word in re.findall(r"M0*(\d+)(?![\d.])", re.sub(r"\s", "", _COMMENT.sub("", line)).upper()):
            if int(word) in (2, 30):
                return
            if (why := _WAITING.get(int(word)) or _TURNING.get(int(word))) is not None:
                raise PlanError(f"G-code line {number}: M{int(word)} {why}; a contour test runs by itself, with an instrument at the tool: take the word out")


def system_of(text: str) -> str | None:
    """The work coordinate system that the program selects ("G54" … "G59"), or None."""
    found = re.search(r"G(5[4-9])(?![\d.])", _COMMENT.sub("", text).upper())
    return None if found is None else f"G{found[1]}"


def prepared(text: str, units: str | None) -> str:
    """The program for a controller that reads G-code: its modes first, in one line, so that line n of the program is line n + 1 of this; ends with M2.

    Without comments: a controller does what some of them say ((LOGOPEN,…) writes files, (PY,…) runs Python, (MSG,…) opens windows).
    """
    lines = []
    for line in text.replace("\r", "").split("\n"):
        words = _COMMENT.sub("", line).strip()
        lines.append("" if words == "%" else words)
        if re.search(r"M0*(2|30)(?![\d.])", re.sub(r"\s", "", words).upper()):
            break
    else:
        lines.append("M2")
    modes = f"{'G20' if units == 'inch' else 'G21'} G17 G40 G49 G80 G90 G91.1 G94"
    return "\n".join([modes, *lines, ""]).encode("ascii", "replace").decode("ascii")


def stretches(program: tuple[Motion, ...], rapid_m_per_s: float) -> Iterator[tuple[float, list[Line | Arc]]]:
    """The program for a controller that drives lines and arcs: (feed in m/s, pieces), a new one where the feed or the plane of the arcs changes.

    Such a controller is seen to have arrived by where it stands, so no stretch ends where it begins: its last piece, or the second half of a whole circle that
    stands alone, is a stretch of its own.

    Raises
    ------
    PlanError       a helix; a motion at no feed, naming its line
    """
    for (feed, _), together in itertools.groupby(_in_planes(program, rapid_m_per_s), key=lambda one: one[:2]):
        for some in _open([motion for _, _, motion in together]):
            yield feed, [_piece(motion) for motion in some]


def _open(together: list[Motion]) -> Iterator[list[Motion]]:
    """Motions in groups that end elsewhere than they begin."""
    if math.dist(together[0].start_m, together[-1].end_m) > _SAME_PLACE_M:
        yield together
    elif len(together) > 1:
        yield from _open(together[:-1])
        yield from _open(together[-1:])
    else:
        (whole,) = together
        middle = whole.at(0.5)
        yield [replace(whole, end_m=middle, sweep_rad=whole.sweep_rad / 2)]
        yield [replace(whole, start_m=middle, sweep_rad=whole.sweep_rad / 2)]


def _piece(motion: Motion) -> Line | Arc:
    if motion.plane is None:
        return Line(end_m={axis: b for axis, a, b in zip("XYZ", motion.start_m, motion.end_m, strict=True) if a != b})
    first, second = motion.plane
    return Arc(axes=("XYZ"[first], "XYZ"[second]), centre_m=motion.centre_m, sweep_rad=motion.sweep_rad)


def _in_planes(program: tuple[Motion, ...], rapid_m_per_s: float) -> Iterator[tuple[float, int, Motion]]:
    """(feed, number of the stretch in one plane, motion)."""
    stretch, plane = 0, None
    for motion in program:
        feed = rapid_m_per_s if motion.rapid else feed_of(motion)
        if motion.plane is not None:
            third = 3 - sum(motion.plane)
            if motion.start_m[third] != motion.end_m[third]:
                raise PlanError(f"G-code line {motion.line}: a helix; this controller is driven along lines and arcs in a plane. A controller that reads G-code (linuxcnc) runs it")
            if plane not in (None, motion.plane):
                stretch += 1
            plane = motion.plane
        yield feed, stretch, motion


def feed_of(motion: Motion) -> float:
    """Of a motion that is no rapid, m/s; raises `PlanError` where the program names none."""
    if not motion.feed_m_per_s:
        raise PlanError(f"G-code line {motion.line}: a motion at no feed; write F and a number before it")
    return motion.feed_m_per_s
