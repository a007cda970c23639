"""Drivers, simulators and the virtual lab; import as precision.drivers.

A driver is found by role and name. Others' drivers are entry points of the group `precision.drivers`, named as they are asked for: a callable
`(address, **options)` that returns the device. One is loaded only when it is asked for.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from precision.errors import PlanError

if TYPE_CHECKING:
    from .roles import EnvironmentSensor, Interferometer, MotionController, Stream

CONTROLLERS: Final = {"grbl": "precision.drivers.grbl.driver:Grbl", "linuxcnc": "precision.drivers.linuxcnc.driver:connect"}
INTERFEROMETERS: Final = {"ids3010": "precision.drivers.ids3010.driver:Ids3010", "linuxcnc": "precision.drivers.linuxcnc.instruments:open_tool", "linuxcnc_tracker": "precision.drivers.linuxcnc.tracker:open_tracker"}
STREAMS: Final = {"frames": "precision.drivers.frames.driver:FrameStream", "linuxcnc": "precision.drivers.linuxcnc.instruments:open_stream", "linuxcnc_ballbar": "precision.drivers.linuxcnc.instruments:open_ball_bar"}
ENVIRONMENTS: Final = {"scpi": "precision.drivers.scpi.driver:ScpiEnvironment", "linuxcnc": "precision.drivers.linuxcnc.instruments:open_surroundings"}
CONNECT_THEMSELVES: Final = frozenset({"linuxcnc", "linuxcnc_ballbar", "linuxcnc_tracker"})
"""Drivers of ours that are given the address, not the open link: they need more than one."""
ENTRY_POINTS: Final = "precision.drivers"

_POLLING: Final = (float, 0.001, 60.0)
_WAITING: Final = (float, 0.001, 600.0)
_CHANNEL: Final = (int, 1, 9999)
_PROBE: Final = re.compile(r"[A-Z]{1,8}(?:,[A-Z0-9]{1,8})?", re.ASCII)
_CAPS: Final = {"max_feed_m_per_s": (float, 1e-9, 100.0), "max_acceleration_m_per_s2": (float, 1e-6, 1e4)}
OPTIONS: Final[dict[str, dict[str, tuple[type, float, float] | re.Pattern[str]]]] = {
    "grbl": {"poll_interval_s": _POLLING, "timeout_s": _WAITING, "stop_timeout_s": _WAITING, "settle_s": (float, 0.0, 60.0), **_CAPS},
    "ids3010": {
        "axis": (int, 0, 2), "sample_period_s": (float, 1e-9, 1.0), "min_contrast": (float, 0.0, 1.0), "timeout_s": _WAITING,
        "start_timeout_s": _WAITING, "poll_interval_s": _POLLING,
    },
    "frames": {"timeout_s": _WAITING},
    "linuxcnc_ballbar": {
        "plane": re.compile(r"XY|ZX|YZ"), "of": re.compile(r"tool|fb|cmd"), "first_m": (float, -100.0, 100.0), "second_m": (float, -100.0, 100.0),
        "radius_m": (float, 1e-3, 10.0), "timeout_s": _WAITING,
    },
    "linuxcnc_tracker": {"axis": (int, 0, 0), "timeout_s": _WAITING},
    "linuxcnc": {"axis": (int, 0, 8), "timeout_s": _WAITING, "standstill_m": (float, 1e-9, 1e-3), **_CAPS},
    "scpi": {
        "air_channel": _CHANNEL, "material_channel": _CHANNEL, "pressure_channel": _CHANNEL, "humidity_channel": _CHANNEL, "probe": _PROBE,
        "timeout_s": _WAITING,
    },
}
"""Driver -> option that a plan may set -> type, lowest and highest value; or the pattern of a text. What else a driver takes is for programs."""

_OF_ROLE: Final = {"linuxcnc": {"axis": "interferometer", "standstill_m": "controller", **dict.fromkeys(_CAPS, "controller")}}
"""Driver of several roles -> option -> the role it belongs to."""

_Role = TypeVar("_Role")


def open_controller(name: str, address: str, **options: Any) -> MotionController:
    """Connect to a motion controller.

    name : a key of `CONTROLLERS`, or an entry point.
    address : of the link (see `transport`).
    options : keyword arguments of the driver's class.

    Raises
    ------
    PlanError       an unknown driver or option, or a malformed address
    DeviceError     no answer, or not the device it should be
    """
    from .roles import MotionController

    return _open(name, address, options, CONTROLLERS, MotionController, "motion controller")  # type: ignore[type-abstract]


def open_interferometer(name: str, address: str, **options: Any) -> Interferometer:
    """Connect to an interferometer; as `open_controller`."""
    from .roles import Interferometer

    return _open(name, address, options, INTERFEROMETERS, Interferometer, "interferometer")  # type: ignore[type-abstract]


def open_environment(name: str, address: str, **options: Any) -> EnvironmentSensor:
    """Connect to environment sensors; as `open_controller`."""
    from .roles import EnvironmentSensor

    return _open(name, address, options, ENVIRONMENTS, EnvironmentSensor, "environment sensor")  # type: ignore[type-abstract]


def open_stream(name: str, address: str, **options: Any) -> Stream:
    """Connect to a stream of samples; as `open_controller`."""
    from .roles import Stream

    return _open(name, address, options, STREAMS, Stream, "stream")  # type: ignore[type-abstract]


def _open(name: str, address: str, options: Mapping[str, Any], table: Mapping[str, str], role: type[_Role], what: str) -> _Role:
    if name in table:
        from .transport import open_transport

        module, _, attribute = table[name].partition(":")
        driver = getattr(importlib.import_module(module), attribute)
        if faults := option_faults(what, name, options):
            raise PlanError("; ".join(faults))
        device = driver(address if name in CONNECT_THEMSELVES else open_transport(address), **options)
    else:
        device = _foreign(name, table, what)(address, **options)
    if not isinstance(device, role):
        if callable(close := getattr(device, "close", None)):
            close()
        raise PlanError(f"driver {name!r} is no {what}: it lacks one of its methods")
    return device


def option_faults(device: str, driver: str, options: Mapping[str, Any]) -> list[str]:
    """What is wrong with a driver's name and, where it is ours, its options, a sentence each. `device`: whose driver it is."""
    if driver not in OPTIONS:
        from importlib.metadata import entry_points

        foreign = entry_points(group=ENTRY_POINTS, name=driver)
        return [] if foreign else [f"{device}: there is no driver {driver[:40]!r}; ours are {', '.join(OPTIONS)}, others come as entry points {ENTRY_POINTS!r}"]
    of_role = _OF_ROLE.get(driver, {})
    allowed = {option: known for option, known in OPTIONS[driver].items() if device.endswith(of_role.get(option, ""))}
    faults = []
    for option, value in options.items():
        where = f"{device}, driver {driver}: option {option}"
        known = allowed.get(option)
        if known is None:
            faults.append(f"{device}, driver {driver}: unknown option {option[:80]}; allowed are {', '.join(allowed)}")
        elif isinstance(known, re.Pattern):
            if not isinstance(value, str) or not known.fullmatch(value):
                faults.append(f"{where} is {str(value)[:40]!r}; a text such as \"FRTD,85\" is expected")
        else:
            kind, low, high = known
            if not isinstance(value, int if kind is int else (int, float)) or isinstance(value, bool) or not low <= value <= high:
                faults.append(f"{where} is {str(value)[:40]!r}; {'an integer' if kind is int else 'a number'} {low:g} … {high:g} is expected")
    channels = [options.get(option, default) for option, default in _CHANNELS.items()] if driver == "scpi" else []
    if not faults and len(set(channels)) < len(channels):
        faults.append(f"{device}, driver {driver}: channels {', '.join(map(str, channels))}; four different ones are expected")
    return faults


_CHANNELS: Final = {"air_channel": 101, "material_channel": 102, "pressure_channel": 103, "humidity_channel": 104}


def _foreign(name: str, table: Mapping[str, str], what: str) -> Any:
    """A third party's driver, by its exact name."""
    from importlib.metadata import entry_points

    found = tuple(entry_points(group=ENTRY_POINTS, name=name))
    if len(found) != 1:
        why = "is not known" if not found else f"is offered by {len(found)} packages; remove all but one"
        raise PlanError(f"driver {name[:40]!r} of a {what} {why}; ours are {', '.join(table)}, others come as entry points {ENTRY_POINTS!r}")
    return found[0].load()
