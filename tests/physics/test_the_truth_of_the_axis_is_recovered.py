"""The figures that a run reports, against the same figures of the true positions of the same stops: within U on every machine."""

from math import comb
from pathlib import Path

import numpy as np
import pytest

from precision.benchmarks.execution import Outcome, execute
from precision.benchmarks.plan_files import checked
from precision.benchmarks.positioning import APPROACH, MEASURED
from precision.benchmarks.positioning_plan import Parameters
from precision.recording import Positioning
from precision.standards import iso230_2

SEEDS = range(1, 21)


def _true_figures(outcome: Outcome) -> dict[str, float]:
    """The figures of the true positions at 20 °C, which the virtual lab publishes for every reading it has given."""
    published = {reading["reported_pm"]: reading["true_reflector_displacement_20c_m"] for reading in outcome.run.read_truth()["readings"]}
    readings = outcome.readings
    rows = (readings["phase"] == APPROACH) & (readings["outcome"] == MEASURED)
    true_m = np.array([published[round(value * 1e12)] for value in readings["displacement_m"][rows]])
    recording = Positioning.from_rows(
        axis="X",
        target=readings["target_m"][rows],
        run=readings["run"][rows],
        direction=readings["direction"][rows],
        actual=outcome.analysis.recording.target[0] + true_m,
    )
    return {key: figure.value for key, figure in iso230_2.evaluate(recording).figures.items() if figure.value is not None}


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """Figure -> (reported − true)/U, one for each of 20 machines."""
    out: Path = tmp_path_factory.mktemp("machines")
    ratios: dict[str, list[float]] = {}
    for seed in SEEDS:
        plan = checked("positioning", [f"seed={seed}"])
        assert isinstance(plan, Parameters)
        outcome = execute(plan, out)
        true = _true_figures(outcome)
        for key, figure in outcome.analysis.result.figures.items():
            assert figure.value is not None
            assert figure.uncertainty
            ratios.setdefault(key, []).append((figure.value - true[key]) / figure.uncertainty)
    return ratios


def test_twenty_machines_are_within_the_stated_uncertainty(errors: dict[str, list[float]]) -> None:
    # With a coverage of 95 %, 17 or more of 20 are inside with a probability of 98.4 %; fewer would refute U.
    assert sum(comb(20, k) * 0.95**k * 0.05 ** (20 - k) for k in range(17, 21)) > 0.98
    for key, ratios in errors.items():
        assert sum(abs(ratio) <= 1 for ratio in ratios) >= 17, (key, ratios)


def test_no_figure_is_far_outside(errors: dict[str, list[float]]) -> None:
    # U is k = 2: an error of 2 U would be four standard uncertainties.
    assert max(abs(ratio) for ratios in errors.values() for ratio in ratios) < 2


def test_errors_have_both_signs(errors: dict[str, list[float]]) -> None:
    # A sign or a factor wrong in a correction would push every machine to one side.
    for key in ("E", "M", "A"):
        assert min(errors[key]) < 0 < max(errors[key]), (key, errors[key])
    # Twenty errors of one scale: their mean is within 3/√20 of their spread.
    spread = np.array(errors["E"])
    assert abs(spread.mean()) < 3 * spread.std(ddof=1) / np.sqrt(20) + 0.1
