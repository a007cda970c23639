"""`python -m precision.drivers.lab.gantry_serve PLANT`: a plant of two inputs and two outputs under its controllers, as frames on 127.0.0.1.

Channels: excitation_1, excitation_2 (added to the forces), input_1, input_2, output_1, output_2, and state (0; 1: the device has switched the
excitation off at its travel
limit). Control lines, before `start`:

    limits                              answers peak (of the excitation) and travel (of the outputs, either side of 0) that the device allows
    wave_1 clear | add BASE64           float64, little endian: one period of the first excitation; wave_2 of the second; the same length, or none
    hold                                answers how many samples the longer period has, and the larger peak

The periods are repeated from `start` on; each start begins at rest. Time is the plant's own: by default it waits for nothing. The first line on
standard output is
JSON, {"stream": address, "truth": {...}}; the process leaves when its standard input ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.frames.codec import Header
from precision.drivers.frames.simulator import FrameSimulator
from precision.drivers.roles import Channel

from . import serving
from .plants.coupled_stage import STEP_S, Gantry, GantryLoop
from .plants.linear_plant import Noise
from .waveform import Waveform

Array = NDArray[np.float64]
PLANTS: Final = ("gantry",)
CHANNELS: Final = tuple(f"{name}_{k}" for name in ("excitation", "input", "output") for k in (1, 2))
PEAK_N: Final = 200.0
TRAVEL_M: Final = 0.05
NOISE: Final = Noise(input=0.05, output=2e-8)
_CHUNK: Final = 2048


class GantrySession:
    """One client of the gantry: its waves, and what it did so far since the start."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.waves = tuple(Waveform(f"wave_{k}", PEAK_N, "N") for k in (1, 2))
        self._loop: GantryLoop | None = None
        self._rows = np.empty((0, len(CHANNELS) + 1))
        self._kept_from = 0
        self._tripped = False

    @property
    def header(self) -> Header:
        """Channels and rate."""
        channels = tuple(Channel(name, "m" if name.startswith("output") else "N") for name in CHANNELS)
        return Header(identity="virtual gantry, two drives, PID each", rate_hz=1 / STEP_S, simulated=True, channels=(*channels, Channel("state", "")))

    @property
    def controls(self) -> Mapping[str, Callable[[str], Mapping[str, Any]]]:
        """`limits`, `hold`, `wave_1`, `wave_2`."""
        return {"limits": lambda rest: {"peak": PEAK_N, "travel": TRAVEL_M}, "hold": self._hold, **{wave.name: wave.change for wave in self.waves}}

    def rows(self, first: int, count: int) -> Array:
        """Rows from number `first` on; asking for the first again begins at rest."""
        if first == 0 or self._loop is None:
            self._loop, self._rows, self._kept_from, self._tripped = GantryLoop(Gantry(), noise=NOISE, seed=self.seed), self._rows[:0], 0, False
        while self._kept_from + len(self._rows) < first + count:
            self._simulate(self._loop, self._kept_from + len(self._rows))
        found = self._rows[first - self._kept_from : first - self._kept_from + count]
        self._rows, self._kept_from = self._rows[first - self._kept_from :], first
        return found

    def _simulate(self, loop: GantryLoop, at: int) -> None:
        place = at + np.arange(_CHUNK)
        on = np.stack([wave.values[place % wave.values.size] if wave.values.size and not self._tripped else np.zeros(_CHUNK) for wave in self.waves])
        given, seen = loop.advance(on)
        self._rows = np.concatenate([self._rows, np.concatenate([on, given, seen, np.full((1, _CHUNK), float(self._tripped))]).T])
        # The device looks once in a chunk: from there on the excitation is off.
        self._tripped = self._tripped or bool(np.abs(seen).max() > TRAVEL_M)

    def _hold(self, rest: str) -> dict[str, Any]:
        held = [wave.held() for wave in self.waves]
        return {"samples": max(one["samples"] for one in held), "peak": max(one["peak"] for one in held)}


def main(argv: list[str] | None = None) -> int:
    """Serve until standard input ends; 0."""
    parser = serving.parser("gantry_serve", "A plant of two inputs and two outputs under its controllers, on 127.0.0.1.")
    parser.add_argument("plant", choices=PLANTS)
    arguments = parser.parse_args(argv)

    def client() -> FrameSimulator:
        session = GantrySession(arguments.seed)
        return FrameSimulator(session.header, session.rows, time_scale=arguments.time_scale, controls=session.controls)

    return serving.serve(client, Gantry().truth(), port=arguments.port)


if __name__ == "__main__":
    raise SystemExit(main())
