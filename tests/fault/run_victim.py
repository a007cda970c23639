"""Whole runs that are killed: SETTINGS (JSON) as argument. A line "OUT SAID" forks a run into the folder OUT; its process id is answered.

Every row that the capture has acknowledged is written to the file SAID by the run itself, one JSON object a line, after the acknowledgement: what the
disk must hold is so known without asking the disk.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.ipc
import pyvisa_py.tcpip

import precision.drivers.grbl.driver
import precision.drivers.ids3010.driver
import precision.drivers.scpi.driver
from precision.benchmarks.execution import execute
from precision.benchmarks.plan_files import checked
from precision.benchmarks.positioning_plan import Parameters
from precision.errors import PrecisionError
from precision.runs.capture import CaptureWriter

# Imported once, before the forks: a run then begins at once.
LOADED = (pyarrow.ipc, pyvisa_py.tcpip, precision.drivers.grbl.driver, precision.drivers.ids3010.driver, precision.drivers.scpi.driver)


def run(settings: list[str], out: Path, said: Path) -> None:
    descriptor = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    safe = CaptureWriter.append_and_wait

    def told(self: CaptureWriter, block: Mapping[str, Any], **options: Any) -> int:
        number = safe(self, block, **options)
        row = {name: value[0].hex() if isinstance(value[0], float) else value[0] for name, value in block.items()}
        os.write(descriptor, json.dumps(row).encode() + b"\n")
        return number

    CaptureWriter.append_and_wait = told  # type: ignore[method-assign]
    plan = checked("positioning", settings)
    assert isinstance(plan, Parameters)
    try:
        execute(plan, out)
    except PrecisionError as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())


def main(settings: list[str]) -> None:
    for line in sys.stdin:
        out, said = line.split()
        child = os.fork()
        if child == 0:
            run(settings, Path(out), Path(said))
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(status, flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
