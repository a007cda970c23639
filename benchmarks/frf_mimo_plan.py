# mypy: disable-error-code="assignment"
"""The plan of a frequency response with several inputs and outputs."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from precision.plan import Frequency, Machine, Note, Strict, Test, Time

from .frf_plan import Devices, Safety, Units
from .runnable import Runnable

MOST: Final = 8
"""Inputs, and outputs."""


class Bench(Strict):
    """Which plant the virtual bench holds."""

    plant: Literal["gantry"] = "gantry"


class Size(Strict):
    """How many inputs and outputs the plant has. The stream's channels are excitation_1 …, input_1 …, output_1 …, all inputs in one unit, and
    all outputs."""

    inputs: int = Field(2, ge=1, le=MOST)
    outputs: int = Field(2, ge=1, le=MOST)


class Excitation(Strict):
    """Orthogonal multisines of random phases: as many experiments as inputs, all inputs at once, their phases from experiment to experiment
    those of a DFT matrix."""

    low: Frequency = Field("1 Hz", gt=0, le=1e6)
    high: Frequency = Field("200 Hz", gt=0, le=1e6)
    resolution: Frequency = Field("0.5 Hz", gt=0, le=1e5, description="distance of the lines; one period takes its reciprocal")
    lines: int = Field(200, ge=2, le=100_000, description="at most, spread evenly over log f")
    peak: float = Field(50.0, gt=0, le=1e9, description="largest value of each, in the unit of the inputs")
    periods: int = Field(6, ge=2, le=10_000, description="that are measured, in each experiment")
    settle: int = Field(2, ge=0, le=10_000, description="periods before them")

    @model_validator(mode="after")
    def _is_a_band(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low:g} Hz and high {self.high:g} Hz; low below high is expected")
        if self.resolution > self.low * (1 + 1e-9):
            raise ValueError(f"resolution is {self.resolution:g} Hz, coarser than low, {self.low:g} Hz; make it that or finer")
        return self


class Evaluation(Strict):
    """How the response is judged."""

    loop: Literal["closed", "open"] = Field("closed", description="open: there is no controller, and no sensitivity")


class RecordedEvaluation(Evaluation):
    """Of a recording: experiments with a period (a column `experiment` numbers them), or one record of noise in averaged segments."""

    period: Time | None = Field(None, gt=0, le=1e5, description="of the excitation, from the first sample of each experiment on")
    drop: int = Field(1, ge=0, le=10_000, description="periods at the beginning of each experiment")
    segment: Time | None = Field(None, gt=0, le=1e5, description="of averaged spectra, where all inputs move independently in one record")
    low: Frequency | None = Field(None, gt=0, le=1e6)
    high: Frequency | None = Field(None, gt=0, le=1e6)
    resample: bool = Field(False, description="bring uneven samples to even steps")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.period is not None and self.segment is not None:
            raise ValueError("period and segment are both given; give the one that the excitation needs")
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high: give both, or neither")
        return self


class Limits(Strict):
    """Limits of acceptance, upper; what is left out is reported without a verdict."""

    Ms: float | None = Field(None, gt=1, le=100, description="largest singular value of the sensitivity")
    condition_max: float | None = Field(None, gt=1, le=1e9, description="condition number of the inputs")


class Parameters(Runnable):
    """A frequency response of several inputs and outputs that is measured here."""

    procedure: Literal["frf-mimo"] = "frf-mimo"
    title: Note = "Frequency response of several inputs and outputs"
    devices: Devices = Devices()
    bench: Bench = Bench()
    size: Size = Size()
    excitation: Excitation = Excitation()
    safety: Safety = Safety()
    units: Units = Units()
    evaluation: Evaluation = Evaluation()
    limits: Limits = Limits()


class Recorded(Strict):
    """Such a response from a log that somebody else has recorded."""

    procedure: Literal["frf-mimo"] = "frf-mimo"
    title: Note = "Frequency response of several inputs and outputs"
    size: Size = Size()
    units: Units = Units()
    evaluation: RecordedEvaluation = RecordedEvaluation()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()
