"""What the machine, its air and its instruments are made of: the numbers, and the bounds that may be stated about them.

Two kinds. `Parameters` is the truth: sizes of errors, time constants, and the particular offsets of one lab. `InstrumentBounds` is what certificates
and data sheets would say: ranges that the particular values keep within. An uncertainty budget may use the second and must not see the first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from .noise import Channel

AXES = ("X", "Y", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisParameters:
    """One linear axis: travel, drive, screw, guideway."""

    lowest_m: float
    highest_m: float
    homes_upwards: bool = False
    """Which end of the travel it is referenced at; that end is 0 of the machine's coordinates."""
    max_feed_m_per_s: float = 0.25
    acceleration_m_per_s2: float = 1.5
    homing_feed_m_per_s: float = 0.1

    lead_slope: float = 15e-6
    """Error of the mean lead, m/m."""
    lead_wander_m: float = 9e-6
    """Bound of the slow part of the cumulative lead error."""
    cyclic_m: float = 0.7e-6
    """Once per turn of the screw; a fifth of it comes twice per turn."""
    pitch_m: float = 10e-3
    scale_error_m: float = 0.08e-6
    scale_period_m: float = 20e-6
    backlash_m: float = 3.2e-6
    backlash_variation: float = 0.15
    """Bound of the relative change of the backlash along the axis."""
    scatter_m: float = 0.3e-6
    """Standard deviation of where the axis stops after each motion (random part of the lost motion)."""
    home_scatter_m: float = 0.5e-6

    straightness_m: float = 3e-6
    """Bound of each of the two straightness errors."""
    angle_rad: float = 8e-6
    """Bound of roll, pitch and yaw each."""

    creep_m: float = 3e-6
    """Left to creep when the controller calls a motion finished, after moving at `settling_feed_m_per_s` or faster."""
    creep_time_s: float = 0.10
    ringing_m: float = 1.2e-6
    ringing_hz: float = 38.0
    damping_ratio: float = 0.04
    settling_feed_m_per_s: float = 0.1

    servo_lag_s: float = 4e-3
    """1/K_v of the position loop, as an instrument sees it that samples during motion."""
    spike_m: float = 2.5e-6
    """Height of the spike that friction leaves after a reversal."""
    spike_time_s: float = 12e-3
    """From the reversal to its top."""

    screw_heating_k_s_per_m: float = 20.0
    """Rise of the screw above its surroundings in the steady state, per mean speed."""
    screw_time_constant_s: float = 2700.0

    def __post_init__(self) -> None:
        if not self.lowest_m < self.highest_m:
            raise ValueError(f"an axis from {self.lowest_m} m to {self.highest_m} m has no travel; expected lowest_m below highest_m")

    @property
    def home_m(self) -> float:
        """Where referencing leaves the axis."""
        return self.highest_m if self.homes_upwards else self.lowest_m


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentBounds:
    """What may be stated about the instruments: full ranges (rectangular) unless a coverage factor is named."""

    laser_scale_u: float = 0.1e-6
    """Certificate of the interferometer's wavelength: U (k = 2), m/m."""
    laser_resolution_m: float = 1e-12
    misalignment_range: float = 1e-3
    """Largest lateral run-out of the beam against the axis, m/m."""
    abbe_offset_range_m: float = 10e-3
    """Full range of each lateral offset of the reflector from the tool point."""
    angle_range_rad: float = 16e-6
    """Full range of roll, pitch and yaw of one axis."""
    material_temperature_range_k: float = 0.2
    """R(θ) of the material thermometer against the mean temperature of the screw."""
    expansion_nominal_per_k: float = 11.7e-6
    expansion_range_per_k: float = 1e-6
    """R(α) about the nominal coefficient."""
    air_temperature_range_k: float = 0.2
    air_pressure_range_pa: float = 60.0
    relative_humidity_range: float = 0.04
    co2_nominal_ppm: float = 450.0
    co2_range_ppm: float = 100.0
    structural_drift_range_m: float = 0.5e-6
    """E_VE: range of the drift between tool and workpiece on an axis that does not move, over any time."""
    ball_bar_length_u: float = 0.5e-6
    """Certificate of the ball bar's length at the machine's temperature: U (k = 2)."""
    ball_bar_linearity_range_m: float = 0.1e-6
    """Full range of the error of its sensor within its travel, beside noise and resolution."""
    ball_bar_resolution_m: float = 0.1e-6
    ball_bar_set_up_range_m: float = 30e-6
    """Full range of each coordinate of the table ball's offset from where the tool ball was when it was set."""
    vacuum_wavelength_m: float = 1.53e-6
    """The instrument's infrared laser; air bends it less than red light, by 3 ppm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """One lab. The defaults are the reference case; `drawn` makes another one within the same bounds."""

    x: AxisParameters = field(default_factory=lambda: AxisParameters(lowest_m=0.0, highest_m=1.0))
    y: AxisParameters = field(default_factory=lambda: AxisParameters(lowest_m=0.0, highest_m=0.6))
    z: AxisParameters = field(default_factory=lambda: AxisParameters(lowest_m=-0.5, highest_m=0.0, homes_upwards=True))
    squareness_c0y_rad: float = 10e-6
    squareness_b0z_rad: float = -14e-6
    squareness_a0z_rad: float = 8e-6
    tool_m: tuple[float, float, float] = (0.0, 0.0, -0.12)
    home_pull_off_m: float = 1e-3
    """From each reference switch, which lies that far beyond the end of travel, to the machine's zero."""
    step_m: float = 1e-6
    """The controller's position is a whole number of these."""

    expansion_per_k: float = 11.5e-6
    machine_temperature_k: float = 294.85
    machine_drift_k: float = 0.15
    """Bound of the slow drift of the machine's temperature about its mean."""
    structural_drift_m: float = 0.25e-6
    """Bound of the drift of the tool against the workpiece, each direction."""

    air_temperature_k: float = 294.45
    air_temperature_drift_k: float = 0.25
    air_pressure_pa: float = 100_600.0
    air_pressure_drift_pa: float = 80.0
    relative_humidity: float = 0.45
    relative_humidity_drift: float = 0.02
    co2_ppm: float = 465.0

    beam_tilt_rad: float = 0.6e-3
    """Angle between the beam and the axis; `beam_azimuth_rad` says towards which side."""
    beam_azimuth_rad: float = 0.8
    abbe_m: tuple[float, float] = (3e-3, -2e-3)
    """Offset of the reflector from the tool point along the two axes that are not measured (in the order X, Y, Z)."""
    dead_path_m: float = 0.09
    """From the interferometer's zero to the reflector at the lowest machine coordinate."""
    laser_scale: float = 0.04e-6
    """Relative error of the wavelength the instrument believes in; positive reads long."""
    laser_noise_m: float = 15e-9
    laser_noise_correlation_s: float = 1e-3
    turbulence: float = 3e-8
    """Standard deviation of the mean index along the path, per path: the noise grows with the distance."""
    turbulence_correlation_s: float = 0.2
    periodic_m: float = 1.5e-9
    """Non-linearity of the interferometer, once per half wavelength."""

    ball_bar_length_error_m: float = 0.15e-6
    """True length of the bar less that of its certificate."""
    ball_bar_noise_m: float = 0.05e-6
    ball_bar_travel_m: float = 1.25e-3
    """Either way; beyond it the sensor shows its end."""

    material_sensor_offset_k: float = 0.04
    air_temperature_sensor_offset_k: float = -0.05
    air_pressure_sensor_offset_pa: float = 12.0
    relative_humidity_sensor_offset: float = 0.01
    temperature_sensor_noise_k: float = 3e-3
    pressure_sensor_noise_pa: float = 2.0
    humidity_sensor_noise: float = 2e-3
    sensor_correlation_s: float = 1.0

    bounds: InstrumentBounds = field(default_factory=InstrumentBounds)

    @property
    def axes(self) -> tuple[AxisParameters, AxisParameters, AxisParameters]:
        """X, Y, Z."""
        return (self.x, self.y, self.z)

    @classmethod
    def drawn(cls, seed: int, *, bounds: InstrumentBounds | None = None) -> Parameters:
        """A lab of its own for every seed: sizes near those of the reference case, offsets anywhere within `bounds`."""
        bounds = bounds or InstrumentBounds()
        reference = cls(bounds=bounds)

        def unit(name: str) -> float:
            return Channel(seed, f"parameters/{name}").within(1.0)

        def near(name: str, value: float, spread: float) -> float:
            return value * (1 + spread * unit(name))

        def axis(name: str, nominal: AxisParameters) -> AxisParameters:
            sign = 1.0 if unit(f"{name}/lead sign") > 0 else -1.0
            return replace(
                nominal,
                lead_slope=sign * near(f"{name}/lead slope", nominal.lead_slope, 0.3),
                lead_wander_m=near(f"{name}/lead wander", nominal.lead_wander_m, 0.2),
                cyclic_m=near(f"{name}/cyclic", nominal.cyclic_m, 0.3),
                backlash_m=near(f"{name}/backlash", nominal.backlash_m, 0.15),
                scatter_m=near(f"{name}/scatter", nominal.scatter_m, 0.15),
                creep_m=near(f"{name}/creep", nominal.creep_m, 0.3),
                ringing_hz=near(f"{name}/ringing", nominal.ringing_hz, 0.2),
                servo_lag_s=near(f"{name}/servo lag", nominal.servo_lag_s, 0.1),
                spike_m=near(f"{name}/spike", nominal.spike_m, 0.4),
                screw_heating_k_s_per_m=near(f"{name}/heating", nominal.screw_heating_k_s_per_m, 0.2),
            )

        # The cosine error goes with the square of the tilt: its square is drawn evenly, as the rectangular contributor assumes.
        tilt_rad = bounds.misalignment_range * math.sqrt(Channel(seed, "parameters/beam tilt").uniform(0))
        # A certificate with k = 2: standard deviation U/2, cut off at U.
        laser_scale = max(-1.0, min(1.0, Channel(seed, "parameters/laser scale").normal(0) / 2)) * bounds.laser_scale_u
        return replace(
            reference,
            x=axis("X", reference.x), y=axis("Y", reference.y), z=axis("Z", reference.z),
            squareness_c0y_rad=15e-6 * unit("C0Y"), squareness_b0z_rad=15e-6 * unit("B0Z"), squareness_a0z_rad=15e-6 * unit("A0Z"),
            expansion_per_k=bounds.expansion_nominal_per_k + bounds.expansion_range_per_k / 2 * unit("expansion"),
            ball_bar_length_error_m=max(-1.0, min(1.0, Channel(seed, "parameters/ball bar length").normal(0) / 2)) * bounds.ball_bar_length_u,
            machine_temperature_k=294.65 + 1.5 * unit("machine temperature"),
            air_temperature_k=294.45 + 1.2 * unit("air temperature"),
            air_pressure_pa=100_600.0 + 1500.0 * unit("air pressure"),
            relative_humidity=0.45 + 0.12 * unit("humidity"),
            co2_ppm=bounds.co2_nominal_ppm + bounds.co2_range_ppm / 2 * unit("CO2"),
            beam_tilt_rad=tilt_rad, beam_azimuth_rad=math.pi * unit("beam azimuth"),
            abbe_m=(bounds.abbe_offset_range_m / 2 * unit("Abbe 1"), bounds.abbe_offset_range_m / 2 * unit("Abbe 2")),
            laser_scale=laser_scale,
            material_sensor_offset_k=bounds.material_temperature_range_k / 2 * unit("material sensor"),
            air_temperature_sensor_offset_k=bounds.air_temperature_range_k / 2 * unit("air temperature sensor"),
            air_pressure_sensor_offset_pa=bounds.air_pressure_range_pa / 2 * unit("air pressure sensor"),
            relative_humidity_sensor_offset=bounds.relative_humidity_range / 2 * unit("humidity sensor"),
        )
