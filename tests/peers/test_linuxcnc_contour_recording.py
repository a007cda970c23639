"""The circles that a real LinuxCNC controller drove, as a contour test: its published figures, and what was planted behind it (data/linuxcnc/README.md)."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from precision.benchmarks.contour_import import read_file
from precision.benchmarks.execution import Outcome, evaluated

SHARED = Path(__file__).resolve().parents[3] / "shared"
RECORDING = SHARED / "data" / "linuxcnc" / "circle_xy_r50_f3000.csv.gz"
PROGRAM = SHARED / "linuxcnc" / "ngc" / "circle.ngc"
pytestmark = pytest.mark.skipif(not (RECORDING.is_file() and PROGRAM.is_file()), reason="the folder of real recordings is not beside this checkout")

PLANTED = {
    "backlash_X": 6.0e-6, "backlash_Y": 9.0e-6,
    "servo_mismatch": (1 - 0.99) / 60 - (1 - 0.97) / 55,  # what FF1 leaves of 1/P
    "structure_mismatch": (1 / 38 - 1 / 31) / (1.6 * 2 * math.pi),  # modes of 38 and 31 Hz, Q 1.6, lag by 1/(Q ω)
    "squareness": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    settings = [f"program.file={PROGRAM}", "uncertainty.tool_sensor=0 µm", "uncertainty.drift=1 µm", "uncertainty.synchronisation=1 ms"]
    return evaluated(read_file(RECORDING, tmp_path_factory.mktemp("contour"), settings=settings))


def test_what_was_planted_behind_the_controller_comes_back_within_u(outcome: Outcome) -> None:
    figures = outcome.analysis.causes.figures
    for key, planted in PLANTED.items():
        value, u = figures[key].value, figures[key].uncertainty
        assert abs(value - planted) < u, key
        assert planted == 0.0 or u < 0.35 * abs(planted), key


def test_the_published_errors_come_back(outcome: Outcome) -> None:
    results = outcome.analysis.results
    # F of the tool about the programmed centre −25.8 … +26.5 µm in the counter-clockwise circle, printed to 0.1 µm; here with the quarters before and after it
    (circle,) = (one for one in outcome.analysis.segments if one.line == 11)
    assert circle.kind == "arc ccw"
    assert abs(circle.peak_m or 0.0) == pytest.approx(26.5e-6, abs=0.051e-6)
    assert results["cmd"]["e_max"] == pytest.approx(8.33e-9, abs=0.1e-9)  # feed² · period²/(6 R), printed to 0.1 nm
    # the controller's own following error reaches 27.3 µm in Y; it compares with the command of the cycle before
    (following, _) = outcome.analysis.following
    assert following.value == pytest.approx(27.3e-6, abs=0.1e-6)
    assert following.uncertainty == pytest.approx(math.sqrt(2) * 0.05e-6, rel=1e-3)  # half a count of 0.1 µm in each axis, as the recording shows it
