"""From the columns of a diagonal capture to the figures of ISO 230-6, with their uncertainty. Pure.

Each diagonal is a positioning test of its own: optical path -> length in air -> length at 20 °C -> deviation from the commanded distance along the diagonal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.models import air
from precision.models.interferometer import geometric_displacement
from precision.models.thermal import length_at_20_c
from precision.recording import Positioning
from precision.standards import iso230_6
from precision.uncertainty.positioning import Budget, Contributors, budget
from precision.units import CELSIUS_ZERO_K, REFERENCE_TEMPERATURE_K

from .diagonals_plan import CONTRIBUTORS, Parameters
from .lines_readings import LineReadings, of_line
from .procedure import Readings

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """result : of ISO 230-6. recordings : diagonal -> its deviations. budgets : diagonal -> what U is made of. uncertainty_reason : why there is none, or None.
    missing : diagonals without a reading. material_k : mean material temperature."""

    result: iso230_6.Result
    recordings: Mapping[str, Positioning]
    budgets: Mapping[str, Budget]
    uncertainty_reason: str | None
    missing: tuple[str, ...]
    material_k: float


def lacks(plan: Parameters) -> list[str]:
    """Contributors to U that the plan does not state."""
    return [name for name in CONTRIBUTORS if getattr(plan.uncertainty, name) is None]


def analyse(plan: Parameters, readings: Readings) -> Analysis:
    """Evaluate a diagonal test.

    Raises
    ------
    DataError       no diagonal was read; no refractive index from the recorded air
    """
    recordings: dict[str, Positioning] = {}
    missing = []
    temperatures = []
    for number, line in enumerate(plan.lines):
        if not np.any((readings["line"] == number) & (readings["phase"] == 1) & (readings["outcome"] == 1)):
            missing.append(line.name)
            continue
        seen = of_line(readings, line, number, plan.cycle.runs)
        actual, material_k = _along(plan, readings, seen)
        temperatures.append(material_k)
        direction, point, run = np.nonzero(np.isfinite(seen.displacement_m))
        recordings[line.name] = Positioning.from_rows(
            axis=line.name, target=seen.along_m[point], run=run + 1, direction=direction, actual=actual[direction, point, run]
        )
    if not recordings:
        raise DataError("the run holds no valid reading of any diagonal; see its events.jsonl for what happened, and measure again")
    material_k = float(np.mean(temperatures))
    lacking = lacks(plan)
    budgets = {} if lacking else {name: _budget(plan, recording, material_k) for name, recording in recordings.items()}
    result = iso230_6.evaluate(recordings, sides_m=plan.diagonals.sides_m, uncertainty=budgets or None)
    return Analysis(
        result=result, recordings=recordings, budgets=budgets, uncertainty_reason=f"the plan's [uncertainty] lacks {', '.join(lacking)}" if lacking else None,
        missing=tuple(missing), material_k=material_k,
    )  # fmt: skip


def _along(plan: Parameters, readings: Readings, seen: LineReadings) -> tuple[Array, float]:
    """(2, n, runs) m actual distance along the diagonal at 20 °C, and the mean material temperature."""
    taken = seen.rows[seen.rows >= 0]
    try:
        n, n_zero = _index(plan, readings, taken), _index(plan, readings, np.array([seen.zero]))[0]
        length = geometric_displacement(readings["displacement_m"][taken], index=n, index_at_zero=n_zero, dead_path_m=plan.instrument.dead_path)
    except ValueError as error:
        raise DataError(f"no refractive index from the environment that was recorded: {error}") from error
    material = readings["material_temperature_k"][taken]
    if plan.evaluation.normalise_to_20_degrees:
        length = length_at_20_c(length, expansion_per_k=plan.evaluation.expansion_coefficient, temperature_k=material)
    actual = np.full(seen.rows.shape, np.nan)
    actual[seen.rows >= 0] = length
    return actual, float(material.mean())


def _index(plan: Parameters, readings: Readings, rows: NDArray[np.intp]) -> Array:
    return np.asarray(air.ciddor(
        temperature_k=readings["air_temperature_k"][rows], pressure_pa=readings["air_pressure_pa"][rows], relative_humidity=readings["relative_humidity"][rows],
        wavelength_m=plan.instrument.vacuum_wavelength, co2_ratio=plan.evaluation.co2,
    ))  # fmt: skip


def _budget(plan: Parameters, recording: Positioning, material_k: float) -> Budget:
    known = plan.uncertainty
    made = recording.valid.sum(axis=-1)
    return budget(Contributors(
        measured_length_m=float(recording.target[-1] - recording.target[0]),
        targets=recording.target.size,
        runs=max(1, int(made[made > 0].min())),
        device_relative=known.device_calibration or 0.0,
        air_index_relative=known.air_index or 0.0,
        air_uncorrected_m=0.0,
        air_variation_m=0.0,
        device_resolution_m=known.device_resolution or 0.0,
        misalignment_m=known.misalignment_range or 0.0,
        machine_expansion_per_k=plan.evaluation.expansion_coefficient,
        machine_expansion_range_per_k=known.expansion_coefficient_range or 0.0,
        machine_thermometer_range_k=known.material_temperature_range or 0.0,
        machine_temperature_difference_k=material_k - REFERENCE_TEMPERATURE_K,
        drift_range_m=known.environmental_variation or 0.0,
        compensated_to_20_c=plan.evaluation.normalise_to_20_degrees,
    ))  # fmt: skip


def temperature_words(analysis: Analysis) -> str:
    """For the header."""
    return f"{analysis.material_k - CELSIUS_ZERO_K:.2f} °C on average"
