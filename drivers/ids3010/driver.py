"""attocube IDS3010 displacement interferometer over JSON-RPC (TCP port 9090).

Positions come as integers of picometres. The count is incremental: once the beam was lost it is not to be trusted until `reset`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

from precision.drivers.roles import Reading
from precision.drivers.transport import Transport
from precision.errors import BeamLost, DeviceFault, LinkLost, PlanError, ProtocolError

from . import codec

PICOMETRE: Final = 1e-12
SAMPLE_PERIOD_S: Final = 40e-9
LARGEST_AVERAGE_N: Final = 24
IDLE, STARTING, RUNNING = "system idle", "measurement starting", "measurement running"
_NAMESPACES: Final = ("ids", "sen")
_METHOD_NOT_FOUND: Final = -32601
_STALE: Final = 100


class Ids3010:
    """One axis of an IDS3010 on an open link.

    axis : 0, 1 or 2.
    sample_period_s : a reading is averaged over 2^N of these; 40 ns as published clients of the instrument say ("(2^N)*40 ns").
    min_contrast : contrast (0 ... 1) below which a reading is invalid.
    start_timeout_s : starting takes about half a minute.
    """

    def __init__(
        self, transport: Transport, *, axis: int = 0, sample_period_s: float = SAMPLE_PERIOD_S, min_contrast: float = 0.0,
        timeout_s: float = 3.0, start_timeout_s: float = 90.0, poll_interval_s: float = 0.2,
        clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if axis not in (0, 1, 2) or not sample_period_s > 0 or not 0 <= min_contrast <= 1:
            transport.close()
            raise PlanError(
                f"IDS3010: axis {axis}, sample_period_s {sample_period_s}, min_contrast {min_contrast}; expected axis 0, 1 or 2, a period above 0, a contrast 0 ... 1"
            )
        self._link = transport
        self._axis, self._sample_period_s, self._min_contrast = axis, sample_period_s, min_contrast
        self._timeout_s, self._start_timeout_s, self._poll_interval_s = timeout_s, start_timeout_s, poll_interval_s
        self._clock, self._sleep = clock, sleep
        self._next_id = 1
        self._lost = ""
        self._displacement = self._system = ""
        try:
            self._displacement = self._probe("displacement", "getAverageN")
            self._system = self._probe("system", "getCurrentMode")
            self._average_n = codec.integer(self._value(self._displacement + "getAverageN"), 1, "getAverageN")
            parts = [
                codec.text(self._value(method), 1, method)
                for method in (self._system + "getDeviceType", "com.attocube.system.getSerialNumber", "com.attocube.system.getFirmwareVersion")
            ]
        except BaseException:
            transport.close()
            raise
        self._identity = " ".join(["attocube", *parts])

    @property
    def identity(self) -> str:
        """Type, serial number and firmware, as the instrument said them."""
        return self._identity

    @property
    def compensates_air(self) -> bool:
        """False: the displacement is that of the vacuum wavelength unless an environment unit is fitted, which this driver does not use."""
        return False

    def close(self) -> None:
        """Let go of the link; the instrument goes on measuring."""
        self._link.close()

    def start(self) -> None:
        """Start measuring; returns when the mode is "measurement running".

        Raises
        ------
        DeviceFault     another mode (alignment), or not running within `start_timeout_s`
        """
        deadline = self._clock() + self._start_timeout_s
        asked = False
        while (mode := self._mode()) != RUNNING:
            if mode == IDLE and not asked:
                self._value(self._system + "startMeasurement")
                asked = True
            elif mode not in (IDLE, STARTING):
                raise DeviceFault(f"IDS3010: the mode is {mode!r}; expected {IDLE!r}. End the alignment at the instrument, then start again")
            elif self._clock() > deadline:
                raise DeviceFault(f"IDS3010: still {mode!r} after {self._start_timeout_s:g} s. Check the alignment of the sensor head")
            else:
                self._sleep(self._poll_interval_s)
        if asked:
            self._lost = ""

    def set_averaging(self, duration_s: float) -> float:
        """Average over 2^N sample periods, N = 0 ... 24, the time nearest to `duration_s`; returns it in s."""
        if not (math.isfinite(duration_s) and duration_s >= 0):
            raise PlanError(f"IDS3010: averaging over {duration_s} s; expected 0 s or more")
        number = min(range(LARGEST_AVERAGE_N + 1), key=lambda n: abs(2**n * self._sample_period_s - duration_s))
        self._value(self._displacement + "setAverageN", number)
        read_back = codec.integer(self._value(self._displacement + "getAverageN"), 1, "getAverageN")
        if read_back != number:
            raise DeviceFault(f"IDS3010: averaging was set to N = {number} and reads back as {read_back}")
        self._average_n = number
        return float(2**number * self._sample_period_s)

    def reset(self) -> None:
        """Make here the zero, and forget an earlier loss of the beam.

        Raises
        ------
        BeamLost        there is no signal now
        """
        if self._lost:
            self._value(self._system + "resetError", False)
        self._value(self._system + "resetAxis", self._axis)
        contrast, warning = self._quality()
        if warning:
            self._lost = warning
            raise BeamLost(f"IDS3010: axis {self._axis} has no valid signal ({warning}, contrast {contrast:.3f}). Free the beam, align, then reset again")
        self._lost = ""

    def displacement(self) -> Reading:
        """Displacement in m since `reset`, averaged over the set time that ended now.

        After a loss of the beam every reading is invalid until `reset`, since fringes were not counted.
        """
        method = self._displacement + "getAxisDisplacement"
        result = self._call(method, self._axis)
        arrived_ns = time.monotonic_ns()
        number = codec.error_number(result, method)
        contrast, warning = self._quality()
        if number:
            warning = self._explained(number)
        if warning:
            self._lost = self._lost or warning
        if self._lost:
            return Reading(value=math.nan, t_mono_ns=arrived_ns, valid=False, reason=f"no valid signal since the last reset: {self._lost}", signal_quality=contrast)
        value_m = codec.integer(result, 1, method) * PICOMETRE
        if contrast < self._min_contrast:
            reason = f"contrast {contrast:.3f} is below {self._min_contrast:.3f}"
            return Reading(value=math.nan, t_mono_ns=arrived_ns, valid=False, reason=reason, signal_quality=contrast)
        return Reading(value=value_m, t_mono_ns=arrived_ns, signal_quality=contrast)

    # -- conversation -------------------------------------------------------------------------------------------------

    def _mode(self) -> str:
        return codec.text(self._value(self._system + "getCurrentMode"), 1, "getCurrentMode")

    def _quality(self) -> tuple[float, str]:
        """Contrast 0 ... 1, and what is wrong with the signal (empty if nothing)."""
        method = self._displacement + "getAxisSignalQuality"
        result = self._call(method, self._axis)
        number = codec.error_number(result, method)
        return codec.integer(result, 1, method) / 1000, self._explained(number) if number else ""

    def _probe(self, group: str, function: str) -> str:
        """The name space that this firmware uses: `ids`, or `sen` from firmware 1.9 on."""
        for namespace in _NAMESPACES:
            prefix = f"com.attocube.{namespace}.{group}."
            reply = self._exchange(prefix + function, ())
            if reply.error is None:
                return prefix
            if reply.error[0] != _METHOD_NOT_FOUND:
                break
        raise DeviceFault(f"IDS3010 at {self._link.address}: {group}.{function} is answered with {reply.error}; is this an IDS3010?")

    def _value(self, method: str, *params: int | bool | str) -> tuple[Any, ...]:
        """Call; an error number is a fault."""
        result = self._call(method, *params)
        number = codec.error_number(result, method)
        if number:
            raise DeviceFault(f"IDS3010: {method}{params}: {self._explained(number)}")
        return result

    def _call(self, method: str, *params: int | bool | str) -> tuple[Any, ...]:
        reply = self._exchange(method, params)
        if reply.error is not None:
            raise DeviceFault(f"IDS3010: {method} is refused: {reply.error[0]} {reply.error[1][:100]!r}")
        return reply.result

    def _explained(self, number: int) -> str:
        """The instrument's words for an error number."""
        result = self._call("com.attocube.system.errorNumberToString", 0, number)
        words = codec.text(result, 1, "errorNumberToString") if len(result) > 1 else ""
        return f"error {number} ({words})"

    def _exchange(self, method: str, params: tuple[int | bool | str, ...]) -> codec.Reply:
        """Ask and wait for the reply with the same id; replies to earlier questions that came late are thrown away."""
        request_id, self._next_id = self._next_id, self._next_id + 1
        self._link.write(codec.encode_request(method, params, request_id), timeout_s=self._timeout_s)
        deadline = self._clock() + self._timeout_s
        for _ in range(_STALE):
            line = self._link.read_until(codec.TERMINATOR, timeout_s=max(deadline - self._clock(), 0.0), limit=codec.REPLY_BYTES)
            reply = codec.decode_reply(line)
            if reply.id == request_id:
                return reply
            if reply.id is None and reply.error is not None:
                raise DeviceFault(f"IDS3010: it did not understand {method}: {reply.error[0]} {reply.error[1][:100]!r}")
            if reply.id is None or not 0 < reply.id < request_id:
                raise ProtocolError(f"IDS3010: a reply to question {reply.id}, which was not asked; the present one is {request_id}. Connect again")
        raise LinkLost(f"IDS3010 at {self._link.address}: {_STALE} replies to earlier questions and none to {method}. Connect again")
