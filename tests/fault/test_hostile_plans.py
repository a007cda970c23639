"""Plans, options and settings that are wrong: each is refused before anything is opened, with its name and what is allowed."""

from __future__ import annotations

import signal

import pytest
from click.testing import CliRunner

from precision import plan as plans
from precision.benchmarks import guard
from precision.benchmarks.plan_files import checked
from precision.benchmarks.positioning import preview
from precision.benchmarks.positioning_plan import Parameters
from precision.drivers.transport import VisaTransport, open_transport
from precision.errors import PlanError


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
