"""Two real positioning tests against figures that were computed independently.

Recordings: a drive axis of the European Spallation Source (9 targets) and a stage of the Paul Scherrer Institute (5 targets), each with five runs.
Their published axis-level R and E are not those of ISO 230-2 (R printed as the larger of R↑ and R↓, E from one direction only); the expected values
here follow the standard.
"""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.recording import Positioning
from precision.standards import iso230_2

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "iso230_2"
FIELDS = {
    "xu": ("mean", 0), "xd": ("mean", 1), "xb": ("mean_bidirectional", None), "Bi": ("reversal", None), "su": ("estimator", 0), "sd": ("estimator", 1),
    "Ru_i": ("repeatability", 0), "Rd_i": ("repeatability", 1), "R_i": ("repeatability_bidirectional", None),
    "B": ("B", None), "Bmean": ("B_mean", None), "Ru": ("R_up", None), "Rd": ("R_down", None), "R": ("R", None),
    "Eu": ("E_up", None), "Ed": ("E_down", None), "E": ("E", None), "M": ("M", None), "Au": ("A_up", None), "Ad": ("A_down", None), "A": ("A", None),
}  # fmt: skip


def load(name: str) -> tuple[Positioning, dict[str, Any]]:
    if not DATA.is_dir():
        pytest.skip(f"the real recordings are not beside the repository ({DATA})")
    with (DATA / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    recording = Positioning.from_rows(
        axis="X",
        target=[float(row["target_mm"]) * 1e-3 for row in rows],
        run=[int(row["run"]) for row in rows],
        direction=["+-".index(row["direction"]) for row in rows],
        actual=[float(row["actual_mm"]) * 1e-3 for row in rows],
    )
    return recording, json.loads((DATA / f"{name}.expected.json").read_text())["expected"]


@pytest.mark.parametrize("name", ["ess_target_x", "psi_stage"])
def test_every_figure_of_a_real_test(name: str) -> None:
    recording, expected = load(name)
    result = iso230_2.evaluate(recording)
    assert expected.keys() == FIELDS.keys()
    for key, value in expected.items():
        attribute, direction = FIELDS[key]
        found = getattr(result, attribute)
        in_mm = np.asarray(found if direction is None else found[direction]) * 1e3
        # Positions up to 20 mm in float64 are rounded by 4e-15 mm; nothing in the formulas amplifies that to 1e-9 mm.
        np.testing.assert_allclose(in_mm, value, rtol=0, atol=1e-9, err_msg=key)


def test_repeatability_is_not_the_larger_of_the_two_directions() -> None:
    result = iso230_2.evaluate(load("ess_target_x")[0])
    assert result.R is not None and result.R_up is not None and result.R_down is not None
    assert result.R * 1e3 == pytest.approx(0.05516, abs=0.5e-5)
    assert max(result.R_up, result.R_down) * 1e3 == pytest.approx(0.02831, abs=0.5e-5)


def test_equally_spaced_targets_are_named() -> None:
    (flag,) = iso230_2.evaluate(load("psi_stage")[0]).flags
    assert "equally spaced (5.12 mm)" in flag
