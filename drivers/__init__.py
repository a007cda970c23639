"""Drivers, simulators and the virtual lab; import as precision.drivers.

A driver is found by role and name. Others' drivers are entry points of the group `precision.drivers`, named as they are asked for: a callable
`(address, **options)` that returns the device. One is loaded only when it is asked for.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from precision.errors import PlanError

if TYPE_CHECKING:
    from .roles import EnvironmentSensor, Interferometer, MotionController

CONTROLLERS: Final = {"grbl": "precision.drivers.grbl.driver:Grbl"}
INTERFEROMETERS: Final = {"ids3010": "precision.drivers.ids3010.driver:Ids3010"}
ENVIRONMENTS: Final = {"scpi": "precision.drivers.scpi.driver:ScpiEnvironment"}
ENTRY_POINTS: Final = "precision.drivers"

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


def _open(name: str, address: str, options: Mapping[str, Any], table: Mapping[str, str], role: type[_Role], what: str) -> _Role:
    if name in table:
        from .transport import open_transport

        module, _, attribute = table[name].partition(":")
        driver = getattr(importlib.import_module(module), attribute)
        allowed = [option for option in inspect.signature(driver).parameters if option != "transport"]
        unknown = sorted(set(options) - set(allowed))
        if unknown:
            raise PlanError(f"driver {name}: unknown option {', '.join(unknown)[:80]}; allowed are {', '.join(allowed)}")
        device = driver(open_transport(address), **options)
    else:
        device = _foreign(name, table, what)(address, **options)
    if not isinstance(device, role):
        if callable(close := getattr(device, "close", None)):
            close()
        raise PlanError(f"driver {name!r} is no {what}: it lacks one of its methods")
    return device


def _foreign(name: str, table: Mapping[str, str], what: str) -> Any:
    """A third party's driver, by its exact name."""
    from importlib.metadata import entry_points

    found = tuple(entry_points(group=ENTRY_POINTS, name=name))
    if len(found) != 1:
        why = "is not known" if not found else f"is offered by {len(found)} packages; remove all but one"
        raise PlanError(f"driver {name[:40]!r} of a {what} {why}; ours are {', '.join(table)}, others come as entry points {ENTRY_POINTS!r}")
    return found[0].load()
