"""A process that drives a long motion under supervision, to be killed: ADDRESS, RECORD. Says "moving" and waits for a line before it moves."""

from __future__ import annotations

import sys
from pathlib import Path

from precision.drivers import open_controller
from precision.drivers.supervisor import Supervisor, supervise
from precision.errors import SafetyStop


def main(address: str, record: str) -> int:
    controller = open_controller("grbl", address, settle_s=0.0)
    supervisor = supervise(controller, record=Path(record))
    assert isinstance(supervisor, Supervisor)
    controller.home()
    print(f"moving {supervisor.pid}", flush=True)
    sys.stdin.readline()
    try:
        controller.move_to({"X": 0.9}, feed_m_per_s=0.02)
    except SafetyStop as stopped:
        print(stopped, flush=True)
        controller.stop()
        supervisor.release()
        controller.close()
        return 5
    supervisor.release()
    controller.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
