"""The lab clock: discrete events move it, waiting does not.

A motion, a dwell and a homing cycle advance it by what they last in the lab; polling an instrument or waiting on the wall clock leaves it where it is.
So the readings of a run depend on what the machine was told to do, and on nothing else.
"""

from __future__ import annotations

NS_PER_S = 1_000_000_000


class LabClock:
    """Lab time in whole nanoseconds since power-up."""

    __slots__ = ("_now_ns",)

    def __init__(self) -> None:
        self._now_ns = 0

    @property
    def now_ns(self) -> int:
        """Lab time in ns."""
        return self._now_ns

    def advance_ns(self, duration_ns: int) -> int:
        """Let `duration_ns` (≥ 0) pass; returns the new lab time in ns.

        Raises
        ------
        ValueError      a negative duration: lab time never runs back
        """
        if duration_ns < 0:
            raise ValueError(f"duration_ns is {duration_ns}; lab time only moves forward, expected 0 or more")
        self._now_ns += duration_ns
        return self._now_ns


def nanoseconds(duration_s: float) -> int:
    """`duration_s` in whole ns, to the nearest."""
    return round(duration_s * NS_PER_S)
