"""Dynamic error budget: what each source of noise leaves of an error, by way of its transfer to it.

    σ² = Σ_i ∫ |T_i(f)|² S_i(f) df        for sources that do not know of each other

With an exposure window T the error of the moving average and the blur are budgeted apart: weights sinc²(fT) for MA, 1 − sinc²(fT) for MSD; the two add up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from .arrays import Array, frozen, positive
from .reported import Reported, figure, keyed


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """A source of error.

    name : as it is listed.  frequency_hz : (m,) ascending.  psd : (m,) unit²/Hz, one-sided.  transfer : (m,) complex, error over source; None: 1.
    relative_u : relative expanded uncertainty (k = 2) of what it contributes, or None.
    """

    name: str
    frequency_hz: ArrayLike
    psd: ArrayLike
    transfer: ArrayLike | None = None
    relative_u: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What a source leaves: rms (unit), its share of the variance, and of the MA and MSD budgets (None without a window)."""

    name: str
    rms: float
    share: float
    ma: float | None
    msd: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Figures: "rms", "6_sigma", with a window also "MA" and "MSD"; and "source_1" … of each source.

    contributions : largest first.  frequency_hz, psd : (m,) total density of the error, on the grid of all sources; where a source ends, its density does.
    """

    unit: str
    contributions: tuple[Contribution, ...]
    frequency_hz: Array
    psd: Array


def evaluate(sources: Sequence[Source], *, unit: str = "m", window_s: float | None = None) -> Result:
    """Add up a budget.

    Parameters
    ----------
    sources : Source
        Densities between whose frequencies straight lines are drawn (trapezoids); each on its own frequencies.
    window_s : exposure window T; then also MA and MSD

    Raises
    ------
    DataError       no source, shapes that do not fit, frequencies that do not ascend, negative densities, two of one name
    """
    if not sources:
        raise DataError("the budget has no source; expected at least one")
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise DataError(f"sources {', '.join(names)}: each name may come once")
    window = None if window_s is None else positive("window_s", window_s, "s")
    densities = [_density(source) for source in sources]
    powers = np.array([np.trapezoid(s, f) for f, s in densities])
    averaged = np.array([np.trapezoid(s * (np.sinc(f * window) ** 2 if window else 1.0), f) for f, s in densities])
    if not powers.sum() > 0:
        raise DataError("all densities are 0; there is nothing to add up")
    contributions = _contributions(names, powers, averaged if window else None)
    grid = np.unique(np.concatenate([f for f, _ in densities]))
    return Result(
        title=f"Dynamic error budget of {len(sources)} sources",
        stated=(
            "sources are taken as uncorrelated",
            *((f"exposure window {window * 1e3:g} ms: MA weighs sinc²(fT), MSD 1 − sinc²(fT)",) if window else ()),
        ),
        figures=keyed([*_totals(sources, powers, averaged if window else None, unit), *_of_sources(sources, contributions, unit)]),
        flags=(),
        unit=unit,
        contributions=contributions,
        frequency_hz=frozen(grid),
        psd=frozen(np.sum([np.interp(grid, f, s, left=0.0, right=0.0) for f, s in densities], axis=0)),
    )


def _contributions(names: Sequence[str], powers: Array, averaged: Array | None) -> tuple[Contribution, ...]:
    """Largest first. powers, averaged : (sources,) variances of the error and of its moving average."""
    total = float(powers.sum())
    return tuple(
        Contribution(
            name=names[k],
            rms=math.sqrt(powers[k]),
            share=float(powers[k] / total),
            ma=None if averaged is None else math.sqrt(averaged[k]),
            msd=None if averaged is None else math.sqrt(max(0.0, powers[k] - averaged[k])),
        )
        for k in np.argsort(-powers, kind="stable")
    )


def _totals(sources: Sequence[Source], powers: Array, averaged: Array | None, unit: str) -> list[Figure]:
    unknown = [source.name for source in sources if source.relative_u is None]
    weights = np.array([source.relative_u or 0.0 for source in sources])

    def u(parts: Array) -> float | str:
        """Of σ = √Σ p: √Σ (w p)² / σ, w the relative U of a source's rms."""
        if unknown:
            return f"nothing was said about the uncertainty of {', '.join(unknown[:5])}"
        return float(np.sqrt(np.sum((parts * weights) ** 2)) / math.sqrt(parts.sum())) if parts.sum() > 0 else 0.0

    sigma, stated_u = math.sqrt(powers.sum()), u(powers)
    normal = "six times that: 99.7 % of two positions do not overlap, where the error is normal"
    figures = [
        figure("rms", "root mean square of the error", sigma, unit, stated_u, symbol="σ"),
        figure("6_sigma", normal, 6 * sigma, unit, 6 * stated_u if isinstance(stated_u, float) else stated_u, symbol="6σ"),
    ]
    if averaged is not None:
        left = max(0.0, float(powers.sum() - averaged.sum()))
        figures.append(figure("MA", "root mean square of the moving average", math.sqrt(averaged.sum()), unit, u(averaged)))
        figures.append(figure("MSD", "root mean square of the moving standard deviation", math.sqrt(left), unit, u(np.clip(powers - averaged, 0, None))))
    return figures


def _of_sources(sources: Sequence[Source], contributions: Sequence[Contribution], unit: str) -> list[Figure]:
    relative = {source.name: source.relative_u for source in sources}
    figures = []
    for number, part in enumerate(contributions, start=1):
        share = relative[part.name]
        u = "nothing was said about the uncertainty of this source" if share is None else share * part.rms
        figures.append(figure(f"source_{number}", f"{part.name}: {part.share:.1%} of the variance", part.rms, unit, u, symbol=f"σ{number}"))
    return figures


def root_sum_of_squares(*rms: float) -> float:
    """Of contributions that do not know of each other.

    >>> round(root_sum_of_squares(3, 0.8, 1.2, 0.5), 5)
    3.36601
    """
    return math.hypot(*rms)


def _density(source: Source) -> tuple[Array, Array]:
    f, s = np.array(source.frequency_hz, dtype=np.float64), np.array(source.psd, dtype=np.float64)
    if f.ndim != 1 or f.size < 2 or s.shape != f.shape:
        raise DataError(f"source {source.name!r}: frequency_hz has shape {f.shape} and psd {s.shape}; expected the same (m,) with m ≥ 2")
    if not (np.all(np.isfinite(f)) and np.all(np.diff(f) > 0) and f[0] >= 0):
        raise DataError(f"source {source.name!r}: frequency_hz must ascend from 0 or more")
    if not (np.all(np.isfinite(s)) and np.all(s >= 0)):
        raise DataError(f"source {source.name!r}: psd holds a negative number or none at all; expected finite densities, 0 or more")
    if source.transfer is not None:
        transfer = np.array(source.transfer, dtype=np.complex128)
        if transfer.shape != f.shape or not np.all(np.isfinite(transfer)):
            raise DataError(f"source {source.name!r}: transfer has shape {transfer.shape}; expected finite {f.shape}, one for each frequency")
        s = s * np.abs(transfer) ** 2
    return f, s
