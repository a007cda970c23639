# mypy: disable-error-code="assignment"
"""The plan of a squareness test: two axes move along the two sides of a square, a beam reads each side."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from precision.plan import Angle, Length, Note, Strict

from .lines import AXES, Line
from .lines_plan import Cycle, Devices, MirrorUncertainty
from .runnable import Runnable

PLANES: Final = {"XY": ("X", "Y"), "XZ": ("X", "Z"), "YZ": ("Y", "Z")}
Span = tuple[Length, Length]


class Squareness(Strict):
    """The two lines, which cross in the middle unless x, y, z say otherwise."""

    plane: Literal["XY", "XZ", "YZ"] = "XY"
    first: Span = Field(("20 mm", "980 mm"), strict=False, description="lowest and highest position of the first axis of the plane")
    second: Span = Field(("20 mm", "580 mm"), strict=False, description="lowest and highest position of the second")
    points: int = Field(15, ge=3, le=2000, description="of each line")
    x: Length | None = Field(None, ge=-100, le=100, description="where X stands when it does not move; by default the middle of its line, or 0. So y and z")
    y: Length | None = Field(None, ge=-100, le=100)
    z: Length | None = Field(None, ge=-100, le=100)

    @model_validator(mode="after")
    def _are_lines(self) -> Self:
        for name, (low, high) in (("first", self.first), ("second", self.second)):
            if not high > low:
                raise ValueError(f"{name}: the highest position must lie above the lowest")
        return self


class Evaluation(Strict):
    """Conventions, which the report states: vendors differ."""

    sign: Literal["rotation", "larger than 90°"] = Field("rotation", description="positive: right-handed rotation of the second axis (ISO 230-1), or an angle above 90°")
    reference: Literal["least squares", "end points"] = Field("least squares", description="line whose slope counts")


class Uncertainty(MirrorUncertainty):
    """Also of the square itself."""

    square: Angle | None = Field(None, ge=0, le=1, description="U (k = 2) of the angle between its two faces")


class Limits(Strict):
    """Limits of acceptance."""

    E: Angle | None = Field(None, gt=0, le=1, description="|squareness error|")


class Parameters(Runnable):
    """A squareness test."""

    procedure: Literal["squareness"] = "squareness"
    title: Note = "Squareness of two linear motions"
    devices: Devices = Devices()
    squareness: Squareness = Squareness()
    cycle: Cycle = Cycle()
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()

    @property
    def lines(self) -> tuple[Line, ...]:
        """Along the first axis, then along the second."""
        wanted = self.squareness
        spans = dict(zip(PLANES[wanted.plane], (wanted.first, wanted.second), strict=True))
        stated = {"X": wanted.x, "Y": wanted.y, "Z": wanted.z}
        rest = {axis: value if value is not None else sum(spans[axis]) / 2 if axis in spans else 0.0 for axis, value in stated.items()}
        lines = []
        for number, axis in enumerate(PLANES[wanted.plane]):
            across = PLANES[wanted.plane][1 - number]
            start, end = {**rest, axis: spans[axis][0]}, {**rest, axis: spans[axis][1]}
            lines.append(
                Line(
                    name=f"{axis} in {across}", start_m=(start["X"], start["Y"], start["Z"]), end_m=(end["X"], end["Y"], end["Z"]),
                    share=tuple(k / (wanted.points - 1) for k in range(wanted.points)), beam=AXES.index(across), set_up="square" if number == 0 else None,
                    words=f"put the square into the plane {wanted.plane} and a beam on each of its two faces",
                )
            )  # fmt: skip
        return tuple(lines)
