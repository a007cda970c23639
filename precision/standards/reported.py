"""A result that prints itself: as a table for a terminal, as HTML for a notebook, as plain JSON types."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..figures import Figure
from .table import html_table, text_table

NOT_SAID: Final = "nothing was said about the uncertainty of the readings"
NOT_EVALUATED: Final = "the figure is not evaluated"


@dataclass(frozen=True, kw_only=True, eq=False)
class Reported:
    """What results of this suite have in common.

    title : the standard or method, and what was measured.
    stated : the conventions that were used, one sentence each ("reference circle: minimum zone").
    figures : key -> `Figure`, with its uncertainty or the reason why there is none. `result["G_XY"]` is the figure's value, float or None.
    flags : one sentence for each departure from the test that the standard describes, and for each figure that suffers from the data.
    """

    title: str
    stated: tuple[str, ...]
    figures: Mapping[str, Figure]
    flags: tuple[str, ...]

    def __getitem__(self, key: str) -> float | None:
        if key not in self.figures:
            raise KeyError(f"{key!r} is no figure of this result; it has {', '.join(self.figures)}")
        return self.figures[key].value

    @property
    def conforming(self) -> bool:
        """Whether the data show no departure from the test that the standard describes."""
        return not self.flags

    def _heading(self) -> str:
        return "; ".join((self.title, *self.stated))

    def __str__(self) -> str:
        return self.text()

    def text(self, *, angles: str | None = None) -> str:
        """The result as a table for a terminal; `angles` is the unit of all angles ("µrad") in place of the one in which they read well."""
        return text_table(self._heading(), tuple(self.figures.values()), self.flags, angles=angles)

    def _repr_html_(self) -> str:
        return html_table(self._heading(), tuple(self.figures.values()), self.flags)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; SI values in full; None where a quantity is not defined."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)} | {"conforming": self.conforming}


def plain(value: Any) -> Any:
    """A value of a result as JSON types: arrays as nested lists, NaN as None, an enum as its value."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if callable(to_dict := getattr(value, "to_dict", None)):
        return to_dict()
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def figure(
    key: str, name: str, value: float | str, unit: str, uncertainty: float | str | None = None, *, symbol: str | None = None, coverage_factor: float = 2.0
) -> Figure:
    """One figure; text for `value` or `uncertainty` is the reason why there is none, None for `uncertainty` the reason `NOT_SAID`."""
    missing = isinstance(value, str)
    u: float | str = NOT_EVALUATED if missing else NOT_SAID if uncertainty is None else uncertainty
    return Figure(
        symbol=symbol or key,
        key=key,
        name=name,
        unit=unit,
        value=None if isinstance(value, str) else float(value),
        reason=value if isinstance(value, str) else None,
        uncertainty=None if isinstance(u, str) else float(u),
        uncertainty_reason=u if isinstance(u, str) else None,
        coverage_factor=coverage_factor,
    )


def keyed(figures: Iterable[Figure]) -> Mapping[str, Figure]:
    """Figures by their keys, in order, read-only."""
    return MappingProxyType({item.key: item for item in figures})
