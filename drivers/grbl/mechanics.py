"""What a motion controller moves, as its simulator sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Mechanics(Protocol):
    """What the controller moves. Positions are references in machine coordinates (Grbl's MPos), in m, by axis letter."""

    def begin_move(self, target_steps_m: Mapping[str, float], feed_m_per_s: float) -> float:
        """Start a straight motion to a target that lies on whole steps; returns its duration in lab seconds."""
        ...

    def begin_arc(self, axes: tuple[str, str], centre_m: tuple[float, float], sweep_rad: float, feed_m_per_s: float) -> float:
        """Start on an arc about a centre in the plane of two axes, from where it stands; positive from the first axis to the second. Returns its duration in
        lab seconds."""
        ...

    def begin_dwell(self, duration_s: float) -> float:
        """Start standing still; returns the duration in lab seconds."""
        ...

    def home(self) -> float:
        """Start homing; returns its duration. When complete the reference stands where Grbl puts it: pull-off inside the switch."""
        ...

    def commanded_position(self, fraction: float) -> Mapping[str, float]:
        """The reference at a fraction 0 ... 1 of what is under way; where it stands when nothing is."""
        ...

    def hold(self, fraction: float) -> None:
        """What is under way ends at that fraction of its duration."""
        ...

    def complete(self) -> None:
        """What is under way is over: lab time advances by its exact duration."""
        ...
