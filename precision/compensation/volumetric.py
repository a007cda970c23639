"""Error parameters of a whole machine: from the 21 errors to the files that carry them, and back; and what tables of single axes can do instead.

The exchange formats (Etalon, ISG CSV) hold errors by the names of ISO 230-1, actual − nominal; a controller subtracts what they add up to. How they add up is
not in the file: it is the chain (which axis carries which) and the reference of the tool offset, and vendors differ. Ours is `precision.kernels.volumetric`.
The file's comment says so, and the first thing to verify on a machine is the sign of one straightness, one squareness and one angle.

A table of one axis (LinuxCNC and its kind) knows only its own position: it takes off the mean, over the volume, of what the tool errs in its direction. What
the others do to it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..models.rigid_body import AXES, FUNCTIONS, NO_TOOL, SQUARENESS, RigidBody
from . import etalon, isg_csv
from .parameters import Curve, Parameters
from .table import Table

Array = NDArray[np.float64]

FORMATS: Final = {"etalon": etalon, "isg-csv": isg_csv}
"""Name -> module with `read_parameters` and `write_parameters`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A machine from a file. missing : errors that the file does not have, taken as zero."""

    machine: RigidBody
    missing: tuple[str, ...]


def parameters_of(machine: RigidBody) -> Parameters:
    """The 21 errors as a file carries them. Levers from measuring points go into the translations."""
    if any(value != 0.0 for axis in machine.errors[:3] for value in axis.lever_m):
        machine = machine.normalised()
    curves = {name: Curve(position=at, error=values) for name in FUNCTIONS for at, values in [machine.curve(name)]}
    return Parameters(curves=curves, constants=dict(machine.constants))


def machine_of(parameters: Parameters, chain: str) -> Loaded:
    """The machine whose errors a file holds.

    Raises
    ------
    DataError       errors of rotary axes, which a machine of three linear axes does not have; a chain that is none
    """
    strange = sorted(
        (set(parameters.curves) - set(FUNCTIONS)) | {name for name, value in parameters.constants.items() if name not in SQUARENESS and value != 0.0}
    )
    if strange:
        raise DataError(f"{', '.join(strange[:6])}: not among the 21 errors of three linear axes; a file for three linear axes is expected")
    machine = RigidBody.from_curves(
        chain,
        {name: (one.position, one.error) for name, one in parameters.curves.items()},
        {name: value for name, value in parameters.constants.items() if name in SQUARENESS},
    )
    there = {*parameters.curves, *parameters.constants}
    return Loaded(machine=machine, missing=tuple(name for name in (*FUNCTIONS, *SQUARENESS) if name not in there))


def read_parameters(text: str, format: str) -> Parameters:
    """The error parameters in a file of the format "etalon" or "isg-csv". Raises `DataError` naming the line."""
    parameters: Parameters = _module(format).read_parameters(text)
    return parameters


def write_parameters(machine: RigidBody, format: str) -> str:
    """The file of a machine, "etalon" or "isg-csv"."""
    text: str = _module(format).write_parameters(parameters_of(machine), chain=machine.chain)
    return text


def axis_table(
    machine: RigidBody, axis: str, volume_m: Mapping[str, tuple[float, float]], tool_m: tuple[float, float, float] = NO_TOOL, *, points: int = 9
) -> Table:
    """The table of one axis that leaves the least of its direction's error in the volume (least squares): minus the mean over the other axes.

    volume_m : axis -> lowest and highest position. points : of the other axes.

    Raises
    ------
    DataError       another axis
    """
    if axis not in AXES:
        raise DataError(f"axis is {axis!r}; expected X, Y or Z")
    k = AXES.index(axis)
    node = np.asarray(machine.errors[k].position_m, dtype=np.float64)  # type: ignore[union-attr]
    low, high = volume_m[axis]
    inside = node[(node > low) & (node < high)]
    lines: list[Array] = [np.concatenate([[low], inside, [high]]) if letter == axis else np.linspace(*volume_m[letter], points) for letter in AXES]
    delta = machine.grid(lines[0], lines[1], lines[2], tool_m)[k]
    mean = delta.mean(axis=tuple(other for other in range(3) if other != k))
    return Table(axis=axis, nominal=lines[k], forward=-mean, reverse=-mean)


def after_axis_tables(
    machine: RigidBody, tables: Mapping[str, Table], grid_m: tuple[Array, Array, Array], tool_m: tuple[float, float, float] = NO_TOOL
) -> Array:
    """Δ on a grid when single axes are corrected by their tables, (3, nx, ny, nz) m, to first order in the correction."""
    delta = machine.grid(*grid_m, tool_m).copy()
    for axis, table in tables.items():
        k = AXES.index(axis)
        shape = [1, 1, 1]
        shape[k] = -1
        delta[k] += table.correction(grid_m[k], 0).reshape(shape)
    return delta


def _module(format: str):  # type: ignore[no-untyped-def]
    if format not in FORMATS:
        raise DataError(f"{format[:40]!r} carries no error parameters of a machine; expected {' or '.join(FORMATS)}")
    return FORMATS[format]
