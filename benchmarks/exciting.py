"""What every procedure does that hands a signal to a controller: ask for its limits, upload, look at each block of rows, and take the signal
away whatever happens."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.frames.driver import FrameStream
from precision.errors import DataError, DeviceError, PlanError, PrecisionError, SafetyStop

from .gathering import Gathered
from .guard import Interrupted

Array = NDArray[np.float64]

UPLOAD: Final = 4000
"""Samples of a control line."""
QUIET_S: Final = 10.0
"""Without a block for so long, the stream counts as gone."""


def limits(stream: FrameStream) -> tuple[float, float]:
    """Peak of the signal and travel of the output that the device allows, asked for now.

    Raises
    ------
    PlanError       it names none
    """
    said = stream.ask("limits")
    found = [said.get(name) for name in ("peak", "travel")]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) and value > 0 for value in found):
        raise PlanError(
            f"the device says {str(said)[:120]} to `limits`; a positive peak and travel are expected. Without its limits nothing is excited"
        )
    return float(found[0] or 0), float(found[1] or 0)


def check_channels(stream: FrameStream, units: Sequence[tuple[str, str]]) -> None:
    """Refuse a stream that lacks a channel, or has it in another unit than the plan says. PlanError names it."""
    channels = {channel.name: channel.unit for channel in stream.channels}
    if missing := [name for name, _ in units if name not in channels]:
        raise PlanError(f"the stream has the channels {', '.join(channels)}; {', '.join(missing)} is missing")
    for name, unit in units:
        if channels[name] != unit:
            raise PlanError(
                f"channel {name} of the stream is in {channels[name] or 'no unit'}, the plan says {unit or 'no unit'}; correct [units], peak and travel are in them"
            )


def check_memory(stream: FrameStream, samples: int, instead: str) -> None:
    """Refuse a signal of so many samples where the device says that it holds fewer. instead : what makes it shorter."""
    most = stream.ask("limits").get("samples")
    if isinstance(most, int) and samples > most:
        raise PlanError(f"the signal has {samples} samples ({samples / stream.rate_hz:.4g} s), the device holds {most}; ask for {instead}. Nothing was excited")


def upload(stream: FrameStream, values: Array, *, word: str = "wave") -> None:
    """Replace a table of the device by `values` (n,); no values: it is cleared."""
    stream.ask(f"{word} clear")
    for start in range(0, values.size, UPLOAD):
        stream.ask(f"{word} add " + base64.b64encode(values[start : start + UPLOAD].astype("<f8").tobytes()).decode())


def streamed(stream: FrameStream, total: int) -> Iterator[tuple[int, Array, str, int]]:
    """First sample number, rows, and what was lost before them with its reason, of the first `total` samples after a start."""
    taken = 0
    stream.start()
    while taken < total:
        got = stream.read(QUIET_S)
        if got is None:
            raise DataError(f"the stream ended after {taken} of {total} samples; what was taken is kept. Start the device again")
        lost = min(got.lost, total - taken)
        rows = got.values[: total - taken - lost]
        if lost or len(rows):
            yield taken + lost, rows, got.reason or "lost", lost
        taken += lost + len(rows)


@contextmanager
def excited(stream: FrameStream, kept: Gathered, *, lines: Sequence[str] = ("wave clear",)) -> Iterator[None]:
    """However the block ends, the signal is taken away (`let_go`); then the rows that `kept` still holds are written, as far as the disk takes them."""
    try:
        yield
        kept.flush()
    except BaseException as error:
        let_go(stream, error, lines=lines)
        try:
            kept.flush()
        except (PrecisionError, OSError) as failed:
            error.add_note(f"the last rows could not be written: {failed}")
        raise
    let_go(stream, None, lines=lines)


def let_go(stream: FrameStream, because: BaseException | None, *, lines: Sequence[str] = ("wave clear",)) -> None:
    """End the stream and take the signal away. What hinders one does not keep from trying the other, nor hide why it is done; nor does a Ctrl-C."""
    hindered: DeviceError | None = None
    signalled: Interrupted | None = None
    steps: list[Callable[[], object]] = [stream.stop, *[(lambda line=line: stream.ask(line)) for line in lines]]
    for step in steps:
        try:
            try:
                step()
            except Interrupted as error:  # comes once
                signalled = error
                step()
        except DeviceError as error:
            hindered = error
    first = because or signalled or hindered
    if first is not None and hindered is not None and first is not hindered:
        first.add_note(f"the excitation could not be taken away: {hindered}. Switch the drive off")
    if because is None and first is not None:
        raise first


class Watch:
    """Looks at each block of rows: how far the outputs go, and whether the device has switched off.

    travel : of each of the channels `outputs`, either side of 0, in `unit`.  advice : what the person should lower.
    """

    def __init__(
        self, names: Sequence[str], *, travel: float, unit: str, outputs: Sequence[str] = ("output",), advice: str = "Lower excitation.peak"
    ) -> None:
        self._travel, self._unit, self._advice = travel, unit, advice
        self._outputs = [list(names).index(name) for name in outputs]
        self._state = list(names).index("state") if "state" in names else None
        self._low, self._high = math.inf, -math.inf

    @property
    def middle(self) -> float:
        """Between the lowest and the highest value seen."""
        return (self._low + self._high) / 2

    @property
    def reach(self) -> float:
        """Half of what lies between them."""
        return (self._high - self._low) / 2

    def look(self, rows: Array) -> None:
        """Rows (n, channels). SafetyStop where they leave the travel, or say that the device has switched off."""
        if not len(rows):
            return
        output = rows[:, self._outputs]
        self._low, self._high = min(self._low, float(output.min())), max(self._high, float(output.max()))
        if max(-self._low, self._high) > self._travel:
            raise SafetyStop(
                f"the output reached {max(-self._low, self._high):.4g} {self._unit}, beyond safety.travel of {self._travel:g}; the excitation was taken away. {self._advice}"
            )
        if self._state is not None and np.any(rows[:, self._state] != 0):
            raise SafetyStop(f"the device has switched the excitation off at a limit of its own; {self._advice[0].lower()}{self._advice[1:]}")
