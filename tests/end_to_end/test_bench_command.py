"""`precision bench`: the measurement finds a known ratio, a slow-down is named, the page is one file."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from precision.benchmarks.speed.accuracy import Accuracy
from precision.benchmarks.speed.paired import Pair, measure
from precision.benchmarks.speed.results import Run, markdown
from precision.cli.bench import bench

PAIR = Pair(
    kernel="circle", size="50 × 3600", tier="fast", peer="scipy least_squares", peer_version="1.17", wall_ratio=300.0, cpu_ratio=150.0,
    cpu_ratio_low=140.0, cpu_ratio_high=160.0, candidate_wall_s=1e-3, reference_wall_s=0.3, candidate_cpu_s=2e-3, reference_cpu_s=0.3,
    candidate_peak_bytes=0, reference_peak_bytes=10**6, floor_bytes=None, floor_s=None, over_floor=None, others_cpu=0.1, rounds=11,
    goal=350.0, floor_goal=None,
)  # fmt: skip
LINE = Accuracy(kernel="circle", case="zone", reference="rationals", measure="m", ours={"numpy": 1e-15}, peers={"linprog": 5e-8}, limit=1e-12)
MACHINE = {"processor": "<p>", "cores": "2", "memory": "24 GiB", "system": "Linux", "python": "3.11", "packages": "numpy 2"}
RUN = Run(begun="2026-01-01T00:00:00", machine=MACHINE, pairs=(PAIR,), accuracy=(LINE,), skipped=("test_b: <b> is missing",), command="precision bench run")


def written(path: Path, run: Run) -> str:
    path.write_text(json.dumps({"precision": asdict(run)}), encoding="utf-8")
    return str(path)


def faster_by(run: Run, factor: float) -> Run:
    return replace(run, pairs=tuple(replace(pair, cpu_ratio=pair.cpu_ratio * factor) for pair in run.pairs))


def test_a_kernel_that_does_half_the_work_measures_about_twice_as_fast() -> None:
    def work(count: int) -> int:
        return sum(k * k for k in range(count))

    pair = measure(lambda: work(20_000), lambda: work(40_000), kernel="sum", size="", peer="itself", tier="numpy", rounds=5)
    assert 1.6 < pair.cpu_ratio < 2.4  # the median paired CPU ratio scatters by 2 %, and by 9 % at worst, on a loaded machine


def test_the_peak_memory_of_a_call_is_seen() -> None:
    np = pytest.importorskip("numpy")
    pair = measure(lambda: np.ones(4_000_000).sum(), lambda: None, kernel="", size="", peer="", tier="numpy", rounds=3)
    if pair.candidate_peak_bytes is None:
        pytest.skip("this system does not tell the peak of the resident set")
    assert 24e6 < pair.candidate_peak_bytes < 64e6  # one array of 32 MB


def test_a_wrong_answer_has_no_speed() -> None:
    def differ(ours: object, theirs: object) -> None:
        assert ours == theirs

    with pytest.raises(AssertionError):
        measure(lambda: 1, lambda: 2, kernel="", size="", peer="", tier="numpy", agree=differ)


def test_compare_names_the_kernel_that_got_slower_and_exits_1(tmp_path: Path) -> None:
    base, new = written(tmp_path / "base.json", RUN), written(tmp_path / "new.json", faster_by(RUN, 0.8))
    outcome = CliRunner().invoke(bench, ["compare", base, new, "--fail-slower", "10%"])
    assert outcome.exit_code == 1
    assert "circle (50 × 3600) [fast] against scipy least_squares: 25.0 %" in outcome.stderr


def test_compare_passes_where_nothing_got_slower_than_allowed(tmp_path: Path) -> None:
    base, new = written(tmp_path / "base.json", RUN), written(tmp_path / "new.json", faster_by(RUN, 0.95))
    assert CliRunner().invoke(bench, ["compare", base, new]).exit_code == 0


def test_compare_says_what_is_wrong_with_a_file_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    outcome = CliRunner().invoke(bench, ["compare", str(tmp_path / "x.json"), str(tmp_path / "x.json")])
    assert "holds a list, expected the JSON object" in str(outcome.exception)


def test_a_percentage_that_is_none_is_refused(tmp_path: Path) -> None:
    base = written(tmp_path / "base.json", RUN)
    outcome = CliRunner().invoke(bench, ["compare", base, base, "--fail-slower", "soon"])
    assert outcome.exit_code == 2
    assert "is not a percentage" in outcome.stderr


def test_the_report_is_one_page_with_history_and_nothing_from_outside(tmp_path: Path) -> None:
    written(tmp_path / "a.json", RUN)
    written(tmp_path / "b.json", replace(faster_by(RUN, 1.5), begun="2026-02-01T00:00:00"))
    page, table = tmp_path / "page.html", tmp_path / "RESULTS.md"
    outcome = CliRunner().invoke(bench, ["report", str(tmp_path), "--out", str(page), "--results", str(table)])
    assert outcome.exit_code == 0, outcome.output
    text = page.read_text(encoding="utf-8")
    assert "150 → 225" in text  # the history, oldest first
    assert "&lt;b&gt; is missing" in text and "<b>" not in text
    assert "http" not in text and "src=" not in text
    assert table.read_text(encoding="utf-8") == markdown(replace(faster_by(RUN, 1.5), begun="2026-02-01T00:00:00"))


def test_results_say_of_a_gpu_only_that_it_was_not_measured() -> None:
    text = markdown(RUN)
    assert text.split("## On a GPU")[1].split("##")[0].strip() == "not measured"
    assert "≥ 350 missed" in text
    assert "1e-12 met" in text
