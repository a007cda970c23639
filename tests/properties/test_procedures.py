"""Execution knows nothing of a procedure but its `Procedure`: a small one of a test's own runs, is kept, judged again, compared, and refused what it cannot do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest

from precision import benchmarks
from precision.benchmarks import comparing_figures, streaming_bench
from precision.benchmarks.execution import evaluated, execute, first_part
from precision.benchmarks.plan_files import runnable
from precision.benchmarks.positioning_evaluation import Analysis
from precision.benchmarks.procedure import (
    Connected,
    Evaluation,
    Outlook,
    Procedure,
    Readings,
    Sink,
    block,
    procedure_named,
)
from precision.benchmarks.runnable import Runnable
from precision.errors import DataError, DeviceFault, PlanError
from precision.figures import Figure
from precision.plan import Device, DeviceSet, Note
from precision.report.document import Document, FigureTable
from precision.runs.capture import Column
from precision.runs.directory import RunDirectory, run_folders
from precision.runs.manifest import Instrument, Manifest

COLUMNS = (Column("t_mono_ns", "i8", "ns", wall_clock=True), Column("phase", "i8", ""), Column("event", "i8", ""), Column("t_s", "f8", "s"), Column("level_m", "f8", "m"))
STREAM, EVENT = 0, 1


class Devices(DeviceSet):
    gauge: Device = Device(driver="frames", address="tcp://127.0.0.1:9")


class Wobble(Runnable):
    procedure: Literal["wobble"] = "wobble"
    title: Note = "Wobble"
    devices: Devices = Devices()
    samples: int = 100_000
    fails: bool = False


class Controller:
    """Stops, and remembers."""

    def __init__(self) -> None:
        self.stops = 0

    def stop(self) -> None:
        self.stops += 1


CONTROLLERS: list[Controller] = []


@contextmanager
def connect(plan: Wobble) -> Iterator[Connected[SimpleNamespace]]:
    CONTROLLERS[:] = [Controller(), Controller()]
    instruments = {"gauge": Instrument(driver="frames", address="tcp://127.0.0.1:9", identity="a gauge")}
    yield Connected(rig=SimpleNamespace(), instruments=instruments, moving=tuple(CONTROLLERS), lab=SimpleNamespace(truth=lambda: {"wobble_m": 1e-6}))  # type: ignore[arg-type]


def acquire(plan: Wobble, rig: SimpleNamespace, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    time_s = np.arange(plan.samples) * 1e-5
    sink.append_and_wait(block(COLUMNS, phase=STREAM, t_s=time_s, level_m=1e-6 * np.sin(time_s)))
    sink.append_and_wait(block(COLUMNS, phase=EVENT, event=[3, 4], t_s=[0.1, 0.2]))
    progress(1, 1)
    if plan.fails:
        raise DeviceFault("the gauge fell off")


def evaluate(plan: Wobble, readings: Readings, manifest: Manifest, *, standard: str | None = None, stopped: str | None = None) -> Evaluation:
    value = float(np.ptp(readings["level_m"][readings["phase"] == STREAM]))
    figure = Figure(symbol="W", key="W", name="wobble", unit="m", value=value, uncertainty=1e-9)
    document = Document(title=plan.title, figures=(FigureTable.of("Results", [figure], headline=["W"]),), not_for_acceptance=stopped or "")
    return Evaluation(document=document, result={"W": value, "events": int((readings["phase"] == EVENT).sum())}, analysis=SimpleNamespace(W=value))


PROCEDURE = Procedure(
    name="wobble", title="how much it wobbles", model=Wobble, columns=lambda plan: COLUMNS, connect=connect, acquire=acquire, evaluate=evaluate,
    preview=lambda plan: Outlook(lines=(("wobble", "yes"),), envelope_m={}, duration_s=1.0, points=1, bytes=1 << 20),
)  # fmt: skip


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(benchmarks.ALL, "wobble", "wobble_procedure")
    monkeypatch.setitem(sys.modules, "wobble_procedure", SimpleNamespace(PROCEDURE=PROCEDURE))


def test_a_procedure_runs_and_its_run_is_judged_again(tmp_path: Path) -> None:
    outcome = execute(Wobble(), tmp_path)
    run = RunDirectory.open(outcome.run.path)
    assert run.manifest.status == "COMPLETE" and run.manifest.procedure == "wobble" and run.manifest.simulated
    assert run.read_truth() == {"wobble_m": 1e-6}
    result = run.read_result()
    assert (result["W"], result["events"]) == (outcome.analysis.W, 2)
    again = evaluated(run)
    assert again.analysis.W == outcome.analysis.W == pytest.approx(np.sin(0.99999) * 1e-6)
    columns = run.readings().columns
    assert columns["event"].tolist() == [-1] * 100_000 + [3, 4]
    assert np.isnan(columns["level_m"][-2:]).all() and (columns["t_mono_ns"] > 0).all()
    assert [controller.stops for controller in CONTROLLERS] == [0, 0]


def test_whatever_fails_stops_every_controller_and_keeps_what_was_read(tmp_path: Path) -> None:
    with pytest.raises(DeviceFault, match="fell off") as failed:
        execute(Wobble(fails=True), tmp_path)
    assert [controller.stops for controller in CONTROLLERS] == [1, 1]
    assert sum("confirms the standstill" in note for note in failed.value.__notes__) == 2
    (folder,) = run_folders(tmp_path)
    run = RunDirectory.open(folder)
    assert run.manifest.status == "ABORTED"
    assert run.read_result()["W"] > 0
    assert "the gauge fell off" in evaluated(run).document.not_for_acceptance


def test_runs_of_any_procedure_are_compared_by_their_figures(tmp_path: Path) -> None:
    first, second = execute(Wobble(), tmp_path), execute(Wobble(samples=50_000), tmp_path)
    comparison = comparing_figures.compare(first, second)
    assert comparison.changes["W"].verdict == "better" and comparison.judged == ("W",)
    assert comparison.changes["W"].uncertainty == pytest.approx(2**0.5 * 1e-9)
    assert any("different plans" in note for note in comparison.notes)
    assert comparing_figures.worse(comparing_figures.compare(second, first).changes, ("W",)) == ("W",)


def test_figures_without_u_are_neither_better_nor_worse() -> None:
    before, after = (Figure(key="W", symbol="W", name="width", value=value, unit="m") for value in (1e-6, 2e-6))
    change = comparing_figures._change(before, after)
    assert change.verdict == "not comparable" and change.difference == pytest.approx(1e-6) and "no U" in (change.reason or "")


def test_what_a_procedure_does_not_have_is_refused_in_words(tmp_path: Path) -> None:
    outcome = execute(Wobble(), tmp_path)
    with pytest.raises(PlanError, match="a wobble test is not resumed"):
        first_part(PROCEDURE, Wobble(), outcome.run)
    with pytest.raises(PlanError, match="it has one evaluation"):
        evaluated(outcome.run, standard="vdi3441")
    with pytest.raises(PlanError, match=r"samples cannot be changed after the fact\. What can: title, evaluation"):
        evaluated(outcome.run, settings=("samples=5",))
    with pytest.raises(DataError, match="is a run of 'wobble'"):
        outcome.analysis_as(Analysis, "a table for a controller is not made")


def test_a_name_that_is_no_procedure_is_refused_with_those_that_are() -> None:
    with pytest.raises(PlanError, match=r"'nothing' is not a procedure; allowed: .*positioning"):
        procedure_named("nothing")
    assert procedure_named("wobble") is PROCEDURE


def test_a_package_offers_a_procedure_as_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    offered: list[Any] = [SimpleNamespace(name="theirs", value="their_package:PROCEDURE", load=lambda: PROCEDURE)]
    monkeypatch.setattr(metadata, "entry_points", lambda group, name: [point for point in offered if group == "precision.benchmarks" and point.name == name])
    assert procedure_named("theirs") is PROCEDURE
    offered[0].load = lambda: Wobble
    with pytest.raises(PlanError, match="of the package 'their_package' is a ModelMetaclass"):
        procedure_named("theirs")


def test_a_plan_for_recordings_only_cannot_be_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys
    from dataclasses import replace

    judged = replace(PROCEDURE, preview=None, connect=None, acquire=None)
    monkeypatch.setitem(sys.modules, "wobble_procedure", SimpleNamespace(PROCEDURE=judged))
    plan = tmp_path / "wobble.toml"
    plan.write_text('procedure = "wobble"\n', encoding="utf-8")
    with pytest.raises(PlanError, match="measures nothing itself"):
        runnable(str(plan))
    with pytest.raises(PlanError, match="measures nothing itself"):
        execute(Wobble(), tmp_path)


@pytest.mark.parametrize(
    ("given", "said"), [({"speed": 1.0}, "no such column"), ({"t_s": [1.0, 2.0], "level_m": [1.0]}, "one length"), ({"t_s": [[1.0]]}, "one length")]
)
def test_rows_that_do_not_fit_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        block(COLUMNS, **given)


def test_scalars_alone_make_one_row() -> None:
    row = block(COLUMNS, phase=EVENT, level_m=1e-6)
    assert {name: column.shape for name, column in row.items()} == {column.name: (1,) for column in COLUMNS}
    assert row["event"][0] == -1 and np.isnan(row["t_s"][0])


@pytest.mark.parametrize(
    ("name", "takes"),
    [("frf", "an excitation"), ("frf-mimo", "an excitation"), ("step-response", "a set-point"), ("friction", "a set-point"), ("ilc", "a signal")],
)
def test_a_plant_that_only_streams_is_refused(name: str, takes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def only_a_stream(*_: object) -> Iterator[tuple[Any, dict[str, Instrument], None]]:
        yield SimpleNamespace(), {}, None

    monkeypatch.setattr(streaming_bench, "opened", only_a_stream)
    procedure = procedure_named(name)
    assert procedure.connect is not None
    with pytest.raises(PlanError, match=f"^devices.plant: a driver that takes {takes} is needed"), procedure.connect(procedure.model()):
        pass
