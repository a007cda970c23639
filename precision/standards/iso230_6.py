"""ISO 230-6: positioning accuracy on body and face diagonals; and the step diagonal, as a diagnostic. Formulas from memory of the standard (2002);
its symbols are not confirmed.

Each diagonal is measured and evaluated as an axis by ISO 230-2: E, B, R. Of the machine: E_D and B_D, the largest of all diagonals. Names give the sense of
motion of X, Y, Z from the diagonal's start, P or N: PPP, NPP, PNP, NNP through the body, and PP, NP in the faces XY, XZ, YZ ("PP XY").

Squareness errors from the errors ΔL of the lengths of the four body diagonals, D = √(a² + b² + c²), a, b, c the travels in X, Y, Z (first order, checked
against exact geometry; model Δx = −C·y + B·z, Δy = −A·z; right-handed rotations, ISO 230-1):

    E_C0Y = D/(4ab)·(−PPP + NPP + PNP − NNP)
    E_B0Z = D/(4ac)·( PPP − NPP + PNP − NNP)
    E_A0Z = D/(4bc)·(−PPP − NPP + PNP + NNP)

and from the two diagonals of a face: E_C0Y = D(NP − PP)/(2ab), E_B0Z = D(PP − NP)/(2ac), E_A0Z = D(NP − PP)/(2bc). What is common to the diagonals is the
scales of the axes.

Straightness and angular errors come into the diagonals too: squareness from diagonals is right as far as they are small, and good body diagonals do not
prove a good machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..recording import Positioning
from ..uncertainty.positioning import Budget
from . import iso230_2
from .arrays import Array, frozen, positive, table
from .reported import Reported, figure, keyed

BODY: Final[Mapping[str, tuple[int, int, int]]] = MappingProxyType({"PPP": (1, 1, 1), "NPP": (-1, 1, 1), "PNP": (1, -1, 1), "NNP": (-1, -1, 1)})
"""Sense of X, Y, Z along each body diagonal."""
FACES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType({"XY": (0, 1), "XZ": (0, 2), "YZ": (1, 2)})
SQUARENESS: Final = (("E_C0Y", "XY", "squareness of Y to X"), ("E_B0Z", "XZ", "squareness of Z to X"), ("E_A0Z", "YZ", "squareness of Z to Y"))

INSENSITIVE: Final = "straightness and angular errors come into the diagonals as well: the squareness holds as far as they are small, and good diagonals do not prove volumetric accuracy"
STEP_WARNING: Final = (
    "diagnostic only: the step diagonal assumes that each axis moves with the same errors wherever the others stand (no angular errors), and that the laser is aligned with "
    "the diagonal; where this does not hold its errors are wrong without a sign of it, except for a step inconsistency that stands out of the noise"
)

Kind = Literal["body", "face"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Diagonals. Figures: "E_<name>", "B_<name>", "R_<name>" for each diagonal measured, "E_D", "B_D" (m), "E_C0Y", "E_B0Z", "E_A0Z" (rad).

    kind : "body" or "face".
    sides_m : a, b, c, travels in X, Y, Z.
    diagonals : name -> its evaluation by ISO 230-2.
    length_error_m : name -> ΔL, error of the length of the whole diagonal.
    """

    kind: Kind
    sides_m: tuple[float, float, float]
    diagonals: Mapping[str, iso230_2.Result]
    length_error_m: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class StepResult(Reported):
    """Step diagonal. Figures "E_XX", "E_YX", "E_ZX", … "E_ZZ" (range of the error of motion along the second letter in the direction of the first, m) and
    "inconsistency".

    error_m : (3, 3, n + 1) float64 — moving axis, direction, station — accumulated errors.
    inconsistency_m : (3, n) float64, for each step the part of the four diagonals that no three errors explain.
    """

    error_m: Array
    inconsistency_m: Array


def evaluate(
    diagonals: Mapping[str, Positioning],
    *,
    sides_m: tuple[float, float, float],
    edition: iso230_2.Edition = "2014",
    uncertainty: Mapping[str, Budget] | None = None,
) -> Result:
    """Evaluate body or face diagonals.

    Parameters
    ----------
    diagonals : "PPP", "NPP", "PNP", "NNP", or "PP XY", "NP XY", "PP XZ", … -> recording; targets are distances along the diagonal from its start
    sides_m : a, b, c, travels in X, Y, Z over which the whole diagonals lie
    uncertainty : name -> budget of that diagonal

    Returns
    -------
    Result
        A machine figure that needs a diagonal which was not measured is None, with that reason. ΔL is taken between the first and the last target, mean of
        both directions, and scaled to the whole diagonal.

    Raises
    ------
    DataError       no diagonal, unknown names, body and face together, a rotary recording, targets beyond the diagonal
    """
    kind = _kind(diagonals)
    sides = _sides(sides_m)
    results: dict[str, iso230_2.Result] = {}
    lengths: dict[str, float] = {}
    flags: list[str] = []
    expected = list(BODY) if kind == "body" else [f"{sense} {face}" for face in FACES for sense in ("PP", "NP")]
    for name in expected:
        if name not in diagonals:
            continue
        recording = diagonals[name]
        whole = _length(name, sides)
        span = float(recording.target[-1] - recording.target[0])
        if recording.kind != "linear" or span > whole * (1 + 1e-3) or span == 0:
            raise DataError(f"diagonal {name}: {recording.kind} targets over {span:g} m; expected a linear recording over at most the diagonal's {whole:g} m")
        results[name] = iso230_2.evaluate(recording, edition=edition, uncertainty=(uncertainty or {}).get(name))
        flags += [f"{name}: {flag}" for flag in results[name].flags]
        if span < 0.9 * whole:
            flags.append(f"{name}: the targets cover {span / whole * 100:.0f} % of the diagonal: E_D leaves the rest out, and the squareness extends what was measured")
        error = float(results[name].mean_bidirectional[-1] - results[name].mean_bidirectional[0])
        if math.isfinite(error):
            lengths[name] = error * whole / span
    figures = [_renamed(results[name].figures[key], key, name) for name in results for key in ("E", "B", "R")]
    missing = [name for name in expected if name not in results] if kind == "body" else [name for name in expected if name not in results and any(f in name for f in _measured_faces(results))]
    figures += [_largest(key, results, missing) for key in ("E", "B")]
    figures += _squareness_figures(kind, lengths, sides, uncertainty or {})
    if missing:
        flags.append(f"diagonals {', '.join(missing)} were not measured: E_D, B_D and the squareness that needs them are not evaluated")
    return Result(
        title=f"ISO 230-6 {kind} diagonals, {' by '.join(f'{side * 1e3:g}' for side in sides)} mm",
        stated=(f"each diagonal by ISO 230-2:{edition}", INSENSITIVE),
        figures=keyed(figures),
        flags=tuple(flags),
        kind=kind,
        sides_m=sides,
        diagonals=MappingProxyType(results),
        length_error_m=MappingProxyType(lengths),
    )


def squareness_from_body_diagonals(length_error_m: Mapping[str, float], sides_m: tuple[float, float, float]) -> Mapping[str, float]:
    """E_C0Y, E_B0Z, E_A0Z (rad) from ΔL (m) of PPP, NPP, PNP and NNP.

    >>> squareness_from_body_diagonals({"PPP": 0, "NPP": 1e-6, "PNP": 1e-6, "NNP": 0}, (1, 1, 1))["E_C0Y"] == math.sqrt(3) / 2 * 1e-6
    True
    """
    missing = [name for name in BODY if name not in length_error_m]
    if missing:
        raise DataError(f"diagonals {', '.join(missing)} are missing; squareness needs PPP, NPP, PNP and NNP")
    a, b, c = _sides(sides_m)
    d = math.sqrt(a * a + b * b + c * c)
    ppp, npp, pnp, nnp = (length_error_m[name] for name in BODY)
    return {
        "E_C0Y": d / (4 * a * b) * (-ppp + npp + pnp - nnp),
        "E_B0Z": d / (4 * a * c) * (ppp - npp + pnp - nnp),
        "E_A0Z": d / (4 * b * c) * (-ppp - npp + pnp + nnp),
    }


def squareness_from_face_diagonals(pp_m: float, np_m: float, *, face: str, sides_m: tuple[float, float, float]) -> float:
    """Squareness (rad) of the two axes of a face ("XY": E_C0Y, "XZ": E_B0Z, "YZ": E_A0Z) from the errors ΔL (m) of its diagonals PP and NP."""
    if face not in FACES:
        raise DataError(f"face is {face!r}; expected {', '.join(FACES)}")
    u, v = (_sides(sides_m)[k] for k in FACES[face])
    opened = math.hypot(u, v) * (np_m - pp_m) / (2 * u * v)
    return -opened if face == "XZ" else opened


def step_diagonal(steps: Mapping[str, ArrayLike], *, sides_m: tuple[float, float, float]) -> StepResult:
    """Separate the errors of a step diagonal test: X, Y and Z moved one after the other along each body diagonal. A diagnostic: see `STEP_WARNING`.

    Parameters
    ----------
    steps : "PPP", "NPP", "PNP", "NNP" -> (n, 3) m, deviation of the laser's reading from nominal in each step of X, Y, Z, in the order of motion
    sides_m : a, b, c, travels in X, Y, Z

    Notes
    -----
    A step of X along a diagonal with senses s and unit vector (s_x a, s_y b, s_z c)/D shows its error e as s_x·(s_x a e_x + s_y b e_y + s_z c e_z)/D, the
    interval being the mirrored one where s_x is negative. Four diagonals, three unknowns: least squares; what is left over is the inconsistency.

    Raises
    ------
    DataError       a diagonal is missing, or unequal grids: numbers of steps that differ
    """
    if set(steps) != set(BODY):
        raise DataError(f"diagonals given: {', '.join(sorted(steps)) or 'none'}; a step diagonal needs {', '.join(BODY)}")
    sides = np.array(_sides(sides_m))
    arrays = {name: table(f"steps of {name}", steps[name], (None, 3)) for name in BODY}
    counts = {name: array.shape[0] for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise DataError(f"unequal grids: {', '.join(f'{name} has {count} steps' for name, count in counts.items())}; expected the same on all four diagonals")
    n = counts["PPP"]
    senses = np.array([BODY[name] for name in BODY], dtype=np.float64)
    error, left = np.zeros((3, 3, n + 1)), np.empty((3, n))
    for axis in range(3):
        # Interval k of the axis, counted in its positive direction.
        measured = np.stack([arrays[name][:, axis] if senses[row, axis] > 0 else arrays[name][::-1, axis] for row, name in enumerate(BODY)])
        design = senses[:, axis, None] * senses * sides / math.sqrt(float(sides @ sides))
        solution, *_ = np.linalg.lstsq(design, measured, rcond=None)
        error[axis, :, 1:] = np.cumsum(solution, axis=1)
        # The combination of the four that no errors of the model produce, as a unit vector.
        left[axis] = np.linalg.norm(measured - design @ solution, axis=0)
    reason = "the method's assumptions decide, and the measurement cannot test them"
    letters = "XYZ"
    return StepResult(
        title=f"Step diagonal, {n} steps, {' by '.join(f'{side * 1e3:g}' for side in sides)} mm",
        stated=(STEP_WARNING,),
        figures=keyed([
            *(
                figure(f"E_{letters[d]}{letters[m]}", "positioning" if d == m else f"straightness of {letters[m]} in {letters[d]} with its slope", float(np.ptp(error[m, d])), "m", reason)
                for m in range(3) for d in range(3)
            ),
            figure("inconsistency", "largest part of a step that the model does not explain", float(left.max()), "m", reason, symbol="Δ"),
        ]),
        flags=(STEP_WARNING,),
        error_m=frozen(error),
        inconsistency_m=frozen(left),
    )  # fmt: skip


def _kind(diagonals: Mapping[str, Positioning]) -> Kind:
    faces = [f"{sense} {face}" for face in FACES for sense in ("PP", "NP")]
    if diagonals and set(diagonals) <= set(BODY):
        return "body"
    if diagonals and set(diagonals) <= set(faces):
        return "face"
    raise DataError(f"diagonals {', '.join(sorted(diagonals)) or 'none'}; expected body diagonals ({', '.join(BODY)}) or face diagonals ({', '.join(faces)}), not both")


def _sides(sides_m: tuple[float, float, float]) -> tuple[float, float, float]:
    a, b, c = sides_m
    return positive("side a (travel in X)", a, "m"), positive("side b (travel in Y)", b, "m"), positive("side c (travel in Z)", c, "m")


def _length(name: str, sides: tuple[float, float, float]) -> float:
    return math.hypot(*sides) if name in BODY else math.hypot(*(sides[k] for k in FACES[name[-2:]]))


def _measured_faces(results: Mapping[str, iso230_2.Result]) -> set[str]:
    return {name[-2:] for name in results}


def _renamed(item: Figure, key: str, diagonal: str) -> Figure:
    value: float | str = item.reason or 0.0 if item.value is None else item.value
    u = item.uncertainty if item.uncertainty is not None else item.uncertainty_reason
    return figure(f"{key}_{diagonal.replace(' ', '_')}", f"{item.name}: diagonal {diagonal}", value, item.unit, u, symbol=f"{key}({diagonal})")


def _largest(key: str, results: Mapping[str, iso230_2.Result], missing: list[str]) -> Figure:
    name = "systematic deviation of the diagonals" if key == "E" else "reversal value of the diagonals"
    items = [result.figures[key] for result in results.values()]
    reason = f"not all diagonals were measured: no {', '.join(missing)}" if missing else next((item.reason for item in items if item.reason), None)
    if reason:
        return figure(f"{key}_D", name, reason, "m")
    uncertainties = [item.uncertainty for item in items if item.uncertainty is not None]
    u: float | str | None = max(uncertainties) if len(uncertainties) == len(items) else next(item.uncertainty_reason for item in items if item.uncertainty is None)
    return figure(f"{key}_D", name, max(item.value for item in items if item.value is not None), "m", u)


def _squareness_figures(kind: Kind, lengths: Mapping[str, float], sides: tuple[float, float, float], budgets: Mapping[str, Budget]) -> list[Figure]:
    figures = []
    for key, face, name in SQUARENESS:
        needed = list(BODY) if kind == "body" else [f"PP {face}", f"NP {face}"]
        missing = [diagonal for diagonal in needed if diagonal not in lengths]
        if missing:
            figures.append(figure(key, name, f"needs the length of {', '.join(missing)} in both directions", "rad"))
            continue
        if kind == "body":
            value = squareness_from_body_diagonals(lengths, sides)[key]
        else:
            value = squareness_from_face_diagonals(lengths[needed[0]], lengths[needed[1]], face=face, sides_m=sides)
        u, v = (sides[k] for k in FACES[face])
        factor = _length(needed[0], sides) / (len(needed) * u * v)
        # What grows with length alike on all diagonals has weights that sum to zero; counting it makes U safe.
        parts = [budgets[diagonal].for_figure("M")[0] for diagonal in needed if diagonal in budgets]
        stated = [part for part in parts if part is not None]
        figures.append(figure(key, name, value, "rad", factor * math.hypot(*stated) if len(stated) == len(needed) else "no uncertainty budget was given for every diagonal"))
    return figures
