"""How a data-acquisition switch unit of the 34970A kind talks. What its channels see is behind `Sensors`.

Understood, in long or short form and any case: `*IDN? *RST *CLS *ESE n *ESE? *OPC?`, `SYSTem:ERRor?`, `UNIT:TEMPerature C,(@ch)`,
`UNIT:TEMPerature? (@ch)`, `MEASure:TEMPerature? [probe,type,](@ch)`, `MEASure[:VOLTage]:DC? [range,](@ch)`. Scans go in ascending channel
order, as on the instrument.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Final, Protocol

from . import codec

_HEADERS: Final = (
    (re.compile(r"MEAS(?:URE)?:TEMP(?:ERATURE)?\?"), "temperature"),
    (re.compile(r"MEAS(?:URE)?(?::VOLT(?:AGE)?)?:DC\?"), "voltage"),
    (re.compile(r"UNIT:TEMP(?:ERATURE)?\?"), "unit?"),
    (re.compile(r"UNIT:TEMP(?:ERATURE)?"), "unit"),
    (re.compile(r"SYST(?:EM)?:ERR(?:OR)?\?"), "error?"),
    (re.compile(r"\*(?:IDN|ESE|OPC)\?|\*(?:RST|CLS|ESE)"), "common"),
)
_CHANNELS: Final = re.compile(r"\(@(\d{1,4}(?::\d{1,4})?(?:,\d{1,4}(?::\d{1,4})?){0,63})\)")
_ERRORS: Final = {
    -109: "Missing parameter", -113: "Undefined header", -222: "Data out of range", -224: "Illegal parameter value",
    -350: "Queue overflow", -363: "Input buffer overrun",
}
_QUEUE: Final = 20


class Sensors(Protocol):
    """What is wired to the channels."""

    def read(self, channel: int) -> float:
        """The channel's value now in its unit on the wire: °C for temperatures, V for voltages. Infinite: an open sensor."""
        ...


class _Refused(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


class ScpiSimulator:
    """A switch unit with a scanner card.

    channels : the channels that exist.
    """

    def __init__(
        self, sensors: Sensors, *, channels: tuple[int, ...] = (101, 102, 103, 104),
        identity: str = "PRECISION,VIRTUAL-DAQ,SIM-0001,1.0",
    ) -> None:
        self.sensors = sensors
        self.channels = channels
        self.identity = identity
        self._buffer = b""
        self._errors: deque[int] = deque()
        self._event_enable = 0

    def receive(self, data: bytes) -> bytes:
        """Bytes from the client; returns the answers, one line for each line with queries."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > codec.LINE_BYTES:
            self._buffer = b""
            self._error(-363)
        return b"".join(self._line(line) for line in lines)

    def hang_up(self) -> None:
        """The client is gone: a line that it did not finish is forgotten."""
        self._buffer = b""

    def _line(self, line: bytes) -> bytes:
        if len(line) > codec.LINE_BYTES:
            self._error(-363)
            return b""
        answers = []
        for part in line.decode("ascii", "replace").strip().split(";"):
            command = part.strip().removeprefix(":").upper()
            if not command:
                continue
            try:
                answer = self._command(command)
            except _Refused as refused:
                self._error(refused.code)
                break  # the rest of the line is not executed
            if answer is not None:
                answers.append(answer)
        return (";".join(answers) + "\n").encode("ascii") if answers else b""

    def _command(self, command: str) -> str | None:
        header, _, parameters = command.partition(" ")
        kind = next((kind for pattern, kind in _HEADERS if pattern.fullmatch(header)), None)
        match kind:
            case "temperature" | "voltage":
                return ",".join(codec.reading(self.sensors.read(channel)) for channel in self._scan(parameters))
            case "unit?":
                return ",".join("C" for _ in self._scan(parameters))
            case "unit":
                if parameters.partition(",")[0].strip() not in ("C", "CEL"):
                    raise _Refused(-224)
                self._scan(parameters)
                return None
            case "error?":
                if not self._errors:
                    return '+0,"No error"'
                code = self._errors.popleft()
                return f'{code:+d},"{_ERRORS[code]}"'
            case "common":
                return self._common(header, parameters.strip())
            case _:
                raise _Refused(-113)

    def _common(self, header: str, parameters: str) -> str | None:
        match header:
            case "*IDN?":
                return self.identity
            case "*OPC?":
                return "1"
            case "*ESE?":
                return f"{self._event_enable:+d}"
            case "*ESE":
                if not re.fullmatch(r"[0-9]{1,3}", parameters) or int(parameters) > 255:
                    raise _Refused(-222 if parameters else -109)
                self._event_enable = int(parameters)
            case _:  # *RST and *CLS
                self._errors.clear()
        return None

    def _scan(self, parameters: str) -> list[int]:
        """The channel list at the end of the parameters, ascending."""
        at = parameters.find("(")
        match = _CHANNELS.fullmatch(parameters[at:].replace(" ", "")) if at >= 0 else None
        if match is None:
            raise _Refused(-109)
        wanted: set[int] = set()
        for item in match[1].split(","):
            first, _, last = item.partition(":")
            wanted.update(range(int(first), int(last or first) + 1))
        if not wanted or not wanted <= set(self.channels):
            raise _Refused(-222)
        return sorted(wanted)

    def _error(self, code: int) -> None:
        if len(self._errors) >= _QUEUE:
            self._errors[-1] = -350
        else:
            self._errors.append(code)
