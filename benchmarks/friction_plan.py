# mypy: disable-error-code="assignment"
"""The plan of a friction test: velocities, moves, slow reversals and circles that the axis runs, and how its friction is
read from them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from precision.plan import Device, DeviceSet, Frequency, Machine, Note, Ratio, Strict, Test, Time

from .frf_plan import Bench, Unit
from .runnable import Runnable

Size = Annotated[float, Field(gt=0, le=1e6)]


class Devices(DeviceSet):
    """The plant and its controller as one stream: set, input, output, and perhaps load; it takes the set-point as a
    table of samples."""

    plant: Device = Device(driver="frames")


class FrictionBench(Bench):
    """Which plant the virtual bench holds: the EMPS drive as published, or with a table behind a coupling with
    backlash."""

    plant: Literal["emps-table", "emps"] = "emps-table"


class Velocities(Strict):
    """Runs at constant velocity, there and back, evenly over the logarithm of the velocity; sizes in the unit of the
    output, SI."""

    slowest: float = Field(0.001, gt=0, le=1e3)
    fastest: float = Field(0.12, gt=0, le=1e3)
    count: int = Field(12, ge=6, le=200)
    distance: float = Field(0.045, gt=0, le=1e3, description="of a run at most, from 0")
    longest: Time = Field("2 s", gt=0, le=600, description="of a run at most")
    acceleration: float = Field(2.0, gt=0, le=1e4)
    jerk: float = Field(200.0, gt=0, le=1e6)

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        if not self.slowest < self.fastest:
            raise ValueError(f"slowest is {self.slowest:g} and fastest {self.fastest:g}; slowest below fastest is expected")
        return self


class Moves(Strict):
    """Moves there and back for the feed-forward fit: three to fit, at full, half and quarter acceleration, and two
    others to validate; they go as far as the runs."""

    velocity: float = Field(0.1, gt=0, le=1e3)
    acceleration: float = Field(2.0, gt=0, le=1e4)
    jerk: float = Field(200.0, gt=0, le=1e6)
    repeats: int = Field(2, ge=1, le=100)


class Reversal(Strict):
    """Slow motion to and fro, farther than the lost motion and what friction holds."""

    amplitude: float = Field(1e-4, gt=0, le=1e3, description="either side of 0")
    velocity: float = Field(5e-5, gt=0, le=1e3)
    cycles: int = Field(3, ge=0, le=1000, description="0: none")


class Circle(Strict):
    """One axis of a circle, for quadrant glitches."""

    radius: float = Field(0.01, gt=0, le=1e3)
    speeds: list[Size] = Field([0.02, 0.1], max_length=10, description="largest speed of each; none: no circle")
    turns: int = Field(4, ge=2, le=1000)


class Drive(Strict):
    """What turns the input into a force."""

    force_constant: float | None = Field(
        None, gt=0, le=1e9, description="N per unit of the input; without it friction is in the input's unit"
    )
    force_constant_u: Ratio | None = Field(None, ge=0, le=1, description="its U (k = 2)")


class Safety(Strict):
    """How far the plant may go. The fastest run is tried first at a small part of its size."""

    travel: float = Field(0.05, gt=0, le=1e6, description="of the output, either side of 0, in its unit")
    probe: Ratio = Field("10 %", gt=0, le=0.5, description="of the fastest run, for the first try")


class Units(Strict):
    """SI units of the plant's input and output; a device that says another is refused."""

    input: Unit = "V"
    output: Unit = "m"


class Evaluation(Strict):
    """How runs are found in the record, and forces fitted."""

    window: Time = Field("50 ms", gt=0, le=60, description="of the velocity")
    settle: Time = Field("100 ms", ge=0, le=60, description="at the beginning of each run, left out")
    shortest: Time = Field("100 ms", gt=0, le=600, description="of a run, what remains at least")
    v_min: float = Field(
        0.02, ge=0, le=1e3, description="feed-forward: slower samples are left out, above the fall of friction"
    )
    cutoff: Frequency = Field("100 Hz", gt=0, le=1e5, description="feed-forward: zero-phase low-pass of position and force")
    held: bool = Field(True, description="the input is held until the next sample, as a controller does")


class RecordedEvaluation(Evaluation):
    """Of a recording."""

    motion: Literal["velocities", "reversal", "circle"] = Field("velocities", description="what the log holds")
    resample: bool = Field(False, description="bring uneven samples to even steps")


class Limits(Strict):
    """Limits of acceptance, upper, SI; what is left out is reported without a verdict."""

    coulomb: float | None = Field(None, gt=0, le=1e9, description="Coulomb friction, N or the input's unit")
    lost_motion: float | None = Field(None, gt=0, le=1e3)
    backlash: float | None = Field(None, gt=0, le=1e3)


class Parameters(Runnable):
    """Friction that is measured here."""

    procedure: Literal["friction"] = "friction"
    title: Note = "Friction"
    devices: Devices = Devices()
    bench: FrictionBench = FrictionBench()
    velocities: Velocities = Velocities()
    moves: Moves = Moves()
    reversal: Reversal = Reversal()
    circle: Circle = Circle()
    drive: Drive = Drive()
    safety: Safety = Safety()
    units: Units = Units()
    evaluation: Evaluation = Evaluation()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        own, settled = self.velocities, self.evaluation.settle + self.evaluation.window + self.evaluation.shortest
        needed = own.fastest**2 / own.acceleration + own.fastest * (settled + own.acceleration / own.jerk)
        if needed > own.distance:
            raise ValueError(
                f"velocities.distance is {own.distance:g}; at {own.fastest:g} per second, to speed up, settle, measure "
                f"and stop takes {needed:.3g}: go farther, slower, or accelerate more"
            )
        if self.moves.velocity <= 2 * self.evaluation.v_min:
            raise ValueError(
                f"moves.velocity is {self.moves.velocity:g}; more than twice evaluation.v_min, "
                f"{self.evaluation.v_min:g}, is expected"
            )
        farthest = max(
            own.distance,
            self.reversal.amplitude if self.reversal.cycles else 0.0,
            2 * self.circle.radius if self.circle.speeds else 0.0,
        )
        if farthest > self.safety.travel:
            raise ValueError(f"the set-point goes to {farthest:g}, beyond safety.travel of {self.safety.travel:g}")
        if self.drive.force_constant is None and self.drive.force_constant_u is not None:
            raise ValueError("drive.force_constant_u is given without drive.force_constant; give both, or neither")
        return self


class Recorded(Strict):
    """Friction from a log that somebody else has recorded."""

    procedure: Literal["friction"] = "friction"
    title: Note = "Friction"
    drive: Drive = Drive()
    units: Units = Units()
    evaluation: RecordedEvaluation = RecordedEvaluation()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()
