"""`python -m precision.drivers.lab.gauges_serve BENCH`: displacement gauges around a mandrel, as frames on 127.0.0.1.

    spindle   X1, Y1, Z, X2, Y2, the spindle's encoder angle and index; control line `speed RAD_PER_S` before `start`
    warm-up   the same gauges over hours, with temperatures; `running SECONDS` says how long the spindle runs (0: it stands, an environmental test)
    axis      deviations at two targets of an axis that goes back and forth, with temperatures; `running SECONDS` as before

Time is the bench's own: by default it waits for nothing. The first line on standard output is JSON, {"stream": address, "truth": {...}}; the process leaves when
its standard input ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.frames.codec import Header
from precision.drivers.frames.simulator import FrameSimulator
from precision.drivers.roles import Channel as Quantity

from . import serving
from .heating import Heating
from .noise import Channel
from .spindle import GAUGES, Spindle

Array = NDArray[np.float64]

SPINDLE_RATE_HZ: Final = 20_000.0
WARM_UP_RATE_HZ: Final = 0.1
ENCODER_COUNTS: Final = 14_400
FASTEST_RAD_PER_S: Final = 40_000 * math.pi / 30
LONGEST_S: Final = 7 * 86_400.0
_TEMPERATURE_NOISE_K: Final = 5e-3


class SpindleBench:
    """Five gauges, encoder and index of a running spindle."""

    header = Header(
        identity="virtual spindle bench, 5 capacitive gauges, encoder 14400/rev", rate_hz=SPINDLE_RATE_HZ, simulated=True,
        channels=(*(Quantity(name, "m") for name in GAUGES), Quantity("angle", "rad"), Quantity("index", "")),
    )  # fmt: skip

    def __init__(self, seed: int) -> None:
        self.spindle = Spindle.drawn(seed)
        self.speed_rad_per_s = 3000 * math.pi / 30
        self._noise = [Channel(seed, f"gauge/{name}") for name in GAUGES]

    @property
    def controls(self) -> Mapping[str, Callable[[str], Mapping[str, Any]]]:
        """`speed`."""
        return {"speed": self._set_speed}

    def rows(self, first: int, count: int) -> Array:
        """Samples as the instruments give them: gain error and noise of each gauge, the encoder's steps."""
        time = np.arange(first - 1, first + count) / SPINDLE_RATE_HZ
        theta = self.spindle.angle(time, self.speed_rad_per_s)
        surface = self.spindle.surface(theta[1:])
        values = np.empty((count, len(GAUGES) + 2))
        for k, noise in enumerate(self._noise):
            values[:, k] = surface[:, k] * (1 + self.spindle.gauge_gain[k]) + self.spindle.gauge_noise_m * noise.normals(first, count)
        step = 2 * math.pi / ENCODER_COUNTS
        values[:, 5] = np.floor(theta[1:] / step) * step
        turns = np.floor(theta / (2 * math.pi))
        values[:, 6] = np.diff(turns) > 0
        return values

    def truth(self) -> dict[str, Any]:
        """Published: what the bench holds."""
        return self.spindle.truth()

    def _set_speed(self, text: str) -> dict[str, Any]:
        self.speed_rad_per_s = _number(text, "a speed in rad/s", 1.0, FASTEST_RAD_PER_S)
        return {"speed_rad_per_s": self.speed_rad_per_s}


class WarmUpBench:
    """Gauges and thermometers over hours: around the mandrel, or at two targets of an axis."""

    def __init__(self, seed: int, *, axis: bool) -> None:
        self.heating = Heating.drawn(seed)
        self.running_s = 0.0
        self._axis = axis
        names = ("near", "far") if axis else GAUGES
        self.header = Header(
            identity="virtual thermal bench, " + ("2 gauges at the ends of an axis" if axis else "5 gauges around a mandrel"), rate_hz=WARM_UP_RATE_HZ, simulated=True,
            channels=(*(Quantity(name, "m") for name in names), Quantity("ambient", "K"), Quantity("screw" if axis else "nose", "K")),
        )  # fmt: skip
        self._noise = [Channel(seed, f"warm-up/{channel.name}") for channel in self.header.channels]

    @property
    def controls(self) -> Mapping[str, Callable[[str], Mapping[str, Any]]]:
        """`running`."""
        return {"running": self._set_running}

    def rows(self, first: int, count: int) -> Array:
        """Samples as the instruments give them."""
        time = np.arange(first, first + count) / WARM_UP_RATE_HZ
        seen = (self.heating.axis if self._axis else self.heating.gauges)(time, running_s=self.running_s)
        temperatures = np.stack([self.heating.ambient(time), self.heating.nose(time, running_s=self.running_s)], axis=1)
        values = np.concatenate([seen, temperatures], axis=1)
        for k, noise in enumerate(self._noise):
            sigma = self.heating.gauge_noise_m if k < seen.shape[1] else _TEMPERATURE_NOISE_K
            values[:, k] += sigma * noise.normals(first, count)
        return values

    def truth(self) -> dict[str, Any]:
        """Published: what the bench holds."""
        return self.heating.truth()

    def _set_running(self, text: str) -> dict[str, Any]:
        self.running_s = _number(text, "a time in s", 0.0, LONGEST_S)
        return {"running_s": self.running_s}


def _number(text: str, what: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ValueError(f"{text[:40]!r} is not {what} from {low:g} to {high:g}")
    return value


BENCHES: Final[Mapping[str, Callable[[int], SpindleBench | WarmUpBench]]] = {
    "spindle": SpindleBench,
    "warm-up": lambda seed: WarmUpBench(seed, axis=False),
    "axis": lambda seed: WarmUpBench(seed, axis=True),
}


def main(argv: list[str] | None = None) -> int:
    """Serve until standard input ends; 0."""
    parser = serving.parser("gauges_serve", "Displacement gauges around a mandrel on 127.0.0.1.")
    parser.add_argument("bench", choices=tuple(BENCHES))
    arguments = parser.parse_args(argv)
    bench = BENCHES[arguments.bench](arguments.seed)
    return serving.serve(
        lambda: FrameSimulator(bench.header, bench.rows, time_scale=arguments.time_scale, controls=bench.controls), bench.truth(), port=arguments.port
    )


if __name__ == "__main__":
    raise SystemExit(main())
