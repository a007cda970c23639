# mypy: disable-error-code="assignment"
"""The plan of a volumetric test: distances from several stations to a reflector all over the volume, and the 21 errors that explain them."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from precision.plan import (
    Angle,
    Device,
    DeviceSet,
    Expansion,
    Length,
    Note,
    Ratio,
    Speed,
    Strict,
    TemperatureDifference,
    Time,
)

from .runnable import Runnable
from .volumetric_compensation import AxisTables, VolumetricCompensation

Point = tuple[Length, Length, Length]
Span = tuple[Length, Length]
CONTRIBUTORS: Final = ("device_noise", "device_calibration", "repeatability")
"""What a plan must state before any figure can have an uncertainty; with correction to 20 °C also the two of temperature."""


class Devices(DeviceSet):
    """Controller, tracking interferometer, and air and material sensors; a sensor on Y's and on Z's screw where there is one."""

    controller: Device = Device(driver="grbl")
    tracker: Device = Device(driver="ids3010")
    environment: Device = Device(driver="scpi")
    environment_y: Device | None = None
    environment_z: Device | None = None


class Volume(Strict):
    """Where the errors are wanted, work coordinates, and how the machine is built."""

    x: Span = Field(("20 mm", "980 mm"), description="lowest and highest position", strict=False)
    y: Span = Field(("20 mm", "580 mm"), description="lowest and highest position", strict=False)
    z: Span = Field(("-480 mm", "-20 mm"), description="lowest and highest position", strict=False)
    chain: Annotated[str, StringConstraints(pattern=r"^[FXYZ]{4}$")] = Field(
        "XYFZ", description="from workpiece to tool, F the frame: XYFZ is a table on X and Y, a head on Z"
    )
    points: int = Field(250, ge=30, le=20_000, description="of each station, spread evenly over the volume; the 8 corners are among them")
    feed: Speed = Field("12000 mm/min", ge=1e-7)
    overshoot: Length = Field(
        "5 mm", gt=0, le=1, description="every point is approached in the positive direction of all axes, from this far before it"
    )

    @model_validator(mode="after")
    def _is_a_machine(self) -> Self:
        if sorted(self.chain) != sorted("FXYZ"):
            raise ValueError(f"chain is {self.chain!r}; expected X, Y, Z and F, each once")
        for name, (low, high) in self.spans.items():
            if not high > low:
                raise ValueError(f"{name}: the highest position must lie above the lowest")
        return self

    @property
    def spans(self) -> dict[str, tuple[float, float]]:
        """Axis -> lowest and highest position, m."""
        return {"X": self.x, "Y": self.y, "Z": self.z}


class Station(Strict):
    """One set-up of the tracking interferometer."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _-]{0,39}$")]
    place: Point = Field(description="where it stands, work coordinates; 50 mm are near enough", strict=False)
    reflector: Point = Field(description="its reflector as a tool offset from the spindle's reference point; 1 mm is near enough", strict=False)


class Cycle(Strict):
    """How each point is read."""

    dwell: Time = Field("1 s", ge=0, le=600, description="standing still before the reading")
    averaging: Time = Field("0.5 s", gt=0, le=60)
    repeats: int = Field(
        2, ge=0, le=10, description="how often a reading is repeated when the beam was interrupted; the count begins a new zero then"
    )


class Evaluation(Strict):
    """How the errors are looked for, and which corrections are made."""

    nodes: tuple[int, int, int] = Field((21, 15, 13), description="of X, Y, Z: errors are followed from node to node", strict=False)
    functions: Literal["linear", "cubic"] = Field("linear", description="between the nodes")
    assumed_zero: tuple[Annotated[str, StringConstraints(pattern=r"^(E[XYZABC][XYZ]|[ABC]0[YZ])$")], ...] = Field(
        (), description="errors that are not looked for, as ECZ", max_length=20, strict=False
    )
    refractive_index: Literal["ciddor", "edlen", "off"] = "ciddor"
    vacuum_wavelength: Length = Field("1530 nm", ge=300e-9, le=1690e-9, description="of the instrument's laser")
    co2: Ratio = Field("450 ppm", gt=0, le=2e-3)
    normalise_to_20_degrees: bool = Field(True, description="take off what the scales grew by away from 20 °C")
    expansion_coefficient: Expansion = Field("11.7 µm/m/K", ge=0, description="of the machine's scales")
    map_points: int = Field(11, ge=2, le=25, description="of the error map along each axis")
    tool: Point = Field(("0 mm", "0 mm", "-120 mm"), description="tool offset for which the map is drawn", strict=False)

    @model_validator(mode="after")
    def _nodes_carry_functions(self) -> Self:
        fewest = 2 if self.functions == "linear" else 4
        if not all(fewest <= n <= 60 for n in self.nodes):
            raise ValueError(f"nodes are {self.nodes}; {fewest} to 60 of each axis are expected with {self.functions} functions")
        return self


class Uncertainty(Strict):
    """What is known about the measurement, for U (k = 2)."""

    device_noise: Length | None = Field(None, gt=0, le=1e-3, description="standard deviation of one reading")
    device_noise_per_metre: Ratio = Field("0 ppm", ge=0, le=1e-3, description="the same, growing with the distance")
    device_calibration: Ratio | None = Field(None, ge=0, le=1e-3, description="U (k = 2) of the instrument's length from its certificate, relative")
    air_index: Ratio | None = Field(None, ge=0, le=1e-3, description="U (k = 2) of the refractive index correction, relative")
    repeatability: Length | None = Field(
        None, ge=0, le=1e-2, description="standard deviation of where the machine stops, with errors shorter than the nodes are apart"
    )
    material_temperature_range: TemperatureDifference | None = Field(
        None, ge=0, le=100, description="full range R(θ) of the material thermometers' error"
    )
    expansion_coefficient_range: Expansion | None = Field(None, ge=0, description="full range R(α) of the coefficient's error")


class Limits(Strict):
    """Limits of acceptance; figures left out are reported without a verdict."""

    V_X: Length | None = Field(None, gt=0)
    V_Y: Length | None = Field(None, gt=0)
    V_Z: Length | None = Field(None, gt=0)
    V_A: Angle | None = Field(None, gt=0)
    V_B: Angle | None = Field(None, gt=0)
    V_C: Angle | None = Field(None, gt=0)
    max: Length | None = Field(None, gt=0)
    p95: Length | None = Field(None, gt=0)

    @property
    def in_si(self) -> dict[str, float]:
        """Figure -> limit, m or rad."""
        return {name: value for name, value in self if value is not None}


class VirtualMachine(Strict):
    """The machine of the virtual lab; means nothing on a real one."""

    errors: float = Field(1.0, ge=0, le=100, description="factor of its straightness, angles, lead errors and squareness")


class Parameters(Runnable):
    """A volumetric test."""

    procedure: Literal["volumetric"] = "volumetric"
    title: Note = "Volumetric errors by multilateration"
    devices: Devices = Devices()
    volume: Volume = Volume()
    stations: tuple[Station, ...] = Field(min_length=1, max_length=24, strict=False)
    cycle: Cycle = Cycle()
    evaluation: Evaluation = Evaluation()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()
    compensation: VolumetricCompensation | None = Field(None, description="added to every command: a file of error parameters")
    axis_tables: AxisTables | None = Field(None, description="tables of single axes, added to the commands; instead of a compensation of all errors")
    virtual_machine: VirtualMachine = VirtualMachine()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.compensation is not None and self.axis_tables is not None:
            raise ValueError("compensation and axis_tables both correct the commands; give one of them")
        names = [station.name for station in self.stations]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"stations: {twice[0]!r} is there twice; give each set-up its own name")
        return self
