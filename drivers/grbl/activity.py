"""What a simulated controller is doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from . import gcode

Kind = Literal["Run", "Jog", "Dwell", "Home"]


@dataclass(frozen=True, slots=True)
class Activity:
    """In wall time; `duration_lab_s` is what is left of it in the lab, `whole_lab_s`, of one that was held, what it would have lasted."""

    kind: Kind
    start_s: float
    end_s: float
    duration_lab_s: float
    move: gcode.Move | gcode.Arc | None = None
    feed_mm_per_min: float = 0.0
    whole_lab_s: float = 0.0

    def fraction(self, now_s: float) -> float:
        """How much of the time is over, 0 … 1."""
        if self.end_s <= self.start_s:
            return 1.0
        return min(max((now_s - self.start_s) / (self.end_s - self.start_s), 0.0), 1.0)
