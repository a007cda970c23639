"""A positioning test that a real LinuxCNC controller drove, and its correction: recordings in, the published figures and the controller's own table out."""

import json
from pathlib import Path

import numpy as np
import pytest

from precision.benchmarks import comparing, compensating
from precision.benchmarks.execution import Outcome, evaluated
from precision.benchmarks.importing import import_positioning
from precision.compensation.formats import FORMATS
from precision.drivers.files import linuxcnc_log
from precision.errors import DataError

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "linuxcnc"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the folder of real recordings is not beside this checkout")

BEFORE = {"A": 28.59, "E": 26.90, "M": 20.73, "B": 6.27, "B_mean": -6.18, "R_up": 1.87, "R_down": 1.51, "R": 7.81}
AFTER = {"A": 1.88, "E": 0.13, "M": 0.06, "B": 0.10, "R": 1.86}


def _outcome(name: str, out: Path) -> Outcome:
    return evaluated(import_positioning(FOLDER / name, out))


@pytest.mark.parametrize(
    ("name", "published"), [("iso230_2_x_stops.csv", BEFORE), ("iso230_2_x.csv.gz", BEFORE), ("iso230_2_x_comp0_stops.csv", AFTER)]
)
def test_the_recordings_give_the_published_figures(name: str, published: dict[str, float], tmp_path: Path) -> None:
    figures = _outcome(name, tmp_path).analysis.result.figures
    for key, value in published.items():
        assert figures[key].value == pytest.approx(value * 1e-6, abs=0.0051e-6), key  # printed to 0.01 µm


def test_our_table_is_the_one_that_the_controller_was_given(tmp_path: Path) -> None:
    proposal = compensating.propose(_outcome("iso230_2_x_stops.csv", tmp_path), "linuxcnc", FORMATS["linuxcnc"], compensating.Wishes())
    ours, theirs = (np.array([line.split() for line in text.splitlines()], dtype=float) for text in (proposal.text, (FOLDER / "comp_x_type0.dat").read_text(encoding="ascii")))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.6e-6)  # theirs is printed to 1e-6 mm


def test_what_the_controller_did_with_it_is_what_was_predicted(tmp_path: Path) -> None:
    before, after = _outcome("iso230_2_x_stops.csv", tmp_path), _outcome("iso230_2_x_comp0_stops.csv", tmp_path)
    proposal = compensating.propose(before, "linuxcnc", FORMATS["linuxcnc"], compensating.Wishes())
    assert proposal.scatter_range is not None
    # What remains of E lies within what the scatter of the means was said to make; the drift of the plant repeats and does not show.
    measured_again = after.analysis.result.figures["E"].value
    assert measured_again is not None
    assert measured_again < proposal.scatter_range
    comparison = comparing.compare(before, after)
    assert comparison.changes["E"].ratio == pytest.approx(0.133 / 26.90, rel=0.02)
    assert {comparison.changes[key].verdict for key in ("A", "E", "M", "B", "B_mean")} == {"better"}
    assert comparison.worse() == ()
    assert json.dumps(compensating.about(before, proposal, compensating.Wishes()))


def test_a_circle_is_no_positioning_test(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line \d+: the command moves inside a measuring window"):
        import_positioning(FOLDER / "circle_xy_r50_f3000.csv.gz", tmp_path)
    log = linuxcnc_log.read(FOLDER / "circle_xy_r50_f3000.csv.gz")
    assert int(np.sum(log.columns["trig"])) == 2 * 6283
