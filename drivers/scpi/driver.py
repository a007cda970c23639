"""Air and material sensors on a data-acquisition switch unit that speaks SCPI (34970A, DAQ970A and their kind).

Asked: `*IDN?`, `UNIT:TEMP C,(@...)`, `MEAS:TEMP? <probe>,(@...)` for two temperatures, `MEAS:VOLT:DC? (@...)` for transmitters of pressure and humidity
with a voltage output, `SYST:ERR?`. The instrument scans in ascending channel order, whatever the order of the list.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from precision.drivers.roles import Environment
from precision.drivers.transport import Transport
from precision.errors import DeviceFault, LinkLost, PlanError, ProtocolError
from precision.units import CELSIUS_ZERO_K

from . import codec

_QUEUE: Final = 20
_STALE: Final = 20


@dataclass(frozen=True, slots=True)
class LinearScale:
    """value = at_zero + per_volt * voltage, in SI units."""

    at_zero: float
    per_volt: float

    def value(self, voltage_v: float) -> float:
        """What the transmitter saw."""
        return self.at_zero + self.per_volt * voltage_v


PRESSURE: Final = LinearScale(50_000.0, 12_000.0)
"""0 ... 5 V are 500 ... 1100 hPa."""
HUMIDITY: Final = LinearScale(0.0, 0.2)
"""0 ... 5 V are 0 ... 100 %."""
_PLAUSIBLE: Final = {
    "air temperature": (223.15, 373.15, "K"), "material temperature": (223.15, 373.15, "K"),
    "air pressure": (30_000.0, 120_000.0, "Pa"), "relative humidity": (-0.05, 1.05, ""),
}
"""Outside of these a sensor or its scale is wrong, not the weather."""


class ScpiEnvironment:
    """Air temperature, material temperature, pressure and humidity on four channels.

    probe : the sensor of both temperature channels as MEASure:TEMPerature takes it ("FRTD,85" is a four-wire Pt100 of alpha 0.00385).
    pressure, humidity : what a volt means, in Pa and as a ratio.
    """

    def __init__(
        self, transport: Transport, *, air_channel: int = 101, material_channel: int = 102, pressure_channel: int = 103,
        humidity_channel: int = 104, probe: str = "FRTD,85", pressure: LinearScale = PRESSURE, humidity: LinearScale = HUMIDITY,
        timeout_s: float = 10.0, clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = transport
        self._timeout_s = timeout_s
        self._clock = clock
        self._temperatures = {air_channel: "air temperature", material_channel: "material temperature"}
        self._voltages = {pressure_channel: "air pressure", humidity_channel: "relative humidity"}
        self._scales = {"air pressure": pressure, "relative humidity": humidity}
        self._probe = probe
        self._out_of_step = False
        self._nonce = 0
        channels = (air_channel, material_channel, pressure_channel, humidity_channel)
        if len(set(channels)) != 4 or not all(0 < channel < 10_000 for channel in channels) or not re.fullmatch(r"[A-Z]{1,8}(?:,[A-Z0-9]{1,8})?", probe, re.ASCII):
            transport.close()
            raise PlanError(f"SCPI: channels {channels}, probe {probe[:20]!r}; expected four different channels 1 ... 9999 and a probe such as FRTD,85")
        try:
            self._back_in_step()
            self._identity = codec.text(self._query("*IDN?"))[:200]
            self._write("*CLS")
            self._write(f"UNIT:TEMP C,{codec.channel_list(sorted(self._temperatures))}")
            self._check_errors("configuring the temperature channels")
        except BaseException:
            transport.close()
            raise

    @property
    def identity(self) -> str:
        """The answer to `*IDN?`."""
        return self._identity

    def close(self) -> None:
        """Let go of the link."""
        self._link.close()

    def read(self) -> Environment:
        """All four values.

        Raises
        ------
        DeviceFault     overload, no value, an implausible value, or an entry in the error queue
        """
        found = self._scan(f"MEAS:TEMP? {self._probe},", self._temperatures)
        found.update(self._scan("MEAS:VOLT:DC? ", self._voltages))
        arrived_ns = time.monotonic_ns()
        self._check_errors("reading the sensors")
        values = {name: value + CELSIUS_ZERO_K if name not in self._scales else self._scales[name].value(value) for name, value in found.items()}
        for name, value in values.items():
            low, high, unit = _PLAUSIBLE[name]
            if not low <= value <= high:
                raise DeviceFault(f"SCPI: {name} is {value:.6g} {unit}; plausible are {low:g} ... {high:g} {unit}. Check the sensor, its channel and its scale")
        return Environment(
            air_temperature_k=values["air temperature"], air_pressure_pa=values["air pressure"],
            # A transmitter's zero error may read a little below 0 or above 100 %.
            relative_humidity=min(max(values["relative humidity"], 0.0), 1.0),
            material_temperature_k=values["material temperature"], t_mono_ns=arrived_ns,
        )

    def _scan(self, command: str, channels: dict[int, str]) -> dict[str, float]:
        order = sorted(channels)
        names = [channels[channel] for channel in order]
        line = self._query(command + codec.channel_list(order))
        return dict(zip(names, codec.numbers(line, names), strict=True))

    def _check_errors(self, doing: str) -> None:
        """Empty the error queue; what was in it is the fault."""
        found: list[str] = []
        for _ in range(_QUEUE + 1):
            code, words = codec.error(self._query("SYST:ERR?"))
            if code == 0:
                break
            found.append(f'{code} "{words}"')
        if found:
            raise DeviceFault(f"SCPI: while {doing} the instrument reports {', '.join(found)[:300]}")

    def _write(self, command: str) -> None:
        self._link.write(command.encode("ascii") + codec.TERMINATOR, timeout_s=self._timeout_s)

    def _query(self, command: str) -> bytes:
        """Ask and return the line that answers. After a deadline has passed the link is brought back in step first."""
        if self._out_of_step or self._link.dirty:
            self._back_in_step()
        self._out_of_step = True
        self._write(command)
        line = self._link.read_until(codec.TERMINATOR, timeout_s=self._timeout_s, limit=codec.LINE_BYTES)
        self._out_of_step = False
        return line

    def _back_in_step(self) -> None:
        """Answers carry no number, but come in order. A register that holds any number 0 ... 255 serves as an echo: what comes before that number is old."""
        self._link.drain()
        self._nonce = self._nonce % 255 + 1
        self._write(f"*ESE {self._nonce};*ESE?")
        deadline = self._clock() + self._timeout_s
        for _ in range(_STALE):
            line = self._link.read_until(codec.TERMINATOR, timeout_s=max(deadline - self._clock(), 0.0), limit=codec.LINE_BYTES)
            try:
                answer = codec.text(line)
            except ProtocolError:
                continue
            if re.fullmatch(rf"\+?{self._nonce}", answer):
                self._out_of_step = False
                return
        raise LinkLost(f"SCPI at {self._link.address}: answers are out of step. Connect again")
