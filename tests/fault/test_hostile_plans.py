"""Plans, options and settings that are wrong: each is refused before anything is opened, with its name and what is allowed."""

from __future__ import annotations

import signal
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from precision import plan as plans
from precision.benchmarks import execution, guard
from precision.benchmarks.importing import import_positioning
from precision.benchmarks.plan_files import checked
from precision.benchmarks.positioning import APPROACH, MEASURED, ZERO, Rig, acquire, preview
from precision.benchmarks.positioning_evaluation import analyse
from precision.benchmarks.positioning_plan import Parameters
from precision.drivers.transport import VisaTransport, open_transport
from precision.errors import PlanError
from precision.models import air
from precision.runs.directory import RunDirectory, run_folders


@pytest.mark.parametrize("setting", [
    "axis.end=1001 m", "axis.feed=1e-300 m/s", "targets.resolution=1e-300 m", "cycle.overshoot=11 m", "instrument.dead_path=101 m",
    "instrument.vacuum_wavelength=1695 nm", "evaluation.co2=0.9 %", "evaluation.expansion_coefficient=0.01 1/K", "uncertainty.device_calibration=0.2 %",
    "uncertainty.air_index=2 %", "uncertainty.misalignment_range=1e9 m", "uncertainty.material_temperature_range=101 K",
    "uncertainty.expansion_coefficient_range=1 1/K", "uncertainty.mean_material_temperature=20 K", "uncertainty.environmental_variation=1e300 m",
    "limits.A=1e300 m", "seed=9223372036854775808", f"seed=0x{'f' * 5000}", f"seed={'9' * 5000}", f"machine.serial_number=0x{'f' * 5000}",
])  # fmt: skip
def test_a_value_beyond_reason_is_refused_with_its_name(setting: str) -> None:
    with pytest.raises(PlanError, match=setting.split("=")[0]):
        checked("positioning", [setting])


def test_integers_of_any_length_in_a_file_are_a_plan_error() -> None:
    for number in ("9" * 5000, "0x" + "f" * 5000):
        with pytest.raises(PlanError, match="64 bits"):
            plans.read(f"seed = {number}", name="mine.toml")
        with pytest.raises(PlanError, match="64 bits"):
            plans.read(f"[targets]\npositions = [[{number}]]", name="mine.toml")


def test_targets_that_coincide_after_rounding_are_refused() -> None:
    for settings in (["axis.start=0 mm", "axis.end=5 µm"], ["targets.resolution=100 mm"], ["axis.start=1.2 mm", "axis.end=1.8 mm", "targets.resolution=1 mm"]):
        with pytest.raises(PlanError, match=r"targets coincide at targets\.resolution"):
            checked("positioning", settings)


def test_targets_never_leave_the_line_through_a_coarse_resolution() -> None:
    plan = checked("positioning", ["axis.start=14 mm", "axis.end=996 mm", "targets.resolution=10 mm", "targets.random_offset=0 %"])
    assert isinstance(plan, Parameters)
    target_m = preview(plan).target_m
    assert target_m[0] == pytest.approx(20e-3) and target_m[-1] == pytest.approx(990e-3)


@pytest.mark.parametrize(("option", "said"), [
    ("controller.options.clock=abc", "unknown option clock; allowed are poll_interval_s"),
    ("controller.options.sleep=abc", "unknown option sleep"),
    ("controller.options.transport=abc", "unknown option transport"),
    ("controller.options.timeout_s=1e300", "timeout_s is '1e.300'; a number 0.001 … 600"),
    ("controller.options.timeout_s=-1", "a number"),
    ("controller.options.timeout_s=abc", "a number"),
    ("controller.options.timeout_s=true", "a number"),
    ("controller.options.poll_interval_s=-1", "a number"),
    ("interferometer.options.poll_interval_s=abc", "a number"),
    ("interferometer.options.sample_period_s=abc", "a number"),
    ("interferometer.options.axis=1.5", "an integer 0"),
    ("environment.options.air_channel=abc", "an integer 1"),
    ("environment.options.air_channel=102", "four different ones"),
    ("environment.options.probe=5", "FRTD,85"),
    ("environment.options.pressure=abc", "unknown option pressure"),
])  # fmt: skip
def test_an_option_that_a_driver_cannot_take_is_refused_when_the_plan_is_checked(option: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        checked("positioning", [f"devices.{option}"])


@pytest.mark.parametrize("address", ["tcp://a..b:23", f"tcp://{'a' * 64}.de:23", "tcp://.a:23"])
def test_a_host_that_no_resolver_takes_is_a_malformed_address(address: str) -> None:
    with pytest.raises(PlanError, match="1 to 63 characters"):
        open_transport(address)


def test_a_signal_while_a_visa_resource_opens_is_no_lost_link(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyvisa

    def interrupted(*arguments: object) -> None:
        raise guard.Interrupted(signal.SIGTERM)

    monkeypatch.setattr(pyvisa, "ResourceManager", interrupted)
    with pytest.raises(guard.Interrupted) as stopped:
        VisaTransport("visa://a::b", "a::b", timeout_s=1.0)
    assert stopped.value.exit_code == 143


@pytest.mark.parametrize("arguments", [["--tolerance", "inf"], ["--tolerance", "nan"], ["--time-scale", "nan"], ["--time-scale", "inf"]])
def test_reproduce_takes_finite_numbers_only(arguments: list[str]) -> None:
    from precision.cli.reproduce import reproduce

    assert CliRunner().invoke(reproduce, arguments).exit_code == 2


def _readings(plan: Parameters) -> dict[str, np.ndarray[Any, Any]]:
    """Columns of a run on a perfect machine at 20 °C whose interferometer reads lengths in vacuum, in air of 1013.25 hPa that changes a little."""
    ahead = preview(plan)
    index = [ahead.approaches[0].target_index, *(a.target_index for a in ahead.approaches)]
    rows = len(index)
    target_m = ahead.target_m[index]
    pressure_pa = 101_325.0 + 20 * np.linspace(0, 1, rows)
    n_air = air.ciddor(temperature_k=293.15, pressure_pa=pressure_pa, relative_humidity=0.5, wavelength_m=plan.instrument.vacuum_wavelength, co2_ratio=450e-6)
    dead_path_m = plan.instrument.dead_path
    return {
        "phase": np.array([ZERO, *[APPROACH] * (rows - 1)]),
        "outcome": np.array([0, *[MEASURED] * (rows - 1)]),
        "run": np.array([-1, *(a.run for a in ahead.approaches)]),
        "direction": np.array([-1, *(a.direction for a in ahead.approaches)]),
        "target_index": np.array(index),
        "target_m": target_m,
        "displacement_m": n_air * (target_m - target_m[0]) + (n_air - n_air[0]) * dead_path_m,
        "air_temperature_k": np.full(rows, 293.15),
        "air_pressure_pa": pressure_pa,
        "relative_humidity": np.full(rows, 0.5),
        "material_temperature_k": np.full(rows, 293.15),
    }


def _plan(*settings: str) -> Parameters:
    plan = checked("positioning", settings)
    assert isinstance(plan, Parameters)
    return plan


def test_an_uncorrected_refractive_index_is_in_the_uncertainty_of_every_figure() -> None:
    plan = _plan("evaluation.refractive_index=off", "uncertainty.environmental_variation=0 m", "instrument.dead_path=1 m")
    analysis = analyse(plan, _readings(plan))
    for key, figure in analysis.result.figures.items():  # the machine is perfect: every figure is an error
        assert figure.value is not None and figure.uncertainty is not None
        assert abs(figure.value) <= figure.uncertainty, key
    assert analysis.result.figures["E"].value == pytest.approx(0.98 * 267e-6, rel=0.03)
    assert analysis.budget is not None
    (row,) = [row for row in analysis.budget.rows if row.kind == "uncorrected" and row.uncertainty]
    assert row.name == "refractive index not corrected"
    assert row.uncertainty == pytest.approx(0.98 * 267e-6, rel=0.03)


def test_an_instrument_that_compensates_has_no_uncorrected_index_but_needs_the_uncertainty_of_its_own() -> None:
    plan = _plan("evaluation.refractive_index=off", "instrument.compensates_air=true")
    budget = analyse(plan, _readings(plan)).budget
    assert budget is not None and {row.symbol for row in budget.rows} >= {"U_AIR"} and "ΔL_n" not in {row.symbol for row in budget.rows}
    with pytest.raises(PlanError, match="applied twice"):
        checked("positioning", ["instrument.compensates_air=true"])


def test_air_that_tells_no_index_leaves_no_uncertainty_where_the_index_is_not_corrected() -> None:
    plan = _plan("evaluation.refractive_index=off")
    analysis = analyse(plan, {**_readings(plan), "air_pressure_pa": np.full(111, 1013.25)})
    assert analysis.budget is None and "pressure_pa is 1013.25" in str(analysis.budget_reason)


def test_a_compensated_index_without_its_uncertainty_leaves_no_uncertainty() -> None:
    plan = _plan()
    assert analyse(plan, _readings(plan)).budget is not None
    without = plan.model_copy(update={"uncertainty": plan.uncertainty.model_copy(update={"air_index": None})})
    analysis = analyse(without, _readings(plan))
    assert analysis.budget is None and str(analysis.budget_reason).endswith("lacks air_index")


def test_runs_in_one_direction_are_counted_where_they_were_made() -> None:
    plan = _plan()
    readings = _readings(plan)
    up = (readings["direction"] == 0) | (readings["phase"] == ZERO)
    analysis = analyse(plan, {name: column[up] for name, column in readings.items()})
    assert analysis.budget is not None and analysis.budget.runs == 5
    assert analysis.result.figures["R_up"].uncertainty and analysis.result.figures["A_up"].uncertainty


@pytest.mark.parametrize("setting", ["axis.kind=rotary", "axis.name=Y", 'axis={name="X", kind="rotary"}'])
def test_a_setting_cannot_turn_the_metres_of_a_file_into_radians(tmp_path: Path, setting: str) -> None:
    file = tmp_path / "x.csv"
    rows = [f"{t},{run},{side},{t + 0.001 * run}" for run in (1, 2) for side in ("up", "down") for t in (0, 100, 200)]
    file.write_text("\n".join(["# axis: X", "target [mm],run,direction,actual [mm]", *rows, ""]), encoding="utf-8")
    with pytest.raises(PlanError, match="the file says linear axis X"):
        import_positioning(file, tmp_path / "runs", settings=[setting])
    assert not (tmp_path / "runs").exists()
    assert import_positioning(file, tmp_path / "runs", settings=["axis.kind=linear"]).manifest.status == "COMPLETE"


def test_an_instrument_that_cannot_average_so_long_is_said_before_anything_moves() -> None:
    moved: list[str] = []
    controller = SimpleNamespace(homed=False, home=lambda: moved.append("home"), soft_limits=lambda: {"X": (-1.0, 2.0)}, max_feed=lambda: {})
    interferometer = SimpleNamespace(compensates_air=False, start=lambda: None, set_averaging=lambda asked_s: min(asked_s, 0.67))
    rig = Rig(controller, interferometer, SimpleNamespace())
    with pytest.raises(PlanError, match=r"cycle\.averaging is 60 s; the interferometer averages over 0\.67 s at most"):
        acquire(_plan("cycle.averaging=60 s"), rig, SimpleNamespace(), log=lambda event, **details: None)
    assert not moved


def test_a_signal_speaks_of_a_standstill_only_where_the_controller_confirmed_it() -> None:
    assert str(guard.Interrupted(signal.SIGINT)) == "stopped by SIGINT"
    controller = SimpleNamespace(stop=lambda: None)
    with pytest.raises(guard.Interrupted) as stopped, guard.machine_stops(controller, lambda event, **details: None, lambda: None):
        raise guard.Interrupted(signal.SIGTERM)
    assert stopped.value.__notes__ == ["the controller was told to stop and confirms the standstill"]


def test_ctrl_c_during_the_evaluation_ends_with_130_and_names_the_complete_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(run: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(execution, "evaluate", stopped)
    with pytest.raises(guard.Interrupted) as caught:
        execution.execute(_plan("targets.count=2", "cycle.runs=1"), tmp_path)
    assert caught.value.exit_code == 130
    assert "complete" in caught.value.__notes__[0] and "standstill" not in str(caught.value)
    (folder,) = run_folders(tmp_path)
    assert RunDirectory.open(folder).manifest.status == "COMPLETE"


def test_a_signal_while_the_devices_are_closed_names_the_complete_run_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closes = execution._connected

    @contextmanager
    def interrupted(plan: Parameters) -> Iterator[Any]:
        with closes(plan) as connected:
            yield connected
        raise guard.Interrupted(signal.SIGTERM)

    monkeypatch.setattr(execution, "_connected", interrupted)
    with pytest.raises(guard.Interrupted) as caught:
        execution.execute(_plan("targets.count=2", "cycle.runs=1"), tmp_path)
    assert caught.value.exit_code == 143 and "the test itself is complete" in caught.value.__notes__[0]


HANGS = {
    "power": '[axis]\nstart = "9**9**9**9 mm"',
    "word": "9" * 200_000,
    "dotted": "a." * 100_000 + "b = 1",
    "brackets": "a = " + "[" * 100_000,
    "tables": "[" + "a." * 100 + "b]\n" * 1000,
    "yaml": 'a: &a ["x","x"]\nb: &b [*a,*a]\nc: [*b,*b]',
    "quoted": 'title = "' + "x" * 250_000 + '"',
    "numbers": "seed = " + "9" * 200_000,
    "key": f'"{"k" * 200_000}" = 1',
    "keys": "\n".join(f"k{number} = 1" for number in range(20_000)),
}


@pytest.mark.parametrize("name", HANGS)
def test_a_plan_made_to_hang_is_refused_at_once(name: str) -> None:
    began = time.process_time()
    with pytest.raises(PlanError) as refused:
        plans.check(Parameters, plans.read(HANGS[name], name="hostile"), name="hostile")
    assert time.process_time() - began < 3.0
    assert len(str(refused.value)) < 20_000
    tracemalloc.start()
    with pytest.raises(PlanError):
        plans.check(Parameters, plans.read(HANGS[name], name="hostile"), name="hostile")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6


@pytest.mark.parametrize("setting", ["evaluation.window=1 s", "evaluation.dwell=1 s"])
def test_a_settling_criterion_longer_than_a_step_is_refused_before_anything_moves(setting: str) -> None:
    with pytest.raises(PlanError, match=rf"{setting.partition('=')[0]} must be shorter than staircase.hold"):
        checked("step-settle", [setting])


def test_a_key_of_several_kinds_is_named_as_it_stands_in_the_plan() -> None:
    with pytest.raises(PlanError, match=r"grid\.views: ") as refused:
        checked("self-calibration", ["grid.views=two"])
    assert "literal[" not in str(refused.value) and "tuple[" not in str(refused.value)


@pytest.mark.parametrize("feeds", ['["0 mm/min"]', '["-3000 mm/min"]', '["0 mm/min", "3000 mm/min"]'])
def test_a_circle_is_not_driven_at_no_feed(feeds: str) -> None:
    with pytest.raises(PlanError, match=r"circle\.feeds\.0: must be at least 1e-07 m/s"):
        checked("circular", [f"circle.feeds={feeds}"])


@pytest.mark.parametrize("radius", ["19 mm", "1001 mm"])
def test_a_bar_that_the_virtual_lab_lacks_is_told_before_a_run_begins(radius: str, tmp_path: Path) -> None:
    plan = checked("circular", [f"circle.radius={radius}"])
    with pytest.raises(PlanError, match=r"circle\.radius: .* bars from 20 mm to 1000 mm"):
        execution.execute(plan, tmp_path)


@pytest.mark.parametrize("test", ["spindle", "axis"])
def test_a_thermal_test_that_hardly_runs_is_refused_before_hours_of_cooling(test: str) -> None:
    with pytest.raises(PlanError, match=r"thermal\.running: 60 s hold fewer than 3 readings 60 s apart"):
        checked("thermal", [f"thermal.test={test}", "thermal.running=1 min"])
    checked("thermal", [f"thermal.test={test}", "thermal.running=3 min"])


def test_an_environment_is_recorded_for_any_share_of_the_time() -> None:
    checked("thermal", ["thermal.test=environment", "thermal.running=0 h"])


@pytest.mark.parametrize("centre", ["least squares", "minimum zone"])
def test_a_spindle_centre_without_its_chart_is_refused_before_it_is_measured(centre: str) -> None:
    with pytest.raises(PlanError, match=r"set evaluation\.chart_radius"):
        checked("spindle", [f"evaluation.centre={centre}"])
    checked("spindle", [f"evaluation.centre={centre}", "evaluation.chart_radius=20 mm"])
