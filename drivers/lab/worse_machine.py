"""A machine with larger geometric errors than the ordinary one: for tests of what compensation takes away."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .parameters import AxisParameters, Parameters

LARGEST: Final = 100.0


def with_errors(parameters: Parameters, factor: float) -> Parameters:
    """The same lab with a machine whose straightness, angles, mean lead errors and squareness are `factor` times as large; what repeats within a screw's length or
    turn, play, scatter, heat and light stay.

    Raises ValueError unless 0 ≤ factor ≤ 100.
    """
    if not 0 <= factor <= LARGEST:
        raise ValueError(f"factor is {factor!r}; expected 0 to {LARGEST:g} times the errors of the ordinary machine")

    def axis(one: AxisParameters) -> AxisParameters:
        return replace(one, lead_slope=factor * one.lead_slope, straightness_m=factor * one.straightness_m, angle_rad=factor * one.angle_rad)

    return replace(
        parameters, x=axis(parameters.x), y=axis(parameters.y), z=axis(parameters.z), squareness_c0y_rad=factor * parameters.squareness_c0y_rad,
        squareness_b0z_rad=factor * parameters.squareness_b0z_rad, squareness_a0z_rad=factor * parameters.squareness_a0z_rad,
    )  # fmt: skip
