# mypy: disable-error-code="assignment"
"""The plan of a spindle test: five displacement gauges around a mandrel, error motions after ISO 230-7."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from precision.plan import AngularSpeed, Device, DeviceSet, Length, Note, Ratio, Strict

from .runnable import Runnable


class Devices(DeviceSet):
    """The gauges, with the spindle's encoder and index, as one stream."""

    gauges: Device = Device(driver="frames")


class Spindle(Strict):
    """What turns, and how long it is watched."""

    speed: AngularSpeed = Field("3000 rpm", gt=0, le=40_000 * math.pi / 30, description="of the spindle; the operator (or the virtual lab) sets it")
    revolutions: int = Field(32, ge=1, le=10_000, description="that are evaluated; ISO 230-7 asks for at least 20")
    samples: int = Field(360, ge=16, le=100_000, description="equal angles in a revolution")
    synchronisation: Literal["encoder", "index"] = Field("encoder", description="how readings get their angle")
    gauge_distance: Length = Field("80 mm", gt=0, le=10, description="between the two pairs of radial gauges, for tilt")


class Evaluation(Strict):
    """How the synchronous value is counted."""

    centre: Literal["polar chart", "least squares", "minimum zone"] = "polar chart"
    chart_radius: Length | None = Field(None, gt=0, le=10, description="radius of the polar chart, for a least-squares or minimum-zone centre")

    @model_validator(mode="after")
    def _circles_have_a_chart(self) -> Self:
        if self.centre != "polar chart" and self.chart_radius is None:
            raise ValueError(f'centre "{self.centre}" depends on the radius on which the chart is drawn; set evaluation.chart_radius, for example "20 mm"')
        return self


class Uncertainty(Strict):
    """What is known about gauges and artefact, for U (k = 2)."""

    gauge_calibration: Ratio | None = Field(None, ge=0, le=0.2, description="U (k = 2) of the gauges' sensitivity, relative")
    gauge_noise: Length | None = Field(None, ge=0, le=1e-3, description="standard deviation of one reading")
    artefact_form: Length | None = Field(None, ge=0, le=1e-3, description="roundness of the master balls, range; 0 where reversal or several probes took it off")
    angle: Ratio = Field("0.01 %", ge=0, le=0.5, description="largest error of the angle of a sample, as a share of a revolution")


class Limits(Strict):
    """Limits of acceptance; what is left out is reported without a verdict."""

    radial_synchronous: Length | None = Field(None, gt=0, le=1e-2)
    radial_asynchronous: Length | None = Field(None, gt=0, le=1e-2)
    axial_synchronous: Length | None = Field(None, gt=0, le=1e-2)
    axial_asynchronous: Length | None = Field(None, gt=0, le=1e-2)


class Parameters(Runnable):
    """A spindle test."""

    procedure: Literal["spindle"] = "spindle"
    title: Note = "Error motions of a spindle"
    devices: Devices = Devices()
    spindle: Spindle = Spindle()
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()
