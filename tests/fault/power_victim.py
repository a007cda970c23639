"""Writes a run until the power is cut. Started by test_power_cut.py with: FOLDER (on the disk that will lose its power) SYNC NOTES (on another disk).

Sample i has the value i in `n` and i / 7 in `x_m`. After each block a line "SEQ MONOTONIC_S" goes to NOTES: what is acknowledged from then on.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from precision.runs.capture import Column
from precision.runs.directory import RunDirectory

COLUMNS = [Column("n", "i8", ""), Column("x_m", "f8", "m")]
ROWS = 200


def main(folder: str, sync: str, notes: str) -> None:
    descriptor = os.open(notes, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    run = RunDirectory.create(Path(folder) / "new" / "runs", "positioning", columns=COLUMNS, plan={"procedure": "positioning"})
    writer = run.start_capture(sync="block" if sync == "block" else float(sync))
    for number in range(1_000_000):
        n = np.arange(number * ROWS, (number + 1) * ROWS)
        seq = writer.append_and_wait({"n": n, "x_m": n / 7.0})
        os.write(descriptor, f"{seq} {time.monotonic()}\n".encode())
        time.sleep(0.002)


if __name__ == "__main__":
    main(*sys.argv[1:4])
