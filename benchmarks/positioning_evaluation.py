"""From the readings of a positioning test to its figures: pure, so that an old run can be judged again.

    displacement at the vacuum wavelength  ->  length in air (n, dead path)  ->  length at 20 °C  ->  actual position  ->  standard
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.models import air
from precision.models.interferometer import geometric_displacement
from precision.models.thermal import length_at_20_c
from precision.recording import Positioning
from precision.runs.capture import Column
from precision.standards import iso230_2, vdi3441
from precision.standards.positioning_standards import STANDARDS
from precision.uncertainty.positioning import Budget, Contributors, RotaryContributors, budget
from precision.units import CELSIUS_ZERO_K, REFERENCE_TEMPERATURE_K

from .positioning import APPROACH, MEASURED, NOT_MEASURED, REMEASURED, RESUMED, ZERO
from .positioning_plan import LENGTH_CONTRIBUTORS, Evaluated, Parameters

Readings = Mapping[str, NDArray[Any]]
Result = iso230_2.Result | vdi3441.Result

IMPORTED_COLUMNS: Final = (
    Column("run", "i8", ""),
    Column("direction", "i8", ""),
    Column("target", "f8", ""),
    Column("actual", "f8", ""),
)
"""A recording from elsewhere: target and actual position in m or rad."""

AS_RECORDED: Final = "Readings evaluated as recorded: no wavelength compensation and no correction to 20 °C was applied here."

TARGET_TOLERANCE: Final = 1e-9
"""Targets of an imported recording closer than this (m or rad) are the same target written twice with rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything that a report says about the axis.

    recording : corrected positions. result : figures after `standard`. budget : what U is made of, or None with `budget_reason`.
    corrections : a sentence each, and whether the correction was applied. mean_material_k : mean material temperature during the test, or None.
    missing : approaches of the plan that have no valid reading. not_for_acceptance : why the test can prove no conformity; "" where it can.
    """

    standard: str
    recording: Positioning
    result: Result
    budget: Budget | None
    budget_reason: str | None
    corrections: tuple[tuple[str, bool], ...]
    mean_material_k: float | None
    missing: int
    not_for_acceptance: str = ""


def analyse(plan: Evaluated, readings: Readings, *, standard: str | None = None) -> Analysis:
    """Evaluate a test.

    plan : the plan of the run. readings : columns of its capture, (rows,) each. standard : instead of the plan's (a name of `STANDARDS`).

    Raises
    ------
    DataError       no valid reading, or readings that contradict each other
    """
    standard = standard or plan.evaluation.standard
    if isinstance(plan, Parameters):
        recording, corrections, material_k = _measured(plan, readings)
        uncorrected = _uncorrected_air(plan, readings, recording)
        flags = resumptions(plan, readings)
    else:
        flags, uncorrected = (), None
        recording, corrections, material_k = imported_recording(plan, readings), ((AS_RECORDED, False),), None
    made, reason = _budget(plan, recording, material_k, uncorrected)
    planned = recording.valid.size
    result = _evaluate(standard, recording, made)
    if reason is not None:
        result = _with_reason(result, reason)
    return Analysis(
        standard=standard,
        recording=recording,
        result=replace(result, flags=(*flags, *result.flags)) if flags else result,
        budget=made,
        budget_reason=reason,
        corrections=corrections,
        mean_material_k=material_k,
        missing=planned - int(recording.valid.sum()),
        not_for_acceptance="the step cycle is not for acceptance (ISO 230-2, annex B)" if recording.cycle == "step" else "the test was interrupted and resumed" if flags else "",
    )


def _with_reason(result: Result, reason: str) -> Result:
    """The result, whose figures say what the uncertainty lacks."""
    figures = {
        key: figure if figure.value is None else replace(figure, uncertainty_reason=reason) for key, figure in result.figures.items()
    }
    return replace(result, figures=figures)


def _evaluate(standard: str, recording: Positioning, made: Budget | None) -> Result:
    if standard not in STANDARDS:
        raise DataError(f"standard {standard!r} is not known; allowed: {', '.join(STANDARDS)}")
    edition = STANDARDS[standard].edition
    if edition is None:
        return vdi3441.evaluate(recording, uncertainty=made)
    return iso230_2.evaluate(recording, edition=edition, uncertainty=made)


def _measured(plan: Parameters, readings: Readings) -> tuple[Positioning, tuple[tuple[str, bool], ...], float | None]:
    taken = np.flatnonzero((readings["phase"] == APPROACH) & (readings["outcome"] == MEASURED))
    if not taken.size:
        raise DataError("the run holds no valid reading; see its events.jsonl for what happened, and measure again")
    actual_m, corrections = actual_positions(plan, readings, taken)
    recording = Positioning.from_rows(
        axis=plan.axis.name,
        target=readings["target_m"][taken],
        run=readings["run"][taken],
        direction=readings["direction"][taken],
        actual=actual_m,
        cycle=plan.cycle.type,
    )
    return recording, corrections, float(readings["material_temperature_k"][taken].mean())


def actual_positions(plan: Parameters, readings: Readings, taken: NDArray[np.intp]) -> tuple[NDArray[np.float64], tuple[tuple[str, bool], ...]]:
    """Actual positions (m) of the rows `taken`, corrected as the plan says, and one sentence for each correction.

    Each reading is a length from the last zero of the interferometer before it; that zero's position is the target it was made at.

    Raises
    ------
    DataError       a zero is missing or one too many; no refractive index from the recorded air
    """
    rows = {name: column[taken] for name, column in readings.items()}
    zero = np.flatnonzero(readings["phase"] == ZERO)
    most = 1 + int(np.sum(readings["phase"] == RESUMED))
    if not 1 <= zero.size <= most:
        raise DataError(f"the capture has {zero.size} rows of the interferometer's zero; {'exactly one is' if most == 1 else f'1 to {most} are'} expected")
    before = np.searchsorted(zero, taken) - 1
    if before.min() < 0:
        raise DataError(f"row {int(taken[0])} of the capture is a reading, but the interferometer's zero comes later; the rows are not in order")
    at_zero = {name: column[zero[before]] for name, column in readings.items()}

    length_m, about_air = _length_in_air(plan, rows, at_zero)
    material_k = rows["material_temperature_k"]
    mean_material_k = float(material_k.mean())
    if plan.evaluation.normalise_to_20_degrees:
        length_m = length_at_20_c(length_m, expansion_per_k=plan.evaluation.expansion_coefficient, temperature_k=material_k)
        about_heat = (
            f"Lengths corrected to 20 °C with the material temperature of each reading (mean {mean_material_k - CELSIUS_ZERO_K:.2f} °C) and "
            f"α = {plan.evaluation.expansion_coefficient * 1e6:.2f} µm/(m·K)."
        )
    else:
        about_heat = f"Lengths not corrected to 20 °C; the material was at {mean_material_k - CELSIUS_ZERO_K:.2f} °C on average."
    sign = 1.0 if plan.instrument.sign == "+" else -1.0
    applied = plan.evaluation.refractive_index != "off", plan.evaluation.normalise_to_20_degrees
    return np.asarray(at_zero["target_m"] + sign * length_m), tuple(zip((about_air, about_heat), applied, strict=True))


def resumptions(plan: Parameters, readings: Readings) -> tuple[str, ...]:
    """What must be said of a run that was interrupted and resumed: one sentence for each approach that was made again to join the parts.

    The parts do not share the interferometer's zero: it was set anew at the same target after homing. What they differ by at the approach that was made
    twice is the sum of homing, zeroing, drift and the machine's own scatter. It is stated and **not** corrected: shifting the second part by it would
    put the scatter of one approach into every later reading, and would hide a homing error that the machine really has.
    """
    said = []
    done = (readings["phase"] == APPROACH) & (readings["outcome"] == MEASURED)
    for row in np.flatnonzero((readings["phase"] == REMEASURED) & (readings["outcome"] == MEASURED)):
        same = done & np.logical_and.reduce([readings[name] == readings[name][row] for name in ("run", "direction", "target_index")])
        first = np.flatnonzero(same[:row])
        if not first.size:
            raise DataError(f"row {row} of the capture repeats an approach that was not made before; the rows are not in order")
        actual_m, _ = actual_positions(plan, readings, np.array([first[-1], row]))
        arrow = "↑↓"[int(readings["direction"][row])]
        said.append(
            f"The test was interrupted after {int(done[:row].sum())} approaches and resumed: homed and zeroed anew. At the last complete target "
            f"({readings['target_m'][row] * 1e3:.3f} mm, run {int(readings['run'][row]) + 1} {arrow}) the second part differs from the first by "
            f"{(actual_m[1] - actual_m[0]) * 1e6:+.2f} µm (allowed {plan.cycle.resume_tolerance * 1e6:g} µm). This is not corrected and lies in every figure that "
            "compares the parts; not for acceptance."
        )
    return tuple(said)


def _length_in_air(plan: Parameters, rows: Readings, at_zero: Readings) -> tuple[NDArray[np.float64], str]:
    optical_m = rows["displacement_m"]
    formula = plan.evaluation.refractive_index
    if formula == "off":
        said = "the instrument compensates for air itself" if plan.instrument.compensates_air else "they are too long by n − 1, which U carries"
        return np.asarray(optical_m), f"No wavelength compensation: lengths are as the instrument reports them; {said}."

    try:
        n, n_zero = _index(plan, rows), _index(plan, at_zero)
        length_m = geometric_displacement(optical_m, index=n, index_at_zero=n_zero, dead_path_m=plan.instrument.dead_path)
    except ValueError as error:
        raise DataError(f"no refractive index from the environment that was recorded: {error}; set evaluation.refractive_index = \"off\"") from error
    name = {"ciddor": f"Ciddor 1996, CO₂ {plan.evaluation.co2 * 1e6:.0f} ppm", "edlen": "modified Edlén (Birch and Downs, NIST form)"}[formula]
    return length_m, (
        f"Wavelength compensation: {name}, at λ = {plan.instrument.vacuum_wavelength * 1e9:.10g} nm in vacuum, from the air at each reading, n − 1 = {float(n.min() - 1) * 1e6:.2f} … {float(n.max() - 1) * 1e6:.2f} ppm; "
        f"dead path of {plan.instrument.dead_path * 1e3:g} mm corrected."
    )


def _index(plan: Parameters, rows: Readings) -> NDArray[np.float64]:
    """Refractive index of the recorded air, after the plan's formula; after Ciddor where nothing is corrected. Raises ValueError."""
    conditions: dict[str, Any] = {
        "temperature_k": rows["air_temperature_k"],
        "pressure_pa": rows["air_pressure_pa"],
        "relative_humidity": rows["relative_humidity"],
        "wavelength_m": plan.instrument.vacuum_wavelength,
    }
    if plan.evaluation.refractive_index == "edlen":
        return air.edlen(**conditions)
    return air.ciddor(**conditions, co2_ratio=plan.evaluation.co2)


def _uncorrected_air(plan: Parameters, readings: Readings, recording: Positioning) -> tuple[float, float] | str | None:
    """What lengths in units of the vacuum wavelength are wrong by (m), and how much that changed during the test; or why neither is known.

    A reading is n·L + (n − n₀)·D (dead path D, n₀ at the zero): its error is at most (n − 1)·L + |n − n₀|·D. None where the index is corrected.
    """
    if plan.evaluation.refractive_index != "off" or plan.instrument.compensates_air:
        return None
    used = (readings["phase"] == ZERO) | (readings["phase"] == APPROACH) & (readings["outcome"] == MEASURED)
    try:
        n = _index(plan, {name: column[used] for name, column in readings.items()})
    except ValueError as error:
        return f"evaluation.refractive_index is \"off\", and what that costs cannot be told from the recorded air: {error}"
    length_m, change = float(recording.target[-1] - recording.target[0]), float(np.ptp(n))
    dead_path_m = plan.instrument.dead_path
    return float(n.max() - 1) * length_m + change * dead_path_m, change * (length_m + dead_path_m)


def imported_recording(plan: Evaluated, readings: Readings) -> Positioning:
    """The recording in columns of `IMPORTED_COLUMNS`. Raises `DataError` where rows contradict each other."""
    return Positioning.from_rows(
        axis=plan.axis.name,
        kind=plan.axis.kind,
        cycle=plan.cycle.type,
        target=readings["target"],
        run=readings["run"],
        direction=readings["direction"],
        actual=readings["actual"],
        tolerance=TARGET_TOLERANCE,
    )


def _budget(
    plan: Evaluated, recording: Positioning, material_k: float | None, uncorrected: tuple[float, float] | str | None
) -> tuple[Budget | None, str | None]:
    """The budget from the plan's [uncertainty], or the names of what it lacks. Runs are counted where there is a reading at all."""
    known = plan.uncertainty
    made = recording.valid.sum(axis=-1)
    targets, runs = recording.target.size, max(1, int(made[made > 0].min(initial=recording.valid.shape[-1])))
    if recording.kind == "rotary":
        needed = {"device_calibration_angle": known.device_calibration_angle, "environmental_variation_angle": known.environmental_variation_angle}
        absent = [name for name, value in needed.items() if value is None]
        if absent:
            return None, f"the plan's [uncertainty] lacks {', '.join(absent)}"
        return budget(
            RotaryContributors(
                targets=targets,
                runs=runs,
                device_rad=known.device_calibration_angle or 0.0,
                device_resolution_rad=0.0,
                drift_range_rad=known.environmental_variation_angle or 0.0,
            )
        ), None
    stated: dict[str, float] = {name: value for name in LENGTH_CONTRIBUTORS if (value := getattr(known, name)) is not None}
    absent = [name for name in LENGTH_CONTRIBUTORS if name not in stated]
    if isinstance(plan, Parameters) and known.air_index is None and uncorrected is None:
        absent.append("air_index")
    temperature_k = known.mean_material_temperature if material_k is None else material_k
    if temperature_k is None:
        absent.append("mean_material_temperature (the recording has none)")
    alpha = plan.evaluation.expansion_coefficient
    if alpha is None:
        absent.append("evaluation.expansion_coefficient")
    if absent or temperature_k is None or alpha is None:
        return None, f"the plan's [uncertainty] lacks {', '.join(absent)}"
    if isinstance(uncorrected, str):
        return None, uncorrected
    air_m, air_variation_m = uncorrected or (0.0, 0.0)
    length_m = float(recording.target[-1] - recording.target[0])
    if length_m == 0:
        return None, "one target spans no length"
    corrected = plan.evaluation.normalise_to_20_degrees if isinstance(plan, Parameters) else known.already_corrected_to_20_degrees
    return budget(
        Contributors(
            measured_length_m=length_m,
            targets=targets,
            runs=runs,
            device_relative=stated["device_calibration"],
            air_index_relative=0.0 if uncorrected else known.air_index or 0.0,
            air_uncorrected_m=air_m,
            air_variation_m=air_variation_m,
            device_resolution_m=stated["device_resolution"],
            misalignment_m=stated["misalignment_range"],
            machine_expansion_per_k=alpha,
            machine_expansion_range_per_k=stated["expansion_coefficient_range"],
            machine_thermometer_range_k=stated["material_temperature_range"],
            machine_temperature_difference_k=temperature_k - REFERENCE_TEMPERATURE_K,
            drift_range_m=stated["environmental_variation"],
            compensated_to_20_c=corrected,
        )
    ), None


def incomplete(analysis: Analysis, reason: str) -> Analysis:
    """The analysis of a run that was stopped: its figures, if any, flagged as those of an incomplete test."""
    flag = f"the run was stopped before its end ({reason}); the figures are of the readings taken so far and not for acceptance"
    result = replace(analysis.result, flags=(flag, *analysis.result.flags))
    return replace(analysis, result=result, not_for_acceptance="the run was stopped before its end")


def attempts(readings: Readings) -> int:
    """Approaches that gave no valid reading and were repeated or given up."""
    if "phase" not in readings:
        return 0
    return int(np.sum((readings["phase"] == APPROACH) & (readings["outcome"] != MEASURED) & (readings["outcome"] != NOT_MEASURED)))
