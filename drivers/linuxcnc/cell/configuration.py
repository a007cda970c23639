"""The controller's configuration files for a machine of `mechanics`: text, nothing else."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from . import mechanics
from .mechanics import Axis, Volume

NEUTRAL_TABLE: Final = "0 0 0\n"
"""A compensation table of one point that corrects nothing (the controller needs the file to be there)."""
OFFSET_AV_RATIO: Final = 0.1
_MM: Final = 1e3


def configuration(rig: str, *, servo_period_s: float) -> dict[str, str]:
    """File name -> text of everything that `linuxcnc rig.ini` needs."""
    axes = mechanics.RIGS[rig]
    tables = {_table(name): NEUTRAL_TABLE for name in axes}
    texts = {"rig.ini": _ini(rig, axes, servo_period_s), "rig.tcl": _packaged("rig.tcl"), "rig.tbl": "T1 P1 D1 ;\n", **tables}
    return texts | ({"volume.tcl": _packaged("volume.tcl")} if rig in mechanics.VOLUMES else {})


def helper() -> dict[str, str]:
    """The programs beside the controller, as files beside the configuration: one streams servo cycles, one corrects the volume."""
    return {name: files("precision.drivers.linuxcnc").joinpath(name).read_text(encoding="utf-8") for name in ("stream.py", "correction.py")}


def _packaged(name: str) -> str:
    return files("precision.drivers.linuxcnc.cell").joinpath(name).read_text(encoding="utf-8")


def _table(axis: str) -> str:
    return f"comp_{axis.lower()}.txt"


def _ini(rig: str, axes: dict[str, Axis], servo_period_s: float) -> str:
    feed, acceleration = mechanics.MAX_FEED_M_PER_S * _MM, mechanics.MAX_ACCELERATION_M_PER_S2 * _MM
    lines = [
        *_section("EMC", VERSION="1.1", MACHINE=f"precision-{rig}", DEBUG=0),
        *_section("DISPLAY", DISPLAY="linuxcncrsh --port 5007", CYCLE_TIME=0.01),
        *_section("TASK", TASK="milltask", CYCLE_TIME=0.001),
        *_section("RS274NGC", PARAMETER_FILE="rig.var", RS274NGC_STARTUP_CODE="G17 G21 G40 G49 G54 G61 G80 G90 G94"),
        # COMM_TIMEOUT: a computer that stalls for some seconds must not end a program (by default 1 s).
        *_section("EMCMOT", EMCMOT="motmod", COMM_TIMEOUT=60, SERVO_PERIOD=round(servo_period_s * 1e9)),
        *_section("EMCIO", EMCIO="io", CYCLE_TIME=0.01, TOOL_TABLE="rig.tbl"),
        *_section("HAL", HALFILE="rig.tcl"),
        *_section(
            "TRAJ", COORDINATES="".join(axes), LINEAR_UNITS="mm", ANGULAR_UNITS="degree", DEFAULT_LINEAR_VELOCITY=feed / 2, MAX_LINEAR_VELOCITY=feed,
            DEFAULT_LINEAR_ACCELERATION=acceleration, MAX_LINEAR_ACCELERATION=acceleration,
        ),
        *_section("KINS", KINEMATICS=f"trivkins coordinates={''.join(axes)}", JOINTS=len(axes)),
    ]
    for joint, (name, axis) in enumerate(axes.items()):
        low, high = (value * _MM for value in axis.travel_m)
        # What external offsets may use of velocity and acceleration is taken from the path's.
        ratio = {"OFFSET_AV_RATIO": OFFSET_AV_RATIO} if rig in mechanics.VOLUMES else {}
        lines += _section(f"AXIS_{name}", MIN_LIMIT=low, MAX_LIMIT=high, MAX_VELOCITY=feed, MAX_ACCELERATION=acceleration, **ratio)
        lines += _section(
            f"JOINT_{joint}", TYPE="LINEAR", MIN_LIMIT=low - 0.1, MAX_LIMIT=high + 0.1, MAX_VELOCITY=1.2 * feed, MAX_ACCELERATION=1.5 * acceleration,
            # The following error that stops the machine: at full feed, and at standstill.
            FERROR=5, MIN_FERROR=2, BACKLASH=0, COMP_FILE=_table(name), COMP_FILE_TYPE=0,
            # No switches: the axis is referenced where it stands.
            HOME=0, HOME_OFFSET=0, HOME_SEARCH_VEL=0, HOME_LATCH_VEL=0, HOME_SEQUENCE=0,
        )  # fmt: skip
    lines += _section("PLANT", **_plant(axes))
    if rig in mechanics.VOLUMES:
        lines += _section("VOLUME", **_volume(mechanics.VOLUMES[rig]))
    return "\n".join(lines) + "\n"


def _plant(axes: dict[str, Axis]) -> dict[str, str | float]:
    """What rig.tcl makes the mechanics of, in mm; see there."""
    plant: dict[str, str | float] = {
        "AXES": " ".join(name.lower() for name in axes), "VELOCITY_LOOP_HZ": mechanics.VELOCITY_LOOP_HZ, "SETTLE_S": mechanics.SETTLE_S,
        "WINDOW_S": mechanics.WINDOW_S,
    }  # fmt: skip
    for name, axis in axes.items():
        narrowest = min(axis.lost_m)
        plant |= {
            f"AT_{name}": _numbers(axis.at_m), f"SCREW_{name}": _numbers(axis.screw_m), f"LOST_{name}": repr(narrowest * _MM),
            # What the lost motion is wider than that, on each side.
            f"WIDER_{name}": _numbers(tuple((lost - narrowest) / 2 for lost in axis.lost_m)),
            f"MODE_HZ_{name}": axis.mode_hz, f"MODE_Q_{name}": axis.mode_q, f"DRIFT_{name}": repr(axis.drift_m * _MM), f"DRIFT_HZ_{name}": axis.drift_hz,
            f"VIBRATION_{name}": repr(axis.vibration_m * _MM), f"VIBRATION_HZ_{name}": axis.vibration_hz, f"GAIN_{name}": axis.gain_per_s,
            f"FEED_FORWARD_{name}": axis.feed_forward, f"ENCODER_{name}": repr(axis.encoder_m * _MM),
        }  # fmt: skip
    return plant


def _volume(volume: Volume) -> dict[str, str | float]:
    """What volume.tcl makes of the 21 errors, in mm and rad; see there."""
    entries: dict[str, str | float] = {
        "PRODUCTS": " ".join(f"{component}:{rotation}:{axis}:{lever}:{sign:+d}".lower() for component, rotation, axis, lever, sign in volume.products())
    }
    for axis in volume.at_m:
        entries[f"AT_{axis}"] = _numbers(volume.at_m[axis])
        entries |= {f"SLIDE_{letter}{axis}": _numbers(tuple(volume.slide_m(letter, axis))) for letter in "XYZ"}
        entries |= {f"TURN_{letter}{axis}": " ".join(f"{value:.9g}" for value in volume.errors[f"E{letter}{axis}"]) for letter in "ABC"}
    return entries


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value * _MM:.9g}" for value in values)


def _section(name: str, **entries: str | float) -> list[str]:
    return [f"[{name}]", *(f"{key} = {value}" for key, value in entries.items()), ""]
