"""How a number is printed: U to two significant digits, the value to the same decimal place (GUM, JCGM 100:2008, 7.2.6), one unit a table.

Rounding is to nearest, ties to the even digit (ISO 80000-1, annex B, rule A, from memory of the standard). With two digits U is never understated by
5 % or more, so the rule of EA-4/02 to round up beyond 5 % never applies.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from precision import units

NO_VALUE: Final = "—"
SIGNIFICANT: Final = 4
"""Significant digits of a value whose uncertainty is not stated."""

_RATIOS: Final[dict[str, tuple[str, float]]] = {"m/m": ("µm/m", 1e-6), "1/K": ("µm/m/K", 1e-6), "rad/m": ("arcsec/m", units.ARCSEC)}


def shared_unit(values: Iterable[float | None], si_unit: str) -> str:
    """The one unit in which the numbers of a table are printed: that in which the largest reads well."""
    if si_unit in _RATIOS:
        return _RATIOS[si_unit][0]
    return units.display_unit(max((abs(value) for value in values if value is not None), default=0.0), si_unit)


def in_unit(value: float, unit: str) -> float:
    """SI `value` in `unit`, as `shared_unit` names it."""
    factor = {name: factor for name, factor in _RATIOS.values()}.get(unit)
    return value / factor if factor else units.in_unit(value, unit)


def rounded(number: float, decimals: int) -> str:
    """`number` with `decimals` places (negative: rounded to tens, hundreds), never in exponent form, never "-0".

    >>> rounded(2.5, 0), rounded(-0.04, 1), rounded(1354.0, -1)
    ('2', '0.0', '1350')
    """
    # Twelve digits first: scaling to the unit leaves 2.4999999999999996 where the reader's number is 2.5.
    exact = Decimal(f"{number:.12g}").quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    return f"{abs(exact) if exact == 0 else exact:f}"


def decimals_of(number: float, significant: int) -> int:
    """Decimal places that show `number` (≠ 0) to `significant` digits, after rounding: 0.996 to two digits is 1.0, one place.

    >>> decimals_of(0.996, 2), decimals_of(0.123, 2), decimals_of(123.0, 2)
    (1, 2, -1)
    """
    rounded_number = float(f"{abs(number):.{significant - 1}e}")
    return significant - 1 - math.floor(math.log10(rounded_number))


def value_and_uncertainty(value: float, uncertainty: float) -> tuple[str, str]:
    """Both as text, U to two significant digits and the value to the same place; any unit, the same for both.

    >>> value_and_uncertainty(33.5757, 1.2345)
    ('33.6', '1.2')
    >>> value_and_uncertainty(135.27, 0.0)
    ('135.3', '0')
    """
    if uncertainty == 0:
        return rounded(value, _own_decimals(value)), "0"
    decimals = decimals_of(uncertainty, 2)
    return rounded(value, decimals), rounded(uncertainty, decimals)


def column_decimals(values: Iterable[float | None]) -> int:
    """Decimal places for a column without uncertainties: four significant digits of the largest, and at least two of the median."""
    sizes = sorted(abs(value) for value in values if value)
    if not sizes:
        return 0
    largest, middle = sizes[-1], sizes[len(sizes) // 2]
    return max(0, min(9, max(decimals_of(largest, SIGNIFICANT), decimals_of(middle, 2))))


def family_decimals(columns: Iterable[Sequence[float]]) -> int:
    """Decimal places for columns printed in one unit: as `column_decimals` of all; three digits of the spread of each column, so that what changes
    stays visible beside a large offset; and two digits of the largest of each column.

    >>> family_decimals([[1000.0, 1004.5], [1.25, 2.5]])
    2
    """
    columns = [list(column) for column in columns if column]
    wanted = [column_decimals(itertools.chain(*columns))]
    wanted += [decimals_of(spread, 3) for column in columns if (spread := max(column) - min(column)) > 0]
    wanted += [decimals_of(largest, 2) for column in columns if (largest := max(map(abs, column))) > 0]
    return min(9, max(wanted))


def plain(number: float) -> str:
    """A given number (a limit) as its owner wrote it: no digits added, none of its first six lost.

    >>> plain(10.000000000000002), plain(0.25)
    ('10', '0.25')
    """
    return f"{Decimal(f'{number:.6g}'):f}"


def typographic(number: str) -> str:
    """A rounded number with a true minus sign, for what people read."""
    return number.replace("-", "−", 1) if number[:1] == "-" and number[1:2].isdigit() else number


def _own_decimals(value: float) -> int:
    return max(0, min(9, decimals_of(value, SIGNIFICANT))) if value else 0
