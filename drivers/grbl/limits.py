"""What a Grbl controller's settings say about the machine: travel, feeds, resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

from precision.errors import ProtocolError

from . import codec

_AXIS_LETTERS: Final = "XYZABCUVW"
_MM: Final = 1e-3
_INCH: Final = 25.4e-3
_SINGLE_PRECISION: Final = 2.0**-23
"""The firmware on 8-bit boards computes in 32-bit floats."""
_ORIGIN_AT_HOME: Final = 8
"""Bit of grblHAL's $22; Grbl 1.1 says it with Z in [OPT:...] instead."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Settings as read from the controller, by `$` number, in its units (mm, mm/min, mm/s²)."""

    identity: str
    axes: tuple[str, ...]
    settings: Mapping[int, float] = field(repr=False)
    origin_at_home: bool = False

    @classmethod
    def read(cls, info: Sequence[codec.Message], settings: Sequence[codec.Message]) -> Machine:
        """From the answers to `$I` and `$$`.

        Raises
        ------
        ProtocolError       a setting that positions depend on is missing or makes no sense
        """
        told = {message.name: message.text for message in info if isinstance(message, codec.Bracket)}
        values = {message.number: message.value for message in settings if isinstance(message, codec.Setting) and message.value is not None}
        named = told.get("AXS", "").partition(":")[2]
        letters = tuple(named) if set(named) <= set(_AXIS_LETTERS) and len(set(named)) == len(named) > 0 else tuple(_AXIS_LETTERS)
        # $103 and the following are other things on some builds: an axis must have its whole set.
        axes = tuple(takewhile(lambda letter: _complete(values, letters.index(letter)), letters))
        missing = [number for number in (13, 20, 22, 23, 24, 25, 27) if number not in values]
        if missing or not axes or (letters == tuple(named) and axes != letters):
            raise ProtocolError(f"Grbl: $$ lacks {', '.join(f'${number}' for number in missing) or 'the settings of an axis'}; is this a Grbl 1.1 controller?")
        for index, axis in enumerate(axes):
            if not all(values[base + index] > 0 for base in (100, 110, 120, 130)):
                raise ProtocolError(f"Grbl: steps/mm, feed, acceleration or travel of {axis} is not more than 0. Correct $1{index:02d}, $11{index} ... $13{index}")
        options = told.get("OPT", "").partition(",")[0]
        identity = f"{told.get('FIRMWARE', 'Grbl')} [VER:{told.get('VER', '?')}] [OPT:{told.get('OPT', '?')}]"
        return cls(identity[:200], axes, values, "Z" in options or bool(int(values[22]) & _ORIGIN_AT_HOME))

    @property
    def homing(self) -> bool:
        """Whether `$H` is enabled."""
        return bool(int(self.settings[22]) & 1)

    @property
    def soft_limits(self) -> bool:
        """Whether the controller refuses targets outside its travel."""
        return self.settings[20] != 0

    @property
    def report_unit_m(self) -> float:
        """The unit of reported positions in m: inch with $13=1, else mm."""
        return _INCH if self.settings[13] else _MM

    def machine_limits_mm(self, axis: str) -> tuple[float, float]:
        """Lowest and highest machine position in mm.

        Grbl keeps [-travel, 0]. Where the origin is set at home it is [0, travel] for axes that home downwards ($23), else [-travel, 0]. The
        pull-off $27 comes off each end that a switch may be at, as grblHAL does and Grbl does not: inside both.
        """
        index = self.axes.index(axis)
        travel, pull_off = self.settings[130 + index], self.settings[27]
        if not self.origin_at_home:
            return (-travel + pull_off, -pull_off)
        if int(self.settings[23]) >> index & 1:
            return (0.0, travel - pull_off)
        return (-travel + pull_off, 0.0)

    def work_limits_m(self, offset: Sequence[float]) -> dict[str, tuple[float, float]]:
        """Axis -> (lowest, highest) work position in m; `offset` is WCO in the report's unit."""
        found = {}
        for axis, shift in zip(self.axes, offset, strict=True):
            low, high = self.machine_limits_mm(axis)
            found[axis] = (low * _MM - shift * self.report_unit_m, high * _MM - shift * self.report_unit_m)
        return found

    @property
    def max_feed_m_per_s(self) -> dict[str, float]:
        """Axis -> highest feed in m/s."""
        return {axis: self.settings[110 + index] * _MM / 60 for index, axis in enumerate(self.axes)}

    @property
    def acceleration_m_per_s2(self) -> dict[str, float]:
        """Axis -> acceleration in m/s²."""
        return {axis: self.settings[120 + index] * _MM for index, axis in enumerate(self.axes)}

    def arrival_m(self, axis: str, target_m: float, offset: Sequence[float]) -> float:
        """How far from its target a reported work position may be when the axis stands on it, in m.

        Half a step; half of the last digit of the reported position (3 decimals of mm, 4 of inch), and again of WCO where there is one; and the
        rounding of the target in single precision.
        """
        index = self.axes.index(axis)
        half_step_m = 0.5 / self.settings[100 + index] * _MM
        half_digit_m = 0.5e-4 * _INCH if self.settings[13] else 0.5e-3 * _MM
        digits = 2 if offset[index] else 1
        machine_m = abs(target_m) + abs(offset[index]) * self.report_unit_m
        return half_step_m + digits * half_digit_m + _SINGLE_PRECISION * machine_m + 1e-12

    def motion_s(self, distance_m: float, feed_m_per_s: float, axes: Mapping[str, float]) -> float:
        """How long a straight motion takes at most: at the feed, with the slowest axis's acceleration at both ends."""
        slowest = min(self.acceleration_m_per_s2[axis] for axis in axes)
        return distance_m / feed_m_per_s + feed_m_per_s / slowest

    @property
    def homing_s(self) -> float:
        """How long homing may take: each axis seeks over 1.5 of its travel, then approaches twice at the slow feed over 5 pull-offs."""
        seek_s = sum(1.5 * self.settings[130 + index] for index in range(len(self.axes))) / max(self.settings[25], 1e-3) * 60
        locate_s = len(self.axes) * 10 * self.settings[27] / max(self.settings[24], 1e-3) * 60
        return 2 * (seek_s + locate_s) + 10


def _complete(settings: Mapping[int, float], index: int) -> bool:
    """Whether axis `index` has steps/mm, highest feed, acceleration and travel."""
    return all(first + index in settings for first in (100, 110, 120, 130))
