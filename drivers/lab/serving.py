"""What every simulated instrument that is a process of its own does: its arguments, one stream on 127.0.0.1, and leaving when nobody holds it.

The first line on standard output is JSON, {"stream": address, "truth": {...}} (see `bench.started`); the process leaves when its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from precision.drivers.frames.server import FrameServer
from precision.drivers.frames.simulator import FrameSimulator


def parser(module: str, description: str) -> argparse.ArgumentParser:
    """--seed, --time-scale and --port; the module adds its own."""
    made = argparse.ArgumentParser(prog=f"python -m precision.drivers.lab.{module}", description=description)
    made.add_argument("--seed", type=int, required=True, help="which one: same seed, same readings")
    made.add_argument("--time-scale", type=_time_scale, default=math.inf, help="simulated seconds per second; inf (default) waits for nothing")
    made.add_argument("--port", type=int, default=0, help="0 (default): any free one")
    return made


def serve(device: Callable[[], FrameSimulator], truth: Mapping[str, Any], *, port: int, ready: Callable[[], object] = lambda: None) -> int:
    """Serve until standard input ends; the exit code. device : of each client. ready : what is done before anybody waits for it."""
    try:
        server = FrameServer(device, port=port)
    except OSError as refused:
        print(f"the simulated instrument cannot open its port: {refused}; choose another, or 0 for any free one", file=sys.stderr)
        return 3
    with server:
        ready()
        print(json.dumps({"stream": server.address, "truth": dict(truth)}), flush=True)
        while True:
            try:
                if not os.read(0, 4096):
                    return 0
            except OSError:
                return 0  # no standard input at all: nobody holds it


def _time_scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not scale > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, or inf")
    return scale
