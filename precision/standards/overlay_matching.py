"""Overlay of machines and chucks with one another: dedicated chuck (DCO), single machine (SMO) and matched machine overlay (MMO).

    DCO     both layers on the same chuck of the same machine
    SMO     both layers on the same machine, whatever the chuck
    MMO     the layers on two machines

Each is |mean| + 3σ of dx and of dy over all marks of the class, after an agreed model (the 6 parameters by default) is taken off each
wafer; the 99.7 % maximum stands beside it. How tools name the classes is from memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..models.overlay import SIX_PARAMETER, OverlayModel, Sign
from ..models.overlay_marks import OverlayMarks
from .arrays import Array, frozen
from .overlay import fit
from .overlay_statistics import OverlayStatistics, figures, statistics
from .reported import Reported, keyed

Class = Literal["DCO", "SMO", "MMO"]
CLASSES: Final[tuple[tuple[Class, str], ...]] = (
    ("DCO", "dedicated chuck overlay"),
    ("SMO", "single machine overlay"),
    ("MMO", "matched machine overlay"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposures:
    """On which machine and chuck the two layers of a wafer were exposed."""

    first_machine: str
    first_chuck: str
    second_machine: str
    second_chuck: str

    @property
    def classes(self) -> tuple[Class, ...]:
        """The classes that this wafer counts for: one on a dedicated chuck is also one of a single machine."""
        if self.first_machine != self.second_machine:
            return ("MMO",)
        return ("DCO", "SMO") if self.first_chuck == self.second_chuck else ("SMO",)


@dataclass(frozen=True, kw_only=True, eq=False)
class Matching(Reported):
    """Figures "DCO_mean_x" … "MMO_most_vector". residual_m : (w, n, 2) after the removed terms. wafers : class -> indices of its wafers.
    by_class : class -> statistics of all its marks. by_wafer : statistics of each wafer. fingerprint_m : class -> (n, 2) mean over its
    wafers: what a matching correction can take away; repeatable : class -> statistics of that mean map."""

    removed: OverlayModel
    residual_m: Array
    wafers: Mapping[Class, tuple[int, ...]]
    by_class: Mapping[Class, OverlayStatistics]
    by_wafer: tuple[OverlayStatistics, ...]
    fingerprint_m: Mapping[Class, Array]
    repeatable: Mapping[Class, OverlayStatistics]


def compare(
    marks: OverlayMarks,
    overlay_m: ArrayLike,
    exposures: Sequence[Exposures],
    *,
    removed: OverlayModel = SIX_PARAMETER,
    sign: Sign = Sign.SECOND_MINUS_FIRST,
) -> Matching:
    """DCO, SMO and MMO of some wafers.

    Parameters
    ----------
    overlay_m : (w, n, 2) m, NaN where a reading is missing
    exposures : one for each wafer
    removed : model taken off each wafer by least squares

    Raises
    ------
    DataError       shapes; a wafer whose marks do not determine the removed terms (it is named)
    """
    overlay = np.asarray(overlay_m, dtype=np.float64)
    if overlay.ndim != 3 or overlay.shape[1:] != (marks.count, 2) or overlay.shape[0] != len(exposures) or not exposures:
        raise DataError(
            f"overlay_m has shape {overlay.shape}; expected ({len(exposures)}, {marks.count}, 2), one wafer for each of the "
            f"{len(exposures)} exposures"
        )
    residual = np.empty_like(overlay)
    for number, wafer in enumerate(overlay):
        try:
            residual[number] = fit(marks, wafer, removed, sign=sign).residual_m
        except DataError as error:
            raise DataError(f"wafer {number}: {error}") from error
    wafers: dict[Class, tuple[int, ...]] = {name: tuple(i for i, one in enumerate(exposures) if name in one.classes) for name, _ in CLASSES}
    by_class: dict[Class, OverlayStatistics] = {}
    fingerprint: dict[Class, Array] = {}
    shown: list[Figure] = []
    flags = []
    for name, long in CLASSES:
        chosen = list(wafers[name])
        found = statistics(residual[chosen].reshape(-1, 2))
        by_class[name] = found
        there = np.isfinite(residual[chosen])
        count = there.sum(axis=0)
        fingerprint[name] = frozen(np.where(count > 0, np.where(there, residual[chosen], 0.0).sum(axis=0) / np.maximum(count, 1), np.nan))
        shown += figures(found, prefix=f"{name}_", of=f"{long}, {len(chosen)} wafers")
        if not chosen:
            flags.append(f"{name}: no wafer was exposed so; it is not evaluated")
        elif len(chosen) < 2:
            flags.append(f"{name}: one wafer; its repeatability is not known")
    return Matching(
        title=f"Overlay of machines and chucks: {len(exposures)} wafers, {marks.count} marks each",
        stated=(f"removed from each wafer: {removed.name}", removed.coordinates.value, sign.value),
        figures=keyed(shown),
        flags=tuple(flags),
        removed=removed,
        residual_m=frozen(residual),
        wafers=MappingProxyType(wafers),
        by_class=MappingProxyType(by_class),
        by_wafer=tuple(statistics(one) for one in residual),
        fingerprint_m=MappingProxyType(fingerprint),
        repeatable=MappingProxyType({name: statistics(map_m) for name, map_m in fingerprint.items()}),
    )
