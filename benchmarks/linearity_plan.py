# mypy: disable-error-code="assignment"
"""The plan of an interferometer-linearity test: the two signals of an interferometer or encoder during a slow sweep."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from precision.plan import Device, DeviceSet, Length, Machine, Note, Speed, Strict, Test, Time

from .runnable import Runnable


class Devices(DeviceSet):
    """The two signals, as one stream with channels cosine and sine (V)."""

    signals: Device = Device(driver="frames")


class Sweep(Strict):
    """The motion of the reflector (or the scale), at nearly constant speed."""

    speed: Speed = Field("0.02 mm/s", gt=0, le=1)
    duration: Time = Field("4 s", gt=0, le=600)


class Evaluation(Strict):
    """How the periodic error is told from the motion."""

    period: Length = Field("316.4 nm", gt=1e-10, le=1e-2, description="change of length in one turn of the signals: λ/2 of a retroreflector, λ/4 of a plane mirror passed twice, the signal period of an encoder")
    degree: int = Field(5, ge=1, le=7, description="of the polynomial in time that is the smooth motion")
    fourth_order: bool = Field(True, description="take off what the ellipse leaves at four times a period (Matus and Dai)")


class RecordedEvaluation(Evaluation):
    """As above, of a log."""

    resample: bool = Field(False, description="bring uneven samples of a log to even steps")


class RecordedSignals(Strict):
    """What a log holds."""

    unit: Literal["V", "A", ""] = Field("V", description="of both signals; counts have none")


class Limits(Strict):
    """Limits of acceptance, after correction."""

    h1: Length | None = Field(None, gt=0, le=1e-3, description="amplitude once a period")
    h2: Length | None = Field(None, gt=0, le=1e-3)
    h4: Length | None = Field(None, gt=0, le=1e-3)


class Recorded(Strict):
    """Periodic error from signals that somebody else has recorded."""

    procedure: Literal["interferometer-linearity"] = "interferometer-linearity"
    title: Note = "Periodic error of an interferometer"
    recording: RecordedSignals = RecordedSignals()
    evaluation: RecordedEvaluation = RecordedEvaluation()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()


class Parameters(Runnable):
    """A linearity test."""

    procedure: Literal["interferometer-linearity"] = "interferometer-linearity"
    title: Note = "Periodic error of an interferometer"
    devices: Devices = Devices()
    sweep: Sweep = Sweep()
    evaluation: Evaluation = Evaluation()
    limits: Limits = Limits()
