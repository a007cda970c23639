"""A figure: a number with its symbol, name, unit and uncertainty, or the reason why it cannot be had."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from . import units


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One reported number.

    symbol : the standard's symbol ("A", "E↑", "B̄").
    key : the same in ASCII, for files and attributes ("A", "E_up", "B_mean").
    name : the standard's name.
    unit : SI unit of value and uncertainty ("m", "rad", "" for a ratio).
    value : float, or None where it cannot be evaluated; then `reason` says why.
    uncertainty : expanded uncertainty U (k = `coverage_factor`), in `unit`, or None; then `uncertainty_reason` says why.
    """

    symbol: str
    key: str
    name: str
    unit: str
    value: float | None
    reason: str | None = None
    uncertainty: float | None = None
    uncertainty_reason: str | None = None
    coverage_factor: float = 2.0

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(f"figure {self.key}: either a value or a reason, and not both")
        for number in (self.value, self.uncertainty):
            if number is not None and not math.isfinite(number):
                raise ValueError(f"figure {self.key}: {number} is not a figure; give None and the reason")

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.symbol}: not evaluated ({self.reason})"
        unit = units.display_unit(self.value, self.unit)
        shown = f"{self.symbol} = {units.text(self.value, self.unit, unit=unit)}"
        if self.uncertainty is None:
            return f"{shown} (U not stated: {self.uncertainty_reason or 'no uncertainty was evaluated'})"
        return f"{shown}, U = {units.text(self.uncertainty, self.unit, unit=unit, digits=2)} (k = {self.coverage_factor:g})"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; SI values in full."""
        return {name: getattr(self, name) for name in self.__slots__}
