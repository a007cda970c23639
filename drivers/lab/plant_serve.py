"""`python -m precision.drivers.lab.plant_serve PLANT`: a plant with published numbers under its controller, as frames on 127.0.0.1.

Channels: excitation (added to the plant's input), input, output, state (0; 1: the device has switched the excitation off at its travel limit), set (the
set-point), and what else the device measures. Control lines, before `start`:

    limits                  answers peak (of the excitation) and travel (of the output, either side of 0) that the device allows
    wave clear              no excitation, as at the beginning
    wave add BASE64         float64, little endian: the next samples of one period; refused beyond the limit or the memory
    hold                    answers how many samples the period has, and its peak
    set clear               the set-point stays at 0, as at the beginning
    set add BASE64          float64, little endian: the next samples of the set-point, in the unit of the output; refused beyond the travel or the memory

The period is repeated from `start` on, the set-point runs once and stays where it ends; each start begins at rest. A device that switches off stops where it is. Time is the plant's own: by default it waits for nothing. The first line on standard output is
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
from .plants import disk_drive, disk_drive_control, eighth_order, emps, nano_stage, table_drive
from .plants.linear_plant import Bench, Loop, Noise

Array = NDArray[np.float64]
Advance = Callable[[Array, Array], tuple[Array, ...]]
CHANNELS: Final = ("excitation", "input", "output", "state", "set")
LONGEST_WAVE: Final = 4_000_000
_CHUNK: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """identity : what it says it is.  input_unit, output_unit : SI.  rate_hz.  peak : of the excitation that it allows.  travel : of the output.
    begin : () -> a function of excitation and set-point (n,) that gives input, output and then what `more` names, (n,) each, from rest.  truth : published.
    more : further channels."""

    identity: str
    input_unit: str
    output_unit: str
    rate_hz: float
    peak: float
    travel: float
    begin: Callable[[], Advance]
    truth: Mapping[str, Any]
    more: tuple[Channel, ...] = ()


def _linear(bench: Bench) -> Callable[[], Advance]:
    def begin() -> Advance:
        loop = Loop(bench)

        def advance(excitation: Array, set_point: Array) -> tuple[Array, ...]:
            trace = loop.advance(excitation, reference=set_point)
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
    if plant == "disk-drive-dual":
        drive = disk_drive.DiskDrive(seed=seed)
        return Device(identity="virtual disk drive, both stages under their published controllers (IEEJ benchmark, case 2)", input_unit="", output_unit="",
                      rate_hz=disk_drive.RATE_HZ, peak=10.0, travel=100.0, begin=lambda: disk_drive_control.DualLoop(noise=1e-4, seed=seed).advance,
                      truth={**drive.truth(), "excited": "at the error, before the controllers", "controllers": "as published"})  # fmt: skip
    if plant == "emps":
        one = emps.Emps(noise_m=1e-7, resolution_m=1e-7, seed=seed)

        def begin() -> Advance:
            running = emps.Drive(one)

            def advance(excitation: Array, set_point: Array) -> tuple[Array, ...]:
                trace = running.advance(set_point, excitation_v=excitation)
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
    if plant == "emps-table":
        return _table(seed)
    raise ValueError(f"plant is {plant!r}; expected {', '.join(PLANTS)}")


def _table(seed: int) -> Device:
    drive = table_drive.TableDrive(emps=emps.Emps(noise_m=2e-8, resolution_m=1e-8, seed=seed), noise_m=2e-8, resolution_m=1e-8)

    def begin() -> Advance:
        running = table_drive.Running(drive)

        def advance(excitation: Array, set_point: Array) -> tuple[Array, ...]:
            trace = running.advance(set_point, excitation_v=excitation)
            return trace.voltage, trace.output, trace.load

        return advance

    return Device(
        identity="virtual EMPS drive with a table behind a worn coupling",
        input_unit="V",
        output_unit="m",
        rate_hz=1 / emps.STEP_S,
        peak=8.0,
        travel=0.05,
        begin=begin,
        truth=drive.truth(),
        more=(Channel("load", "m"),),
    )


PLANTS: Final = ("nano-stage", "eighth-order", "disk-drive", "disk-drive-dual", "emps", "emps-table")


class PlantSession:
    """One client of a device: its wave, and what the plant did so far since the start."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._wave, self._set = np.zeros(0), np.zeros(0)
        self._rows = np.empty((0, len(CHANNELS) + len(device.more)))
        self._kept_from = 0
        self._advance: Advance | None = None
        self._tripped_at: float | None = None

    @property
    def header(self) -> Header:
        """Channels and rate."""
        units = (self.device.input_unit, self.device.input_unit, self.device.output_unit, "", self.device.output_unit)
        own = tuple(Channel(name, unit) for name, unit in zip(CHANNELS, units, strict=True))
        return Header(identity=self.device.identity, rate_hz=self.device.rate_hz, simulated=True, channels=own + self.device.more)

    @property
    def controls(self) -> Mapping[str, Callable[[str], Mapping[str, Any]]]:
        """`limits`, `wave`, `hold`, `set`."""
        return {"limits": self._limits, "wave": self._change_wave, "hold": self._hold, "set": self._change_set}

    def rows(self, first: int, count: int) -> Array:
        """Rows from number `first` on; asking for the first again begins at rest."""
        if first == 0 or self._advance is None:
            self._advance, self._rows, self._tripped_at = self.device.begin(), self._rows[:0], None
            self._kept_from = 0
        while self._kept_from + len(self._rows) < first + count:
            self._simulate(self._kept_from + len(self._rows))
        found = self._rows[first - self._kept_from : first - self._kept_from + count]
        self._rows, self._kept_from = self._rows[first - self._kept_from :], first
        return found

    def _simulate(self, at: int) -> None:
        assert self._advance is not None
        number, tripped = at + np.arange(_CHUNK), self._tripped_at is not None
        wave = self._wave[number % self._wave.size] if self._wave.size and not tripped else np.zeros(_CHUNK)
        target = self._set[np.minimum(number, self._set.size - 1)] if self._set.size else np.zeros(_CHUNK)
        if self._tripped_at is not None:
            target = np.full(_CHUNK, self._tripped_at)
        given, seen, *more = self._advance(wave, target)
        rows = np.stack([wave, given, seen, np.full(_CHUNK, float(tripped)), target, *more], axis=1)
        # The device looks once in a chunk: from there on the excitation is off, and the set-point stays where the output is.
        if not tripped and bool(np.abs(seen).max() > self.device.travel):
            self._tripped_at = float(seen[-1])
        self._rows = np.concatenate([self._rows, rows])

    def _limits(self, rest: str) -> dict[str, Any]:
        return {"peak": self.device.peak, "travel": self.device.travel, "samples": LONGEST_WAVE}

    def _hold(self, rest: str) -> dict[str, Any]:
        return {"samples": int(self._wave.size), "peak": float(np.abs(self._wave).max(initial=0.0))}

    def _change_wave(self, rest: str) -> dict[str, Any]:
        self._wave = self._changed("wave", self._wave, rest, self.device.peak, self.device.input_unit)
        return self._hold("")

    def _change_set(self, rest: str) -> dict[str, Any]:
        self._set = self._changed("set", self._set, rest, self.device.travel, self.device.output_unit)
        return {"samples": int(self._set.size), "peak": float(np.abs(self._set).max(initial=0.0))}

    @staticmethod
    def _changed(name: str, table: Array, rest: str, limit: float, unit: str) -> Array:
        """The table after `clear` or `add BASE64`. Raises ValueError, as a control line does."""
        word, _, text = rest.partition(" ")
        if word == "clear":
            return np.zeros(0)
        if word != "add":
            raise ValueError(f"{name}: clear or add BASE64 is expected")
        try:
            raw = base64.b64decode(text, validate=True)
        except ValueError:
            raise ValueError(f"{name} add: base64 of float64 samples is expected") from None
        if not raw or len(raw) % 8:
            raise ValueError(f"{name} add: {len(raw)} bytes; whole float64 samples are expected")
        part = np.frombuffer(raw, dtype="<f8")
        if not np.all(np.abs(part) <= limit):
            raise ValueError(f"{name} add: a sample of {np.nanmax(np.abs(part)):g} is beyond the limit of {limit:g} {unit}".rstrip())
        if table.size + part.size > LONGEST_WAVE:
            raise ValueError(f"{name} add: the memory holds {LONGEST_WAVE} samples")
        return np.concatenate([table, part])


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
