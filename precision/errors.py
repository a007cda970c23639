"""The errors a person can get, and the exit code each ends with.

    PrecisionError
    ├── PlanError          2   the plan or the command line is wrong; nothing moved
    ├── DeviceError        3   a device did not do what it should
    │   ├── LinkLost           no answer, or the connection is gone
    │   ├── ProtocolError      an answer that the protocol does not allow
    │   ├── DeviceFault        the device reports an alarm or refuses
    │   └── BeamLost           the interferometer has no valid signal
    ├── Aborted            4   a person stopped it
    ├── SafetyStop         5   the machine was stopped to protect it
    └── DataError          6   the data are incomplete, damaged or not what they claim

Exit 0 is passed; 1 is measured and out of limits (or slower than allowed); 130 and 143 follow SIGINT and SIGTERM.
Each message names the thing, what was seen, what was expected, and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence

PASSED = 0
OUT_OF_LIMITS = 1


class PrecisionError(Exception):
    """Anything that this package reports to a person."""

    exit_code = 70


class PlanError(PrecisionError):
    """The plan or the command line is wrong. Nothing was moved.

    `faults` lists every fault at once, one line each: path in the plan, what was seen, what is allowed.
    """

    exit_code = 2

    def __init__(self, message: str, faults: Sequence[str] = ()) -> None:
        super().__init__("\n".join([message, *(f"  {fault}" for fault in faults)]))
        self.faults = tuple(faults)


class DeviceError(PrecisionError):
    """A device did not do what it should."""

    exit_code = 3


class LinkLost(DeviceError):
    """No answer within the deadline, or the connection is gone."""


class ProtocolError(DeviceError):
    """An answer that the protocol does not allow: garbage, half a line, an odd number, an answer to another question."""


class DeviceFault(DeviceError):
    """The device reports an alarm, an error code, or refuses."""


class BeamLost(DeviceError):
    """The interferometer has no valid signal; its count is not to be trusted until it is referenced again."""


class Aborted(PrecisionError):
    """A person stopped it."""

    exit_code = 4


class SafetyStop(PrecisionError):
    """The machine was stopped, or not started, to protect it."""

    exit_code = 5


class DataError(PrecisionError):
    """The data are incomplete, damaged, or not what they claim to be."""

    exit_code = 6
