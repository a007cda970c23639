"""The lab's own sensors of air and material: what they say, which is the truth, an offset within the data sheet, and noise.

Channel -> quantity, as a scanning multimeter lists them: 101 air temperature and 102 material temperature in °C, 103 air pressure in hPa,
104 relative humidity in %.
"""

from __future__ import annotations

from .machine import Machine
from .noise import Channel
from .parameters import Parameters
from .workshop import Workshop

AIR_TEMPERATURE, MATERIAL_TEMPERATURE, AIR_PRESSURE, RELATIVE_HUMIDITY = 101, 102, 103, 104
_ZERO_CELSIUS_K = 273.15


class Sensors:
    """Four channels. The material thermometer sits on the screw of the X axis and sees what motion leaves in it."""

    def __init__(self, parameters: Parameters, seed: int, machine: Machine, workshop: Workshop) -> None:
        self._parameters, self._machine, self._workshop = parameters, machine, workshop
        self._noise = {number: Channel(seed, f"sensor/{number}") for number in (101, 102, 103, 104)}

    def read(self, channel: int) -> float:
        """The channel's value now, in its own unit (°C, hPa, %).

        Raises
        ------
        ValueError      there is no such channel
        """
        if channel not in self._noise:
            raise ValueError(f"channel {channel} is not wired; expected one of {', '.join(map(str, self._noise))}")
        p, t_ns = self._parameters, self._machine.now_ns
        air = self._workshop.air(t_ns)
        if channel == AIR_TEMPERATURE:
            return air.temperature_k - _ZERO_CELSIUS_K + p.air_temperature_sensor_offset_k + self._noisy(channel, p.temperature_sensor_noise_k)
        if channel == MATERIAL_TEMPERATURE:
            material_k = self._machine.screw_temperature_k(self._machine.axes[0], self._machine.carriages[0], t_ns)
            return material_k - _ZERO_CELSIUS_K + p.material_sensor_offset_k + self._noisy(channel, p.temperature_sensor_noise_k)
        if channel == AIR_PRESSURE:
            return 1e-2 * (air.pressure_pa + p.air_pressure_sensor_offset_pa + self._noisy(channel, p.pressure_sensor_noise_pa))
        return 1e2 * (air.relative_humidity + p.relative_humidity_sensor_offset + self._noisy(channel, p.humidity_sensor_noise))

    def _noisy(self, channel: int, sigma: float) -> float:
        correlation_s = self._parameters.sensor_correlation_s
        return self._noise[channel].averaged(sigma, correlation_s, correlation_s, self._machine.now_ns)
