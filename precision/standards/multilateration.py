"""The 21 errors from distances: multilateration from four or more stations with self-calibration.

A tracking interferometer at an unknown place S_k follows a reflector on the tool (offset t_k) to points p all over the volume and reads the change of its
distance since its zero:

    d = |p + t_k + Δ(p; t_k) − S_k| − l_k + noise

Unknown are the coefficients of the 21 errors (`precision.models.error_basis`), the places S_k and the dead lengths l_k (one for each time the beam was
zeroed). Nothing fixes the frame but the conventions of the errors, and nothing the scale but the wavelength. Gauss-Newton with the analytic Jacobian

    ∂d/∂θ = u·∂Δ/∂θ,   ∂d/∂S = −u,   ∂d/∂l = −1,   u = (p + t + Δ − S)/|p + t + Δ − S|.

The reflector's offset need only be known to a tenth of a millimetre: an error of it moves the station. It has to differ between stations, out of a line:
angles of the axis that carries the tool are seen through it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..errors import DataError
from ..models.error_basis import Basis, Places
from ..models.rigid_body import NO_TOOL
from .arrays import Array, positive, table, vector
from .volumetric import Equations, Identified, System, identify

FEWEST: Final = 4
"""Stations for points that are each determined by themselves and calibrate the stations; fewer are refused."""
STEPS: Final = 20
CONVERGED_M: Final = 1e-10
"""Gauss-Newton ends when no coefficient, place or dead length changes by more."""
OUTLIER: Final = 5.0
"""Residuals this many times their standard deviation are named; one in 1.7 million does it by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A tracking interferometer: standard deviation of a reading, √(noise_m² + (noise_per_m·d)²), and the standard uncertainty of its scale, m/m."""

    noise_m: float
    noise_per_m: float = 0.0
    scale_u: float = 0.0

    def __post_init__(self) -> None:
        positive("noise of a distance", self.noise_m, "m")
        if not (0 <= self.noise_per_m < 1 and 0 <= self.scale_u < 1):
            raise DataError(f"noise_per_m is {self.noise_per_m:g}, scale_u {self.scale_u:g}; expected 0 or more, in m/m")

    def sigma(self, distance_m: Array) -> Array:
        """Standard deviation of readings over whole distances."""
        return np.hypot(self.noise_m, self.noise_per_m * distance_m)


@dataclass(frozen=True, kw_only=True, eq=False)
class Station:
    """One set-up: place and reflector, and what was read there.

    name : of its own. position_m : (3, n) positions of X, Y, Z. distance_m : (n,) change of distance since the zero, longer is positive; NaN: not read.
    tool_m : reflector as a tool offset. near_m : roughly where the station is (machine coordinates), or None: found from the readings.
    zeroing : (n,) which zero a reading counts from, 0, 1, …, where the beam was interrupted; None: one.
    known_m : (3, n) displacement of the tool that is known otherwise and is not to be found as an error: growth of the scales away from 20 °C; None: none.

    Raises
    ------
    DataError       shapes, numbers that are not finite, fewer than 8 readings
    """

    name: str
    position_m: Array
    distance_m: Array
    tool_m: tuple[float, float, float] = NO_TOOL
    near_m: tuple[float, float, float] | None = None
    zeroing: Array | None = None
    known_m: Array | None = None

    def __post_init__(self) -> None:
        points = np.array(self.position_m, dtype=np.float64)
        distances = np.array(self.distance_m, dtype=np.float64)
        if points.ndim != 2 or points.shape[0] != 3 or distances.shape != points.shape[1:]:
            raise DataError(f"station {self.name}: positions have shape {points.shape}, distances {distances.shape}; expected (3, n) and (n,)")
        zeroing = np.zeros(distances.size) if self.zeroing is None else np.array(self.zeroing, dtype=np.float64)
        if zeroing.shape != distances.shape:
            raise DataError(f"station {self.name}: zeroing has shape {zeroing.shape}; expected ({distances.size},)")
        known = np.zeros(points.shape) if self.known_m is None else np.array(self.known_m, dtype=np.float64)
        if known.shape != points.shape:
            raise DataError(f"station {self.name}: known displacements have shape {known.shape}; expected {points.shape}")
        read = ~np.isnan(distances)
        if read.sum() < 8:
            raise DataError(f"station {self.name}: {int(read.sum())} readings; at least 8 are needed for its place, dead length and a check")
        object.__setattr__(self, "position_m", table(f"positions of station {self.name}", points[:, read], (3, None)))
        object.__setattr__(self, "distance_m", vector(f"distances of station {self.name}", distances[read]))
        object.__setattr__(self, "zeroing", vector(f"zeroing of station {self.name}", zeroing[read]))
        object.__setattr__(self, "known_m", table(f"known displacements of station {self.name}", known[:, read], (3, None)))

    @property
    def zero_number(self) -> Array:
        """(n,) which zero a reading counts from."""
        return np.zeros(self.distance_m.size) if self.zeroing is None else self.zeroing

    @property
    def reflector_m(self) -> Array:
        """(3, n) where the reflector is nominally, with what is known otherwise."""
        known = np.zeros((3, 1)) if self.known_m is None else self.known_m
        return np.asarray(self.position_m + np.array(self.tool_m, dtype=np.float64)[:, None] + known)


@dataclass(frozen=True, kw_only=True, eq=False)
class Placed:
    """A station as estimated: place_m (3,), dead_m: zeroing -> m."""

    place_m: Array
    dead_m: Mapping[int, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Identified):
    """As `Identified`. stations : name -> `Placed`. iterations : of Gauss-Newton."""

    stations: Mapping[str, Placed]
    iterations: int


def multilaterate(
    stations: Sequence[Station], basis: Basis, instrument: Instrument, *, assumed_zero: Sequence[str] = (), direct: Mapping[str, Array] | None = None,
    curved: bool = False,
) -> Result:  # fmt: skip
    """The 21 errors from the distances of all stations.

    Parameters
    ----------
    stations : at least 4
    basis : chain, nodes, conventions; nodes no closer than the points' coordinates
    instrument : what is known of its readings
    assumed_zero, direct, curved : as `volumetric.identify`

    Raises
    ------
    DataError       fewer than 4 stations; errors that the readings do not determine, by name; no convergence
    """
    _enough(stations)
    theta = np.zeros(basis.size)
    placed = {station.name: placed_station(station, station.reflector_m) for station in stations}
    points = {station.name: basis.at(station.position_m) for station in stations}
    for iteration in range(1, STEPS + 1):
        equations = [_equations(station, placed[station.name], points[station.name], theta, instrument) for station in stations]
        system = System(basis, equations, assumed_zero)
        estimate, iterations = system.solve(), iteration
        if estimate.rank < estimate.unknowns:
            break  # `identify` says which
        new = system.free @ estimate.solution[: len(system.of_free)]
        steps = dict(zip(system.own, estimate.solution[len(system.of_free) :], strict=True))
        placed = {station.name: _moved(station.name, placed[station.name], steps) for station in stations}
        change = max(float(np.abs(new - theta).max()), max(abs(step) for step in steps.values()))
        theta = new
        if change < CONVERGED_M:
            break
    else:
        raise DataError(
            f"multilateration: no convergence in {STEPS} steps (last change {change:.3g} m); look for a station's readings that belong to other points or another reflector"
        )
    equations = [_equations(station, placed[station.name], points[station.name], theta, instrument) for station in stations]
    found = identify(
        basis, equations, title=f"21 errors from distances of {len(stations)} stations to {sum(s.distance_m.size for s in stations)} points", assumed_zero=assumed_zero,
        common=_scale(stations, instrument), direct=direct, curved=curved, flags=_outliers(equations, theta, stations), advice=advice([station.tool_m for station in stations]),
        stated=(f"distances known to {instrument.noise_m * 1e6:.3g} µm + {instrument.noise_per_m * 1e6:.3g} µm/m (standard deviation), scale to {instrument.scale_u * 1e6:.3g} µm/m",),
    )  # fmt: skip
    fields = {name: getattr(found, name) for name in found.__dataclass_fields__}
    # The unknowns were steps from where the iteration ended: zero but for rounding.
    at = {own: value for station in stations for own, value in _places(station.name, placed[station.name]).items()}
    fields["own"] = {name: (at[name], u) for name, (_, u) in found.own.items()}
    return Result(**fields, stations=placed, iterations=iterations)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """Readings of a station as the model has them, (n,) m; the whole lengths, (n,) m; derivatives by θ (n, P), and by place and dead lengths (n,) each."""

    reading_m: Array
    length_m: Array
    rows: Array
    own: Mapping[str, Array]


def distances(station: Station, placed: Placed, points: Places, theta: Array) -> Model:
    """The model of a station and its Jacobian, at coefficients θ. points : the basis at the station's positions."""
    way = station.reflector_m + points.error(theta, station.tool_m) - placed.place_m[:, None]
    length = np.linalg.norm(way, axis=0)
    if np.any(length < 1e-3):
        raise DataError(f"station {station.name}: a reflector within 1 mm of it; a distance has no direction there")
    u = way / length
    own = {f"{station.name} {axis}": -u[k] for k, axis in enumerate("XYZ")}
    reading = length.copy()
    for number, dead in placed.dead_m.items():
        here = station.zero_number == number
        reading[here] -= dead
        own[_dead(station.name, number)] = -np.asarray(here, dtype=np.float64)
    return Model(reading_m=reading, length_m=length, rows=points.displacement(u, station.tool_m), own=own)


def placed_station(station: Station, reflector_m: Array, *, steps: int = 50) -> Placed:
    """Place and dead lengths of a station from its readings to known points: from the linear equations p² − d² = 2 p·S + 2 d·l − c, then Gauss-Newton.

    Raises
    ------
    DataError       the points lie in a plane or line with the station, and `near_m` does not help; no convergence
    """
    numbers = np.unique(station.zero_number)
    p, d = reflector_m, station.distance_m
    place, dead = _start(station, p)
    for _ in range(steps):
        way = p - place[:, None]
        length = np.linalg.norm(way, axis=0)
        here = np.asarray(station.zero_number == numbers[:, None], dtype=np.float64)
        columns = np.column_stack([*(-way / np.maximum(length, 1e-6)), *(-here)])
        step, _, rank, _ = np.linalg.lstsq(columns, d - (length - here.T @ dead), rcond=1e-9)
        if rank < columns.shape[1]:
            raise DataError(
                f"station {station.name}: its place does not follow from its readings; the points lie in one plane or line with it. Measure points all over the volume"
            )
        place, dead = place + step[:3], dead + step[3:]
        if np.abs(step).max() < 1e-9:
            return Placed(place_m=place, dead_m={int(number): float(value) for number, value in zip(numbers, dead, strict=True)})
    raise DataError(
        f"station {station.name}: no place fits its readings; are they of these points, in this order? Give `near_m`, where the station roughly is"
    )


def advice(tools_m: Sequence[Sequence[float]]) -> str:
    """What may be missing where the rank is short."""
    tools = np.array(tools_m, dtype=np.float64)
    spread = np.linalg.matrix_rank(tools - tools[0], tol=5e-3)
    if spread < 2:
        seen = "have the same reflector offset" if spread == 0 else "have reflector offsets on one line"
        return f"the stations {seen}: angles of the axis that carries the tool are seen through it alone. Mount the reflector at offsets of 50 mm and more to different sides, with 3 at least"
    return "spread the stations around the volume, at different heights, measure points all over it, or choose fewer nodes"


def without_readings(name: str, place_m: Sequence[float], position_m: Array, tool_m: tuple[float, float, float] = NO_TOOL) -> Station:
    """A station that is planned: the distances it would read on a perfect machine."""
    points = np.asarray(position_m, dtype=np.float64)
    place = (float(place_m[0]), float(place_m[1]), float(place_m[2]))
    length = np.linalg.norm(points + np.array(tool_m)[:, None] - np.array(place)[:, None], axis=0)
    return Station(name=name, position_m=points, distance_m=length - length[0], tool_m=tool_m, near_m=place)


def equations_of(stations: Sequence[Station], basis: Basis, instrument: Instrument) -> list[Equations]:
    """The equations of stations for a perfect machine, at the places that fit their readings: what a plan can tell."""
    zero = np.zeros(basis.size)
    return [_equations(station, placed_station(station, station.reflector_m), basis.at(station.position_m), zero, instrument) for station in stations]


def _start(station: Station, p: Array) -> tuple[Array, Array]:
    numbers, d = np.unique(station.zero_number), np.asarray(station.distance_m)
    if station.near_m is not None:
        place = np.array(station.near_m, dtype=np.float64)
        length = np.linalg.norm(p - place[:, None], axis=0)
        return place, np.array([float(np.mean((length - d)[station.zero_number == number])) for number in numbers])
    here = np.asarray(station.zero_number == numbers[:, None], dtype=np.float64)
    centre = p.mean(axis=1, keepdims=True)
    q = p - centre
    columns = np.column_stack([*(2 * q), *(2 * d * here), *(-here)])
    solution, *_ = np.linalg.lstsq(columns, (q**2).sum(axis=0) - d**2, rcond=1e-12)
    return solution[:3] + centre[:, 0], solution[3 : 3 + numbers.size]


def _equations(station: Station, placed: Placed, points: Places, theta: Array, instrument: Instrument) -> Equations:
    """Linearised at θ and `placed`; the unknowns are the whole of θ, and steps of place and dead length."""
    model = distances(station, placed, points, theta)
    return Equations(
        name=station.name,
        rows=model.rows,
        values=station.distance_m - model.reading_m + model.rows @ theta,
        sigma=instrument.sigma(model.length_m),
        own=model.own,
    )


def _moved(name: str, placed: Placed, steps: Mapping[str, float]) -> Placed:
    step = np.array([steps[f"{name} {axis}"] for axis in "XYZ"])
    return Placed(place_m=placed.place_m + step, dead_m={number: dead + steps[_dead(name, number)] for number, dead in placed.dead_m.items()})


def _places(name: str, placed: Placed) -> dict[str, float]:
    return {f"{name} {axis}": float(placed.place_m[k]) for k, axis in enumerate("XYZ")} | {
        _dead(name, number): dead for number, dead in placed.dead_m.items()
    }


def _dead(name: str, number: int) -> str:
    return f"dead length of {name}" + (f" ({number + 1})" if number else "")


def _scale(stations: Sequence[Station], instrument: Instrument) -> dict[str, Callable[[Equations], Array]]:
    read = {station.name: station.distance_m for station in stations}
    return {"scale": lambda one: instrument.scale_u * read[one.name]} if instrument.scale_u > 0 else {}


def _outliers(equations: Sequence[Equations], theta: Array, stations: Sequence[Station]) -> list[str]:
    found = []
    for one, station in zip(equations, stations, strict=True):
        over = np.abs(one.values - one.rows @ theta) / one.sigma
        spread = max(1.0, float(np.sqrt(np.mean(over**2))))
        for index in np.flatnonzero(over > OUTLIER * spread)[:3]:
            at = ", ".join(f"{axis} {value * 1e3:.4g}" for axis, value in zip("XYZ", station.position_m[:, index], strict=True))
            found.append(
                f"station {station.name}, reading {index + 1} ({at} mm): residual {over[index]:.0f} times its standard deviation; a reading or a point is wrong there"
            )
    return found


def _enough(stations: Sequence[Station]) -> None:
    if len(stations) < FEWEST:
        raise DataError(
            f"{len(stations)} stations; multilateration with self-calibration needs at least {FEWEST}, around the volume and not in one plane"
        )
