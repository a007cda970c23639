# mypy: disable-error-code="assignment"
"""The plan of a scan-quality test: fields scanned by a scanner, its interferometers logged, MA and MSD over the exposure slit."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from precision.plan import Angle, Device, DeviceSet, Length, Machine, Note, Speed, Strict, Test, Time

from .runnable import Runnable


class Devices(DeviceSet):
    """The interferometers of the stages, as one stream."""

    interferometers: Device = Device(driver="frames")


class Scan(Strict):
    """What is scanned."""

    fields: int = Field(8, ge=1, le=100_000, description="fields, up and down in turn")
    speed: Speed = Field("300 mm/s", gt=0, description="of the wafer while exposing")
    field_length: Length = Field("33 mm", gt=0, le=1, description="in the scan direction")
    settle: Time = Field("10 ms", ge=0, le=10, description="from the end of acceleration until the first point may be exposed: by specification, not by looking at the data")
    encoder_wrap: Length | None = Field(None, gt=0, le=100, description="length after which the position counters start again; taken off before anything else")
    reduction: float = Field(0.25, ge=-1, le=1, description="M of the projection lens, with its sign")


class Slit(Strict):
    """The exposure slit."""

    height: Length = Field("8 mm", gt=0, le=1, description="in the scan direction, foot to foot, at wafer level")
    width: Length = Field("26 mm", gt=0, le=1, description="across the scan: its two ends are judged too")
    shape: Literal["rectangular", "trapezoidal", "pulsed"] = "rectangular"
    ramp: Length | None = Field(None, gt=0, le=1, description="trapezoidal: height of each soft edge")
    pulse_rate: float | None = Field(None, gt=0, le=1e6, description="pulsed: pulses a second, in Hz")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.shape == "trapezoidal" and self.ramp is None:
            raise ValueError("shape = \"trapezoidal\" needs ramp")
        if self.shape == "pulsed" and self.pulse_rate is None:
            raise ValueError("shape = \"pulsed\" needs pulse_rate, in Hz")
        if self.ramp is not None and self.ramp > self.height / 2:
            raise ValueError("ramp is at most half of height")
        return self


class Evaluation(Strict):
    """What error is judged."""

    error: Literal["synchronisation", "wafer"] = Field("synchronisation", description="wafer − M·reticle, or the wafer stage alone")


class RecordedEvaluation(Strict):
    """What error of a log is judged."""

    error: Literal["synchronisation", "wafer", "given"] | None = Field(
        None, description="wafer − M·reticle, the wafer stage alone, or the columns e_x … e_Rz of the log; left out: the first of given, synchronisation and wafer that the log holds"
    )
    resample: bool = Field(False, description="bring uneven samples of a log to even steps")


class Uncertainty(Strict):
    """What is known about the interferometers, for U (k = 2); of the synchronisation error where that is judged."""

    position_device: Length | None = Field(None, ge=0, le=1e-3, description="U (k = 2) of a difference of two readings within a field, from calibration and air")
    position_noise: Length | None = Field(None, ge=0, le=1e-3, description="standard deviation of one sample")
    angle_device: Angle | None = Field(None, ge=0, le=1)
    angle_noise: Angle | None = Field(None, ge=0, le=1)


class Limits(Strict):
    """Limits of acceptance, by figure; what is left out is reported without a verdict."""

    MA_x_max: Length | None = Field(None, gt=0, le=1)
    MA_y_max: Length | None = Field(None, gt=0, le=1)
    MSD_x_max: Length | None = Field(None, gt=0, le=1)
    MSD_y_max: Length | None = Field(None, gt=0, le=1)
    MA_z_max: Length | None = Field(None, gt=0, le=1)
    MSD_z_max: Length | None = Field(None, gt=0, le=1)


def exposure_s(scan: Scan, slit: Slit) -> float:
    """How long a field is exposed: (field length + slit height)/speed."""
    return (scan.field_length + slit.height) / scan.speed


class Recorded(Strict):
    """Scan quality from a log that somebody else has recorded."""

    procedure: Literal["scan-quality"] = "scan-quality"
    title: Note = "Scan quality of a lithography stage"
    scan: Scan = Scan()
    slit: Slit = Slit()
    evaluation: RecordedEvaluation = RecordedEvaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()

    @model_validator(mode="after")
    def _reduces(self) -> Self:
        if self.scan.reduction == 0:
            raise ValueError("scan.reduction is 0; give M with its sign, for example 0.25")
        return self

    @property
    def exposure_s(self) -> float:
        """How long a field is exposed."""
        return exposure_s(self.scan, self.slit)


class Parameters(Runnable):
    """A scan-quality test."""

    procedure: Literal["scan-quality"] = "scan-quality"
    title: Note = "Scan quality of a lithography stage"
    devices: Devices = Devices()
    scan: Scan = Scan()
    slit: Slit = Slit()
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _reduces(self) -> Self:
        if self.scan.reduction == 0:
            raise ValueError("scan.reduction is 0; give M with its sign, for example 0.25")
        return self

    @property
    def exposure_s(self) -> float:
        """How long a field is exposed."""
        return exposure_s(self.scan, self.slit)
