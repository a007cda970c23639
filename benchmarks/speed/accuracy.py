"""The accuracy table: ours and the peers beside a reference of high precision (mpmath or exact rationals).

A module `accuracy_<kernel>.py` in this folder has one function `rows() -> Iterable[Accuracy]`; that is all it takes to be in
the table. A peer that is not installed is left out of `peers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """One line of the table.

    kernel, case : what was computed, on what data.
    reference : how the true value is known ("mpmath, 50 digits").
    measure : what the errors below are ("largest relative error").
    ours : our error, by tier ("numpy", "fast").
    peers : the error of each peer, by name.
    limit : what ours must not exceed.
    """

    kernel: str
    case: str
    reference: str
    measure: str
    ours: Mapping[str, float]
    peers: Mapping[str, float]
    limit: float

    @property
    def holds(self) -> bool:
        """Whether every tier of ours keeps the limit (a NaN does not)."""
        return all(error <= self.limit for error in self.ours.values())


def table(keyword: str = "") -> Iterator[Accuracy]:
    """The lines of every `accuracy_*.py` whose name contains `keyword`."""
    for path in sorted(Path(__file__).parent.glob("accuracy_*.py")):
        if keyword in path.stem:
            yield from import_module(f"{__package__}.{path.stem}").rows()
