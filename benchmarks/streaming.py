"""Recording a stream that ends by itself, or after a time: every row with its instrument's time, losses as gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from precision.drivers.roles import Stream
from precision.errors import DataError
from precision.runs.capture import Column

from .procedure import Sink, block

_QUIET_S: Final = 10.0


def record(
    stream: Stream, columns: Sequence[Column], names: Mapping[str, str], sink: Sink, *, samples: int, log: Callable[..., None], progress: Callable[[int, int], None]
) -> int:
    """Append `samples` rows of the stream, column "t_s" and those of `names` (channel -> column); how many came. Fewer, where the stream ends before.

    Raises
    ------
    DataError       the stream ends without a row
    DeviceError     as the driver says
    """
    channels = [channel.name for channel in stream.channels]
    began: int | None = None
    taken = 0
    stream.start()
    log("stream", rate_hz=stream.rate_hz, channels=channels, samples=samples)
    while taken < samples:
        got = stream.read(_QUIET_S)
        if got is None:
            break
        if got.lost:
            sink.gap(got.reason or "lost", got.lost)
            taken += got.lost
        rows = got.values[: max(0, samples - taken)]
        if not len(rows):
            continue
        began = got.t_ns if began is None else began
        time_s = (got.t_ns - began) / 1e9 + np.arange(len(rows)) / stream.rate_hz
        sink.append_and_wait(block(columns, t_s=time_s, **{column: rows[:, channels.index(channel)] for channel, column in names.items()}))
        taken += len(rows)
        progress(min(taken, samples), samples)
    if began is None:
        raise DataError("the stream ended without a sample; start the motion, and the test with it")
    progress(samples, samples)
    stream.stop()
    return taken
