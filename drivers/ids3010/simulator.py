"""How an attocube IDS3010 talks. What it sees is behind `Optics`.

Bytes in, bytes out. Nothing depends on the wall clock: "measurement starting" lasts a settable number of requests, of any kind.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, Protocol

from precision.errors import ProtocolError

from . import codec

SAMPLE_PERIOD_S: Final = 40e-9
"""One reading is averaged over 2^N of these; two published clients of the instrument say so."""
LARGEST_AVERAGE_N: Final = 24
IDLE, STARTING, RUNNING = "system idle", "measurement starting", "measurement running"

NOT_MEASURING, BEAM_LOST, BAD_ARGUMENT, WRONG_MODE = 401, 402, 403, 404
"""Error numbers: the simulator's own, since the instrument's are not published; `errorNumberToString` explains either."""
ERROR_TEXT: Final = {
    0: "No error", NOT_MEASURING: "Displacement measurement is not running", BEAM_LOST: "Signal lost: the beam was interrupted",
    BAD_ARGUMENT: "Argument out of range", WRONG_MODE: "Not possible in the current mode",
}
_METHOD_NOT_FOUND: Final = -32601
_INVALID_PARAMS: Final = -32602
_PARSE_ERROR: Final = -32700
_PENDING_BYTES: Final = 65_536


class Optics(Protocol):
    """What the interferometer sees; axis 0, 1, 2."""

    def displacement_pm(self, axis: int, averaging_s: float) -> int:
        """Displacement since `reset`, averaged over `averaging_s` of lab time that ends with the reading."""
        ...

    def reset(self, axis: int) -> None:
        """Here is zero."""
        ...

    def quality(self, axis: int) -> tuple[int, int]:
        """Contrast and baseline of the signal in permille; contrast 0 is an interrupted beam."""
        ...


class _Refused(Exception):
    """A call whose parameters do not fit."""


class Ids3010Simulator:
    """An IDS3010 with its JSON-RPC server.

    namespace : "ids", or "sen" as the displacement functions are called in firmware 1.9 and later.
    starting_polls : how many requests after a start still find it "measurement starting"; readings are refused so long.
    """

    def __init__(
        self, optics: Optics, *, namespace: str = "ids", axes: int = 3, starting_polls: int = 2,
        serial_number: str = "SIM-IDS-0001", firmware: str = "1.9.1",
    ) -> None:
        self.optics = optics
        self.starting_polls = starting_polls
        self.axes = axes
        self.average_n = 0
        self.mode = IDLE
        self._polls_left = 0
        self._lost = [False] * axes
        self._buffer = b""
        measure, system, service = f"com.attocube.{namespace}.displacement.", f"com.attocube.{namespace}.system.", "com.attocube.system."
        self._methods: dict[str, Callable[..., tuple[Any, ...]]] = {
            measure + "getAxisDisplacement": self._axis_displacement,
            measure + "getAxesDisplacement": self._axes_displacement,
            measure + "getAxisSignalQuality": self._signal_quality,
            measure + "getMeasurementEnabled": lambda: (0, self.mode == RUNNING),
            measure + "getAverageN": lambda: (0, self.average_n),
            measure + "setAverageN": self._set_average_n,
            system + "getCurrentMode": self._current_mode,
            system + "startMeasurement": self._start,
            system + "stopMeasurement": self._stop,
            system + "resetAxis": self._reset_axis,
            system + "resetAxes": self._reset_axes,
            system + "resetError": self._reset_error,
            system + "getDeviceType": lambda: (0, "IDS3010"),
            service + "getSerialNumber": lambda: (0, serial_number),
            service + "getFirmwareVersion": lambda: (0, firmware),
            service + "errorNumberToString": lambda language, number: (0, ERROR_TEXT.get(_integer(number), "Unknown error")),
        }

    def receive(self, data: bytes) -> bytes:
        """Bytes from the client, any pieces of requests; returns the replies."""
        pieces, self._buffer = codec.split_objects(self._buffer + data)
        out = b"".join(self._answer(piece) for piece in pieces)
        if len(self._buffer) > _PENDING_BYTES:
            self._buffer = b""
            out += codec.encode_reply(codec.Reply(None, error=(_PARSE_ERROR, "Parse error")))
        return out

    def hang_up(self) -> None:
        """The client is gone: a request that it did not finish is forgotten."""
        self._buffer = b""

    def _answer(self, piece: bytes) -> bytes:
        try:
            request = codec.decode_request(piece)
        except ProtocolError:
            return codec.encode_reply(codec.Reply(None, error=(_PARSE_ERROR, "Parse error")))
        self._come_up()
        method = self._methods.get(request.method)
        if method is None:
            reply = codec.Reply(request.id, error=(_METHOD_NOT_FOUND, "Method not found"))
        else:
            try:
                reply = codec.Reply(request.id, method(*_fitting(method, request.params)))
            except _Refused:
                reply = codec.Reply(request.id, error=(_INVALID_PARAMS, "Invalid params"))
        return codec.encode_reply(reply)

    # -- displacement -------------------------------------------------------------------------------------------------

    def _axis_displacement(self, axis: object) -> tuple[int, ...]:
        number = _integer(axis)
        if not 0 <= number < self.axes:
            return (BAD_ARGUMENT, 0)
        if self.mode != RUNNING:
            return (NOT_MEASURING, 0)
        value = self.optics.displacement_pm(number, 2**self.average_n * SAMPLE_PERIOD_S)
        return (BEAM_LOST if self._interrupted(number) else 0, value)

    def _axes_displacement(self) -> tuple[int, ...]:
        readings = [self._axis_displacement(axis) for axis in range(self.axes)]
        return (max(warning for warning, _ in readings), *(value for _, value in readings))

    def _signal_quality(self, axis: object) -> tuple[int, ...]:
        number = _integer(axis)
        if not 0 <= number < self.axes:
            return (BAD_ARGUMENT, 0, 0)
        if self.mode != RUNNING:
            return (NOT_MEASURING, 0, 0)
        return (BEAM_LOST if self._interrupted(number) else 0, *self.optics.quality(number))

    def _interrupted(self, axis: int) -> bool:
        """An interruption stays known until `resetError` or a new start: the count is incremental."""
        self._lost[axis] |= self.optics.quality(axis)[0] <= 0
        return self._lost[axis]

    def _set_average_n(self, value: object) -> tuple[int, ...]:
        number = _integer(value)
        if not 0 <= number <= LARGEST_AVERAGE_N:
            return (BAD_ARGUMENT,)
        self.average_n = number
        return (0,)

    # -- system -------------------------------------------------------------------------------------------------------

    def _come_up(self) -> None:
        """One more request since the start."""
        if self.mode != STARTING:
            return
        if self._polls_left > 0:
            self._polls_left -= 1
            return
        self.mode = RUNNING
        self._lost = [False] * self.axes

    def _current_mode(self) -> tuple[Any, ...]:
        return (0, self.mode)

    def _start(self) -> tuple[int]:
        if self.mode != IDLE:
            return (WRONG_MODE,)
        self.mode, self._polls_left = STARTING, self.starting_polls
        return (0,)

    def _stop(self) -> tuple[int]:
        self.mode = IDLE
        return (0,)

    def _reset_axis(self, axis: object) -> tuple[int]:
        number = _integer(axis)
        if not 0 <= number < self.axes:
            return (BAD_ARGUMENT,)
        if self.mode != RUNNING:
            return (NOT_MEASURING,)
        self.optics.reset(number)
        return (0,)

    def _reset_axes(self) -> tuple[int]:
        if self.mode != RUNNING:
            return (NOT_MEASURING,)
        for axis in range(self.axes):
            self.optics.reset(axis)
        return (0,)

    def _reset_error(self, renormalise: object) -> tuple[int]:
        if not isinstance(renormalise, bool):
            raise _Refused
        self._lost = [False] * self.axes
        return (0,)


def _fitting(method: Callable[..., tuple[Any, ...]], params: tuple[Any, ...]) -> tuple[Any, ...]:
    """The parameters, if there are as many as the method takes."""
    try:
        inspect.signature(method).bind(*params)
    except TypeError:
        raise _Refused from None
    return params


def _integer(value: object) -> int:
    if type(value) is not int:
        raise _Refused
    return value
