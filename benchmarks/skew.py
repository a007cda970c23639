"""Skew of the planes of a machine, from a squareness or a diagonal test: what a controller that corrects it (Klipper) is given.

With right-handed rotations E_C0Y, E_B0Z, E_A0Z (ISO 230-1) the second axis of a plane leans along the first by −C (XY), +B (XZ), −A (YZ) per length; the
controller subtracts that from the first axis: x' = x − y·xy − …, so the tool ends where it should.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from precision.compensation import klipper
from precision.errors import DataError, PlanError
from precision.figures import Figure
from precision.report.document import Cell, Column, Table

if TYPE_CHECKING:
    from .execution import Outcome

LEAN: Final = {"XY": ("E_C0Y", -1.0), "XZ": ("E_B0Z", 1.0), "YZ": ("E_A0Z", -1.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """text : the controller's command. factors : plane -> lean of its second axis along the first, per length. errors : plane -> the squareness error behind it."""

    text: str
    factors: dict[str, float]
    errors: dict[str, Figure]


def of(outcome: Outcome) -> Skew:
    """The skew that a run has measured.

    Raises
    ------
    PlanError       a run of another procedure
    DataError       no squareness that could be evaluated
    """
    procedure = outcome.run.manifest.procedure
    figures = {row.figure.symbol: row.figure for row in outcome.document.rows}
    if procedure not in ("squareness", "diagonals"):
        raise PlanError(f"{outcome.run.name} is a run of {procedure!r}; skew comes from `precision run squareness` or `precision run diagonals`")
    errors = {plane: figures[key] for plane, (key, _) in LEAN.items() if key in figures and figures[key].value is not None}
    if not errors:
        reasons = "; ".join(str(figures[key].reason) for key, _ in LEAN.values() if key in figures)
        raise DataError(f"{outcome.run.name} has no squareness: {reasons or 'none was measured'}")
    if procedure == "squareness" and getattr(outcome.plan, "evaluation").sign == "larger than 90°":  # noqa: B009
        turned = {"XY": 1.0, "XZ": -1.0, "YZ": 1.0}  # an angle above 90° is a positive rotation in XY and YZ, a negative one in XZ
    else:
        turned = dict.fromkeys(LEAN, 1.0)
    factors = {plane: LEAN[plane][1] * turned[plane] * math.tan(float(figure.value or 0.0)) for plane, figure in errors.items()}
    text = klipper.write({plane: klipper.of_factor(factor) for plane, factor in factors.items()})
    back = klipper.read(text)
    for plane, factor in factors.items():
        if abs(back[plane].factor - factor) > 2e-8:  # six decimals of a millimetre over 100 mm
            raise DataError(f"{plane}: the command reads back as a skew of {back[plane].factor:.9f}, measured was {factor:.9f}; it was not written")
    return Skew(text=text, factors=factors, errors=errors)


def table(skew: Skew) -> Table:
    """What was measured, and what the controller does about it."""
    rows: list[list[Cell]] = []
    for plane, factor in skew.factors.items():
        error = skew.errors[plane]
        first, second = plane[0], plane[1]
        verb = "adds" if factor < 0 else "takes off"
        rows.append([plane, error.symbol, error.value, error.uncertainty, f"{verb} {abs(factor) * 1e3:.4f} mm of {first} for every metre of {second}"])
    return Table(
        title="Skew",
        columns=[Column(name="Plane"), Column(name="Figure"), Column(name="Measured", unit="rad", family="error"), Column(name="U (k = 2)", unit="rad", family="error"), Column(name="The controller")],
        rows=rows,
        note="SET_SKEW takes the diagonals AC, BD and the side AD of a parallelogram that leans so; sides of 100 mm are written.",
    )
