"""The surroundings at any lab time: the air that the light passes, the machine's own temperature, and how the structure wanders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import air_index
from .clock import NS_PER_S
from .kinematics import Vector
from .noise import Channel
from .parameters import AXES, Parameters
from .waves import Waves

_WEATHER_S = (500.0, 1300.0, 3100.0, 7200.0, 16_000.0, 36_000.0)
_STRUCTURE_S = (130.0, 340.0, 900.0, 2400.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Air:
    """The air along the beam."""

    temperature_k: float
    pressure_pa: float
    relative_humidity: float


class Workshop:
    """Slow things: each a seeded function of lab time within its published bound."""

    def __init__(self, parameters: Parameters, seed: int) -> None:
        def drift(name: str, bound: float, periods: tuple[float, ...]) -> Waves:
            return Waves.drawn(Channel(seed, f"drift/{name}"), bound=bound, periods=periods)

        self._parameters = parameters
        self._air_temperature = drift("air temperature", parameters.air_temperature_drift_k, _WEATHER_S)
        self._air_pressure = drift("air pressure", parameters.air_pressure_drift_pa, _WEATHER_S)
        self._humidity = drift("relative humidity", parameters.relative_humidity_drift, _WEATHER_S)
        # A tonne of cast iron follows the air only over hours.
        self._machine = drift("machine temperature", parameters.machine_drift_k, _WEATHER_S[2:])
        self._structure = tuple(drift(f"structure/{axis}", parameters.structural_drift_m, _STRUCTURE_S) for axis in AXES)
        self._cached: tuple[int, float] | None = None

    def air(self, t_ns: int) -> Air:
        """True state of the air at lab time `t_ns`."""
        p, t_s = self._parameters, t_ns / NS_PER_S
        return Air(
            temperature_k=p.air_temperature_k + self._air_temperature(t_s),
            pressure_pa=p.air_pressure_pa + self._air_pressure(t_s),
            relative_humidity=p.relative_humidity + self._humidity(t_s),
        )

    def refractivity(self, t_ns: int) -> float:
        """n − 1 of that air at the interferometer's vacuum wavelength."""
        if self._cached is None or self._cached[0] != t_ns:
            air = self.air(t_ns)
            self._cached = (t_ns, air_index.refractivity(
                wavelength_m=self._parameters.bounds.vacuum_wavelength_m, temperature_k=air.temperature_k, pressure_pa=air.pressure_pa,
                relative_humidity=air.relative_humidity, co2_ppm=self._parameters.co2_ppm))
        return self._cached[1]

    def machine_temperature_k(self, t_ns: int) -> float:
        """Temperature of the machine where no axis warms it."""
        return self._parameters.machine_temperature_k + self._machine(t_ns / NS_PER_S)

    def structure_m(self, t_ns: int) -> Vector:
        """Drift of the tool against the workpiece, along X, Y, Z."""
        t_s = t_ns / NS_PER_S
        x, y, z = (drift(t_s) for drift in self._structure)
        return (x, y, z)

    def structures_m(self, t_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """`structure_m` at many lab times: (n, 3)."""
        t_s = t_ns / NS_PER_S
        return np.stack([drift.at(t_s) for drift in self._structure], axis=-1)
