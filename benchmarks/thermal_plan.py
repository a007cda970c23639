# mypy: disable-error-code="assignment"
"""The plan of a thermal test after ISO 230-3: environment, rotating spindle or moving axis, seen for hours."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from precision.plan import Angle, Device, DeviceSet, Length, Note, Ratio, Strict, TemperatureDifference, Time

from .runnable import Runnable


class Devices(DeviceSet):
    """Gauges and thermometers, as one stream."""

    gauges: Device = Device(driver="frames")


class Thermal(Strict):
    """Which of the three tests, and for how long."""

    test: Literal["environment", "spindle", "axis"] = Field("spindle", description="ETVE with everything at rest; a running spindle; an axis going back and forth")
    running: Time = Field("4 h", ge=0, le=7 * 86_400, description="how long the spindle (or axis) runs; with test = \"environment\", how long is recorded")
    cooling: Time = Field("0 s", ge=0, le=7 * 86_400, description="recorded after that, with the spindle (or axis) at rest")
    interval: Time = Field("60 s", ge=1e-3, le=3600, description="between the readings that are kept: the mean of the samples in it")
    window: Time = Field("1 h", gt=0, le=7 * 86_400, description="environment: the largest range in any such time")
    gauge_distance: Length = Field("127 mm", gt=0, le=10, description="between the two pairs of radial gauges, for tilt")
    target_distance: Length = Field("800 mm", gt=0, le=100, description="axis: between its two targets")


class Uncertainty(Strict):
    """What is known about the gauges, for U (k = 2)."""

    gauge_calibration: Ratio | None = Field(None, ge=0, le=0.2, description="U (k = 2) of the gauges' sensitivity, relative")
    gauge_noise: Length | None = Field(None, ge=0, le=1e-3, description="standard deviation of one sample")
    room_drift: Length | None = Field(None, ge=0, le=1e-2, description="range of the drift that the room alone causes in the time of the test (an environment test shows it); for final drift and time constant")
    room_tilt: Angle | None = Field(None, ge=0, le=1, description="the same for tilts")
    fixture_drift: Length | None = Field(None, ge=0, le=1e-2, description="range of the drift of gauges and their holder alone over the time of the test")


class Limits(Strict):
    """Limits of acceptance by figure, for example Z_end = \"40 µm\"; what is left out is reported without a verdict."""

    X1: Length | None = Field(None, gt=0, le=1, description="environment, like the following: range over the record")
    Y1: Length | None = Field(None, gt=0, le=1)
    Z: Length | None = Field(None, gt=0, le=1)
    X1_end: Length | None = Field(None, gt=0, le=1, description="spindle, like the following: drift at the end of running")
    Y1_end: Length | None = Field(None, gt=0, le=1)
    Z_end: Length | None = Field(None, gt=0, le=1)
    near: Length | None = Field(None, gt=0, le=1, description="axis, like the following: drift range")
    far: Length | None = Field(None, gt=0, le=1)
    expansion: Length | None = Field(None, gt=0, le=1)


class Evaluation(Strict):
    """What may be judged differently after the run."""

    temperature_change: TemperatureDifference | None = Field(None, gt=0, le=100, description="largest change of the room that the test may see; more is flagged")


class Parameters(Runnable):
    """A thermal test."""

    procedure: Literal["thermal"] = "thermal"
    title: Note = "Thermal distortion"
    devices: Devices = Devices()
    thermal: Thermal = Thermal()
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        whole = self.thermal.running + self.thermal.cooling
        if whole < 10 * self.thermal.interval:
            raise ValueError(f"thermal: {whole:g} s give fewer than 10 readings {self.thermal.interval:g} s apart; run longer or read more often")
        if self.thermal.test != "environment" and self.thermal.running < 3 * self.thermal.interval:
            raise ValueError(
                f"thermal.running: {self.thermal.running:g} s hold fewer than 3 readings {self.thermal.interval:g} s apart, so no drift can be seen; "
                "run longer, read more often, or set thermal.test = \"environment\""
            )
        return self
