"""The lab's own sensors of air and material: what they say, which is the truth, an offset within the data sheet, and noise.

Channels of a scanning multimeter: 101 air temperature, in °C; 102, 105 and 106 material temperature on the screw nuts of X, Y and Z, in °C; 103 a
barometer, whose 0 … 5 V are 500 … 1100 hPa, and 104 a hygrometer, whose 0 … 5 V are 0 … 100 %, in V.
"""

from __future__ import annotations

from precision.units import CELSIUS_ZERO_K

from .machine import Machine
from .noise import Channel
from .parameters import Parameters
from .workshop import Workshop

AIR_TEMPERATURE, AIR_PRESSURE, RELATIVE_HUMIDITY = 101, 103, 104
MATERIAL_TEMPERATURE = {102: 0, 105: 1, 106: 2}
"""Channel -> axis on whose screw it sits."""
CHANNELS = (101, 102, 103, 104, 105, 106)
_LOWEST_PRESSURE_PA, _PRESSURE_SPAN_PA, _SPAN_V = 50_000.0, 60_000.0, 5.0


class Sensors:
    """Six channels. A material thermometer sees what motion leaves in its screw."""

    def __init__(self, parameters: Parameters, seed: int, machine: Machine, workshop: Workshop) -> None:
        self._parameters, self._machine, self._workshop = parameters, machine, workshop
        self._noise = {number: Channel(seed, f"sensor/{number}") for number in CHANNELS}

    def read(self, channel: int) -> float:
        """The channel's value now, in °C or V.

        Raises
        ------
        ValueError      there is no such channel
        """
        if channel not in self._noise:
            raise ValueError(f"channel {channel} is not wired; expected one of {', '.join(map(str, self._noise))}")
        p, t_ns = self._parameters, self._machine.now_ns
        air = self._workshop.air(t_ns)
        if channel == AIR_TEMPERATURE:
            return air.temperature_k - CELSIUS_ZERO_K + p.air_temperature_sensor_offset_k + self._noisy(channel, p.temperature_sensor_noise_k)
        if (axis := MATERIAL_TEMPERATURE.get(channel)) is not None:
            material_k = self._machine.screw_temperature_k(self._machine.axes[axis], self._machine.carriages[axis], t_ns)
            return material_k - CELSIUS_ZERO_K + p.material_sensor_offset_k + self._noisy(channel, p.temperature_sensor_noise_k)
        if channel == AIR_PRESSURE:
            pressure_pa = air.pressure_pa + p.air_pressure_sensor_offset_pa + self._noisy(channel, p.pressure_sensor_noise_pa)
            return (pressure_pa - _LOWEST_PRESSURE_PA) / _PRESSURE_SPAN_PA * _SPAN_V
        return (air.relative_humidity + p.relative_humidity_sensor_offset + self._noisy(channel, p.humidity_sensor_noise)) * _SPAN_V

    def _noisy(self, channel: int, sigma: float) -> float:
        correlation_s = self._parameters.sensor_correlation_s
        return self._noise[channel].averaged(sigma, correlation_s, correlation_s, self._machine.now_ns)
