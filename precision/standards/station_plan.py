"""A plan for multilateration, judged before anything is measured: can it tell the 21 errors, and how well.

Neither rank nor uncertainty needs a reading: both follow from the places of the stations, the reflector's offsets, the points and the instrument
(`multilateration`), to first order. Rank short: the errors that it cannot tell are named. Full: the U that a measurement will have at best, if the machine
repeats itself and bends no more between the nodes than they can follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..errors import DataError
from ..models.error_basis import Basis
from ..models.rigid_body import NAMES, SQUARENESS, is_rotation, symbol
from .arrays import Array
from .multilateration import FEWEST, Instrument, advice, equations_of, without_readings
from .reported import Reported, figure, keyed
from .volumetric import Identified, System, Telling, identify

GRID: Final = 5
"""Points along each axis where the U of Δ is worked out."""
_IS_U: Final = "it is an uncertainty itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A station as planned: where it stands (machine coordinates), and the reflector's offset there, m."""

    name: str
    place_m: tuple[float, float, float]
    tool_m: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Check(Reported):
    """A plan, judged. Figures: "U_E_XX" … (largest U over the travel), "U_volume" (largest U of a component of Δ in the volume); the reason where short.

    told : rank and names.
    """

    told: Telling

    @property
    def good(self) -> bool:
        """Whether it determines all that is asked, with at least four stations."""
        return not self.flags


def check_stations(
    stations: Sequence[Planned],
    position_m: Array,
    basis: Basis,
    instrument: Instrument,
    *,
    assumed_zero: Sequence[str] = (),
    tool_m: Sequence[float] | None = None,
) -> Check:
    """Rank and predicted U of a plan.

    Parameters
    ----------
    stations : as planned; each sees all points
    position_m : (3, n) positions of X, Y, Z to be measured
    basis : chain, nodes, conventions
    instrument : what is known of it
    tool_m : tool for which the U of Δ is stated; by default the mean of the reflector's offsets

    Raises
    ------
    DataError       stations or points that no distances can be made of: names that are twice, a reflector at the station
    """
    if not stations:
        raise DataError("no stations; expected at least four")
    points = np.asarray(position_m, dtype=np.float64)
    planned = [without_readings(one.name, one.place_m, points, one.tool_m) for one in stations]
    read = {one.name: one.distance_m for one in planned}
    system = System(basis, equations_of(planned, basis, instrument), assumed_zero)
    told = system.telling(system.solve())
    flags = []
    if len(stations) < FEWEST:
        flags.append(f"{len(stations)} stations; at least {FEWEST} are needed to calibrate the stations with points that are each determined")
    figures = []
    if told.complete:
        predicted = identify(
            basis, system.equations, title="prediction", assumed_zero=assumed_zero, common={"scale": lambda one: instrument.scale_u * read[one.name]}
        )
        for name in NAMES:
            if name not in assumed_zero:
                u = 2 * float(predicted.standard_uncertainty(name).max())
                figures.append(figure(f"U_{symbol(name)}", _told(name), u, "rad" if is_rotation(name) else "m", _IS_U, symbol=f"U({symbol(name)})"))
        tool = np.mean([one.tool_m for one in stations], axis=0) if tool_m is None else np.asarray(tool_m, dtype=np.float64)
        figures.append(figure("U_volume", "largest U of a component of Δ in the volume", _largest(predicted, basis, tool), "m", _IS_U, symbol="U(Δ)"))
    else:
        for name in NAMES:
            if name not in assumed_zero:
                value: float | str = (
                    "not determined by this plan" if name in told.undetermined else "not predicted while other errors are not determined"
                )
                figures.append(figure(f"U_{symbol(name)}", _told(name), value, "rad" if is_rotation(name) else "m", symbol=f"U({symbol(name)})"))
        flags.append(f"{told.sentence}. {advice([one.tool_m for one in stations])}")
    return Check(
        title=f"plan of {len(stations)} stations, {points.shape[1]} points", stated=(f"chain {basis.chain}", told.sentence, "U with k = 2, of a machine that repeats itself"),
        figures=keyed(figures), flags=tuple(flags), told=told,
    )  # fmt: skip


def _largest(predicted: Identified, basis: Basis, tool: Array) -> float:
    """U of the worst component of Δ on a grid over the travels."""
    lines = [np.linspace(nodes[0], nodes[-1], GRID) for nodes in basis.nodes_m]
    at = basis.at(np.stack(np.meshgrid(*lines, indexing="ij")).reshape(3, -1))
    rows = (at.displacement(axis, tool) for axis in np.eye(3))
    return 2 * max(float(np.linalg.norm((one - one[:1]) @ predicted.root, axis=1).max()) for one in rows)  # counted from the lowest corner


def _told(name: str) -> str:
    return f"U of {symbol(name)}" if name in SQUARENESS else f"largest U of {symbol(name)} over the travel"
