# mypy: disable-error-code="assignment, arg-type"
"""The plan of a tracking test: axes that are driven to and fro one after the other, or a part program, and how their following error is judged."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from precision.plan import Device, DeviceSet, Length, Machine, Note, Speed, Strict, Test, Time

from .runnable import Runnable
from .step_stream import PlannedSteps

LONGEST_PROGRAM: Final = 1 << 20
"""Characters of a part program that a run keeps."""
AxisName = Annotated[str, StringConstraints(pattern=r"^[A-Z]$")]
Path = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_PROGRAM)]


class Devices(DeviceSet):
    """The controller, and its record of command and feedback in every servo cycle as a stream."""

    controller: Device = Device(driver="grbl")
    servo: Device = Device(driver="frames")


class Motion(Strict):
    """Where the axes are driven, and how fast."""

    axes: tuple[AxisName, ...] = Field(("X",), min_length=1, max_length=9, description="driven one after the other", strict=False)
    low: tuple[Length, ...] = Field(
        ("300 mm",), min_length=1, max_length=9, description="work position of the lower end, one for each axis", strict=False
    )
    high: tuple[Length, ...] = Field(
        ("500 mm",), min_length=1, max_length=9, description="work position of the upper end, one for each axis", strict=False
    )
    feeds: tuple[Annotated[Speed, Field(ge=1e-6, le=10)], ...] = Field(
        ("6000 mm/min",), min_length=1, max_length=8, description="each is driven on each axis", strict=False
    )
    repeats: int = Field(3, ge=1, le=100, description="to and fro, for each axis and feed")
    rest: Time = Field("0.5 s", ge=0.05, le=60, description="standing still at each end")

    @model_validator(mode="after")
    def _ends_and_feeds(self) -> Self:
        if not len(self.axes) == len(self.low) == len(self.high):
            raise ValueError(
                f"{len(self.axes)} axes, {len(self.low)} lower and {len(self.high)} upper ends; one of each for each axis is expected"
            )
        if len(set(self.axes)) < len(self.axes):
            raise ValueError("an axis stands twice in axes")
        for axis, low, high in zip(self.axes, self.low, self.high, strict=True):
            if not low + 1e-6 <= high:
                raise ValueError(f"{axis} goes from {low * 1e3:g} mm to {high * 1e3:g} mm; the upper end must lie above the lower")
        if any(b <= a for a, b in pairwise(self.feeds)):
            raise ValueError("feeds must be ascending, without repeats")
        return self


class Program(Strict):
    """A part program that is driven in place of to and fro, by a controller that reads G-code."""

    file: Path | None = Field(
        None, description="a file of G-code, as seen from the folder in which the command is given; its text is kept in the run"
    )
    text: Text | None = Field(None, description="the program itself; a run keeps what its file held")
    units: Literal["mm", "inch"] | None = Field(
        None, description="in which a program begins that says neither G20 nor G21 before its first length"
    )
    rest: Time = Field("0.5 s", ge=0.05, le=60, description="standing still before and after")

    @property
    def given(self) -> bool:
        """Whether there is a program."""
        return self.file is not None or self.text is not None


def _named(value: object) -> object:
    """`--set program=part.ngc` names the file."""
    return {"file": value} if isinstance(value, str) else value


class Evaluation(Strict):
    """How the record is judged."""

    settle: Time | None = Field(
        None,
        gt=0,
        le=100,
        description="after an acceleration and after the end of a motion, in which the axis still answers; left out: 8 times the time shift, at least 20 ms and the lead",
    )
    lead: Time = Field(
        "0 s",
        ge=0,
        le=100,
        description="before an acceleration and before a motion, in which a controller that knows what is to come answers already; of motor steps what is seen in them",
    )
    shortest: Time = Field(
        "0.1 s", gt=0, le=1000, description="a stretch at constant velocity that is shorter, settling taken off, is not judged as one"
    )
    command_ahead: int = Field(
        0, ge=0, le=10_000, description="servo cycles by which the command of a row is newer than its feedback, as the controller records them"
    )
    resample: bool = Field(False, description="bring uneven samples to even steps")


class Uncertainty(Strict):
    """What is known about the record, for U (k = 2)."""

    synchronisation: Time | None = Field(
        None,
        ge=0,
        le=1,
        description="largest time between command and feedback of one row that is the record's alone; at velocity v it is worth v × this. Left out: no U",
    )
    noise: Length | None = Field(
        None,
        ge=0,
        le=1e-3,
        description="standard deviation of one reading of the feedback; left out, or smaller than what is seen at standstill: the latter",
    )
    resolution: Length = Field(
        "0 µm", ge=0, le=1e-3, description="one count of the feedback; the smallest step in the record where that is larger"
    )


class Limits(Strict):
    """Limits of acceptance, for every axis and feed; what is left out is reported without a verdict."""

    e_max: Length | None = Field(None, gt=0, le=1, description="largest following error")
    e_rms: Length | None = Field(None, gt=0, le=1, description="its root mean square")
    e_constant: Length | None = Field(None, gt=0, le=1, description="largest following error at constant velocity")
    e_standstill: Length | None = Field(None, gt=0, le=1, description="root mean square following error at standstill")
    velocity_lag: Time | None = Field(None, gt=0, le=100, description="following error over velocity, the inverse of the velocity gain")


class Evaluated(Strict):
    """What a record needs to be judged: shared by a measured run and an imported log."""

    procedure: Literal["tracking"] = "tracking"
    title: Note = "Tracking test"
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()


class Recording(Strict):
    """What a log holds."""

    axes: tuple[str, ...] = Field(
        (), max_length=9, description="of which there are command and feedback; one without a name is axis", strict=False
    )
    unit: Literal["m", "rad"] = "m"
    counts: tuple[Length, ...] = Field(
        (), max_length=9, description="one count of the feedback of each axis, in their order, where the log says so", strict=False
    )
    about: tuple[Note, ...] = Field((), max_length=9, description="what command and feedback are, where they are not those of a drive", strict=False)


class Recorded(Evaluated):
    """Following error from a log that somebody else has recorded."""

    recording: Recording = Recording()
    steps: PlannedSteps = PlannedSteps()


class Parameters(Runnable, Evaluated):
    """A tracking test that is made here."""

    procedure: Literal["tracking"] = "tracking"
    title: Note = "Tracking test"
    motion: Motion = Motion()
    program: Annotated[Program, BeforeValidator(_named)] = Program()
    devices: Devices = Devices()
