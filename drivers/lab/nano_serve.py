"""`python -m precision.drivers.lab.nano_serve BENCH`: a nanopositioner or its interferometer, as frames on 127.0.0.1.

    steps       set-point and sensor of one axis of the stage, and the other axis, held at 0; control line `staircase COUNT STEP_M HOLD_S` before `start`: so many steps up and down, each held
    signals     cosine and sine of the interferometer while a slide moves; control line `sweep M_PER_S SECONDS` before `start`

The stream ends with the motion. Time is the bench's own: by default it waits for nothing. The first line on standard output is JSON, {"stream": address,
"truth": {...}}; the process leaves when its standard input ends.
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

from . import nanopositioner, serving
from .nanopositioner import RATE_HZ, Signals, Stage
from .noise import Channel

Array = NDArray[np.float64]

MOST_SAMPLES: Final = 20_000_000
TRAVEL_M: Final = 100e-6
FASTEST_M_PER_S: Final = nanopositioner.PERIOD_M * RATE_HZ / 4


class Bench:
    """What is common: rows that are made when the test is set, and a stream that ends with them."""

    header: Header

    def __init__(self, seed: int) -> None:
        self.seed, self.stage, self.signals = seed, Stage.drawn(seed), Signals.drawn(seed)
        self.values = np.empty((0, len(self.header.channels)))

    def device(self, time_scale: float) -> FrameSimulator:
        """One client's."""
        return Simulator(self, time_scale)

    def rows(self, first: int, count: int) -> Array:
        """Of the test that was set last."""
        return self.values[first : first + count]

    @property
    def controls(self) -> Mapping[str, Callable[[str], Mapping[str, Any]]]:
        """Control lines."""
        raise RuntimeError("a bench has control lines of its own")


class Simulator(FrameSimulator):
    """A stream as long as the bench's test."""

    def __init__(self, bench: Bench, time_scale: float) -> None:
        super().__init__(bench.header, bench.rows, total=0, time_scale=time_scale, controls=bench.controls)
        self._bench = bench

    def receive(self, data: bytes, now_wall_s: float) -> bytes:
        """Control lines; the length is that of the test that was set."""
        said = super().receive(data, now_wall_s)
        self._total = len(self._bench.values)
        return said


class StepBench(Bench):
    """The stage under a staircase."""

    header = Header(
        identity="virtual flexure nanopositioner, capacitive sensor", rate_hz=RATE_HZ, simulated=True, channels=(Quantity("set", "m"), Quantity("position", "m"), Quantity("cross", "m")),
    )  # fmt: skip

    @property
    def controls(self) -> Mapping[str, Callable[[str], Mapping[str, Any]]]:
        return {"staircase": self._set}

    def _set(self, text: str) -> dict[str, Any]:
        count, step_m, hold_s = _numbers(text, "COUNT STEP_M HOLD_S", (1, -TRAVEL_M, 0.01), (10_000, TRAVEL_M, 600))
        if count != int(count) or not 0 < abs(count * step_m) <= TRAVEL_M or 2 * count * hold_s * RATE_HZ > MOST_SAMPLES:
            raise ValueError(f"{text[:60]!r}: whole steps within ±{TRAVEL_M * 1e6:g} µm, and at most {MOST_SAMPLES} samples are expected")
        set_m = nanopositioner.staircase(int(count), step_m, hold_s)
        true, seen = nanopositioner.respond(self.stage, self.seed, set_m)
        _, cross = nanopositioner.other_axis(self.stage, self.seed, true)
        self.values = np.stack([set_m, seen, cross], axis=1)
        return {"samples": len(self.values)}


class SignalBench(Bench):
    """The interferometer's signals under a sweep."""

    header = Header(
        identity="virtual homodyne interferometer, two signals in quadrature", rate_hz=RATE_HZ, simulated=True, channels=(Quantity("cosine", "V"), Quantity("sine", "V")),
    )  # fmt: skip

    @property
    def controls(self) -> Mapping[str, Callable[[str], Mapping[str, Any]]]:
        return {"sweep": self._set}

    def _set(self, text: str) -> dict[str, Any]:
        speed, seconds = _numbers(text, "M_PER_S SECONDS", (-FASTEST_M_PER_S, 0.001), (FASTEST_M_PER_S, 600))
        count = round(seconds * RATE_HZ)
        time = np.arange(count) / RATE_HZ
        _, theta = nanopositioner.sweep_phase(self.seed, np.asarray(time), speed)
        seen = self.signals.seen(theta)
        noise = [self.signals.noise * Channel(self.seed, f"quadrature/{name}").normals(0, count) for name in ("cosine", "sine")]
        self.values = np.stack([seen[0] + noise[0], seen[1] + noise[1]], axis=1)
        return {"samples": count}


def _numbers(text: str, what: str, low: tuple[float, ...], high: tuple[float, ...]) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split())
    except ValueError:
        values = ()
    if len(values) != len(low) or not all(a <= value <= b and math.isfinite(value) for a, value, b in zip(low, values, high, strict=True)):
        raise ValueError(f"{text[:60]!r} is not {what} within {low} … {high}")
    return values


BENCHES: Final[Mapping[str, type[Bench]]] = {"steps": StepBench, "signals": SignalBench}


def main(argv: list[str] | None = None) -> int:
    """Serve until standard input ends; 0."""
    parser = serving.parser("nano_serve", "A nanopositioner or its interferometer on 127.0.0.1.")
    parser.add_argument("bench", choices=tuple(BENCHES))
    arguments = parser.parse_args(argv)
    bench = BENCHES[arguments.bench](arguments.seed)
    return serving.serve(lambda: bench.device(arguments.time_scale), nanopositioner.truth(bench.stage, bench.signals), port=arguments.port)


if __name__ == "__main__":
    raise SystemExit(main())
