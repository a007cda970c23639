"""A stream of servo cycles that is not this machine's: the test ends in words, not never."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from precision.benchmarks.tracking import Listening
from precision.drivers.roles import Block, Channel
from precision.errors import DeviceFault


class Endless:
    """A stream that goes on for ever, in blocks that have to be waited for."""

    identity, rate_hz = "a stream", 1000.0
    channels = (Channel("x_cmd", "m"), Channel("x_fb", "m"))

    def __init__(self, command: Callable[[np.ndarray], np.ndarray]) -> None:
        self._command, self._next = command, 0

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...

    def read(self, timeout_s: float) -> Block:
        time.sleep(2e-3)
        first, self._next = self._next, self._next + 200
        position = self._command(np.arange(first, self._next))
        return Block(first_sample=first, t_ns=first * 1_000_000, values=np.stack([position, position], axis=1))


@pytest.mark.parametrize(
    ("command", "traverses", "said"),
    [
        (lambda n: 0.0 * n, 6, "lacks 6 traverses"),
        (lambda n: 1e-7 * n, 4, "lacks"),
        (lambda n: 1e-7 * n, 0, "goes on moving"),
        (lambda n: 0.15 * np.sin(n / 100), 2, "goes on moving"),
    ],
)
def test_a_command_of_another_machine_is_said_to_be_one(command: Callable[[np.ndarray], np.ndarray], traverses: int, said: str) -> None:
    heard = Listening(Endless(command), traverses=traverses, stroke_m=0.2, tail=250, commands=[0])
    time.sleep(0.05)
    before_s = time.monotonic()
    with pytest.raises(DeviceFault, match=said):
        heard.heard()
    assert time.monotonic() - before_s < 10
