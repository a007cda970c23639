"""From the columns of a capture along lines to the 21 errors and the error map. Pure: it runs again whenever the report is asked for.

Each line: optical path -> length in air -> cosine of its beam -> growth of the scales -> deviation, the mean of both directions. The angle of a beam to its axis
is what it sees of the other axes' motions: its lines across them have that slope.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.models.error_basis import Basis
from precision.models.interferometer import geometric_displacement
from precision.standards import volumetric_map
from precision.standards.volumetric import Telling
from precision.standards.volumetric_lines import Line, identify_lines, lines_tell
from precision.units import REFERENCE_TEMPERATURE_K

from .lines import AXES, POINT, READ
from .lines_21_plan import CONTRIBUTORS, Parameters, Reading
from .lines_readings import of_line
from .procedure import Readings
from .volumetric_evaluation import Judged, corrections_made, even_basis, expansion_effects, refractive_index

Array = NDArray[np.float64]

UNSTATED_M = 1e-6
"""Weight of a reading where the plan says nothing: all alike. U is not stated then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis(Judged):
    """lines : as measured, both directions' mean. beam_tilt_rad : of the beams along X, Y, Z to their axes. missing : lines that were not read."""

    lines: tuple[Line, ...]
    beam_tilt_rad: tuple[float, float, float]
    missing: tuple[str, ...]


def lacking(plan: Parameters) -> tuple[str, ...]:
    """What the plan would have to say for U to be stated."""
    needed = [*CONTRIBUTORS]
    if plan.evaluation.refractive_index != "off":
        needed.append("air_index")
    if plan.evaluation.normalise_to_20_degrees:
        needed += ["material_temperature_range", "expansion_coefficient_range"]
    if not plan.optics.squares:
        needed = [name for name in needed if name not in ("mirror_form", "square")]
    return tuple(name for name in needed if getattr(plan.uncertainty, name) is None)


def basis_of(plan: Parameters) -> Basis:
    """Nodes over the volume, reference at its lowest corner."""
    return even_basis(plan.volume.chain, plan.volume.spans, plan.evaluation)


def check(plan: Parameters) -> Telling:
    """What the plan's lines can tell."""
    lines = [_error_line(plan, reading, np.zeros(len(reading.line.share))) for reading in plan.readings]
    return lines_tell(lines, basis_of(plan), assumed_zero=plan.evaluation.assumed_zero)


def analyse(plan: Parameters, readings: Readings, *, stopped: str | None = None) -> Analysis:
    """Evaluate the readings of `plan`.

    Raises
    ------
    DataError       errors that the lines which were read do not determine, by name; an index outside the formulas
    """
    index = refractive_index(plan.evaluation, readings)
    read, values, missing = [], [], []
    good = (readings["phase"] == POINT) & (readings["outcome"] == READ)
    for number, reading in enumerate(plan.readings):
        # A line that was broken off is left out whole: half of it would have one direction only.
        if (good & (readings["line"] == number)).sum() < 2 * plan.cycle.runs * len(reading.line.share):
            missing.append(reading.line.name)
            continue
        read.append(reading)
        values.append(_seen(plan, readings, index, reading, number))
    if not read:
        raise DataError("no line was read to its end; there is nothing to evaluate. See the run's events.jsonl for what happened, and measure again")
    tilt = [_tilt(read, values, beam) for beam in range(3)]
    lines = [_error_line(plan, reading, _deviation(reading, value, tilt)) for reading, value in zip(read, values, strict=True)]
    basis, without, u = basis_of(plan), lacking(plan), plan.uncertainty
    material = np.array([_material_k(plan, readings, good, axis) for axis in AXES])
    found = identify_lines(
        lines, basis, square_u_rad=(u.square or 0.0) / 2, scale_u=math.hypot((u.device_calibration or 0.0) / 2, (u.air_index or 0.0) / 2),
        direct={} if without else expansion_effects(plan.evaluation, u, basis, material), assumed_zero=plan.evaluation.assumed_zero, curved=True,
    )  # fmt: skip
    grid = [np.linspace(low, high, plan.evaluation.map_points) for low, high in plan.volume.spans.values()]
    mapped = volumetric_map.evaluate(found.machine if without else found, grid[0], grid[1], grid[2], tool_m=plan.evaluation.tool)
    return Analysis(
        found=found, map=mapped, corrections=corrections_made(plan.evaluation, material), lacking=without, lines=tuple(lines), missing=tuple(missing),
        material_k=(float(material[0]), float(material[1]), float(material[2])), beam_tilt_rad=(tilt[0], tilt[1], tilt[2]), stopped=stopped,
    )  # fmt: skip


def noise_m(plan: Parameters, reading: Reading) -> float:
    """Standard deviation of one value of a line: the instrument and the drift; along the motion also where the axis stops, against a square also its form.

    The repeatability holds errors shorter than the nodes, which come back in every run: it is not divided by the root of their number.
    """
    u = plan.uncertainty
    if lacking(plan):
        return UNSTATED_M
    parts = [u.device_noise or 0.0, (u.environmental_variation or 0.0) / math.sqrt(12)]
    if reading.error[1] == reading.error[2]:
        parts.append(u.repeatability or 0.0)
    if reading.label.startswith("square"):
        parts.append((u.mirror_form or 0.0) / math.sqrt(12))
    return math.hypot(*parts)


def _error_line(plan: Parameters, reading: Reading, value: Array) -> Line:
    low = plan.volume.spans[reading.error[2]][0]
    return Line(
        name=reading.error, position_m=low + np.array(reading.line.share) * reading.line.length_m, value=value, noise=noise_m(plan, reading),
        at_m=plan.volume.at_m, tool_m=reading.tool_m, square=reading.square, label=reading.label,
    )  # fmt: skip


def _seen(plan: Parameters, readings: Readings, index: Array, reading: Reading, number: int) -> Array:
    """(n,) m displacement in the beam's direction, mean of both directions and all runs, in air and with the scales at 20 °C."""
    line = reading.line
    seen = of_line(readings, line, number, plan.cycle.runs)
    rows = seen.rows[seen.rows >= 0]
    axis = AXES[line.beam]
    low = plan.volume.spans[axis][0]
    # The beam's whole way is measuring arm: from its optics to where the reflector is when the count is set to zero.
    farther = reading.tool_m[line.beam] - plan.optics.reflectors[0][line.beam]
    dead_path = max(0.0, plan.optics.dead_path + line.start_m[line.beam] - low + farther)
    length = geometric_displacement(readings["displacement_m"][rows], index=index[rows], index_at_zero=index[seen.zero], dead_path_m=dead_path)
    if plan.evaluation.normalise_to_20_degrees and reading.error[1] == reading.error[2]:
        here, at_zero = (readings["material_temperature_k"][which] - REFERENCE_TEMPERATURE_K for which in (rows, seen.zero))
        away, first = readings[f"{axis.lower()}_m"][rows] - low, readings[f"{axis.lower()}_m"][seen.zero] - low
        length = length - plan.evaluation.expansion_coefficient * (here * away - at_zero * first)
    table = np.full(seen.rows.shape, np.nan)
    table[seen.rows >= 0] = length
    return np.asarray(table.mean(axis=(0, 2)))


def _tilt(read: Sequence[Reading], values: Sequence[Array], beam: int) -> float:
    """Angle of a beam to its axis, from the slopes it sees while the two others move; errors of the machine hardly matter, its square is what counts."""
    slopes = []
    for axis in AXES:
        mine = [
            np.polyfit(np.array(one.line.share) * one.line.length_m, value, 1)[0]
            for one, value in zip(read, values, strict=True)
            if one.line.beam == beam and one.error[2] == axis != AXES[beam] and one.label.startswith("reflectors")
        ]
        slopes.append(float(np.mean(mine)) if mine else 0.0)
    return math.hypot(*slopes)


def _deviation(reading: Reading, value: Array, tilt_rad: Sequence[float]) -> Array:
    """What is read, less what was commanded along the beam."""
    if reading.error[1] != reading.error[2]:
        return value
    return np.asarray(value / math.cos(tilt_rad[reading.line.beam]) - np.array(reading.line.share) * reading.line.length_m)


def _material_k(plan: Parameters, readings: Readings, good: NDArray[np.bool_], axis: str) -> float:
    mine = [number for number, reading in enumerate(plan.readings) if reading.error[2] == axis]
    rows = good & np.isin(readings["line"], mine)
    return float(readings["material_temperature_k"][rows].mean()) if rows.any() else REFERENCE_TEMPERATURE_K
