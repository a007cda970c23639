"""The plan of a positioning test: what an engineer writes in TOML, checked before anything moves."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from precision import units
from precision.drivers import option_faults
from precision.plan import (
    Angle,
    Devices,
    Expansion,
    Length,
    Machine,
    Note,
    Ratio,
    Simulation,
    Speed,
    Strict,
    Temperature,
    TemperatureDifference,
    Test,
    Time,
    within_reason,
)
from precision.standards.positioning_standards import STANDARDS

from .software_compensation import Compensation

AxisName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{0,7}$")]


def _known(name: str) -> str:
    if name not in STANDARDS:
        raise ValueError(f"no standard of this name; allowed: {', '.join(STANDARDS)}")
    return name


Standard = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(STANDARDS)})]


class Axis(Strict):
    """The axis under test."""

    name: AxisName = "X"
    kind: Literal["linear", "rotary"] = "linear"


class Line(Axis):
    """The axis under test and the line along it."""

    start: Length = Field("10 mm", description="lowest target, work coordinates")
    end: Length = Field("990 mm", description="highest target, work coordinates")
    feed: Speed = Field("3000 mm/min", ge=1e-7, description="feed between targets")

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if not self.end > self.start:
            raise ValueError("end must lie above start")
        return self


class Targets(Strict):
    """Target positions: a number of them with a random offset each, or an explicit list."""

    count: int = Field(11, ge=2, le=2000)
    random_offset: Ratio = Field("30 %", ge=0, lt=0.5, description="largest random offset of a target, as a share of the spacing")
    resolution: Length = Field("1 µm", ge=1e-12, le=1, description="targets are multiples of this")
    positions: tuple[Length, ...] | None = Field(None, description="explicit targets instead, ascending", min_length=2, max_length=2000, strict=False)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.positions is not None and any(b <= a for a, b in zip(self.positions, self.positions[1:], strict=False)):
            raise ValueError("positions must be ascending, without repeats")
        return self


class CycleKind(Strict):
    """The order in which targets were approached."""

    type: Literal["standard", "step"] = Field("standard", description="step: all approaches of a target before the next; not for acceptance")


class Cycle(CycleKind):
    """How the targets are approached and read."""

    runs: int = Field(5, ge=1, le=50, description="approaches of each target from each side")
    overshoot: Length = Field("5 mm", gt=0, le=10, description="how far beyond a target the axis goes before it reverses")
    dwell: Time = Field("1 s", ge=0, le=600, description="standing still before the settling check")
    settling_tolerance: Length = Field("0.5 µm", gt=0, le=1, description="settled when two readings one interval apart differ by no more")
    settling_interval: Time = Field("0.25 s", ge=1e-6, le=60)
    settling_timeout: Time = Field("10 s", gt=0, le=600)
    plausible_deviation: Length = Field("1 mm", gt=0, le=10, description="a reading further from its target stops the run: wrong axis, sign or unit")
    averaging: Time = Field("0.5 s", gt=0, le=60, description="each reading is averaged over this time")
    repeats: int = Field(2, ge=0, le=10, description="how often an approach without a valid reading is repeated before the run is stopped")
    resume_tolerance: Length = Field("5 µm", gt=0, le=1, description="--resume: how far the last complete target may differ when it is measured again after homing and zeroing")


class AsRecorded(Strict):
    """Which standard. Readings are evaluated as recorded; the expansion coefficient is needed for their uncertainty only."""

    standard: Standard = "iso230-2:2014"
    expansion_coefficient: Expansion | None = Field(None, ge=0, description="of the machine; for U of lengths that were taken away from 20 °C")


class Evaluation(AsRecorded):
    """Which standard, and which corrections."""

    refractive_index: Literal["ciddor", "edlen", "off"] = Field("ciddor", description="wavelength compensation from the air that was measured")
    co2: Ratio = Field("450 ppm", gt=0, le=2e-3)
    normalise_to_20_degrees: bool = Field(True, description="correct lengths to 20 °C with the material temperature (NDE)")
    expansion_coefficient: Expansion = Field("11.7 µm/m/K", ge=0, description="of the machine's scale or the workpiece it stands for")


class Uncertainty(Strict):
    """What is known about the measurement, for U (k = 2). A full range R is the distance between the lowest and the highest possible value."""

    device_calibration: Ratio | None = Field(None, ge=0, le=1e-3, description="U (k = 2) of the instrument's length from its certificate, relative")
    device_resolution: Length | None = Field(None, ge=0, le=1, description="resolution of the instrument")
    air_index: Ratio | None = Field(None, ge=0, le=1e-3, description="U (k = 2) of the refractive index correction, relative")
    misalignment_range: Length | None = Field(None, ge=0, le=1, description="lateral range of the beam over the line")
    material_temperature_range: TemperatureDifference | None = Field(None, ge=0, le=100, description="full range R(θ) of the material thermometer's error")
    expansion_coefficient_range: Expansion | None = Field(None, ge=0, description="full range R(α) of the coefficient's error")
    mean_material_temperature: Temperature | None = Field(None, ge=200, le=500, description="imported recordings: mean material temperature during the test")
    already_corrected_to_20_degrees: bool = Field(False, description="imported recordings: the readings were corrected to 20 °C when they were taken")
    device_calibration_angle: Angle | None = Field(None, ge=0, le=1, description="rotary axes: U (k = 2) of the instrument's angle")
    environmental_variation_angle: Angle | None = Field(None, ge=0, le=1, description="rotary axes: drift range seen on the unmoving axis")
    environmental_variation: Length | None = Field(None, ge=0, le=1, description="E_VE, drift range seen on the unmoving axis during a test's time")


LENGTH_CONTRIBUTORS: Final = (
    "device_calibration",
    "device_resolution",
    "misalignment_range",
    "material_temperature_range",
    "expansion_coefficient_range",
    "environmental_variation",
)
"""What a plan must state of a linear axis' measurement before a figure can have an uncertainty; where the index of the air is corrected, air_index too."""


def _with_unit(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError(f"{value} has no unit; write for example \"{value} µm\"")
    return value


def _is_extent(text: str) -> str:
    """A length or an angle above zero, kept as written: which of the two is meant depends on the axis."""
    for dimension in ("length", "angle"):
        if units.si_unit_of(text) == next(iter(units.DIMENSIONS[dimension])):
            if within_reason(text, dimension) <= 0:
                raise ValueError(f"{text!r} must be more than 0")
            return text
    raise ValueError(f"{text[:40]!r} is neither a length nor an angle; write for example \"20 µm\" or \"8 arcsec\"")


Extent = Annotated[str, BeforeValidator(_with_unit), StringConstraints(max_length=40), AfterValidator(_is_extent)]


class Limits(Strict):
    """Limits of acceptance, by figure ("20 µm"; "8 arcsec" on a rotary axis); figures left out are reported without a verdict."""

    A: Extent | None = None
    A_up: Extent | None = None
    A_down: Extent | None = None
    E: Extent | None = None
    E_up: Extent | None = None
    E_down: Extent | None = None
    M: Extent | None = None
    R: Extent | None = None
    R_up: Extent | None = None
    R_down: Extent | None = None
    B: Extent | None = None
    B_mean: Extent | None = None
    P: Extent | None = Field(None, description="VDI/DGQ 3441, like the following")
    P_a: Extent | None = None
    P_s_max: Extent | None = None
    P_s_mean: Extent | None = None
    U_max: Extent | None = None
    U_mean: Extent | None = None

    def in_si(self, kind: Literal["linear", "rotary"]) -> dict[str, float]:
        """Figure -> limit in m (linear) or rad (rotary). Raises ValueError where the unit does not fit the axis."""
        dimension = "length" if kind == "linear" else "angle"
        limits = {}
        for key, text in self.model_dump(exclude_none=True).items():
            try:
                limits[key] = units.quantity(text, dimension)
            except ValueError as error:
                raise ValueError(f"limits.{key}: {error} (the axis is {kind})") from error
        return limits


class Instrument(Strict):
    """How the interferometer is set up."""

    axis: int = Field(0, ge=0, le=2, description="its measuring axis")
    sign: Literal["+", "-"] = Field("+", description="whether its reading grows in the axis' positive direction")
    vacuum_wavelength: Length = Field("1530 nm", ge=300e-9, le=1690e-9, description="of its laser: IDS3010 1530 nm, helium-neon 632.9908 nm")
    compensates_air: bool = Field(False, description="the instrument corrects for the refractive index itself; evaluation.refractive_index must be \"off\" then")
    dead_path: Length = Field("0 mm", ge=0, le=100, description="unmeasured path between interferometer and reflector at the zero point")


class Evaluated(Strict):
    """What a recording needs to be judged: shared by a measured run and an imported one."""

    procedure: Literal["positioning"] = "positioning"
    title: Note = "Positioning accuracy and repeatability"
    axis: Axis = Axis()
    cycle: CycleKind = CycleKind()
    evaluation: AsRecorded = AsRecorded()
    uncertainty: Uncertainty = Uncertainty()
    limits: Limits = Limits()
    machine: Machine = Machine()
    test: Test = Test()

    @model_validator(mode="after")
    def _limits_fit_the_axis(self) -> Self:
        self.limits.in_si(self.axis.kind)
        return self


class Imported(Evaluated):
    """A positioning test that someone else has recorded. Readings are lengths as the file gives them; nothing is corrected here."""

    evaluation: AsRecorded = AsRecorded()


class Parameters(Evaluated):
    """A positioning test to be run."""

    seed: int = Field(1, ge=0, lt=2**63, description="of the targets' random offsets and of the virtual lab")
    axis: Line = Line()
    targets: Targets = Targets()
    cycle: Cycle = Cycle()
    evaluation: Evaluation = Evaluation()
    instrument: Instrument = Instrument()
    compensation: Compensation | None = Field(None, description="table that is added to the commanded positions, as a controller with tables would")
    devices: Devices = Devices()
    simulation: Simulation = Simulation()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        self._has_targets()
        if self.instrument.compensates_air and self.evaluation.refractive_index != "off":
            raise ValueError('instrument.compensates_air: set evaluation.refractive_index = "off", or the index would be applied twice')
        if wrong := [fault for role, device in self.devices for fault in option_faults(role, device.driver, device.options)]:
            raise ValueError("; ".join(wrong))
        if self.devices.mixed:
            raise ValueError('devices: either all are on "sim://lab" or none; a run never mixes a simulated and a real device')
        if self.evaluation.refractive_index == "edlen" and not 350e-9 <= self.instrument.vacuum_wavelength <= 650e-9:
            raise ValueError(
                f"evaluation.refractive_index: the modified Edlén equation is for 350 to 650 nm, instrument.vacuum_wavelength is "
                f"{self.instrument.vacuum_wavelength * 1e9:g} nm; use \"ciddor\" (300 to 1690 nm)"
            )
        if self.axis.kind != "linear":
            raise ValueError('axis.kind: only "linear" axes can be driven; recordings of rotary axes are evaluated with `precision analyze`')
        return self

    def _has_targets(self) -> None:
        """Rounded to what a controller can be told, the targets are still different ones."""
        from .cycle import target_positions

        if self.targets.positions is not None:
            return
        target_m = target_positions(
            start_m=self.axis.start, end_m=self.axis.end, count=self.targets.count, random_offset=self.targets.random_offset,
            resolution_m=self.targets.resolution, seed=self.seed,
        )
        if not all(b > a for a, b in pairwise(target_m.tolist())):
            spacing_m = (self.axis.end - self.axis.start) / (self.targets.count - 1)
            raise ValueError(
                f"targets coincide at targets.resolution {units.text(self.targets.resolution, 'm')}: {self.targets.count} targets in {units.text(self.axis.end - self.axis.start, 'm')} "
                f"are {units.text(spacing_m, 'm')} apart; set fewer targets.count, a finer targets.resolution or a longer axis.start … axis.end"
            )
