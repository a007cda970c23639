"""`precision compare`: what changed between two tests, and whether that is more than U."""

from pathlib import Path

import numpy as np
import pytest

from precision.benchmarks import comparing
from precision.benchmarks.execution import evaluated
from precision.benchmarks.importing import import_positioning
from precision.errors import DataError

HEAD = "run,direction,target_mm,deviation_um\n"


def _rows(up: list[float], down: list[float], *, runs: int = 2, scatter: float = 0.0, seed: int = 0) -> str:
    """Deviations in µm at 0, 100, 200 … mm, with normal scatter; without, ±0.1 µm in turn."""
    draw = np.random.default_rng(seed)
    rows = []
    for run in range(runs):
        for sign, means in (("+", up), ("-", down)):
            for index, mean in enumerate(means):
                noise = draw.normal(0.0, scatter) if scatter else 0.1 * (-1) ** run
                rows.append(f"{run + 1},{sign},{100 * index},{mean + noise:.6f}\n")
    return HEAD + "".join(rows)


def _compared(tmp_path: Path, before: str, after: str) -> comparing.Comparison:
    outcomes = []
    for name, content in (("before", before), ("after", after)):
        (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
        outcomes.append(evaluated(import_positioning(tmp_path / f"{name}.csv", tmp_path / "runs")))
    return comparing.compare(*outcomes)


def test_a_corrected_axis_is_better_and_the_other_way_round_worse(tmp_path: Path) -> None:
    bad, good = _rows([0, 10, 20], [3, 13, 23]), _rows([0, 0.1, 0], [0.1, 0, 0.1])
    changes = _compared(tmp_path, bad, good).changes
    assert changes["E"].before.value == pytest.approx(23e-6)
    assert changes["E"].difference == pytest.approx(-22.9e-6)
    assert changes["E"].ratio == pytest.approx(0.1 / 23)
    assert changes["B_mean"].difference == pytest.approx(0.1e-6 / 3 - 3e-6), "magnitudes: B̄ was −3 µm"
    assert {changes[key].verdict for key in ("A", "E", "M", "B", "B_mean")} == {"better"}
    assert changes["R_up"].verdict == "no change within U"
    again = _compared(tmp_path, good, bad)
    assert again.worse() == ("A", "E", "M", "R", "B")
    assert again.worse(("R_up",)) == ()


def test_another_test_of_the_same_machine_is_no_change(tmp_path: Path) -> None:
    # Twelve pairs of tests of one machine: with U at k = 2, 95 % of the differences lie within it; that 9 or fewer of 12 do has a probability of 2 %.
    within = dict.fromkeys(("E", "M", "B_mean", "R"), 0)
    up, down = [0.0, 5.0, 12.0, 9.0, 15.0], [3.0, 8.0, 14.0, 12.0, 18.0]
    for pair in range(12):
        texts = [_rows(up, down, runs=5, scatter=0.5, seed=2 * pair + one) for one in (0, 1)]
        changes = _compared(tmp_path, *texts).changes
        for key in within:
            within[key] += changes[key].verdict == "no change within U"
            assert changes[key].scatter_only, "the files state no uncertainty"
    assert all(count >= 10 for count in within.values()), within
    # And U is no wider than it must be: of the mean reversal it is 2·√2·σ·√(2/(5·5)) = 2·√2·0.5·0.283 = 0.40 µm.
    assert changes["B_mean"].uncertainty == pytest.approx(0.4e-6, rel=0.35)


def test_the_uncertainty_of_the_runs_enters(tmp_path: Path) -> None:
    outcomes = []
    known = {"device_calibration": "0.1 ppm", "device_resolution": "1 nm", "misalignment_range": "0 mm", "material_temperature_range": "0 K",
             "expansion_coefficient_range": "0 1/K", "environmental_variation": "2 µm", "mean_material_temperature": "20 °C"}  # fmt: skip
    settings = [f"uncertainty.{key}={value}" for key, value in known.items()] + ["evaluation.expansion_coefficient=11.7 µm/m/K"]
    for name, content in (("a", _rows([0, 10, 20], [0, 10, 20])), ("b", _rows([0, 9, 18], [0, 9, 18]))):
        (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
        outcomes.append(evaluated(import_positioning(tmp_path / f"{name}.csv", tmp_path / "runs", settings=settings)))
    change = comparing.compare(*outcomes).changes["E"]
    assert change.after.uncertainty is not None
    assert change.uncertainty is not None
    assert change.uncertainty > np.hypot(change.before.uncertainty or 0, change.after.uncertainty)
    assert change.verdict == "no change within U"
    assert not change.scatter_only


def test_a_figure_that_is_lost_is_not_a_figure_that_is_fine(tmp_path: Path) -> None:
    whole, one_sided = _rows([0, 10], [3, 13]), "".join(line + "\n" for line in _rows([0, 10], [3, 13]).splitlines() if ",-," not in line)
    comparison = _compared(tmp_path, whole, one_sided)
    assert comparison.changes["B"].verdict == "not comparable"
    assert "after" in (comparison.changes["B"].reason or "")
    assert "B" in comparison.worse()


def test_one_run_has_no_scatter_and_no_u(tmp_path: Path) -> None:
    change = _compared(tmp_path, _rows([0, 10], [3, 13], runs=1), _rows([0, 11], [3, 14], runs=1)).changes["E"]
    assert change.uncertainty is None
    assert change.verdict == "not comparable" and change.reason is not None and "no U" in change.reason
    assert "scatter is not known" in (change.reason or "")


def test_what_differs_beside_the_machine_is_said(tmp_path: Path) -> None:
    comparison = _compared(tmp_path, "# axis: X\n" + _rows([0, 1], [0, 1]), "# axis: Y\n" + _rows([0, 1, 2], [0, 1, 2], runs=3))
    said = " ".join(comparison.notes)
    for part in ("axis: X and Y", "targets", "runs: 2 and 3"):
        assert part in said
    with pytest.raises(DataError, match="rotary"):
        _compared(tmp_path, _rows([0, 1], [0, 1]), "run,direction,target_deg,deviation_arcsec\n1,+,0,0\n1,+,90,1\n")


def test_the_command_prints_writes_and_fails_when_worse(precision, tmp_path: Path) -> None:
    for name, content in (("a", _rows([0, 10, 20], [3, 13, 23])), ("b", _rows([0, 0.1, 0], [0.1, 0, 0.1]))):
        (tmp_path / f"{name}.csv").write_text("# axis: Z\n" + content, encoding="utf-8")
        precision("analyze", f"{name}.csv", "--out", f"runs-{name}")
    first, second = (str(next((tmp_path / f"runs-{name}").glob("2*"))) for name in "ab")
    out = precision("compare", first, second, "--fail-worse", "--out", "c.html").stdout
    assert "better" in out
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert "Axis Z before and after" in page
    done = precision("compare", second, first, "--fail-worse", code=1)
    assert "worse" in done.stdout
    assert "A, E, M, R, B" in done.stderr
    precision("compare", second, first, code=0)
    precision("compare", second, first, "--fail-worse", "--figure", "R_up", code=0)
    assert "no such figure" in precision("compare", second, first, "--figure", "Q", code=2).stderr
