"""`python -m precision.drivers.lab.plant_serve PLANT`: a plant with published numbers under its controller, as frames on 127.0.0.1.

Channels: excitation (added to the plant's input), input, output, and state (0; 1: the device has switched the excitation off at its travel limit). Control lines,
before `start`:

    limits                  answers peak (of the excitation) and travel (of the output, either side of 0) that the device allows
    wave clear              no excitation, as at the beginning
    wave add BASE64         float64, little endian: the next samples of one period; refused beyond the limit or the memory
    hold                    answers how many samples the period has, and its peak

The period is repeated from `start` on; each start begins at rest. Time is the plant's own: by default it waits for nothing. The first line on standard output is
JSON, {"stream": address, "truth": {...}}; the process leaves when its standard input ends.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.frames.codec import Header
from precision.drivers.frames.simulator import FrameSimulator
from precision.drivers.roles import Channel

from . import serving
from .plants import disk_drive, eighth_order, emps, nano_stage
from .plants.linear_plant import Bench, Loop, Noise

Array = NDArray[np.float64]
CHANNELS: Final = ("excitation", "input", "output", "state")
LONGEST_WAVE: Final = 1_000_000
_CHUNK: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """identity : what it says it is.  input_unit, output_unit : SI.  rate_hz.  peak : of the excitation that it allows.  travel : of the output.
    begin : () -> a function of the excitation (n,) that gives input and output (n,), from rest.  truth : published."""

    identity: str
    input_unit: str
    output_unit: str
    rate_hz: float
    peak: float
    travel: float
    begin: Callable[[], Callable[[Array], tuple[Array, Array]]]
    truth: Mapping[str, Any]


def _linear(bench: Bench) -> Callable[[], Callable[[Array], tuple[Array, Array]]]:
    def begin() -> Callable[[Array], tuple[Array, Array]]:
        loop = Loop(bench)

        def advance(excitation: Array) -> tuple[Array, Array]:
            trace = loop.advance(excitation)
            return trace.input, trace.output

        return advance

    return begin


def device(plant: str, seed: int) -> Device:
    """A simulated device by the name of its plant.

    Raises
    ------
    ValueError      there is no such plant
    """
    if plant == "nano-stage":
        stage = nano_stage.NanoStage()
        bench = stage.bench(loop_gain=3e3, noise=Noise(input=5e-5, output=0.5e-9, walk=2e-12), seed=seed)
        return Device(identity="virtual nano stage (University of Tokyo), P control 3000 N/m", input_unit="N", output_unit="m", rate_hz=1 / bench.step_s, peak=20.0,
                      travel=5e-3, begin=_linear(bench), truth={**stage.truth(), "controller": {"kp": 3e3}, "noise": {"input_n": 5e-5, "output_m": 0.5e-9, "walk_m": 2e-12}})  # fmt: skip
    if plant == "eighth-order":
        bench = eighth_order.bench(noise=Noise(input=0.02, output=1e-6), seed=seed)
        return Device(identity="virtual drive of eighth order, PID", input_unit="N", output_unit="m", rate_hz=1 / bench.step_s, peak=50.0, travel=5.0,
                      begin=_linear(bench), truth={**eighth_order.truth(), "noise": {"input_n": 0.02, "output_m": 1e-6}})  # fmt: skip
    if plant == "disk-drive":
        drive = disk_drive.DiskDrive(seed=seed)
        bench = Bench(plant=drive.voice_coil, step_s=1 / disk_drive.RATE_HZ, controller=drive.controller, noise=Noise(output=1e-4), seed=seed)
        return Device(identity="virtual disk drive, voice coil (IEEJ benchmark, case 2)", input_unit="", output_unit="", rate_hz=disk_drive.RATE_HZ, peak=1.0,
                      travel=100.0, begin=_linear(bench), truth=drive.truth())  # fmt: skip
    if plant == "emps":
        one = emps.Emps(noise_m=1e-7, resolution_m=1e-7, seed=seed)

        def begin() -> Callable[[Array], tuple[Array, Array]]:
            running = emps.Drive(one)

            def advance(excitation: Array) -> tuple[Array, Array]:
                trace = running.advance(np.zeros(excitation.size), excitation_v=excitation)
                return trace.voltage, trace.output

            return advance

        return Device(
            identity="virtual EMPS drive, cascade control",
            input_unit="V",
            output_unit="m",
            rate_hz=1 / emps.STEP_S,
            peak=8.0,
            travel=0.05,
            begin=begin,
            truth=one.truth(),
        )
    raise ValueError(f"plant is {plant!r}; expected {', '.join(PLANTS)}")


PLANTS: Final = ("nano-stage", "eighth-order", "disk-drive", "emps")


class PlantSession:
    """One client of a device: its wave, and what the plant did so far since the start."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._wave = np.zeros(0)
        self._rows = np.empty((0, len(CHANNELS)))
        self._kept_from = 0
        self._advance: Callable[[Array], tuple[Array, Array]] | None = None
        self._tripped = False

    @property
    def header(self) -> Header:
        """Channels and rate."""
        units = (self.device.input_unit, self.device.input_unit, self.device.output_unit, "")
        return Header(
            identity=self.device.identity, rate_hz=self.device.rate_hz, simulated=True, channels=tuple(Channel(name, unit) for name, unit in zip(CHANNELS, units, strict=True))
        )  # fmt: skip

    @property
    def controls(self) -> Mapping[str, Callable[[str], Mapping[str, Any]]]:
        """`limits`, `wave`, `hold`."""
        return {"limits": self._limits, "wave": self._change_wave, "hold": self._hold}

    def rows(self, first: int, count: int) -> Array:
        """Rows from number `first` on; asking for the first again begins at rest."""
        if first == 0 or self._advance is None:
            self._advance, self._rows, self._tripped = self.device.begin(), np.empty((0, len(CHANNELS))), False
            self._kept_from = 0
        while self._kept_from + len(self._rows) < first + count:
            self._simulate(self._kept_from + len(self._rows))
        found = self._rows[first - self._kept_from : first - self._kept_from + count]
        self._rows, self._kept_from = self._rows[first - self._kept_from :], first
        return found

    def _simulate(self, at: int) -> None:
        assert self._advance is not None
        wave = self._wave[(at + np.arange(_CHUNK)) % self._wave.size] if self._wave.size and not self._tripped else np.zeros(_CHUNK)
        given, seen = self._advance(wave)
        rows = np.stack([wave, given, seen, np.full(_CHUNK, float(self._tripped))], axis=1)
        # The device looks once in a chunk: from there on the excitation is off.
        self._tripped = self._tripped or bool(np.abs(seen).max() > self.device.travel)
        self._rows = np.concatenate([self._rows, rows])

    def _limits(self, rest: str) -> dict[str, Any]:
        return {"peak": self.device.peak, "travel": self.device.travel}

    def _hold(self, rest: str) -> dict[str, Any]:
        return {"samples": int(self._wave.size), "peak": float(np.abs(self._wave).max(initial=0.0))}

    def _change_wave(self, rest: str) -> dict[str, Any]:
        word, _, text = rest.partition(" ")
        if word == "clear":
            self._wave = np.zeros(0)
        elif word == "add":
            try:
                raw = base64.b64decode(text, validate=True)
            except ValueError:
                raise ValueError("wave add: base64 of float64 samples is expected") from None
            if not raw or len(raw) % 8:
                raise ValueError(f"wave add: {len(raw)} bytes; whole float64 samples are expected")
            part = np.frombuffer(raw, dtype="<f8")
            if not np.all(np.abs(part) <= self.device.peak):
                raise ValueError(
                    f"wave add: a sample of {np.nanmax(np.abs(part)):g} is beyond the limit of {self.device.peak:g} {self.device.input_unit}".rstrip()
                )
            if self._wave.size + part.size > LONGEST_WAVE:
                raise ValueError(f"wave add: the memory holds {LONGEST_WAVE} samples")
            self._wave = np.concatenate([self._wave, part])
        else:
            raise ValueError("wave: clear or add BASE64 is expected")
        return self._hold("")


def main(argv: list[str] | None = None) -> int:
    """Serve until standard input ends; 0."""
    parser = serving.parser("plant_serve", "A plant with published numbers under its controller, on 127.0.0.1.")
    parser.add_argument("plant", choices=PLANTS)
    arguments = parser.parse_args(argv)
    simulated = device(arguments.plant, arguments.seed)

    def client() -> FrameSimulator:
        session = PlantSession(simulated)
        return FrameSimulator(session.header, session.rows, time_scale=arguments.time_scale, controls=session.controls)

    return serving.serve(client, simulated.truth, port=arguments.port)


if __name__ == "__main__":
    raise SystemExit(main())
