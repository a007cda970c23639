"""Recording a stream into a run directory: every sample as it came, what is missing as a gap, nothing made up. What `precision capture` does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from precision.drivers.roles import Block, Stream
from precision.errors import DeviceError, PlanError, PrecisionError
from precision.runs.capture import CaptureWriter, Column
from precision.runs.directory import RunDirectory
from precision.runs.manifest import Instrument

from .guard import Interrupted, signals_become_exceptions

PROCEDURE: Final = "capture"
SAMPLE, TIME = Column("sample", "i8", ""), Column("t_ns", "i8", "ns")
"""The device's number of each sample and the device's time of it; the channels follow."""
_SILENCE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording that is complete.

    samples : rows on the disk. lost : rows that are known to be missing. gaps : in so many places. duration_s : of the device's time, gaps included.
    """

    run: RunDirectory
    samples: int
    lost: int
    gaps: int
    duration_s: float
    ended: str
    """why: "duration", "the device ended its stream", or "stopped by SIGINT" """


Progress = Callable[[float, int, int], None]
"""Seconds of the device's time so far, samples, samples lost."""


def columns_of(stream: Stream) -> tuple[Column, ...]:
    """What the capture of a stream holds; raises `PlanError` where a channel has the name of one of our own columns."""
    taken = {SAMPLE.name, TIME.name} & {channel.name for channel in stream.channels}
    if taken:
        raise PlanError(f"the stream has a channel {taken.pop()!r}, as the recording names a column of its own; rename it at the device")
    return (SAMPLE, TIME, *(Column(channel.name, "f8", channel.unit) for channel in stream.channels))


def record(
    stream: Stream,
    out: Path,
    *,
    driver: str,
    address: str,
    duration_s: float | None = None,
    begin: Callable[[], None] | None = None,
    simulated: bool = False,
    progress: Progress = lambda duration_s, samples, lost: None,
    started: Callable[[RunDirectory], None] = lambda run: None,
) -> Recorded:
    """Record `stream` into a new run directory in `out` until `duration_s` of the device's time, the end of the stream, or a signal.

    begin : how samples are let come; `stream.start` by default, an instrument's `arm` otherwise.

    A signal ends a recording without a duration as it is meant to be ended (COMPLETE); one with a duration is ABORTED by it. What was recorded is kept
    whatever happens.

    Raises
    ------
    PlanError       a duration that is no time
    Interrupted     a signal came before `duration_s` was over
    DeviceError     as the stream says
    DataError       the disk
    """
    if duration_s is not None and not 0 < duration_s <= 1e7:
        raise PlanError(f"the duration of the recording is {duration_s} s; more than 0, and 1e7 s at most, is expected")
    columns = columns_of(stream)
    wanted = None if duration_s is None else math.ceil(duration_s * stream.rate_hz - 1e-9)
    plan = {
        "procedure": PROCEDURE, "source": address, "rate_hz": stream.rate_hz, "duration_s": duration_s,
        "channels": [{"name": channel.name, "unit": channel.unit} for channel in stream.channels],
    }  # fmt: skip
    instruments = {"stream": Instrument(driver=driver, address=address, identity=stream.identity)}
    with signals_become_exceptions() as mask:
        run = RunDirectory.create(out, PROCEDURE, plan=plan, columns=columns, instruments=instruments, simulated=simulated)
        recording: _Recording | None = None
        try:
            recording = _Recording(run.start_capture(sync=1.0, reserve_bytes=8 * len(columns) * (wanted or 0)), stream, wanted, progress)
            started(run)
            (begin or stream.start)()
            ended = recording.until_its_end()
        except Interrupted as signalled:
            mask()
            if wanted is not None or recording is None:
                _abort(run, stream, signalled)
                raise
            ended = str(signalled)
        except BaseException as error:
            mask()
            _abort(run, stream, error)
            raise
        mask()
        _end(run, stream)
        run.event("samples", recorded=recording.samples, lost=recording.lost, gaps=recording.gaps, ended=ended)
        run.finish("COMPLETE", "" if ended == "duration" else ended)
    return Recorded(run, recording.samples, recording.lost, recording.gaps, recording.total / stream.rate_hz, ended)


class _Recording:
    """The loop from the stream to the disk, and its counts."""

    def __init__(self, capture: CaptureWriter, stream: Stream, wanted: int | None, progress: Progress) -> None:
        self._capture, self._stream, self._wanted, self._progress = capture, stream, wanted, progress
        self._names = [channel.name for channel in stream.channels]
        self.samples = self.lost = self.gaps = 0

    @property
    def total(self) -> int:
        return self.samples + self.lost

    def until_its_end(self) -> str:
        while self._wanted is None or self.total < self._wanted:
            block = self._stream.read(_SILENCE_S)
            if block is None:
                return "the device ended its stream"
            self._keep(block)
            self._progress(self.total / self._stream.rate_hz, self.samples, self.lost)
        return "duration"

    def _keep(self, block: Block) -> None:
        room = None if self._wanted is None else self._wanted - self.total
        lost = block.lost if room is None else min(block.lost, room)
        if lost:
            self._capture.gap(block.reason or "samples are missing", lost)
            self.lost, self.gaps = self.lost + lost, self.gaps + 1
        rows = len(block.values) if room is None else min(len(block.values), room - lost)
        if rows:
            index = np.arange(rows)
            times = block.t_ns + np.round(index * (1e9 / self._stream.rate_hz)).astype(np.int64)
            # Waiting for the disk holds up the device's link, not the count: what the device cannot keep meanwhile it says itself.
            self._capture.append_and_wait(
                {SAMPLE.name: block.first_sample + index, TIME.name: times, **dict(zip(self._names, block.values[:rows].T, strict=True))}
            )
            self.samples += rows


def _end(run: RunDirectory, stream: Stream) -> None:
    """Stop the samples; a device that does not take that any more costs no recording."""
    try:
        stream.stop()
    except DeviceError as error:
        run.event("stop not confirmed", cause=str(error))


def _abort(run: RunDirectory, stream: Stream, error: BaseException) -> None:
    try:
        _end(run, stream)
        run.finish("ABORTED", f"{type(error).__name__}: {error}")
    except (PrecisionError, OSError) as failed:
        error.add_note(f"the end of the run could not be written down: {failed}")
    error.add_note(f"what was recorded so far is kept in {run.path} (marked ABORTED)")


def described(recorded: Recorded) -> dict[str, Any]:
    """The counts of a recording, plain JSON types."""
    return {"samples": recorded.samples, "lost": recorded.lost, "gaps": recorded.gaps, "duration_s": recorded.duration_s, "ended": recorded.ended}
