"""Comments of a part program that controllers obey: they do not reach one, and the lines keep their numbers."""

from __future__ import annotations

import pytest

from precision.benchmarks.contour_program import prepared
from precision.models.part_program import motions

PROGRAM = """%
G21 G17 G90 G94 F600 (LOGOPEN,/tmp/a.txt)
(PY,import os)
G1 (PROBEOPEN points.txt) X10 Y0
;py,import os
G1 X10 Y10 (MSG,\x1b[2J<script>) ; (DEBUG,#5061)
M2 (never) ; reached
G1 X9999
"""


def test_no_comment_reaches_the_controller_and_lines_keep_their_numbers() -> None:
    sent = prepared(PROGRAM, None).split("\n")
    assert "(" not in "".join(sent) and ";" not in "".join(sent) and "\x1b" not in "".join(sent)
    assert sent[2:] == ["G21 G17 G90 G94 F600", "", "G1  X10 Y0", "", "G1 X10 Y10", "M2", ""]
    before = [(motion.line, motion.end_m) for motion in motions(PROGRAM.replace("%\n", "\n"), units="mm")]
    after = [(motion.line - 1, motion.end_m) for motion in motions("\n".join(sent), units="mm")]
    assert after == before and len(after) == 2


@pytest.mark.parametrize("comment", ["(PY,import os)", "; py,import os", "(LOGOPEN,/tmp/a.txt)"])
def test_a_comment_alone_on_the_last_line_is_gone(comment: str) -> None:
    assert prepared(f"G1 X1 F100\n{comment}", "mm").split("\n")[1:] == ["G1 X1 F100", "", "M2", ""]
