"""Overlay: least-squares fit of a model to the marks of a wafer, with the covariance of its terms and tests of whether they are needed.

    d = A·c + e      scaled: each column of A to length 1, A = QR      c = R⁻¹Qᵀd
    s² = Σ w e² / (readings − terms)       C = s²·(AᵀWA)⁻¹        U = k·√C_jj, k of 95.45 % from Student's distribution
    or, where the marks of a field belong together, C by fields (`overlay_by_field`)
    t_j = c_j/√C_jj        F = c_Sᵀ C_SS⁻¹ c_S / q for q terms S together        VIF_j = (AᵀWA)⁻¹_jj·(AᵀWA)_jj        leverage h_i = (QQᵀ)_ii

U covers noise of the marks, and what the model leaves over as if it were noise. Errors that all marks share (a tool-induced shift) are not in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular
from scipy.special import chdtrc, fdtrc, stdtr

from ..errors import DataError
from ..figures import Figure
from ..models.overlay import OverlayModel, Sign
from ..models.overlay_marks import OverlayMarks
from .arrays import Array, frozen
from .coverage import coverage_factor
from .overlay_by_field import TOGETHER, by_field, correlation_within_fields
from .overlay_rank import RankReport, rank_report, refuse_deficient
from .overlay_statistics import OverlayStatistics, figures, statistics
from .reported import Reported, figure, keyed

Errors = Literal["independent", "by field"]
LARGEST_OVERLAY_M: Final = 1e-3
"""A larger overlay is in other units, or a mark that was not found."""
BELONG_TOGETHER: Final = "what is left of the marks of a field belongs together"
LARGEST_VIF: Final = 10.0
FEW_DEGREES_OF_FREEDOM: Final = 10

_DERIVED: Final = (
    ("M", "mean of Mx and My", {"Mx": 0.5, "My": 0.5}),
    ("aM", "asymmetry of magnification, (Mx − My)/2", {"Mx": 0.5, "My": -0.5}),
    ("R", "mean of Rx and Ry", {"Rx": 0.5, "Ry": 0.5}),
    ("N", "non-orthogonality, Ry − Rx: the whole angle", {"Rx": -1.0, "Ry": 1.0}),
    ("m", "mean of mx and my", {"mx": 0.5, "my": 0.5}),
    ("am", "asymmetry of field magnification, (mx − my)/2", {"mx": 0.5, "my": -0.5}),
    ("r", "mean of rx and ry", {"rx": 0.5, "ry": 0.5}),
    ("n", "field non-orthogonality, ry − rx: the whole angle", {"rx": -1.0, "ry": 1.0}),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit(Reported):
    """A model fitted to one wafer. Figures: each term by its key, derived ones ("M", "aM", "R", "N" and "m", "am", "r", "n"), "s", and
    mean, 3σ, |mean| + 3σ, 99.7 % maximum "raw_…" of what was measured and "left_…" of what the model leaves over.

    marks, overlay_m (n, 2), model, sign : what was fitted; a NaN is a reading that is missing.
    coefficients : (p,) float64, SI. NaN for a term that was left out because the layout cannot tell it from others.
    covariance : (p, p) float64; NaN as the coefficients, and everywhere where no uncertainty can be had.
    t, p_value, vif : (p,) float64, test of each term against 0 (two-sided), and its variance inflation.
    residual_m, leverage : (n, 2) float64, NaN where a reading is missing.
    root_weight : (n, 2) float64, square roots of the readings' weights, or None where all weigh the same.
    sd_m : square root of the mean squared residual per degree of freedom, m (with `noise_m`: of the residuals weighted to the mean noise), or None.
    degrees_of_freedom : readings less independent terms. clusters : those of a covariance by fields (fields − 1), None where U takes marks
    as independent.
    rank : what the layout can tell apart.
    raw, left : statistics of the overlay and of the residual (divisor n − 1).
    """

    marks: OverlayMarks
    overlay_m: Array
    model: OverlayModel
    sign: Sign
    coefficients: Array
    covariance: Array
    t: Array
    p_value: Array
    vif: Array
    residual_m: Array
    leverage: Array
    root_weight: Array | None
    sd_m: float | None
    degrees_of_freedom: int
    clusters: int | None
    rank: RankReport
    raw: OverlayStatistics
    left: OverlayStatistics

    @property
    def corrections(self) -> Array:
        """(p,) what the scanner is given to bring the second layer onto the first: coefficients with the sign that `sign` says."""
        return self.sign.correction * self.coefficients

    @property
    def standard_uncertainty(self) -> Array:
        """(p,) square roots of the covariance's diagonal."""
        return np.sqrt(np.diagonal(self.covariance))

    def covers(self, truth: ArrayLike) -> NDArray[np.bool_]:
        """(p,) whether |coefficient − truth| is within U, with k of 95.45 %."""
        within: NDArray[np.bool_] = (
            np.abs(self.coefficients - np.asarray(truth)) <= coverage_factor(self._behind) * self.standard_uncertainty
        )
        return within

    @property
    def _behind(self) -> int:
        """Degrees of freedom behind the covariance."""
        return self.degrees_of_freedom if self.clusters is None else self.clusters

    def f_test(self, *keys: str) -> tuple[float, float]:
        """F and p of the hypothesis that these terms are all 0.

        Raises
        ------
        ValueError      no such term, one that was left out, or no degree of freedom to judge by
        """
        if not keys or any(key not in self.rank.kept for key in keys):
            raise ValueError(f"terms {', '.join(keys) or '(none)'}; expected some of those that were fitted: {', '.join(self.rank.kept)}")
        if self.degrees_of_freedom < 1:
            raise ValueError(
                f"{self.rank.readings} readings and {self.rank.rank} terms leave no degree of freedom for a test; read more marks"
            )
        index = [self.model.keys.index(key) for key in keys]
        c = self.coefficients[index]
        f = float(c @ np.linalg.solve(self.covariance[np.ix_(index, index)], c)) / len(index)
        return f, float(fdtrc(len(index), self._behind, f))

    def __str__(self) -> str:
        return self.text(angles="µrad")


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Least squares of independent columns: coefficients (p,), unscaled covariance (AᵀWA)⁻¹ (p, p), leverage (r,), residual (r,), Σ w e²,
    lengths of the columns (p,), Q (r, p), and R⁻¹ (p, p) that takes coefficients of Q to those of the columns."""

    coefficients: Array
    unscaled: Array
    leverage: Array
    residual: Array
    sum_of_squares: float
    length: Array
    basis: Array
    from_basis: Array


def solve(design: Array, readings: Array, root_weight: Array | None = None) -> Solution:
    """Scaled QR; `root_weight` (r,) are square roots of weights. The columns are taken as independent (`rank_report`)."""
    rows, values = (design, readings) if root_weight is None else (design * root_weight[:, None], readings * root_weight)
    length = np.sqrt((rows * rows).sum(axis=0))
    q, r = np.linalg.qr(rows / length)
    inverse = solve_triangular(r, np.eye(r.shape[0])) / length[:, None]
    coefficients = inverse @ (q.T @ values)
    residual = readings - design @ coefficients
    weighted = residual if root_weight is None else residual * root_weight
    return Solution(
        coefficients=coefficients,
        unscaled=inverse @ inverse.T,
        leverage=(q * q).sum(axis=1),
        residual=residual,
        sum_of_squares=float(weighted @ weighted),
        length=length,
        basis=q,
        from_basis=inverse,
    )


def checked_overlay(marks: OverlayMarks, overlay_m: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    """(n, 2) read-only overlay and which readings are valid (not NaN). DataError for another shape, an infinity, a value above 1 mm."""
    overlay = np.array(overlay_m, dtype=np.float64)
    if overlay.shape != (marks.count, 2):
        raise DataError(
            f"overlay_m has shape {overlay.shape}; expected ({marks.count}, 2): dx and dy of each mark in m, NaN where one is missing"
        )
    bad = np.flatnonzero((np.abs(overlay) > LARGEST_OVERLAY_M).any(axis=1))
    if bad.size:
        raise DataError(
            f"overlay of {marks.describe(int(bad[0]))} is {overlay[bad[0]].tolist()} m; expected at most {LARGEST_OVERLAY_M:g} m; "
            f"correct the unit, or give NaN"
        )
    return frozen(overlay), np.isfinite(overlay)


def fit(
    marks: OverlayMarks,
    overlay_m: ArrayLike,
    model: OverlayModel,
    *,
    noise_m: ArrayLike | None = None,
    deficient: Literal["refuse", "drop"] = "refuse",
    errors: Errors = "independent",
    sign: Sign = Sign.SECOND_MINUS_FIRST,
) -> Fit:
    """Fit a model to the marks of one wafer.

    Parameters
    ----------
    overlay_m : (n, 2) dx, dy, m; NaN where a reading is missing
    noise_m : standard deviation of a reading: one number, (n,) or (n, 2), m. Sets weights 1/noise²; its size is used for U only where no
        degree of freedom is left, and otherwise compared with the residuals.
    deficient : what to do where the layout cannot tell terms apart: refuse, naming them, or drop those that the terms before them explain.
    errors : for U, take what is left at each mark as independent, or only what is left of each field ("by field": U then covers fields
        that are placed with a scatter of their own). A flag says where the first claims too little.
    sign : what a positive overlay means; kept in the result.

    Raises
    ------
    DataError       shapes, units, no valid reading, noise of 0 or less, terms that the layout cannot tell apart

    Examples
    --------
    >>> from precision.models import overlay, overlay_marks
    >>> marks = overlay_marks.layout(overlay_marks.full_fields(), overlay_marks.field_grid(2, 2))
    >>> found = fit(marks, overlay.SIX_PARAMETER.overlay(marks, np.array([5e-9, 0, 1e-7, 0, 0, 0])), overlay.TEN_PARAMETER)
    >>> f"{found['Tx'] * 1e9:.3f} nm, {found['Mx'] * 1e6:.3f} ppm"
    '5.000 nm, 0.100 ppm'
    """
    overlay, valid = checked_overlay(marks, overlay_m)
    noise = _noise(noise_m, overlay.shape)
    root_weight = None if noise is None else 1 / noise
    rank = rank_report(marks, model, valid=valid, weights=root_weight)
    if deficient == "refuse" or rank.rank == 0:
        refuse_deficient(rank)
    used = valid.T.ravel()
    kept = np.array([model.keys.index(key) for key in rank.kept])
    design = model.design(marks)[:, kept]
    found = solve(design[used], overlay.T.ravel()[used], None if root_weight is None else root_weight.T.ravel()[used])
    freedom = rank.readings - rank.rank
    variance = found.sum_of_squares / freedom if freedom > 0 else None if noise is None else 1.0
    # Weights make the variance a ratio to the stated noise; times the weighted mean noise it is a length again.
    typical = 1.0 if noise is None else math.sqrt(rank.readings / float((1 / noise[valid] ** 2).sum()))
    covariance = found.unscaled * (math.nan if variance is None else variance)
    clusters: int | None = None
    flags = _noise_flags(variance, freedom, noise is not None)
    if errors == "by field":
        weighted = found.residual if root_weight is None else found.residual * root_weight.T.ravel()[used]
        scatter = by_field(found.basis, weighted, np.tile(marks.field, 2)[used])
        if isinstance(scatter, str):
            flags.append(f"U takes marks as independent: {scatter}")
        else:
            covariance, clusters = found.from_basis @ scatter[0] @ found.from_basis.T, scatter[1]
    return assembled(
        marks=marks,
        overlay=overlay,
        model=model,
        sign=sign,
        rank=rank,
        kept=kept,
        used=used,
        coefficients=found.coefficients,
        covariance=covariance,
        vif=np.diagonal(found.unscaled) * found.length**2,
        residual=found.residual,
        leverage=found.leverage,
        root_weight=None if root_weight is None else frozen(root_weight),
        sd=None if freedom < 1 or variance is None else math.sqrt(variance) * typical,
        freedom=freedom,
        clusters=clusters,
        stated=(),
        flags=flags,
    )


def assembled(
    *,
    marks: OverlayMarks,
    overlay: Array,
    model: OverlayModel,
    sign: Sign,
    rank: RankReport,
    kept: NDArray[Any],
    used: NDArray[np.bool_],
    coefficients: Array,
    covariance: Array,
    vif: Array,
    residual: Array,
    leverage: Array,
    root_weight: Array | None,
    sd: float | None,
    freedom: int,
    clusters: int | None,
    stated: Sequence[str],
    flags: Sequence[str],
) -> Fit:
    """The result of an estimate of the `kept` terms (indices) from the `used` readings (2n,), dx above dy. clusters : degrees of freedom
    of a covariance by fields."""
    p = len(model.terms)
    full, inflation, whole = np.full(p, np.nan), np.full(p, np.nan), np.full((p, p), np.nan)
    full[kept], inflation[kept], whole[np.ix_(kept, kept)] = coefficients, vif, covariance
    behind = freedom if clusters is None else clusters
    t, p_value = _t_test(full, whole, behind)
    left = _over_marks(residual, used, marks.count)
    raw_statistics, left_statistics = statistics(overlay), statistics(left)
    k = coverage_factor(behind) if behind > 0 else 2.0
    terms = _term_figures(model, rank, full, whole, k)
    return Fit(
        title=f"Overlay, {model.name}: {marks.count} marks in {marks.fields.size} fields, {rank.readings} readings, {freedom} degrees of freedom",
        stated=(
            model.coordinates.value,
            sign.value,
            "sd with divisor n − 1",
            f"U takes {'marks' if clusters is None else 'fields'} as independent",
            *stated,
        ),
        figures=keyed(
            [
                *terms,
                _scatter(sd, freedom, behind, k),
                *figures(raw_statistics, prefix="raw_", of="as measured"),
                *figures(left_statistics, prefix="left_", of="left over"),
            ]
        ),
        flags=tuple(
            [*flags, *_flags(rank, inflation, freedom, left_statistics), *([] if clusters is not None else _together(left, marks))]
        ),
        marks=marks,
        overlay_m=overlay,
        model=model,
        sign=sign,
        coefficients=frozen(full),
        covariance=frozen(whole),
        t=frozen(t),
        p_value=frozen(p_value),
        vif=frozen(inflation),
        residual_m=frozen(left),
        leverage=frozen(_over_marks(leverage, used, marks.count)),
        root_weight=root_weight,
        sd_m=sd,
        degrees_of_freedom=freedom,
        clusters=clusters,
        rank=rank,
        raw=raw_statistics,
        left=left_statistics,
    )


def _t_test(coefficients: Array, covariance: Array, behind: int) -> tuple[Array, Array]:
    """t of each term against 0, and the two-sided probability."""
    u = np.sqrt(np.diagonal(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(u > 0, coefficients / u, np.nan)
    return t, 2 * stdtr(behind, -np.abs(t)) if behind > 0 else np.full_like(t, np.nan)


def _scatter(sd: float | None, freedom: int, behind: int, k: float) -> Figure:
    value: float | str = sd if sd is not None else "as many terms as readings: nothing is left to see a scatter in"
    u = None if sd is None else sd * k / math.sqrt(2 * behind)
    return figure("s", f"standard deviation of a reading about the model, divisor {freedom}", value, "m", u, coverage_factor=k)


def _over_marks(values: Array, used: NDArray[np.bool_], count: int) -> Array:
    """(n, 2) of values of the used readings, NaN elsewhere."""
    whole = np.full(2 * count, np.nan)
    whole[used] = values
    return np.ascontiguousarray(whole.reshape(2, count).T)


def _noise(noise_m: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    if noise_m is None:
        return None
    given = np.asarray(noise_m, dtype=np.float64)
    if given.shape not in ((), shape[:1], shape):
        raise DataError(
            f"noise_m has shape {given.shape}; expected one number, {shape[:1]} or {shape}: the standard deviation of each reading in m"
        )
    if not np.all((given > 0) & (given < LARGEST_OVERLAY_M)):
        raise DataError(
            f"noise_m holds {given.min():g} … {given.max():g} m; expected standard deviations above 0 and below {LARGEST_OVERLAY_M:g} m"
        )
    return np.array(np.broadcast_to(given[:, None] if given.ndim == 1 else given, shape))


def _noise_flags(variance: float | None, freedom: int, known: bool) -> list[str]:
    """Residuals that the stated noise explains with a probability below 0.1 %."""
    if variance is None or not known or freedom < 1 or chdtrc(freedom, variance * freedom) >= 1e-3:
        return []
    return [f"residuals are {math.sqrt(variance):.3g} times the stated noise: the model lacks terms, or the noise is more than stated"]


def _term_figures(model: OverlayModel, rank: RankReport, coefficients: Array, covariance: Array, k: float) -> list[Figure]:
    dropped = {alias.term.key: f"left out: {alias}" for alias in rank.aliases}
    shared = {key: alias.term.key for alias in rank.aliases for key in alias.equals}
    made = []
    for index, term in enumerate(model.terms):
        value: float | str = dropped.get(term.key, float(coefficients[index]))
        made.append(_with_u(term.key, term.symbol, term.name, value, term.unit, covariance[index, index], k, shared.get(term.key)))
    units = {term.key: term.unit for term in model.terms}
    for key, name, parts in _DERIVED:
        if key in units or not parts.keys() <= units.keys():
            continue
        weight = np.array([parts.get(one, 0.0) for one in model.keys])
        some = weight != 0
        missing = next((dropped[one] for one in parts if one in dropped), None)
        value = missing if missing is not None else float(weight[some] @ coefficients[some])
        variance = float(weight[some] @ covariance[np.ix_(some, some)] @ weight[some])
        also = next((shared[one] for one in parts if one in shared), None)
        made.append(_with_u(key, key, name, value, units[next(iter(parts))], variance, k, also))
    return made


def _with_u(key: str, symbol: str, name: str, value: float | str, unit: str, variance: float, k: float, shared: str | None) -> Figure:
    u: float | str = (
        k * math.sqrt(variance) if math.isfinite(variance) else "no degree of freedom is left, and no noise of the marks was stated"
    )
    if shared is not None and not isinstance(value, str):
        u = f"its value holds that of {shared} too, which this layout cannot tell from it"
    return figure(key, name, value, unit, u, symbol=symbol, coverage_factor=k)


def _together(left: Array, marks: OverlayMarks) -> list[str]:
    """A flag where what is left of a field's marks is alike."""
    correlation, p = correlation_within_fields(left, marks.field)
    if p >= TOGETHER or correlation < 0.05:
        return []
    return [
        f"{BELONG_TOGETHER} (correlation {correlation:.2f}), but U takes marks as independent: it is too small for inter-field terms; "
        f"use errors='by field'"
    ]


def _flags(rank: RankReport, vif: Array, freedom: int, left: OverlayStatistics) -> list[str]:
    flags = (
        [f"{rank.model.name}: {len(rank.aliases)} of {len(rank.model.terms)} terms were left out: {'; '.join(map(str, rank.aliases))}"]
        if rank.aliases
        else []
    )
    inflated = [f"{key} ({value:.0f})" for key, value in zip(rank.model.keys, vif, strict=True) if value > LARGEST_VIF]
    if inflated:
        flags.append(f"terms that the layout hardly tells apart, by their variance inflation: {', '.join(inflated)}")
    if freedom < FEW_DEGREES_OF_FREEDOM:
        flags.append(f"{freedom} degrees of freedom: residuals say little about the noise")
    for name, part in (("dx", left.x), ("dy", left.y)):
        if part is not None and part.mean_plus_three_sigma and part.most > 1.5 * part.mean_plus_three_sigma:
            flags.append(
                f"99.7 % of |{name}| left over reach {part.most * 1e9:.3g} nm, |mean| + 3σ only {part.mean_plus_three_sigma * 1e9:.3g} "
                f"nm: heavy tails; look for single marks"
            )
    return flags
