"""What it costs to keep readings safe: a paced stream into a capture, its processor time, its memory, its delays.

    python -m precision.benchmarks.speed.streaming --duration 60

8 channels of float64 at 50 kHz in blocks of 50 ms, fdatasync after each block. The measuring thread only paces itself and appends; what is
counted is the whole process, the writing thread included.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...runs.capture import CaptureWriter, Column, verify

WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    """What one paced stream cost.

    cpu_share : processor time of the process by wall time, of one core.
    memory_growth_bytes : resident memory at the end less that after the warm-up; memory_span_bytes : highest less lowest of it.
    longest_append_s : longest that `append` took in the measuring thread.
    late_blocks : blocks that were not acknowledged yet when the next one was due.
    lost_samples : in gaps.
    """

    duration_s: float
    channels: int
    rate_hz: float
    megabytes: float
    cpu_share: float
    memory_growth_bytes: int
    memory_span_bytes: int
    longest_append_s: float
    late_blocks: int
    lost_samples: int

    def __str__(self) -> str:
        return (
            f"{self.channels} channels at {self.rate_hz:g} Hz for {self.duration_s:.0f} s: {self.megabytes:.1f} MB, {100 * self.cpu_share:.2f} % of a core, "
            f"memory {self.memory_growth_bytes / 1e6:+.2f} MB (span {self.memory_span_bytes / 1e6:.2f} MB), append at most {1e3 * self.longest_append_s:.2f} ms, "
            f"{self.late_blocks} blocks not on the disk when the next was due, {self.lost_samples} samples lost"
        )


def measure(folder: Path, duration_s: float, *, channels: int = 8, rate_hz: float = 50_000.0, block_s: float = 0.05) -> Streaming:
    """Stream for `duration_s` after a warm-up into a new capture in `folder`, verify it, remove it.

    Raises
    ------
    RuntimeError    the capture does not hold what was appended
    """
    import psutil

    process = psutil.Process()
    rows = round(rate_hz * block_s)
    # A few blocks made beforehand: the generator is not what is measured.
    chance = np.random.Generator(np.random.Philox(key=1))
    blocks = [{f"x{channel}_m": chance.normal(size=rows) for channel in range(channels)} for _ in range(8)]
    path = folder / "streaming.arrows"
    warm, count = round(WARM_UP_S / block_s), round((WARM_UP_S + duration_s) / block_s)
    memory, appends, late, seq = [], [], 0, 0
    with CaptureWriter(path, [Column(name, "f8", "m") for name in blocks[0]], reserve_bytes=round(8 * channels * rows * count * 1.01)) as writer:
        begin = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begin + number * block_s - time.monotonic()))
            if number == warm:
                cpu, wall = time.process_time(), time.monotonic()
            late += number > warm and writer.acknowledged < seq
            before = time.monotonic()
            seq = writer.append(blocks[number % len(blocks)])
            if number >= warm:
                appends.append(time.monotonic() - before)
                memory.append(process.memory_info().rss)
        writer.wait()
        share = (time.process_time() - cpu) / (time.monotonic() - wall)
    found = verify(path)
    size = path.stat().st_size
    path.unlink()
    if not found or found.samples + found.missing != rows * count:
        raise RuntimeError(f"{found.samples} samples and {found.missing} in gaps were found; {rows * count} were appended; {found.problems}")
    return Streaming(
        duration_s=duration_s, channels=channels, rate_hz=rate_hz, megabytes=size / 1e6, cpu_share=share, memory_growth_bytes=memory[-1] - memory[0],
        memory_span_bytes=max(memory) - min(memory), longest_append_s=max(appends), late_blocks=late, lost_samples=found.missing,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, as the arguments say, and print."""
    parser = argparse.ArgumentParser(description="What it costs to stream readings into a capture.")
    parser.add_argument("--duration", type=float, default=60.0, help="seconds after the warm-up")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--rate", type=float, default=50_000.0, help="samples of each channel per second")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; default: a temporary one")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(measure(Path(folder), options.duration, channels=options.channels, rate_hz=options.rate))


if __name__ == "__main__":
    main()
