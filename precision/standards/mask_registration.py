"""Mask registration: how far the marks of a photomask stand from where they were designed, and which part of it is position, rotation,
scale and shear.

Displacement = measured − designed. With X, Y from the mean of the designed coordinates of the marks that were read:

    6 parameters     dx = tx + sx·X + oy·Y        dy = ty + sy·Y − ox·X
    4 parameters     dx = tx + m·X − r·Y          dy = ty + m·Y + r·X           3 parameters: without m
    magnification (sx + sy)/2        rotation −(oy + ox)/2        orthogonality oy − ox

These are the signs of an independent program for mask registration (image-registration): ox = −d(dy)/dX, oy = d(dx)/dY. Readings that are
NaN are left out and move nothing. A layout that does not determine a parameter (marks on one line, only x or only y read) has that
parameter as None, with the reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..figures import Figure
from ..models.overlay import FOUR_PARAMETER, SIX_PARAMETER, THREE_PARAMETER, OverlayModel, Sign
from ..models.overlay_marks import LARGEST_M, OverlayMarks
from .arrays import Array, frozen
from .overlay import Fit, fit
from .overlay_statistics import OverlayStatistics, figures, statistics
from .reported import Reported, figure, keyed

MODELS: Final[dict[int, OverlayModel]] = {3: THREE_PARAMETER, 4: FOUR_PARAMETER, 6: SIX_PARAMETER}
_TERMS: Final = (
    ("tx", "Tx", 1.0, "translation in x of the centre"),
    ("ty", "Ty", 1.0, "translation in y of the centre"),
    ("sx", "Mx", 1.0, "scale in x"),
    ("sy", "My", 1.0, "scale in y"),
    ("oy", "Rx", -1.0, "shear of the y axis, d(dx)/dY"),
    ("ox", "Ry", -1.0, "shear of the x axis, −d(dy)/dX"),
    ("magnification", "M", 1.0, "magnification"),
    ("rotation", "R", 1.0, "rotation"),
    ("orthogonality", "N", 1.0, "orthogonality, oy − ox"),
)
"""Our key, the overlay term's key, the factor between them, our name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Registration(Reported):
    """Figures: "tx", "ty", "sx", "sy", "ox", "oy", "magnification", "rotation", "orthogonality"; "raw_…" and "left_…" mean, 3σ (divisor n
    − 1), |mean| + 3σ and 99.7 % maximum of the displacements and of what the model leaves over; "left_3s_x_adjusted", "left_3s_y_adjusted"
    3σ per degree of freedom.

    centre_m : (2,) mean of the designed coordinates of the marks that determine the model. residual_m : (n, 2), NaN where a reading is missing.
    fit : the fit itself, with covariance, tests, rank; its marks are those that determine the model.
    """

    centre_m: Array
    design_m: Array
    displacement_m: Array
    residual_m: Array
    fit: Fit
    raw: OverlayStatistics
    left: OverlayStatistics

    def __str__(self) -> str:
        return self.text(angles="µrad")


def evaluate(
    design_m: ArrayLike,
    measured_m: ArrayLike,
    *,
    parameters: Literal[3, 4, 6] = 6,
    fitted: ArrayLike | None = None,
) -> Registration:
    """Evaluate the registration of a mask.

    Parameters
    ----------
    design_m, measured_m : (n, 2) x, y in m. NaN in `measured_m` where a coordinate was not read, or in `design_m` where it is not known.
    parameters : of the model that is fitted and taken away
    fitted : (n,) bool, which marks determine the model (alignment marks); all by default. The statistics are of all marks.

    Raises
    ------
    DataError       shapes, units, no mark with a reading

    Examples
    --------
    >>> corners = np.array([[0, 0], [0, 0.14], [0.15, 0.14], [0.15, 0]])
    >>> result = evaluate(corners, corners + 1e-9 * np.array([[-75, 0], [-75, 0], [75, 0], [75, 0]]))
    >>> f"{result['sx'] * 1e6:.3f} ppm, magnification {result['magnification'] * 1e6:.3f} ppm"
    '1.000 ppm, magnification 0.500 ppm'
    """
    design, displacement = _checked(design_m, measured_m)
    read = np.isfinite(displacement)
    if parameters not in MODELS:
        raise ValueError(f"parameters is {parameters}; expected 3, 4 or 6")
    chosen: NDArray[np.bool_] = np.ones(design.shape[0], dtype=bool) if fitted is None else np.asarray(fitted, dtype=bool)
    if chosen.shape != (design.shape[0],):
        raise DataError(f"fitted has shape {chosen.shape}; expected ({design.shape[0]},), one for each mark")
    index = np.flatnonzero(chosen & read.any(axis=1))
    if index.size == 0:
        raise DataError(
            f"none of the {int(chosen.sum())} marks that are to determine the model has a reading; check the columns, or choose other marks"
        )
    # A coordinate counts for the centre where the mark has it designed; a mark with one coordinate only stands in the middle of the other.
    centre = np.array([_mean(design[index, axis]) for axis in (0, 1)])
    local = np.where(np.isfinite(design), design - centre, 0.0)
    found = fit(_marks(local[index]), displacement[index], MODELS[parameters], deficient="drop", sign=Sign.SECOND_MINUS_FIRST)
    kept = found.model.only(*found.rank.kept)
    model = kept.overlay(_marks(local), found.coefficients[[found.model.keys.index(key) for key in kept.keys]])
    residual = displacement - model
    raw, left = statistics(displacement), statistics(residual)
    flags = [flag for flag in found.flags if "terms were left out" not in flag]
    flags += [f"{ours.name} is not determined: {_reason(found)}" for ours in _renamed(found) if ours.value is None]
    missing = int((~read.any(axis=1)).sum())
    if missing:
        flags.append(f"{missing} of {design.shape[0]} marks have no reading")
    return Registration(
        title=f"Mask registration, {parameters} parameters: {design.shape[0]} marks, {found.rank.readings} readings in the fit, centre "
        f"{centre[0] * 1e3:.6f}, {centre[1] * 1e3:.6f} mm",
        stated=("displacement is measured minus designed", "sd with divisor n − 1"),
        figures=keyed(
            [
                *_renamed(found),
                *figures(raw, prefix="raw_", of="as measured"),
                *figures(left, prefix="left_", of="left over"),
                *(_adjusted(found, axis) for axis in ("x", "y")),
            ]
        ),
        flags=tuple(dict.fromkeys(flags)),
        centre_m=frozen(centre),
        design_m=frozen(design),
        displacement_m=frozen(displacement),
        residual_m=frozen(residual),
        fit=found,
        raw=raw,
        left=left,
    )


def _checked(design_m: ArrayLike, measured_m: ArrayLike) -> tuple[Array, Array]:
    design, measured = (np.array(values, dtype=np.float64) for values in (design_m, measured_m))
    if design.ndim != 2 or design.shape[1] != 2 or measured.shape != design.shape or design.shape[0] == 0:
        raise DataError(
            f"design_m, measured_m have shapes {design.shape}, {measured.shape}; expected (n, 2) each: x and y of every mark in m"
        )
    far = np.argwhere((np.abs(design) > LARGEST_M) | np.isinf(design) | np.isinf(measured))
    if far.size:
        row = int(far[0, 0])
        raise DataError(
            f"mark {row}: designed {design[row].tolist()}, measured {measured[row].tolist()} m; expected coordinates in m, at most "
            f"{LARGEST_M:g}, or NaN"
        )
    return design, measured - design


def _marks(local: Array) -> OverlayMarks:
    return OverlayMarks(field_centre_m=local, in_field_m=np.zeros_like(local))


def _mean(values: Array) -> float:
    some = values[np.isfinite(values)]
    return float(some.mean()) if some.size else 0.0


def _renamed(found: Fit) -> list[Figure]:
    """The fit's figures under the names of this trade."""
    made = []
    for ours, theirs, factor, name in _TERMS:
        if theirs not in found.figures:
            continue
        one = found.figures[theirs]
        made.append(replace(one, key=ours, symbol=ours, name=name, value=None if one.value is None else factor * one.value))
    return made


def _reason(found: Fit) -> str:
    return found.rank.remark.replace("the fields' centres", "the marks") or "; ".join(map(str, found.rank.aliases))


def _adjusted(found: Fit, axis: Literal["x", "y"]) -> Figure:
    """3σ of the residual with the divisor n less the parameters that this component took: the sum of its leverages."""
    column = 0 if axis == "x" else 1
    residual = found.residual_m[:, column]
    some = residual[np.isfinite(residual)]
    took = float(np.nansum(found.leverage[:, column]))
    freedom = some.size - took
    key, name = f"left_3s_{axis}_adjusted", f"3σ of d{axis} left over, divisor n − {took:.3g}"
    if freedom < 0.5:
        return figure(key, name, f"{some.size} readings of this component and {took:.3g} parameters leave no degree of freedom", "m")
    value = 3 * math.sqrt(float(some @ some) / freedom)
    return figure(key, name, value, "m", 2 * value / math.sqrt(2 * freedom), symbol=f"3σ adj {axis}")
