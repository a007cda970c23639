# mypy: disable-error-code="assignment"
"""The plan of a learning test: the motion, how its response is measured, the law, and how far everything may go."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from precision.plan import Device, DeviceSet, Frequency, Note, Ratio, Strict, Time

from .frf_plan import Units
from .runnable import Runnable


class Devices(DeviceSet):
    """The plant and its controller as one stream: reference, feed_forward, input, output; it takes reference and feed-forward as tables."""

    plant: Device = Device(driver="frames")


class Bench(Strict):
    """Which plant the virtual bench holds."""

    plant: Literal["eighth-order", "nano-stage"] = "eighth-order"


class Trajectory(Strict):
    """There and back, each way a symmetric set-point of third order, or of fourth where a snap is given. In the unit of the output."""

    distance: float = Field(0.1, gt=0, le=1e3, description="of the motion, from 0 in the positive direction and back")
    velocity: float = Field(0.4, gt=0, le=1e3, description="at most, per s")
    acceleration: float = Field(2.0, gt=0, le=1e6, description="at most, per s²")
    jerk: float = Field(40.0, gt=0, le=1e9, description="at most, per s³")
    snap: float | None = Field(None, gt=0, le=1e12, description="at most, per s⁴: makes the set-point one of fourth order")
    lead: Time = Field("0.3 s", ge=0, le=60, description="at rest before the motion: the signal may begin before it")
    dwell: Time = Field("1 s", gt=0, le=60, description="at rest after each way, while the error dies away")


class Response(Strict):
    """How the response of the output to the feed-forward is measured, with the reference at rest. A period is as long as two trials."""

    peak: float = Field(20.0, gt=0, le=1e9, description="of the multisine, in the unit of the input")
    high: Frequency = Field("120 Hz", gt=0, le=1e6, description="highest line; above it nothing is learned")
    periods: int = Field(4, ge=2, le=1000, description="that are measured")
    settle: int = Field(1, ge=1, le=1000, description="periods before them")


class Learning(Strict):
    """u_{j+1} = Q (u_j + L e_j)."""

    law: Literal["inverse", "PD"] = Field(
        "inverse", description="inverse: L = gain/J, J the measured response; PD: L = (kp + kd d/dt), ahead in time by `ahead`"
    )
    gain: float = Field(0.5, gt=0, le=10, description="of the inverse; 1 learns all at once, less learns less noise")
    kp: float = Field(0.0, ge=-1e12, le=1e12, description="of the PD law, unit of the input per unit of the output")
    kd: float = Field(0.0, ge=-1e12, le=1e12, description="of the PD law, s times that")
    ahead: Time = Field("0 s", ge=0, le=1, description="of the PD law")
    cutoff: Frequency = Field("80 Hz", gt=0, le=1e6, description="of the filter Q, where it is 1/2")
    order: int = Field(4, ge=1, le=10, description="of the Butterworth filter that Q is, forwards and backwards")
    trials: int = Field(10, ge=2, le=1000, description="with learning")
    repeats: int = Field(5, ge=3, le=1000, description="without learning, before and again after: they tell what repeats from what does not")
    demand_convergence: bool = Field(True, description="refuse a law that the measured response says will not converge")


class Safety(Strict):
    """How far signal and plant may go, and when learning is given up."""

    peak: float = Field(60.0, gt=0, le=1e9, description="of the learned signal, in the unit of the input")
    travel: float = Field(0.3, gt=0, le=1e6, description="of the output, either side of 0, in its unit")
    probe: Ratio = Field("10 %", gt=0, le=0.5, description="of response.peak, for the first try")
    worse: float = Field(1.2, gt=1, le=100, description="times the rms error without signal at which learning diverges and is stopped")


class Limits(Strict):
    """Limits of acceptance, upper, in the unit of the output; what is left out is reported without a verdict."""

    after_rms: float | None = Field(None, gt=0, le=1e6, description="rms error with the learned signal")
    after_peak: float | None = Field(None, gt=0, le=1e6, description="largest error with the learned signal")


class Evaluation(Strict):
    """How trials are judged."""

    converged: int | None = Field(
        None, ge=2, le=1000, description="last trials with learning that are taken as its floor; by default a quarter, at least 3"
    )


class Parameters(Runnable):
    """A learning test."""

    procedure: Literal["ilc"] = "ilc"
    title: Note = "Iterative learning control"
    devices: Devices = Devices()
    bench: Bench = Bench()
    trajectory: Trajectory = Trajectory()
    response: Response = Response()
    learning: Learning = Learning()
    safety: Safety = Safety()
    units: Units = Units()
    evaluation: Evaluation = Evaluation()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        own = self.learning
        if own.cutoff > self.response.high:
            raise ValueError(
                f"learning.cutoff is {own.cutoff:g} Hz; at most response.high, {self.response.high:g} Hz, is expected: above it the response is not known"
            )
        if own.law == "PD" and own.kp == 0 and own.kd == 0:
            raise ValueError("learning: the PD law has kp = 0 and kd = 0, and would learn nothing; give one of them")
        if self.trajectory.distance > self.safety.travel:
            raise ValueError(f"trajectory.distance is {self.trajectory.distance:g}; at most safety.travel, {self.safety.travel:g}, is expected")
        if self.evaluation.converged is not None and self.evaluation.converged > own.trials:
            raise ValueError(f"evaluation.converged is {self.evaluation.converged}; at most learning.trials, {own.trials}, is expected")
        return self
