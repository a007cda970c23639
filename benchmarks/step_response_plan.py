# mypy: disable-error-code="assignment"
"""The plan of a step-response test: sizes of the set-point's steps, how far the axis may go, and what counts as
settled."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from precision.plan import Device, DeviceSet, Machine, Note, Ratio, Strict, Test, Time

from .frf_plan import Bench, Unit
from .runnable import Runnable

Size = Annotated[float, Field(gt=0, le=1e6)]


class Devices(DeviceSet):
    """The plant and its controller as one stream: set, input, output; it takes the set-point as a table of samples."""

    plant: Device = Device(driver="frames")


class StepBench(Bench):
    """Which plant the virtual bench holds."""

    plant: Literal["eighth-order", "nano-stage", "disk-drive", "emps"] = "eighth-order"


class Steps(Strict):
    """The set-point, for each size s: 0, s, 0, −s, 0, so two steps up and two down, and that repeated."""

    sizes: list[Size] = Field(
        [0.02, 0.05, 0.1], min_length=1, max_length=20, description="ascending, in the unit of the output"
    )
    hold: Time = Field("3 s", gt=0, le=600, description="after each step")
    repeats: int = Field(2, ge=1, le=1000)

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        if any(not later > earlier * 1.01 for earlier, later in zip(self.sizes, self.sizes[1:], strict=False)):
            raise ValueError(
                f"sizes are {', '.join(f'{one:g}' for one in self.sizes)}; expected ascending ones, more than 1 % apart"
            )
        return self


class Safety(Strict):
    """How far the plant may go. A small part of the largest step is tried first, and what the whole would do is worked
    out from that."""

    travel: float = Field(0.5, gt=0, le=1e6, description="of the output, either side of 0, in its unit")
    probe: Ratio = Field("10 %", gt=0, le=0.5, description="of the largest step, for the first try")


class Units(Strict):
    """SI units of the plant's input and output; a device that says another is refused."""

    input: Unit = "N"
    output: Unit = "m"


class Evaluation(Strict):
    """What counts as settled; all three definitions are reported."""

    band: float | None = Field(
        None, gt=0, le=1e6, description="±, in the unit of the output, for all sizes; without it band_share of each step"
    )
    band_share: Ratio = Field("2 %", gt=0, le=0.5)
    dwell: Time = Field("50 ms", ge=0, le=600, description="first entry: stays inside at least so long")
    window: Time = Field("50 ms", gt=0, le=600, description="of the moving mean and standard deviation")
    std_share: Ratio = Field("50 %", gt=0, le=1, description="of the band, limit of the moving standard deviation")
    integrals: Time | None = Field(
        None, gt=0, le=600, description="end of IAE, ISE, ITAE, ITSE after each step; without it the shortest hold"
    )


class RecordedEvaluation(Evaluation):
    """Of a recording."""

    resample: bool = Field(False, description="bring uneven samples to even steps")


class Limits(Strict):
    """Limits of acceptance, upper, of the worst size and direction; what is left out is reported without a verdict."""

    t_exit_max: Time | None = Field(None, gt=0, le=600, description="settling, last exit")
    t_entry_max: Time | None = Field(None, gt=0, le=600, description="settling, first entry")
    t_moving_max: Time | None = Field(None, gt=0, le=600, description="settling, moving")
    overshoot_ratio_max: Ratio | None = Field(None, gt=0, le=1, description="overshoot, of the step")
    steady_state_max: float | None = Field(None, gt=0, le=1e6, description="in the unit of the output")


class Parameters(Runnable):
    """Step responses that are measured here."""

    procedure: Literal["step-response"] = "step-response"
    title: Note = "Step response"
    devices: Devices = Devices()
    bench: StepBench = StepBench()
    steps: Steps = Steps()
    safety: Safety = Safety()
    units: Units = Units()
    evaluation: Evaluation = Evaluation()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        longest = max(self.evaluation.dwell, self.evaluation.window)
        if 2 * longest >= self.steps.hold:
            raise ValueError(
                f"steps.hold is {self.steps.hold:g} s; it must be more than twice evaluation.dwell and evaluation.window "
                f"({longest:g} s)"
            )
        if self.evaluation.integrals is not None and self.evaluation.integrals > self.steps.hold:
            raise ValueError(
                f"evaluation.integrals is {self.evaluation.integrals:g} s, longer than steps.hold, {self.steps.hold:g} s"
            )
        if self.steps.sizes[-1] > self.safety.travel:
            raise ValueError(
                f"the largest step of steps.sizes is {self.steps.sizes[-1]:g}, beyond safety.travel of "
                f"{self.safety.travel:g}"
            )
        return self


class Recorded(Strict):
    """Step responses from a log that somebody else has recorded."""

    procedure: Literal["step-response"] = "step-response"
    title: Note = "Step response"
    units: Units = Units()
    evaluation: RecordedEvaluation = RecordedEvaluation()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()
