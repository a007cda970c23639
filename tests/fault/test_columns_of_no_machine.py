"""Logs whose columns are of the wrong thing: a dead sensor, a time in no unit, positions of no machine. Said in words, never a fault of the program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from precision.cli import main

RNG = np.random.default_rng(1)
N = 4000
T = np.arange(N) * 1e-3
NOISE = RNG.normal(0, 1, N)
ANSWER = np.convolve(NOISE, np.exp(-np.arange(100) / 20) / 20)[:N]
SWAY = 0.05 * np.cos(2 * np.pi * T / 4)
ALONG = np.clip((T - 0.2) * 0.1, 0, 0.2)
X, Y = (np.interp(ALONG, [0, 0.05, 0.1, 0.15, 0.2], corners) for corners in ([0, 0.05, 0.05, 0, 0], [0, 0, 0.05, 0.05, 0]))
FRF = {"time [s]": T, "excitation [N]": NOISE, "input [N]": NOISE - 0.1 * ANSWER, "output [m]": ANSWER}
SECOND = RNG.normal(0, 1, N)
FRF_MIMO = {
    "time [s]": T, "excitation_1 [N]": NOISE, "excitation_2 [N]": SECOND, "input_1 [N]": NOISE - 0.1 * ANSWER, "input_2 [N]": SECOND,
    "output_1 [m]": ANSWER, "output_2 [m]": np.convolve(SECOND, np.exp(-np.arange(100) / 20) / 20)[:N],
}  # fmt: skip
TRACKING = {"time [s]": T, "command [m]": SWAY, "feedback [m]": SWAY + 1e-5}
CONTOUR = {"time [s]": T, "x_cmd [m]": X, "y_cmd [m]": Y, "x_fb [m]": X + 1e-6, "y_fb [m]": Y}
PROGRAM = "G21 G17 G90 G94 F6000\nG1 X50 Y0\nG1 X50 Y50\nG1 X0 Y50\nG1 X0 Y0\nM2\n"


@pytest.mark.parametrize(
    ("procedure", "log", "column", "change", "said"),
    [
        ("frf", FRF, "output [m]", lambda v: 0 * v + 1, "the output stays at 1 in the whole record"),
        ("frf", FRF, "input [N]", lambda v: 0 * v, "the input stays at 0 in the whole record"),
        ("frf", FRF, "output [m]", lambda v: 1e-300 * v, "is its unit right"),
        ("frf", FRF, "time [s]", lambda v: 1e300 * v, "is the column the time"),
        ("frf-mimo", FRF_MIMO, "excitation_1 [N]", lambda v: 0 * v, "the excitation_1 stays at 0"),
        ("frf-mimo", FRF_MIMO, "input_2 [N]", lambda v: 0 * v + 1, "the input_2 stays at 1"),
        ("frf-mimo", FRF_MIMO, "output_2 [m]", lambda v: 0 * v, "the output_2 stays at 0"),
        ("frf-mimo", FRF_MIMO, "output_1 [m]", lambda v: 1e-300 * v, "is its unit right"),
        ("tracking", TRACKING, "time [s]", lambda v: 1e300 * v, "is the column the time"),
        ("tracking", TRACKING, "time [s]", lambda v: 1e-200 * v, "is the column the time"),
        ("contour", CONTOUR, "time [s]", lambda v: 1e300 * v, "is the unit right"),
        ("contour", CONTOUR, "time [s]", lambda v: 1e-200 * v, "is the unit of the time right"),
        ("contour", CONTOUR, "x_fb [m]", lambda v: 1e300 * v, "is the unit right"),
    ],
)
def test_a_column_of_the_wrong_thing_is_refused_in_words(
    procedure: str,
    log: dict[str, np.ndarray],
    column: str,
    change: Callable[[np.ndarray], np.ndarray],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = {**log, column: change(log[column])}
    file, program = tmp_path / "log.csv", tmp_path / "square.ngc"
    program.write_text(PROGRAM)
    rows = [",".join(f"{value:.9g}" for value in row) for row in zip(*changed.values(), strict=True)]
    file.write_text("\n".join([",".join(changed), *rows]) + "\n")
    size = ["--set", "size.inputs=2", "--set", "size.outputs=2"]
    extra = {"frf": ["--set", "evaluation.segment=0.5 s"], "frf-mimo": ["--set", "evaluation.segment=0.5 s", *size], "tracking": [], "contour": ["--set", f"program={program}"]}[procedure]
    monkeypatch.setattr("sys.argv", ["precision", "analyze", str(file), "--as", procedure, "--out", str(tmp_path / "runs"), *extra])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 6
    assert said in " ".join(capsys.readouterr().err.split())
