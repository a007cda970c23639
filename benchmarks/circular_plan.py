# mypy: disable-error-code="assignment, arg-type"
"""The plan of a circular test with a ball bar: circles in both directions at several feeds, evaluated after ISO 230-4 and diagnosed."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from precision.plan import Angle, Device, DeviceSet, Length, Machine, Note, Speed, Strict, Test, Time

from .runnable import Runnable

Plane = Literal["XY", "ZX", "YZ"]
ErrorName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{1,39}$")]


class Devices(DeviceSet):
    """The controller, and the ball bar as a stream of one length."""

    controller: Device = Device(driver="grbl")
    ballbar: Device = Device(driver="frames")


class Circle(Strict):
    """What was measured: the circle, whoever drove it."""

    plane: Plane = Field("XY", description="two axes; positive is from the first to the second")
    radius: Length = Field("150 mm", ge=1e-3, le=10, description="nominal, the calibrated length of the bar")


class DrivenCircle(Circle):
    """The circle and how it is driven."""

    centre: tuple[Length, Length] = Field(("500 mm", "300 mm"), description="work coordinates of the two axes, in the order of the plane's letters", strict=False)
    height: Length = Field("-250 mm", description="work coordinate of the third axis, where the circle lies")
    feeds: tuple[Annotated[Speed, Field(ge=1e-7)], ...] = Field(("1500 mm/min",), min_length=1, max_length=8, description="each is driven in both directions", strict=False)
    start: Angle = Field("0 deg", ge=-2 * math.pi, le=2 * math.pi, description="of the evaluated circle, from the first axis")
    overshoot: Angle = Field("45 deg", ge=math.radians(5), le=math.pi, description="driven before and after the evaluated circle, so that it is at full feed")
    feed_in: Length = Field("1 mm", ge=1e-4, le=5e-3, description="radial way to and from the circle; it marks start and end in the readings")
    dwell: Time = Field("0.5 s", ge=0.1, le=60, description="standing still before and after")

    @model_validator(mode="after")
    def _feeds_differ(self) -> Self:
        if any(b <= a for a, b in pairwise(self.feeds)):
            raise ValueError("feeds must be ascending, without repeats")
        return self


class AsRecorded(Strict):
    """Which circles, which causes."""

    zone: Literal["minimum zone", "least squares"] = Field("minimum zone", description="reference circles of G")
    centring: Literal["least squares", "minimum zone", "set-up"] = Field("least squares", description="centre of F, and circle of D")
    first_pitch: Length | None = Field(None, gt=0, le=1, description="of screw, rack or scale of the first axis, for its cyclic error; left out: searched for")
    second_pitch: Length | None = Field(None, gt=0, le=1, description="the same of the second axis")
    spike_window: Angle = Field("3 deg", gt=0, le=math.pi / 8, description="after a reversal, in which a spike is looked for")
    fix: tuple[ErrorName, ...] = Field((), max_length=20, description="errors by name, for example backlash_x: the circularity that would remain without them", strict=False)


def error_names(axes: str) -> tuple[str, ...]:
    """What may be thought away on a circle in the plane of `axes`: the errors of `precision.standards.ballbar`; a beginning stands for all that begin so."""
    a, b = axes[0].lower(), axes[1].lower()
    each = [f"{name}_{axis}" for name in ("backlash", "lateral_play", "straightness", "cyclic", "scale", "centre", "spike") for axis in (a, b)]
    spikes = [f"spike_{axis}_{side}{sense}" for axis in (a, b) for side in ("plus", "minus") for sense in ("", "_xy", "_yx")]
    return ("squareness", "servo_mismatch", "scale_mismatch", "radius", "backlash", "lateral_play", "straightness", "cyclic", "spike", "squareness_or_servo_mismatch", *each, *spikes)


class Uncertainty(Strict):
    """What is known about the bar, for U (k = 2)."""

    bar_length: Length | None = Field(None, ge=0, le=1e-3, description="U (k = 2) of the calibrated length at the machine's temperature; for F, D, scales and radius")
    bar_sensor: Length | None = Field(None, ge=0, le=1e-3, description="U (k = 2) of the difference of two readings")
    bar_noise: Length | None = Field(None, ge=0, le=1e-3, description="standard deviation of one reading")
    bar_resolution: Length = Field("0 µm", ge=0, le=1e-3)
    drift: Length | None = Field(None, ge=0, le=1e-3, description="E_VE, drift range between table and spindle over one circle each way")


READINGS: Final = ("bar_sensor", "bar_noise", "drift")
"""What a plan must state before G can have an uncertainty; F and D need bar_length too."""


class Limits(Strict):
    """Limits of acceptance, for every feed."""

    G: Length | None = Field(None, gt=0, le=1, description="circular error, each direction")
    G_b: Length | None = Field(None, gt=0, le=1, description="bidirectional circular error")
    F_max: Length | None = Field(None, gt=0, le=1, description="magnitude of the largest radial error")
    F_min: Length | None = Field(None, gt=0, le=1, description="magnitude of the smallest radial error")
    D: Length | None = Field(None, gt=0, le=1, description="magnitude of the mean bidirectional radial error")


class Evaluated(Strict):
    """What a recording needs to be judged: shared by a measured run and an imported one."""

    procedure: Literal["circular"] = "circular"
    title: Note = "Circular test"
    circle: Circle = Circle()
    evaluation: AsRecorded = AsRecorded()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()

    @model_validator(mode="after")
    def _fixes_are_errors(self) -> Self:
        known = error_names(self.circle.plane)
        if unknown := [name for name in self.evaluation.fix if name not in known]:
            raise ValueError(f"evaluation.fix: {unknown[0]!r} is no error of a circle in {self.circle.plane}; allowed: {', '.join(known[: 10 + 14])}")
        return self


class RecordedCircle(Circle):
    """A circle that someone else has driven; what the file does not say, a plan or --set says."""

    feed: Speed = Field("1000 mm/min", ge=1e-7, le=10)
    start: Angle = Field("0 deg", ge=-2 * math.pi, le=2 * math.pi, description="angle of the first reading, from the first axis")
    arc: Angle = Field("360 deg", gt=0, le=4 * math.pi, description="that the readings of a run cover, overshoot included; they are evenly spaced over it")
    unit: Length = Field("1 µm", gt=0, le=1e-3, description="of one count of the readings")
    stated: bool = Field(False, description="whether feed, start, arc and unit have been checked by a person; the file does not say them")


class Imported(Evaluated):
    """A ball-bar recording from elsewhere."""

    circle: RecordedCircle = RecordedCircle()


class Parameters(Runnable, Evaluated):
    """A circular test to be run."""

    procedure: Literal["circular"] = "circular"
    title: Note = "Circular test"
    circle: DrivenCircle = DrivenCircle()
    devices: Devices = Devices()
