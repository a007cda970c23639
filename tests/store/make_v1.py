"""Made the runs in tests/store/v1, once. They are never made again: old runs stay readable, with the bytes they were written with.

    python tests/store/make_v1.py FOLDER
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np

from precision.runs.capture import Column
from precision.runs.directory import RunDirectory
from precision.runs.manifest import Instrument

COLUMNS = [Column("t_mono_ns", "i8", "ns", wall_clock=True), Column("target_m", "f8", "m"), Column("displacement_m", "f8", "m"), Column("run", "i8", "")]


def make(out: Path) -> None:
    run = RunDirectory.create(
        out, "positioning", name="v1-complete", columns=COLUMNS, seed=20261123, simulated=True,
        plan={"procedure": "positioning", "axis": {"name": "X", "targets_m": [0.0, 0.05, 0.1], "runs": 2}},
        instruments={"controller": Instrument(driver="grbl", address="sim://lab", identity="Grbl 1.1h \x1b[31m</script>")},
    )
    with run:
        capture = run.start_capture()
        for number in range(1, 3):
            target = np.array([0.0, 0.05, 0.1])
            capture.append_and_wait(
                {"t_mono_ns": np.arange(3) + 10**9, "target_m": target, "displacement_m": target + 1e-6 * number / 3, "run": [number] * 3}, t_mono_ns=10**9 * number
            )
        capture.gap("beam lost", 2)
        run.event("beam lost", samples=2)
        run.write_result({"figures": [{"key": "A", "unit": "m", "value": 1e-6 / 3}]})
        run.write_truth({"pitch_error_m": 1e-6 / 3})
        manifest = run.manifest_path.read_bytes()  # as a run has it whose process dies now
        run.finish("COMPLETE")

    died = out / "v1-died"
    shutil.copytree(run.path, died)
    data = (died / "capture.arrows").read_bytes()
    (died / "capture.arrows").write_bytes(data[: data.rindex(b"\xff\xff\xff\xff", 0, len(data) - 1200) + 100])
    (died / "manifest.json").write_bytes(manifest)
    (died / "result.json").unlink()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
