# mypy: disable-error-code="assignment"
"""The plan of a straightness test: one axis moves along a straightedge, a beam reads how far it leaves the straight line."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from precision.plan import Length, Note, Strict

from .lines import AXES, Line
from .lines_plan import Cycle, Devices, LinearAxis, MirrorUncertainty
from .runnable import Runnable


class Straightness(Strict):
    """The line: which axis moves from where to where, across which direction it is read, and where the other axes stand."""

    axis: LinearAxis = Field("X", description="that moves")
    across: LinearAxis = Field("Y", description="direction in which its departure is read")
    start: Length = Field("20 mm", ge=-100, le=100)
    end: Length = Field("980 mm", ge=-100, le=100)
    points: int = Field(25, ge=3, le=2000)
    x: Length = Field("0 mm", ge=-100, le=100, description="where an axis stands that does not move, like y and z")
    y: Length = Field("0 mm", ge=-100, le=100)
    z: Length = Field("0 mm", ge=-100, le=100)

    @model_validator(mode="after")
    def _is_a_line(self) -> Self:
        if self.across == self.axis:
            raise ValueError("across must be another axis than the one that moves")
        if not self.end > self.start:
            raise ValueError("end must lie above start")
        return self


class Evaluation(Strict):
    """The reference line (ISO 230-1 allows all three; the report says which)."""

    reference: Literal["least squares", "end points", "minimum zone"] = "least squares"


class Limits(Strict):
    """Limits of acceptance; what is left out is reported without a verdict."""

    E: Length | None = Field(None, gt=0, le=1, description="straightness error of the mean of both directions")
    E_up: Length | None = Field(None, gt=0, le=1)
    E_down: Length | None = Field(None, gt=0, le=1)


class Parameters(Runnable):
    """A straightness test."""

    procedure: Literal["straightness"] = "straightness"
    title: Note = "Straightness of a linear motion"
    devices: Devices = Devices()
    straightness: Straightness = Straightness()
    cycle: Cycle = Cycle()
    evaluation: Evaluation = Evaluation()
    uncertainty: MirrorUncertainty = MirrorUncertainty()
    limits: Limits = Limits()

    @property
    def lines(self) -> tuple[Line, ...]:
        """The one line."""
        wanted = self.straightness
        rest = {"X": wanted.x, "Y": wanted.y, "Z": wanted.z}
        start, end = {**rest, wanted.axis: wanted.start}, {**rest, wanted.axis: wanted.end}
        steps = wanted.points - 1
        return (
            Line(
                name=f"{wanted.axis} in {wanted.across}", start_m=(start["X"], start["Y"], start["Z"]), end_m=(end["X"], end["Y"], end["Z"]),
                share=tuple(k / steps for k in range(wanted.points)), beam=AXES.index(wanted.across), set_up="square",
                words=f"put the straightedge along {wanted.axis}, its face across {wanted.across}, and the beam on it",
            ),
        )  # fmt: skip
