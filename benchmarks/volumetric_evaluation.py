"""From the readings of a volumetric test to the 21 errors and the error map. Pure: it runs again whenever the report is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.models import air
from precision.models.error_basis import Basis
from precision.models.interferometer import geometric_displacement
from precision.models.rigid_body import AXES
from precision.standards import multilateration, volumetric_map
from precision.standards.multilateration import Instrument, Station
from precision.standards.station_plan import Check, Planned, check_stations
from precision.standards.volumetric import Identified
from precision.units import REFERENCE_TEMPERATURE_K

from .volumetric import POINT, READ, ZERO, points_m
from .volumetric_plan import CONTRIBUTORS, Parameters, Uncertainty
from .volumetric_plan import Evaluation as Corrections

Array = NDArray[np.float64]
Readings = Mapping[str, NDArray[Any]]

UNSTATED = Instrument(noise_m=1e-6)
"""Weights where the plan says nothing of the readings: all alike. U is not stated then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A test of the 21 errors, judged.

    found : the 21 errors. map : on the grid, for the plan's tool. corrections : sentences, and whether the correction was made. lacking : what the plan does
    not say of the uncertainty; U is not stated where anything is. material_k : mean temperatures of the screws of X, Y, Z.
    stopped : why the test ended early, or None.
    """

    found: Identified
    map: volumetric_map.Result
    corrections: tuple[tuple[str, bool], ...]
    lacking: tuple[str, ...]
    material_k: tuple[float, float, float]
    stopped: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis(Judged):
    """Of distances from stations."""

    found: multilateration.Result


def basis_of(plan: Parameters) -> Basis:
    """Nodes over the volume, reference at its lowest corner."""
    return even_basis(plan.volume.chain, plan.volume.spans, plan.evaluation)


def even_basis(chain: str, spans: Mapping[str, tuple[float, float]], evaluation: Corrections) -> Basis:
    """The plan's nodes over spans of X, Y, Z, reference at the lowest corner."""
    return Basis.even(chain, tuple(spans.values()), evaluation.nodes, degree=1 if evaluation.functions == "linear" else 3)


def instrument_of(plan: Parameters) -> Instrument:
    """What the plan says of a reading; the machine's repeatability counts as noise of the distance."""
    u = plan.uncertainty
    if u.device_noise is None:
        return UNSTATED
    scale = math.hypot((u.device_calibration or 0.0) / 2, (u.air_index or 0.0) / 2)
    return Instrument(noise_m=math.hypot(u.device_noise, u.repeatability or 0.0), noise_per_m=u.device_noise_per_metre, scale_u=scale)


def lacking(plan: Parameters) -> tuple[str, ...]:
    """What the plan would have to say for U to be stated."""
    needed = [*CONTRIBUTORS]
    if plan.evaluation.refractive_index != "off":
        needed.append("air_index")
    if plan.evaluation.normalise_to_20_degrees:
        needed += ["material_temperature_range", "expansion_coefficient_range"]
    return tuple(name for name in needed if getattr(plan.uncertainty, name) is None)


def check(plan: Parameters) -> Check:
    """The plan's stations judged: rank and predicted U."""
    planned = [Planned(name=station.name, place_m=station.place, tool_m=station.reflector) for station in plan.stations]
    return check_stations(
        planned, points_m(plan), basis_of(plan), instrument_of(plan), assumed_zero=plan.evaluation.assumed_zero, tool_m=plan.evaluation.tool
    )


def analyse(plan: Parameters, readings: Readings, *, stopped: str | None = None) -> Analysis:
    """Evaluate the readings of `plan`.

    Raises
    ------
    DataError       too few stations or readings, errors that they do not determine, an index outside the formulas
    """
    basis = basis_of(plan)
    good = (readings["phase"] == POINT) & (readings["outcome"] == READ)
    if not good.any():
        raise DataError("no distance was read; there is nothing to evaluate")
    index = refractive_index(plan.evaluation, readings)
    stations = [
        _station(plan, readings, index, number) for number in range(len(plan.stations)) if (good & (readings["station"] == number)).sum() >= 8
    ]
    material = np.array([readings[f"material_{axis.lower()}_k"][good].mean() for axis in AXES])
    missing = lacking(plan)
    found = multilateration.multilaterate(
        stations,
        basis,
        instrument_of(plan),
        assumed_zero=plan.evaluation.assumed_zero,
        direct={} if missing else expansion_effects(plan.evaluation, plan.uncertainty, basis, material),
        curved=True,
    )
    lines = [np.linspace(low, high, plan.evaluation.map_points) for low, high in plan.volume.spans.values()]
    mapped = volumetric_map.evaluate(found.machine if missing else found, lines[0], lines[1], lines[2], tool_m=plan.evaluation.tool)
    x, y, z = (float(value) for value in material)
    return Analysis(found=found, map=mapped, corrections=corrections_made(plan.evaluation, material), lacking=missing, material_k=(x, y, z), stopped=stopped)


def _station(plan: Parameters, readings: Readings, index: Array, number: int) -> Station:
    """One station's changes of distance: light and air taken out, and how far the scales moved the tool."""
    station = plan.stations[number]
    here = readings["station"] == number
    rows = here & (readings["phase"] == POINT) & (readings["outcome"] == READ)
    points = np.stack([readings[f"{axis.lower()}_m"] for axis in AXES])
    whole = np.linalg.norm(points + (np.array(station.reflector) - np.array(station.place))[:, None], axis=0)
    distance = np.empty(int(rows.sum()))
    zeros = readings["zero"][rows]
    for zero in np.unique(zeros):
        begun = np.flatnonzero(here & (readings["phase"] == ZERO) & (readings["zero"] == zero))
        if begun.size != 1:
            raise DataError(f"station {station.name}: {begun.size} records of zero {zero}; expected one. The capture is not of one test")
        these = zeros == zero
        # The whole way from the station is measuring arm: at zero it is dead path.
        distance[these] = geometric_displacement(
            readings["displacement_m"][rows][these], index=index[rows][these], index_at_zero=index[begun[0]], dead_path_m=whole[begun[0]]
        )
    growth = np.zeros((3, distance.size))
    if plan.evaluation.normalise_to_20_degrees:
        for k, (axis, (low, _)) in enumerate(plan.volume.spans.items()):
            warmer = readings[f"material_{axis.lower()}_k"][rows] - REFERENCE_TEMPERATURE_K
            growth[k] = plan.evaluation.expansion_coefficient * warmer * (points[k, rows] - low)
    return Station(
        name=station.name, position_m=points[:, rows], distance_m=distance, tool_m=station.reflector, zeroing=zeros.astype(np.float64), known_m=growth
    )


def refractive_index(evaluation: Corrections, readings: Readings) -> Array:
    """Refractive index at each row; 1 where it is not corrected. Raises `DataError` for air outside the formulas."""
    if evaluation.refractive_index == "off":
        return np.ones(readings["phase"].size)
    conditions: dict[str, Any] = {
        "temperature_k": readings["air_temperature_k"], "pressure_pa": readings["air_pressure_pa"], "relative_humidity": readings["relative_humidity"],
        "wavelength_m": evaluation.vacuum_wavelength,
    }  # fmt: skip
    try:
        if evaluation.refractive_index == "edlen":
            return np.asarray(air.edlen(**conditions))
        return np.asarray(air.ciddor(**conditions, co2_ratio=evaluation.co2))
    except ValueError as error:
        raise DataError(f"the refractive index cannot be computed: {error}") from error


def expansion_effects(evaluation: Corrections, u: Uncertainty, basis: Basis, material_k: Array) -> dict[str, Array]:
    """What one standard uncertainty of each axis' correction to 20 °C does to its positioning."""
    if not evaluation.normalise_to_20_degrees:
        return {}
    effects = {}
    root12 = 2 * math.sqrt(3)
    for k, axis in enumerate(AXES):
        warmer = abs(float(material_k[k]) - REFERENCE_TEMPERATURE_K)
        slope = (
            math.hypot(warmer * (u.expansion_coefficient_range or 0.0), evaluation.expansion_coefficient * (u.material_temperature_range or 0.0))
            / root12
        )
        effect = np.zeros(basis.size)
        nodes = basis.nodes_m[k]
        effect[basis.columns[f"E{axis}{axis}"]] = np.linalg.solve(basis.splines(k, nodes), slope * (nodes - basis.reference_m[k]))
        effects[f"expansion of {axis}"] = effect
    return effects


def corrections_made(evaluation: Corrections, material_k: Array) -> tuple[tuple[str, bool], ...]:
    """Sentences, and whether the correction was made. material_k : mean temperatures of the screws."""
    made: list[tuple[str, bool]] = []
    if evaluation.refractive_index == "off":
        made.append(("Distances are as the instrument gave them; no refractive index was applied.", False))
    else:
        name = {"ciddor": "Ciddor (1996)", "edlen": "modified Edlén"}[evaluation.refractive_index]
        made.append((f"Refractive index after {name} at every reading, the whole way of the beam taken as in air.", True))
    temperatures = ", ".join(f"{axis} {value - 273.15:.2f} °C" for axis, value in zip(AXES, material_k, strict=True))
    if evaluation.normalise_to_20_degrees:
        alpha = evaluation.expansion_coefficient * 1e6
        made.append(
            (f"Growth of the scales away from 20 °C taken off at every reading ({alpha:g} µm/(m·K); mean of the screws: {temperatures}).", True)
        )
    else:
        made.append(
            (f"The errors are those of the machine at its temperature (mean of the screws: {temperatures}); nothing was corrected to 20 °C.", False)
        )
    return tuple(made)
