"""The `$n=value` table of a Grbl 1.1h: its defaults, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from . import gcode

DEFAULTS: Final[dict[int, float]] = {
    0: 10, 1: 25, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 10: 1, 11: 0.010, 12: 0.002, 13: 0, 20: 1, 21: 0, 22: 1, 23: 0,
    24: 25.0, 25: 500.0, 26: 250, 27: 1.0, 30: 1000, 31: 0, 32: 0,
    100: 250.0, 101: 250.0, 102: 250.0, 110: 500.0, 111: 500.0, 112: 500.0, 120: 10.0, 121: 10.0, 122: 10.0,
    130: 200.0, 131: 200.0, 132: 200.0,
}
"""The firmware's defaults (its units: mm, mm/min, ms), with homing ($22) and soft limits ($20) on."""
_WITH_DECIMALS: Final = frozenset({11, 12, 24, 25, 27}) | frozenset(range(100, 140))
SOFT_LIMITS_NEED_HOMING: Final = 10


def as_text(settings: Mapping[int, float], number: int) -> str:
    """`$100=250.000`, as the firmware prints it."""
    return f"${number}={settings[number]:.3f}" if number in _WITH_DECIMALS else f"${number}={settings[number]:.0f}"


def assigned(settings: Mapping[int, float], assignment: str) -> dict[int, float]:
    """The settings after `100=250`.

    Raises
    ------
    gcode.GcodeError        with the firmware's error number; nothing is changed
    """
    number_text, equals, value_text = assignment.partition("=")
    if not (number_text.isascii() and number_text.isdigit() and equals and len(number_text) <= 3):
        raise gcode.GcodeError(gcode.INVALID_STATEMENT)
    try:
        ((_, value),) = gcode.words("A" + value_text)
    except ValueError:
        raise gcode.GcodeError(gcode.BAD_NUMBER) from None
    number = int(number_text)
    if number not in settings:
        raise gcode.GcodeError(gcode.INVALID_STATEMENT)
    if value < 0:
        raise gcode.GcodeError(gcode.NEGATIVE_VALUE)
    if number == 20 and value and not settings[22]:
        raise gcode.GcodeError(SOFT_LIMITS_NEED_HOMING)
    changed = {**settings, number: value if number in _WITH_DECIMALS else float(int(value))}
    if number == 22 and not value:
        changed[20] = 0.0
    return changed


def travel_mm(settings: Mapping[int, float], axes: Sequence[str], *, origin_at_home: bool) -> dict[str, tuple[float, float]]:
    """Axis -> lowest and highest machine position that soft limits allow, mm."""
    travel = {}
    for index, axis in enumerate(axes):
        positive = origin_at_home and int(settings[23]) >> index & 1
        travel[axis] = (0.0, settings[130 + index]) if positive else (-settings[130 + index], 0.0)
    return travel
