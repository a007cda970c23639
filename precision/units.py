"""Units at the edges: text to SI and back. Inside, everything is SI in float64.

A number is matched by a strict pattern and a unit is looked up in the table below; no text ever reaches an expression evaluator.
The factors are checked against an independent unit library in `tests/golden/test_units.py`.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Final

MM: Final = 1e-3
UM: Final = 1e-6
NM: Final = 1e-9
ARCSEC: Final = math.pi / 648_000
CELSIUS_ZERO_K: Final = 273.15
REFERENCE_TEMPERATURE_K: Final = 293.15
"""20 °C, the standard reference temperature of ISO 1."""

DIMENSIONS: Final[dict[str, dict[str, float]]] = {
    "length": {"m": 1.0, "mm": 1e-3, "µm": 1e-6, "um": 1e-6, "nm": 1e-9, "pm": 1e-12, "in": 0.0254},
    "angle": {
        "rad": 1.0, "mrad": 1e-3, "µrad": 1e-6, "urad": 1e-6,
        "deg": math.pi / 180, "°": math.pi / 180, "arcmin": math.pi / 10_800, "arcsec": ARCSEC,
    },
    "time": {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "min": 60.0, "h": 3600.0},
    "speed": {"m/s": 1.0, "mm/s": 1e-3, "µm/s": 1e-6, "mm/min": 1e-3 / 60, "m/min": 1 / 60},
    "angular speed": {"rad/s": 1.0, "deg/s": math.pi / 180, "deg/min": math.pi / 10_800, "rpm": math.pi / 30},
    "frequency": {"Hz": 1.0, "kHz": 1e3, "mHz": 1e-3},
    "temperature difference": {"K": 1.0, "mK": 1e-3},
    "pressure": {"Pa": 1.0, "hPa": 100.0, "kPa": 1e3, "mbar": 100.0},
    "ratio": {"": 1.0, "1": 1.0, "%": 1e-2, "ppm": 1e-6, "ppb": 1e-9},
    "expansion": {"1/K": 1.0, "µm/m/K": 1e-6, "um/m/K": 1e-6, "ppm/K": 1e-6},
}
"""Dimension -> unit -> factor to SI. The first unit of each is the SI one. Temperatures on a scale are `temperature_K`."""

_QUANTITY: Final = re.compile(r"\s*([+-]?(?:\d{1,15}(?:\.\d{0,25})?|\.\d{1,25})(?:[eE][+-]?\d{1,3})?)(?:\s+(\S{1,12})|([^\s\d.+-]\S{0,11}))?\s*", re.ASCII)


def _factor(unit: str, factor: float) -> Fraction:
    """The factor that is meant: the float's shortest decimal; by the minute, the 60th part of one."""
    return Fraction(repr(factor * 60)) / 60 if unit.endswith("/min") else Fraction(repr(factor))


def quantity(text: str, dimension: str) -> float:
    """`text` ("0.5 mm") as a float in the SI unit of `dimension` (a key of `DIMENSIONS`, or "temperature" for °C or K, given in K).

    The product is taken exactly and rounded once: "11.7 µm/m/K" is 11.7e-6, the float nearest to it.

    Raises
    ------
    ValueError      naming what was seen and the units that are allowed
    """
    table = {"K": 1.0, "°C": 1.0, "degC": 1.0} if dimension == "temperature" else DIMENSIONS[dimension]
    allowed = ", ".join(name or "(none)" for name in table)
    match = _QUANTITY.fullmatch(text.replace("\N{GREEK SMALL LETTER MU}", "µ"))
    if re.search(r"\d,\d", text) and _QUANTITY.fullmatch(text.replace(",", ".", 1)):
        raise ValueError(f"{text[:40]!r} has a comma; write a decimal point, and nothing between thousands: for example \"{example(dimension)}\"")
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a number with a unit; write for example \"{example(dimension)}\" (units allowed: {allowed})")
    number, unit = Fraction(match[1]), match[2] or match[3] or ""
    if unit not in table:
        article = "an" if dimension[0] in "aeiou" else "a"
        raise ValueError(f"{text[:40]!r}: unit {unit or '(none)'!r} is not {article} {dimension}; allowed: {allowed}")
    celsius = dimension == "temperature" and unit != "K"
    try:
        return float(number + Fraction(repr(CELSIUS_ZERO_K)) if celsius else number * _factor(unit, table[unit]))
    except OverflowError:
        raise ValueError(f"{text[:40]!r} is too large for a number; write for example \"{example(dimension)}\"") from None


def si_unit_of(text: str) -> str:
    """The SI unit of a quantity's dimension, judged by the unit it is written with ("5 mm" -> "m"); "" where there is none."""
    match = _QUANTITY.fullmatch(text)
    unit = (match[2] or match[3] or "") if match else ""
    return next((next(iter(table)) for table in DIMENSIONS.values() if unit in table), "")


def example(dimension: str) -> str:
    """A quantity of this dimension as a person would write it: "0.5 mm"."""
    return {"length": "0.5 mm", "angle": "5 arcsec", "time": "2 s", "speed": "3000 mm/min", "angular speed": "5 deg/s", "temperature": "20 °C",
            "temperature difference": "0.2 K", "pressure": "1013.25 hPa", "ratio": "50 %", "expansion": "11.7 µm/m/K", "frequency": "50 Hz"}[dimension]


_SCALES: Final[dict[str, tuple[tuple[float, str], ...]]] = {
    "m": ((1e-9, "pm"), (1e-6, "nm"), (1e-3, "µm"), (1.0, "mm"), (math.inf, "m")),
    "rad": ((1e-6, "nrad"), (1e-3, "µrad"), (1.0, "mrad"), (math.inf, "rad")),
    "s": ((1e-6, "ns"), (1e-3, "µs"), (1.0, "ms"), (math.inf, "s")),
    "": ((1e-3, "ppm"), (math.inf, "")),
    "m/s": ((1e-9, "pm/s"), (1e-6, "nm/s"), (1e-3, "µm/s"), (1.0, "mm/s"), (math.inf, "m/s")),
    "m/√s": ((1e-9, "pm/√s"), (1e-6, "nm/√s"), (1e-3, "µm/√s"), (1.0, "mm/√s"), (math.inf, "m/√s")),
    "m·√s": ((1e-9, "pm·√s"), (1e-6, "nm·√s"), (1e-3, "µm·√s"), (1.0, "mm·√s"), (math.inf, "m·√s")),
    **{f"m {time}": ((1e-6, f"nm {time}"), (1e-3, f"µm {time}"), (1.0, f"mm {time}"), (math.inf, f"m {time}")) for time in ("s", "s²")},
    **{f"m² {time}": ((1e-15, f"nm² {time}"), (1e-9, f"µm² {time}"), (1e-3, f"mm² {time}"), (math.inf, f"m² {time}")) for time in ("s", "s²")},
    "N/m": ((1e3, "N/m"), (1e6, "N/mm"), (math.inf, "N/µm")),
    "1/m": ((math.inf, "nm/cm²"),),
    "1/m²": ((math.inf, "nm/cm³"),),
}
_FACTORS: Final[dict[str, float]] = {
    "pm": 1e-12, "nm": 1e-9, "µm": 1e-6, "mm": 1e-3, "m": 1.0, "nrad": 1e-9, "µrad": 1e-6, "mrad": 1e-3, "rad": 1.0, "arcsec": ARCSEC, "deg": math.pi / 180,
    "ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "ppm": 1e-6, "N/mm": 1e3, "N/µm": 1e6, "nm/cm²": 1e-5, "nm/cm³": 1e-3,
    **{f"{prefix}m{rate}": factor for prefix, factor in (("p", 1e-12), ("n", 1e-9), ("µ", 1e-6), ("m", 1e-3)) for rate in ("/s", "/√s", "·√s", " s", " s²")},
    **{f"{prefix}m² {time}": factor**2 for prefix, factor in (("n", 1e-9), ("µ", 1e-6), ("m", 1e-3)) for time in ("s", "s²")},
}


def display_unit(magnitude: float, si_unit: str) -> str:
    """The unit in which a value of this size reads well: 3.2e-6 m -> "µm"; angles in arcsec, as the ISO 230 series reports them."""
    if si_unit == "rad":
        return "arcsec" if abs(magnitude) < 0.01 else "deg"
    if si_unit not in _SCALES:
        return si_unit
    # A figure up to 1000 of a unit is shown in that unit: 150 µm, not 0.15 mm.
    for limit, unit in _SCALES[si_unit]:
        if abs(magnitude) < limit and (unit != "pm" or magnitude == 0 or abs(magnitude) < 1e-10):
            return f"n{unit[1:]}" if magnitude == 0 and unit.startswith("pm") else unit
    return si_unit


def in_unit(value: float, unit: str) -> float:
    """SI `value` expressed in `unit` ("mm", "arcsec", ...); an SI unit returns it unchanged."""
    return value / _FACTORS.get(unit, 1.0)


def text(value: float, si_unit: str, *, unit: str | None = None, digits: int = 4) -> str:
    """SI `value` as text with a unit that reads well (or the one given), to `digits` significant digits: 3.2041e-6 m -> "3.204 µm"."""
    unit = unit or display_unit(value, si_unit)
    shown = in_unit(value, unit)
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(shown)))) if shown else digits - 1
    # A unit without multiples (rad·√s, V) leaves small numbers that nine decimals would show as nothing.
    return (f"{shown:.{digits - 1}e} {unit}" if decimals > 9 and abs(shown) < 1e-3 else f"{shown:.{min(decimals, 9)}f} {unit}").strip()


def text_range(low: float, high: float, si_unit: str, *, unit: str | None = None, digits: int = 7) -> str:
    """Two SI values in the one unit in which the larger reads well (or the one given), without zeros that nobody measured.

    Both are rounded to the place of the last of `digits` significant digits of the larger; zeros at the end are left out.

    Raises
    ------
    ValueError      a value that is not finite

    >>> text_range(0.0, 0.5, "m"), text_range(0.01, 0.975994, "m"), text_range(-0.01, 0.01, "m")
    ('0 … 500 mm', '10 … 975.994 mm', '−10 … 10 mm')
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"the range is {low} … {high}; two finite numbers are expected")
    largest = max(abs(low), abs(high))
    unit = unit or display_unit(largest, si_unit)
    shown = in_unit(largest, unit)
    decimals = min(9, max(0, digits - 1 - math.floor(math.log10(shown)))) if shown else 0

    def number(value: float) -> str:
        # Adding zero makes −0 a zero; a true minus sign beside the dots reads better than a hyphen.
        text = f"{round(in_unit(value, unit), decimals) + 0.0:.{decimals}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")

    return f"{number(low)} … {number(high)} {unit}".strip()
