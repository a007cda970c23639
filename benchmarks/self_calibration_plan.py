# mypy: disable-error-code="assignment"
"""The plan of a self-calibration: which views of a plate a stage reads, and what is known of one length on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from precision.plan import Angle, Device, DeviceSet, Length, Machine, Note, Strict, Test
from precision.standards.self_calibration_views import VIEW_SETS, View

from .runnable import Runnable

Index = Annotated[int, Field(ge=0, le=199)]
Turns = Annotated[int, Field(ge=0, le=3)]
Shift = Annotated[int, Field(ge=-100, le=100)]
Placement = Annotated[tuple[Turns, Shift, Shift], Field(strict=False)]
Placements = Annotated[tuple[Placement, ...], Field(strict=False, min_length=1, max_length=100)]


class Devices(DeviceSet):
    """The stage with its microscope, as one stream with a row a place."""

    stage: Device = Device(driver="frames")


class Grid(Strict):
    """Places of the stage and marks of the plate."""

    places: int = Field(11, ge=3, le=100, description="along each side")
    pitch: Length = Field("0.9 mm", gt=0, le=0.5)
    views: Literal["three", "four", "eight"] | Placements = Field(
        "four",
        description="three: 0°, 90°, one pitch in x; four: and one in y; eight: four turns and four shifts; or a list of [quarter "
        "turns, shift x, shift y]",
    )
    repeats: int = Field(4, ge=1, le=1000, description="of all places in each view")

    @property
    def view_list(self) -> tuple[View, ...]:
        """The views that are meant."""
        if isinstance(self.views, str):
            return VIEW_SETS[self.views]
        return tuple(View(turns=turns, shift=(x, y)) for turns, x, y in self.views)


class KnownLength(Strict):
    """A calibrated distance between two marks, which makes the mean scale known."""

    first: tuple[Index, Index] = Field(strict=False, description="column and row of a mark, from 0")
    second: tuple[Index, Index] = Field(strict=False)
    deviation: Length = Field(ge=-1e-3, le=1e-3, description="by how much it is longer than designed")
    uncertainty: Length = Field(ge=0, le=1e-3, description="U (k = 2)")


class Evaluation(Strict):
    """What may be judged differently after the run."""

    known_length: KnownLength | None = None


class Limits(Strict):
    """Limits of acceptance; what is left out is reported without a verdict."""

    stage_max: Length | None = Field(None, gt=0, le=1e-2, description="largest vector of the stage's error")
    stage_orthogonality: Angle | None = Field(None, gt=0, le=0.1)


class Recorded(Strict):
    """Readings of a plate that somebody else has taken."""

    procedure: Literal["self-calibration"] = "self-calibration"
    title: Note = "Self-calibration of an XY stage"
    grid: Grid = Grid()
    evaluation: Evaluation = Evaluation()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()


class Parameters(Runnable):
    """A self-calibration."""

    procedure: Literal["self-calibration"] = "self-calibration"
    title: Note = "Self-calibration of an XY stage"
    devices: Devices = Devices()
    grid: Grid = Grid()
    evaluation: Evaluation = Evaluation()
    limits: Limits = Limits()
