# mypy: disable-error-code="assignment"
"""What the plans of straightness, squareness and diagonal tests share: devices, how lines are driven and read."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from precision.plan import Device, DeviceSet, Length, Speed, Strict, Time

from .lines import Manner

LinearAxis = Annotated[str, StringConstraints(pattern=r"^[XYZ]$")]


class Devices(DeviceSet):
    """Controller, interferometer (up to three beams of one instrument) and environment."""

    controller: Device = Device(driver="grbl")
    interferometer: Device = Device(driver="ids3010")
    environment: Device = Device(driver="scpi")


class Cycle(Strict):
    """How each line is driven and read, in both directions."""

    runs: int = Field(5, ge=1, le=50, description="of each line in each direction")
    feed: Speed = Field("6000 mm/min", ge=1e-7)
    overshoot: Length = Field("5 mm", gt=0, le=1, description="before the first point of each direction")
    dwell: Time = Field("1 s", ge=0, le=600)
    settling_tolerance: Length = Field("0.5 µm", gt=0, le=1, description="settled when two readings one interval apart differ by no more")
    settling_interval: Time = Field("0.25 s", ge=1e-6, le=60)
    settling_timeout: Time = Field("10 s", gt=0, le=600)
    averaging: Time = Field("0.5 s", gt=0, le=60, description="each reading is averaged over this time")
    repeats: int = Field(2, ge=0, le=10, description="of an approach without a valid reading")

    @property
    def manner(self) -> Manner:
        """The same in SI names."""
        return Manner(
            runs=self.runs, feed_m_per_s=self.feed, overshoot_m=self.overshoot, dwell_s=self.dwell, settling_tolerance_m=self.settling_tolerance,
            settling_interval_s=self.settling_interval, settling_timeout_s=self.settling_timeout, averaging_s=self.averaging, repeats=self.repeats,
        )  # fmt: skip


class MirrorUncertainty(Strict):
    """What is known about readings against a straightedge or square, for U (k = 2)."""

    mirror_form: Length | None = Field(None, ge=0, le=1e-3, description="flatness of the reference face over the line, range")
    reading_noise: Length | None = Field(None, ge=0, le=1e-3, description="standard deviation of one averaged reading")
    environmental_variation: Length | None = Field(None, ge=0, le=1e-2, description="E_VE, drift range seen on the unmoving axis during a line's time")
