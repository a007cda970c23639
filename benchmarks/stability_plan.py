# mypy: disable-error-code="assignment"
"""The plan of a stability measurement: a reading that should stand still, for how long, and how its noise and drift are judged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from precision.plan import Device, DeviceSet, Frequency, Length, Machine, Note, Ratio, Strict, Test, Time

from .frf_plan import Unit
from .runnable import Runnable


class Devices(DeviceSet):
    """The reading, as a channel of a stream."""

    sensor: Device = Device(driver="frames")


class Bench(Strict):
    """Which plant holds its position on the virtual bench."""

    plant: Literal["nano-stage", "eighth-order", "emps"] = "nano-stage"


class Recording(Strict):
    """What is read, and for how long."""

    channel: str = Field("output", min_length=1, max_length=80, description="of the stream")
    unit: Unit = Field("m", description="of the channel; a stream that says another is refused")
    duration: Time = Field("30 s", gt=0, le=7 * 86_400)
    settle: Time = Field("1 s", ge=0, le=86_400, description="before it, not recorded")


class Evaluation(Strict):
    """How noise and drift are judged."""

    data_type: Literal["rate", "phase"] = Field("rate", description="rate: Allan deviation of the averaged reading; phase: of its rate of change")
    segment: Time | None = Field(None, gt=0, le=1e6, description="of the spectrum; left out: an eighth of the record")
    window: Literal["hann", "hamming", "blackman-harris", "hft70", "hft95", "hft116d", "flattop"] = "hann"
    detrend: Literal["none", "constant", "linear"] = Field("linear", description="taken off each segment of the spectrum")
    confidence: float = Field(0.95, gt=0.5, lt=1)
    fundamental: Frequency | None = Field(None, gt=0, le=1e6, description="whose orders the lines are given in: a shaft, the mains")
    filtered_below: Frequency | None = Field(None, gt=0, le=1e8, description="corner of the sensor's anti-alias filter; left out: not known")
    resample: bool = Field(False, description="bring uneven samples of a log to even steps")


class Uncertainty(Strict):
    """What is known about the sensor."""

    calibration: Ratio | None = Field(None, ge=0, le=0.5, description="U (k = 2) of its scale, relative")


class Limits(Strict):
    """Limits of acceptance; what is left out is reported without a verdict. For readings in m."""

    rms: Length | None = Field(None, gt=0, le=1)
    six_sigma: Length | None = Field(None, gt=0, le=1)
    sigma_min: Length | None = Field(None, gt=0, le=1, description="lowest Allan deviation")


class Parameters(Runnable):
    """A stability measurement that is made here."""

    procedure: Literal["stability"] = "stability"
    title: Note = "In-position stability"
    devices: Devices = Devices()
    bench: Bench = Bench()
    recording: Recording = Recording()
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()


class RecordedReading(Strict):
    """What a log holds."""

    unit: Unit = "m"


class Recorded(Strict):
    """Stability from a log that somebody else has recorded."""

    procedure: Literal["stability"] = "stability"
    title: Note = "In-position stability"
    recording: RecordedReading = RecordedReading()
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()
