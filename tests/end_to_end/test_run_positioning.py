"""`precision run positioning` on the virtual lab, over the real protocols, and what it leaves behind."""

import json
import sys
from pathlib import Path

import pytest

from precision.runs.compare import difference
from precision.runs.directory import RunDirectory

SMALL = ("--set", "targets.count=5", "--set", "cycle.runs=2", "--set", "axis.end=300 mm")


def _runs(folder: Path) -> list[RunDirectory]:
    return [RunDirectory.open(path.parent) for path in sorted(folder.glob("*/manifest.json"), key=lambda path: path.stat().st_mtime_ns)]


def test_the_main_job_prints_figures_with_uncertainty_and_leaves_a_whole_run(precision, tmp_path: Path) -> None:
    out = precision("run", "positioning", "--seed", "7").stdout
    assert "11 targets × 5 runs × 2 directions = 110 points" in out
    assert "expected time" in out
    assert "110 of 110 points" in out
    assert "U (k = 2)" in out
    (run,) = _runs(tmp_path / "runs")
    assert {path.name for path in run.path.iterdir()} == {"manifest.json", "capture.arrows", "events.jsonl", "result.json", "report.html", "truth.json"}
    assert str(run.report_path) in out.replace("\n", "")
    assert run.manifest.status == "COMPLETE"
    readings = run.readings().columns
    assert (readings["outcome"] == 1).sum() == 110
    for column in ("air_temperature_k", "air_pressure_pa", "relative_humidity", "material_temperature_k"):
        assert (readings[column] > 0).all(), "the environment is read with every reading, before and after"
    figures = run.read_result()["result"]["figures"]
    assert all(figure["value"] is not None and figure["uncertainty"] > 0 for figure in figures.values())
    assert "whole" in precision("runs", "verify", "last").stdout
    assert run.name in precision("runs", "list").stdout
    assert precision("runs", "path", "last").stdout.strip() == str(run.path)
    assert "A" in precision("runs", "show", "last").stdout
    assert precision("runs", "reindex").stdout.startswith("1 runs")


def test_the_devices_were_spoken_to_over_their_real_transports(precision, tmp_path: Path) -> None:
    precision("run", "positioning", *SMALL)
    (run,) = _runs(tmp_path / "runs")
    instruments = run.manifest.instruments
    assert instruments["controller"].address.startswith("serial:///dev/" if sys.platform != "win32" else "tcp://")
    assert instruments["interferometer"].address.startswith("tcp://127.0.0.1:")
    assert instruments["environment"].address.startswith("visa://TCPIP::127.0.0.1::")
    assert all(instrument.identity for instrument in instruments.values())


def test_the_same_seed_gives_the_same_readings_whatever_the_pace_the_polling_and_the_transport(precision, tmp_path: Path) -> None:
    precision("run", "positioning", "--seed", "7", *SMALL)
    precision("run", "positioning", "--seed", "7", *SMALL)
    precision("run", "positioning", "--seed", "7", *SMALL, "--time-scale", "40")
    precision("run", "positioning", "--seed", "7", *SMALL, "--time-scale", "40", "--set", "devices.controller.options.poll_interval_s=0.01")
    precision("run", "positioning", "--seed", "7", *SMALL, "--set", "simulation.controller=tcp")
    first, *others = _runs(tmp_path / "runs")
    assert len(others) == 4
    for other in others:
        same = difference(first, other, ignored_sections=("simulation", "devices"))
        assert same.identical, str(same)
        assert same.readings > 300
        assert same.numbers > 100


def test_another_seed_gives_another_machine(precision, tmp_path: Path) -> None:
    precision("run", "positioning", "--seed", "1", *SMALL)
    precision("run", "positioning", "--seed", "2", *SMALL)
    assert not difference(*_runs(tmp_path / "runs")).identical


def test_reproduce_runs_it_again_and_finds_nothing_that_differs(precision) -> None:
    precision("run", "positioning", *SMALL)
    out = precision("reproduce", "last").stdout
    assert "are the same" in out
    assert "bit for bit" in out


def test_a_damaged_run_is_refused_before_the_machine_runs_again(precision, tmp_path: Path) -> None:
    precision("run", "positioning", *SMALL)
    (capture,) = (tmp_path / "runs").glob("*/capture.arrows")
    damaged = bytearray(capture.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    capture.write_bytes(damaged)
    assert "runs recover" in precision("reproduce", "last", code=6).stderr
    assert not (tmp_path / "runs" / "reproductions").exists()


def test_an_imported_recording_cannot_be_reproduced_and_says_why(precision, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("run,direction,target_mm,actual_mm\n1,+,0,0\n1,+,9,9\n", encoding="utf-8")
    precision("analyze", "a.csv")
    assert "not measured on the virtual lab" in precision("reproduce", "last", code=6).stderr


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("axis.end=1200 mm", "soft limits"),
        ("axis.start=2 mm", "soft limits"),
        ("cycle.overshoot=50 mm", "soft limits"),
        ("axis.feed=90 m/min", "the controller allows"),
        ("axis.name=W", "no axis W"),
    ],
)
def test_what_the_machine_does_not_allow_is_refused_before_the_first_move(precision, tmp_path: Path, setting: str, said: str) -> None:
    done = precision("run", "positioning", "--set", setting, code=5)
    assert said in done.stderr
    assert "Nothing was moved" in done.stderr
    assert not _runs(tmp_path / "runs"), "homing is the first move: what is refused before it leaves no run"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("instrument.sign=-",), "instrument.sign"),
        (("axis.name=Y", "axis.end=590 mm"), "axis 0 of the interferometer does not look along Y"),
    ],
)
def test_an_interferometer_that_looks_elsewhere_stops_the_run(precision, tmp_path: Path, settings: tuple[str, ...], said: str) -> None:
    done = precision("run", "positioning", *(part for setting in settings for part in ("--set", setting)), code=3)
    assert said in done.stderr
    (run,) = _runs(tmp_path / "runs")
    assert run.manifest.status == "ABORTED"


def test_the_other_axes_are_measured_with_their_own_beam_and_thermometer(precision, tmp_path: Path) -> None:
    settings = ("axis.name=Y", "axis.end=590 mm", "instrument.axis=1", "devices.environment.options.material_channel=105", *SMALL[1::2][:2])
    precision("run", "positioning", *(part for setting in settings for part in ("--set", setting)))
    (run,) = _runs(tmp_path / "runs")
    assert 1e-6 < run.read_result()["result"]["figures"]["E"]["value"] < 60e-6


def test_what_was_measured_cannot_be_replanned(precision) -> None:
    precision("run", "positioning", *SMALL)
    assert "cannot be changed after the fact" in precision("analyze", "last", "--set", "cycle.runs=3", code=2).stderr


def test_an_edited_result_is_found(precision, tmp_path: Path) -> None:
    precision("run", "positioning", *SMALL)
    (run,) = _runs(tmp_path / "runs")
    assert "result and report are those of the raw data" in precision("runs", "verify").stdout
    report = run.report_path.read_text(encoding="utf-8")
    run.report_path.write_text(report.replace("Conforms", "Perfect"), encoding="utf-8")
    assert "report.html is not what this program makes" in precision("runs", "verify", code=6).stderr
    precision("analyze", "last")
    precision("runs", "verify")


def test_a_step_cycle_is_not_for_acceptance_whatever_its_figures(precision) -> None:
    out = precision("run", "positioning", *SMALL, "--set", "cycle.type=step", code=1).stdout
    assert "Not for acceptance" in out


def test_limits_decide_the_exit_code(precision) -> None:
    done = precision("run", "positioning", *SMALL, "--set", "limits.A=1 µm", code=1)
    assert "does not conform" in done.stdout.lower()


def test_without_stated_contributors_no_uncertainty_is_made_up(precision, tmp_path: Path) -> None:
    plan = precision("plan", "show", "positioning").stdout
    begin, end = plan.index("\n[uncertainty]"), plan.index("\n[limits]")
    (tmp_path / "mine.toml").write_text(plan[:begin] + plan[end:], encoding="utf-8")
    done = precision("run", "mine.toml", *SMALL, code=1)
    figures = _runs(tmp_path / "runs")[0].read_result()["result"]["figures"]
    assert all(figure["uncertainty"] is None and figure["uncertainty_reason"] for figure in figures.values())
    assert "lacks device_calibration" in done.stdout.replace("\n", " ")


def test_corrections_can_be_switched_off_and_the_report_says_so(precision, tmp_path: Path) -> None:
    precision("run", "positioning", *SMALL)
    precision("analyze", "last", "--set", "evaluation.refractive_index=off", "--set", "evaluation.normalise_to_20_degrees=false", code=1)
    (run,) = _runs(tmp_path / "runs")
    changed = json.loads(next(run.path.glob("result-changed-*.json")).read_text(encoding="utf-8"))
    assert "No wavelength compensation" in changed["corrections"][0]
    assert "not corrected to 20 °C" in changed["corrections"][1]
    own = run.read_result()["result"]["figures"]
    # 290 mm in air of n − 1 = 267 ppm: the length reads 77 µm long without compensation.
    assert changed["result"]["figures"]["E"]["value"] > own["E"]["value"] + 50e-6


@pytest.mark.parametrize(("form", "name"), [("csv", "readings.csv"), ("parquet", "readings.parquet"), ("mat", "readings.mat")])
def test_raw_data_are_exported(precision, tmp_path: Path, form: str, name: str) -> None:
    precision("run", "positioning", *SMALL)
    out = precision("export", "last", "--to", form).stdout
    assert name in out
    assert next((tmp_path / "runs").glob(f"*/{name}")).stat().st_size > 1000


def test_a_real_machine_does_not_move_without_being_asked(precision, tmp_path: Path) -> None:
    addresses = [f"--set=devices.{role}.address=tcp://127.0.0.1:9" for role in ("controller", "interferometer", "environment")]
    done = precision("run", "positioning", *addresses, code=2)
    assert "--yes" in done.stderr
    done = precision("run", "positioning", *addresses, "--yes", code=3)
    assert "127.0.0.1:9" in done.stderr


def test_the_doctor_knows_what_is_missing(precision) -> None:
    out = precision("doctor").stdout
    for part in ("Python", "numpy", "VISA", "GPU", "serial"):
        assert part in out


def test_ports_and_drivers_are_listed_without_asking_the_network(precision) -> None:
    assert "@py" in precision("devices", "ports").stdout
    out = precision("devices", "drivers").stdout
    for name in ("grbl", "ids3010", "scpi"):
        assert name in out
