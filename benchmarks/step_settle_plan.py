# mypy: disable-error-code="assignment"
"""The plan of a step-and-settle test: a staircase of set-points, the position watched while the stage settles on each."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from precision.plan import Device, DeviceSet, Length, Machine, Note, Strict, Test, Time

from .runnable import Runnable


class Devices(DeviceSet):
    """The stage's log as a stream with channels set and position (m)."""

    stage: Device = Device(driver="frames")


class Staircase(Strict):
    """The set-point: so many steps up and as many down, each held."""

    step: Length = Field("1 µm", description="with its sign")
    steps: int = Field(5, ge=1, le=10_000, description="up, then as many down")
    hold: Time = Field("0.5 s", gt=0, le=600)

    @model_validator(mode="after")
    def _steps(self) -> Self:
        if self.step == 0:
            raise ValueError("step is 0; give its size with its sign")
        return self


class Evaluation(Strict):
    """What counts as settled; all three definitions are reported."""

    band: Length = Field("10 nm", gt=0, le=1, description="±, of last exit and first entry")
    dwell: Time = Field("10 ms", ge=0, le=600, description="first entry: stays inside at least so long")
    window: Time | None = Field(None, gt=0, le=600, description="moving statistics: their window, with the two limits below")
    mean: Length | None = Field(None, gt=0, le=1, description="limit of |MA|")
    std: Length | None = Field(None, gt=0, le=1, description="limit of MSD")

    @model_validator(mode="after")
    def _moving(self) -> Self:
        given = [value is not None for value in (self.window, self.mean, self.std)]
        if any(given) and not all(given):
            raise ValueError("window, mean and std are given together, or none of them")
        return self


class RecordedEvaluation(Evaluation):
    """As above, of a log."""

    resample: bool = Field(False, description="bring uneven samples of a log to even steps")


class Limits(Strict):
    """Limits of acceptance."""

    t_exit_max: Time | None = Field(None, gt=0, le=600, description="last exit, largest of all steps")
    t_entry_max: Time | None = Field(None, gt=0, le=600)
    t_moving_max: Time | None = Field(None, gt=0, le=600)


class Recorded(Strict):
    """Steps from a log that somebody else has recorded; their sizes and ends are the set-point's."""

    procedure: Literal["step-settle"] = "step-settle"
    title: Note = "Step and settle"
    evaluation: RecordedEvaluation = RecordedEvaluation()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()


class Parameters(Runnable):
    """A step-and-settle test."""

    procedure: Literal["step-settle"] = "step-settle"
    title: Note = "Step and settle"
    devices: Devices = Devices()
    staircase: Staircase = Staircase()
    evaluation: Evaluation = Evaluation()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.evaluation.dwell >= self.staircase.hold:
            raise ValueError("evaluation.dwell must be shorter than staircase.hold")
        if self.evaluation.window is not None and self.evaluation.window >= self.staircase.hold:
            raise ValueError("evaluation.window must be shorter than staircase.hold")
        return self
