"""What a person allows a controller at most, below what the controller itself keeps.

The feed of a motion is sent with it, so a cap on it is kept by the driver. The acceleration is a setting of the controller: where that is above the cap, nothing
is moved until a person has lowered it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from precision.errors import PlanError, SafetyStop


@dataclass(frozen=True, slots=True)
class Caps:
    """feed_m_per_s, acceleration_m_per_s2 : highest of any axis; infinite: what the controller keeps is enough."""

    feed_m_per_s: float = math.inf
    acceleration_m_per_s2: float = math.inf

    def __post_init__(self) -> None:
        for name, value in (("max_feed_m_per_s", self.feed_m_per_s), ("max_acceleration_m_per_s2", self.acceleration_m_per_s2)):
            if not value > 0:
                raise PlanError(f"{name} is {value}; more than 0 is expected")

    def feeds(self, kept_m_per_s: Mapping[str, float]) -> dict[str, float]:
        """Axis -> highest feed in m/s: the controller's, or the cap where that is lower."""
        return {axis: min(feed, self.feed_m_per_s) for axis, feed in kept_m_per_s.items()}

    def check_acceleration(self, controller: str, kept_m_per_s2: Mapping[str, float]) -> None:
        """Refuse what accelerates faster than allowed. kept_m_per_s2 : axis -> acceleration that the controller is set to, in m/s².

        Raises
        ------
        SafetyStop      naming the axis and both accelerations
        """
        for axis, kept in kept_m_per_s2.items():
            if kept > self.acceleration_m_per_s2 * (1 + 1e-9):
                raise SafetyStop(
                    f"{controller}: {axis} is set to {kept * 1e3:g} mm/s², more than max_acceleration_m_per_s2 = {self.acceleration_m_per_s2:g} "
                    f"({self.acceleration_m_per_s2 * 1e3:g} mm/s²) allows. Lower it in the controller, or raise the cap; nothing was sent"
                )
