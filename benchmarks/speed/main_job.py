"""What the main job costs: a full simulated run, and the evaluation of a recording. Wall time, processor time and peak memory of real processes.

    python -m precision.benchmarks.speed.main_job

The run is 11 targets × 5 runs × 2 directions on the virtual lab at full speed; its children (the lab, the supervisor) are counted in.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """wall_s of the command; cpu_s and peak_bytes summed over the command and its children (peak: the largest sum seen, sampled every 20 ms)."""

    command: str
    wall_s: float
    cpu_s: float
    peak_bytes: int

    def __str__(self) -> str:
        return f"{self.command:<44} {self.wall_s:6.2f} s wall  {self.cpu_s:6.2f} s CPU  {self.peak_bytes / 1e6:6.0f} MB peak"


def cost(arguments: Sequence[str], folder: Path) -> Cost:
    """What `precision ARGUMENTS` costs in `folder`.

    Raises
    ------
    RuntimeError        the command failed
    """
    import psutil

    began = time.monotonic()
    process = psutil.Popen([sys.executable, "-P", "-m", "precision", *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    cpu_s: dict[int, float] = {}
    peak = 0
    while process.poll() is None:
        resident = 0
        try:
            for member in (process, *process.children(recursive=True)):
                times = member.cpu_times()
                cpu_s[member.pid] = times.user + times.system
                resident += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
        peak = max(peak, resident)
        time.sleep(0.02)
    if process.returncode != 0:
        raise RuntimeError(f"precision {' '.join(arguments)} ended with {process.returncode}: {process.stderr.read().decode()[-500:]}")
    return Cost(command=f"precision {' '.join(arguments)}", wall_s=time.monotonic() - began, cpu_s=sum(cpu_s.values()), peak_bytes=peak)


def recording(path: Path) -> None:
    """A recording of 11 targets × 5 runs × 2 directions."""
    import numpy as np

    generator = np.random.Generator(np.random.Philox(key=1))
    lines = ["run,direction,target_mm,actual_mm"]
    for run in range(1, 6):
        for sign, order in (("+", range(11)), ("-", reversed(range(11)))):
            lines += [f"{run},{sign},{100 * i},{100 * i + generator.normal(0, 0.001):.6f}" for i in order]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recording(folder / "readings.csv")
        for arguments in (["run", "positioning"], ["analyze", "readings.csv"], ["--help"]):
            cost(arguments, folder)  # once for the caches of the file system
            print(min((cost(arguments, folder) for _ in range(3)), key=lambda measured: measured.wall_s), flush=True)


if __name__ == "__main__":
    main()
