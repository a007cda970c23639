# mypy: disable-error-code="assignment"
"""The plan of a frequency-response measurement: what excites the plant, how far it may go, and how the response is judged."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from precision.plan import Device, DeviceSet, Frequency, Machine, Note, Ratio, Strict, Test, Time

from .runnable import Runnable

Estimator = Literal["H1", "H2", "Hv", "LPM"]
Unit = Literal["", "m", "rad", "s", "m/s", "rad/s", "m/s2", "rad/s2", "K", "Pa", "V", "A", "N", "Hz"]


class Devices(DeviceSet):
    """The plant and its controller as one stream: excitation, input, output; it takes the excitation as a table of samples."""

    plant: Device = Device(driver="frames")


class Bench(Strict):
    """Which plant the virtual bench holds."""

    plant: Literal["nano-stage", "eighth-order", "disk-drive", "disk-drive-dual", "emps"] = "nano-stage"


class Excitation(Strict):
    """What is added to the plant's input."""

    kind: Literal["multisine", "random multisine", "odd-odd multisine", "chirp", "PRBS", "stepped-sine"] = "multisine"
    low: Frequency = Field("2 Hz", gt=0, le=1e6)
    high: Frequency = Field("200 Hz", gt=0, le=1e6)
    resolution: Frequency = Field("1 Hz", gt=0, le=1e5, description="distance of the lines; one period takes its reciprocal")
    lines: int = Field(150, ge=2, le=100_000, description="of a multisine or stepped sine at most, spread evenly over log f; an odd-odd multisine takes them all")
    peak: float = Field(1.0, gt=0, le=1e9, description="largest value, in the unit of the plant's input")
    periods: int = Field(10, ge=2, le=10_000, description="that are measured")
    settle: int = Field(6, ge=0, le=10_000, description="periods before them, while the response settles")
    dwell: Time = Field("1 s", gt=0, le=3600, description="of a stepped sine: at each frequency at least so long, half of it to settle")

    @model_validator(mode="after")
    def _is_a_band(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low:g} Hz and high {self.high:g} Hz; low below high is expected")
        if self.kind != "stepped-sine" and self.resolution > self.low * (1 + 1e-9):
            raise ValueError(f"resolution is {self.resolution:g} Hz, coarser than low, {self.low:g} Hz; make it that or finer")
        return self


class Safety(Strict):
    """How far the plant may go. It is first excited at a small part of the peak, and what the whole would do is worked out from that."""

    travel: float = Field(1e-3, gt=0, le=1e6, description="of the output, either side of 0, in its unit")
    probe: Ratio = Field("5 %", gt=0, le=0.5, description="of the peak, for the first try")


class Units(Strict):
    """SI units of the plant's input and output; a device that says another is refused."""

    input: Unit = "N"
    output: Unit = "m"


class Evaluation(Strict):
    """How the response is judged."""

    loop: Literal["closed", "open"] = Field("closed", description="open: there is no controller, and no margins")
    modes: int = Field(0, ge=0, le=20, description="how many resonances are fitted")


class RecordedEvaluation(Evaluation):
    """Of a recording: periods where the excitation had one, else averaged segments."""

    period: Time | None = Field(None, gt=0, le=1e5, description="of the excitation, from the first sample on")
    drop: int = Field(1, ge=0, le=10_000, description="periods at the beginning")
    segment: Time | None = Field(None, gt=0, le=1e5, description="of averaged spectra, where the excitation has no period")
    estimator: Estimator = Field("H1", description="of averaged spectra; LPM: local polynomials over the whole record, for short records that still ring, without period or segment")
    low: Frequency | None = Field(None, gt=0, le=1e6)
    high: Frequency | None = Field(None, gt=0, le=1e6)
    resample: bool = Field(False, description="bring uneven samples to even steps")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.period is not None and self.segment is not None:
            raise ValueError("period and segment are both given; give the one that the excitation needs")
        if self.estimator == "LPM" and (self.period is not None or self.segment is not None):
            raise ValueError("estimator is LPM, which takes the whole record: leave period and segment out")
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high: give both, or neither")
        return self


class Limits(Strict):
    """Limits of acceptance, upper; what is left out is reported without a verdict. Ms = 2 guarantees a gain margin of 2 and a phase margin of 29°."""

    Ms: float | None = Field(None, gt=1, le=100, description="peak of the sensitivity")
    Mt: float | None = Field(None, gt=0, le=100, description="peak of the complementary sensitivity")


class Parameters(Runnable):
    """A frequency response that is measured here."""

    procedure: Literal["frf"] = "frf"
    title: Note = "Frequency response"
    devices: Devices = Devices()
    bench: Bench = Bench()
    excitation: Excitation = Excitation()
    safety: Safety = Safety()
    units: Units = Units()
    evaluation: Evaluation = Evaluation()
    limits: Limits = Limits()


class Recorded(Strict):
    """A frequency response from a log that somebody else has recorded."""

    procedure: Literal["frf"] = "frf"
    title: Note = "Frequency response"
    units: Units = Units()
    evaluation: RecordedEvaluation = RecordedEvaluation()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()
