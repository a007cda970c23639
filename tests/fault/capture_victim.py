"""Writes captures until it is killed. Started by test_capture.py.

A line "PATH SYNC" on standard input forks a writer, whose process id is answered. Sample number i of the capture has the value i in `n` and i / 7 in `x`,
so that every reading can be checked without its original. `PATH.acknowledged` holds the highest acknowledged number (8 bytes, little endian).
"""

from __future__ import annotations

import os
import resource
import struct
import sys
from pathlib import Path

import numpy as np

from precision.errors import DataError
from precision.runs.capture import CaptureWriter, Column

COLUMNS = [Column("n", "i8", ""), *(Column(f"x{channel}", "f8", "m") for channel in range(8))]
ROWS = 2500


def block(start: int) -> dict[str, object]:
    n = np.arange(start, start + ROWS)
    return {"n": n, **{f"x{channel}": n / (7.0 + channel) for channel in range(8)}}


def write(path: Path, sync: str) -> None:
    acknowledged = os.open(path.with_suffix(".acknowledged"), os.O_CREAT | os.O_WRONLY)
    with CaptureWriter(path, COLUMNS, sync="block" if sync == "block" else float(sync), queue_blocks=4) as writer:
        for number in range(1_000_000):
            # Half of them in a hurry, so that kills also land in a full queue and its gaps.
            (writer.append if number % 64 < 32 else writer.append_and_wait)(block(number * ROWS))
            os.pwrite(acknowledged, struct.pack("<q", writer.acknowledged), 0)


def main() -> None:
    if len(sys.argv) > 1:  # PATH LIMIT: one writer whose files may have LIMIT bytes
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
        try:
            write(Path(sys.argv[1]), "block")
        except DataError as error:
            print(error)
            sys.exit(6)
    for line in sys.stdin:
        path, sync = line.split()
        child = os.fork()
        if child == 0:
            write(Path(path), sync)
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main()
