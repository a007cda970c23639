"""`python -m precision.drivers.lab.trial_serve PLANT`: a plant under its controller that repeats a motion, trial after trial, as frames on 127.0.0.1.

Channels: reference, feed_forward (added to the controller's output), input (what the plant gets), output, and state (0; 1: the device has taken
the feed-forward away and
holds the reference, because the output left its travel). Control lines, before `start`:

    limits                          answers peak (of the feed-forward), travel (of reference and output, either side of 0) and samples (of a table)
    reference clear | add BASE64    float64, little endian: the motion; 0 where nothing is given
    feed_forward clear | add BASE64 the signal of the next trials; 0 where nothing is given
    repeat COUNT                    so many passes of the tables in one trial, without a rest between them
    hold                            answers samples and peak of the feed-forward

Each `start` is a trial of its own: it begins at rest at 0, has noise of its own, and ends with the tables. Time is the plant's own: by default
it waits for nothing. The
first line on standard output is JSON, {"stream": address, "truth": {...}}; the process leaves when its standard input ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.frames.codec import Header
from precision.drivers.frames.simulator import FrameSimulator
from precision.drivers.roles import Channel

from . import serving
from .plants import eighth_order, nano_stage
from .plants.linear_plant import Bench, Loop, Noise
from .waveform import LONGEST, Waveform

Array = NDArray[np.float64]
Advance = Callable[[Array, Array], tuple[Array, Array]]
CHANNELS: Final = ("reference", "feed_forward", "input", "output", "state")
PLANTS: Final = ("eighth-order", "nano-stage")
MOST_PASSES: Final = 1000
_CHUNK: Final = 256
"""Samples between two looks at the travel."""
_TRIALS: Final = 1_000_003
"""So many trials have noise of their own before that of the next seed begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """identity : what it says it is.  input_unit, output_unit : SI.  rate_hz.  peak : of the feed-forward that it allows.  travel : of reference
    and output.
    begin : number of the trial -> a function of reference and feed-forward (n,) that gives input and output (n,), from rest.  truth : published."""

    identity: str
    input_unit: str
    output_unit: str
    rate_hz: float
    peak: float
    travel: float
    begin: Callable[[int], Advance]
    truth: Mapping[str, Any]


def _linear(bench: Bench) -> Callable[[int], Advance]:
    def begin(trial: int) -> Advance:
        loop = Loop(replace(bench, seed=bench.seed * _TRIALS + trial))

        def advance(reference: Array, feed_forward: Array) -> tuple[Array, Array]:
            trace = loop.advance(feed_forward, reference=reference)
            return trace.input, trace.output

        return advance

    return begin


def bench(plant: str, seed: int) -> Bench:
    """The linear plants with their controllers and noise. ValueError for another name."""
    if plant == "eighth-order":
        return eighth_order.bench(noise=Noise(input=0.02, output=1e-6), seed=seed)
    if plant == "nano-stage":
        return nano_stage.NanoStage().bench(loop_gain=3e3, noise=Noise(input=5e-4, output=0.5e-9), seed=seed)
    raise ValueError(f"plant is {plant!r}; expected one of the linear ones")


def device(plant: str, seed: int) -> Device:
    """A simulated device by the name of its plant. ValueError where there is none."""
    if plant not in PLANTS:
        raise ValueError(f"plant is {plant!r}; expected {', '.join(PLANTS)}")
    linear = bench(plant, seed)
    published = eighth_order.truth() if plant == "eighth-order" else {**nano_stage.NanoStage().truth(), "controller": {"kp": 3e3}}
    words, peak, travel = (
        ("virtual drive of eighth order, PID", 200.0, 5.0)
        if plant == "eighth-order"
        else ("virtual nano stage (University of Tokyo), P control 3000 N/m", 60.0, 10e-3)
    )
    return Device(
        identity=f"{words}, that repeats a motion", input_unit="N", output_unit="m", rate_hz=1 / linear.step_s, peak=peak, travel=travel, begin=_linear(linear),
        truth={**published, "noise": {"input_n": linear.noise.input, "output_m": linear.noise.output}},
    )  # fmt: skip


class TrialSession:
    """One client of a device: its tables, and the trial that runs."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.reference = Waveform("reference", device.travel, device.output_unit)
        self.feed_forward = Waveform("feed_forward", device.peak, device.input_unit)
        self.trials = 0
        self._passes = 1
        self._advance: Advance | None = None
        self._rows = np.empty((0, len(CHANNELS)))
        self._kept_from = 0
        self._held: float | None = None

    @property
    def header(self) -> Header:
        """Channels and rate."""
        one, other = self.device.input_unit, self.device.output_unit
        channels = tuple(Channel(name, unit) for name, unit in zip(CHANNELS, (other, one, one, other, ""), strict=True))
        return Header(identity=self.device.identity, rate_hz=self.device.rate_hz, simulated=True, channels=channels)

    @property
    def controls(self) -> Mapping[str, Callable[[str], Mapping[str, Any]]]:
        """`limits`, `reference`, `feed_forward`, `repeat`, `hold`."""
        return {
            "limits": lambda rest: {"peak": self.device.peak, "travel": self.device.travel, "samples": LONGEST},
            "reference": self.reference.change, "feed_forward": self.feed_forward.change, "repeat": self._repeat, "hold": lambda rest: self.feed_forward.held(),
        }  # fmt: skip

    @property
    def total(self) -> int:
        """Rows of a trial."""
        return self._passes * max(self.reference.values.size, self.feed_forward.values.size)

    def rows(self, first: int, count: int) -> Array:
        """Rows from number `first` on; asking for the first begins the next trial, at rest."""
        if first == 0 or self._advance is None:
            self._advance = self.device.begin(self.trials)
            self.trials += 1
            self._rows, self._kept_from, self._held = np.empty((0, len(CHANNELS))), 0, None
        while self._kept_from + len(self._rows) < first + count:
            self._simulate(self._kept_from + len(self._rows))
        found = self._rows[first - self._kept_from : first - self._kept_from + count]
        self._rows, self._kept_from = self._rows[first - self._kept_from :], first
        return found

    def _simulate(self, at: int) -> None:
        assert self._advance is not None
        reference, signal = (self._piece(table.values, at) for table in (self.reference, self.feed_forward))
        tripped = self._held is not None
        if self._held is not None:
            reference, signal = np.full(_CHUNK, self._held), np.zeros(_CHUNK)
        given, seen = self._advance(reference, signal)
        self._rows = np.concatenate([self._rows, np.stack([reference, signal, given, seen, np.full(_CHUNK, float(tripped))], axis=1)])
        if not tripped and np.abs(seen).max() > self.device.travel:
            self._held = float(reference[-1])

    def _piece(self, table: Array, at: int) -> Array:
        """Of a table that is as long as the longer of the two, with zeros at its end."""
        length = max(self.reference.values.size, self.feed_forward.values.size)
        place = (at + np.arange(_CHUNK)) % max(1, length)
        return np.where(place < table.size, table[np.minimum(place, table.size - 1)], 0.0) if table.size else np.zeros(_CHUNK)

    def _repeat(self, rest: str) -> dict[str, Any]:
        if not rest.isdecimal() or not 1 <= int(rest[:9]) <= MOST_PASSES:
            raise ValueError(f"repeat: a whole number, 1 … {MOST_PASSES}, is expected")
        self._passes = int(rest)
        return {"passes": self._passes}


class TrialSimulator(FrameSimulator):
    """A stream as long as the tables of the session."""

    def __init__(self, session: TrialSession, *, time_scale: float) -> None:
        super().__init__(session.header, session.rows, total=0, time_scale=time_scale, controls=session.controls)
        self._tables = session

    def receive(self, data: bytes, now_wall_s: float) -> bytes:
        """Control lines; the length follows the tables."""
        said = super().receive(data, now_wall_s)
        self._total = self._tables.total
        return said


def main(argv: list[str] | None = None) -> int:
    """Serve until standard input ends; 0."""
    parser = serving.parser("trial_serve", "A plant under its controller that repeats a motion, on 127.0.0.1.")
    parser.add_argument("plant", choices=PLANTS)
    arguments = parser.parse_args(argv)
    simulated = device(arguments.plant, arguments.seed)
    return serving.serve(lambda: TrialSimulator(TrialSession(simulated), time_scale=arguments.time_scale), simulated.truth, port=arguments.port)


if __name__ == "__main__":
    raise SystemExit(main())
