"""The error map of a machine on a grid: the file that `correction.py` beside a LinuxCNC takes off the commands, over the whole volume.

    precision-error-map 1
    errors actual-minus-nominal
    unit mm um urad                      positions and tool, translations, rotations
    chain XYFZ                           from workpiece to tool; for the reader
    tool 0 0 -120                        the tool offset that the translations are for
    x 20 68 116 ...                      ascending, in the controller's machine coordinates; y and z the same
    y ...
    z ...
    points 4095
    -1.204 0.310 0.052 3.100 -0.200 1.004      Δx Δy Δz A B C of the tool relative to the workpiece at x[0], y[0], z[0]; then z runs fastest, x slowest
    ...
    end

Errors are actual − nominal; the controller adds the opposite. Lines that begin with # are comments, before `points` only. Between nodes it is linear in each of X, Y and Z; beyond
the grid the value on its face holds. For another tool t than that of the file Δ(t) = Δ + ε × (t − tool), with ε = (A, B, C): rigid bodies, first order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..models.rigid_body import AXES, NO_TOOL, RigidBody
from .lines import ascending, decimal, number, numbered, refuse, whole

Array = NDArray[np.float64]

FORMAT: Final = "error map"
HEAD: Final = "precision-error-map 1"
SIGN: Final = "errors actual-minus-nominal"
UNITS: Final = "unit mm um urad"
MOST_NODES: Final = 25
"""Along an axis. Even with all three it is read in a moment; errors that need more nodes than this over the travel are those of the screw's turn."""
LARGEST_M: Final = 1e-3
LARGEST_RAD: Final = 1e-2
"""A file with more than this is no map of a machine's errors."""
_MM: Final = 1e-3
_FACTORS: Final = (1e-6,) * 6
_NOTHING: Final[tuple[int | None, str]] = (None, "")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ErrorMap:
    """Errors at the nodes of a grid.

    x_m, y_m, z_m : (nx,), (ny,), (nz,) ascending, 2 to 25 each, m. delta_m : (3, nx, ny, nz) actual − nominal for `tool_m`, m. turn_rad : (3, nx, ny, nz)
    rotations A, B, C of the tool, rad. chain : from workpiece to tool, or "".

    Raises
    ------
    DataError       shapes, an order or sizes that no map has
    """

    x_m: Array
    y_m: Array
    z_m: Array
    delta_m: Array
    turn_rad: Array
    tool_m: tuple[float, float, float] = NO_TOOL
    chain: str = ""

    def __post_init__(self) -> None:
        for axis, line in zip(AXES, self.lines_m, strict=True):
            if line.ndim != 1 or not 2 <= line.size <= MOST_NODES or not np.all(np.isfinite(line)) or not np.all(np.diff(line) > 0):
                raise DataError(f"{FORMAT}: {axis} has shape {line.shape}; 2 to {MOST_NODES} ascending positions are expected")
        shape = (3, *(line.size for line in self.lines_m))
        for name, values, most in (("translations", self.delta_m, LARGEST_M), ("rotations", self.turn_rad, LARGEST_RAD)):
            if values.shape != shape:
                raise DataError(f"{FORMAT}: {name} have shape {values.shape}; {shape} is expected")
            if not np.all(np.abs(values) <= most):
                raise DataError(f"{FORMAT}: {name} up to {np.abs(values).max():.3g}; at most {most:g} (m, rad) is a machine's error. Is the unit right?")

    @property
    def lines_m(self) -> tuple[Array, Array, Array]:
        """Positions of the nodes along X, Y, Z, m."""
        return self.x_m, self.y_m, self.z_m

    @property
    def size(self) -> int:
        """Nodes of the whole grid."""
        return self.x_m.size * self.y_m.size * self.z_m.size

    def error(self, position_m: ArrayLike, tool_m: Sequence[float] | None = None) -> Array:
        """Δ, actual − nominal: (3, …) m at (3, …) m; tool_m : None: the map's."""
        at = np.asarray(position_m, dtype=np.float64)
        delta, turn = np.split(self._between(at), 2)
        arm = np.zeros(3) if tool_m is None else np.subtract(tool_m, self.tool_m)
        return np.asarray(delta + np.stack([turn[(k + 1) % 3] * arm[(k + 2) % 3] - turn[(k + 2) % 3] * arm[(k + 1) % 3] for k in range(3)]))

    def correction(self, position_m: ArrayLike, tool_m: Sequence[float] | None = None) -> Array:
        """What is added to a command, (3, …) m: −Δ at the command, as `correction.py` does it, in one pass (what that leaves is Δ times its slope: nanometres)."""
        return -self.error(position_m, tool_m)

    def grid(self, x_m: ArrayLike, y_m: ArrayLike, z_m: ArrayLike, tool_m: Sequence[float] | None = None) -> Array:
        """Δ on another grid: (3, nx, ny, nz) m."""
        return self.error(np.stack(np.meshgrid(x_m, y_m, z_m, indexing="ij")), tool_m)

    def plus(self, other: ErrorMap) -> ErrorMap:
        """The sum of both at the nodes of this one, for its tool."""
        at = np.stack(np.meshgrid(*self.lines_m, indexing="ij"))
        return replace(self, delta_m=self.delta_m + other.error(at, self.tool_m), turn_rad=self.turn_rad + other._between(at)[3:])

    def _between(self, at: Array) -> Array:
        """(6, …): translations and rotations, linear between the nodes in each direction, held beyond."""
        values = np.concatenate([self.delta_m, self.turn_rad])
        below, share = [], []
        for line, positions in zip(self.lines_m, at, strict=True):
            p = np.clip(positions, line[0], line[-1])
            k = np.clip(np.searchsorted(line, p, side="right") - 1, 0, line.size - 2)
            below.append(k)
            share.append((p - line[k]) / (line[k + 1] - line[k]))
        total = np.zeros((6, *at.shape[1:]))
        for corner in np.ndindex(2, 2, 2):
            weight = np.prod([s if up else 1 - s for up, s in zip(corner, share, strict=True)], axis=0)
            i, j, k = (index + up for index, up in zip(below, corner, strict=True))
            total += weight * values[:, i, j, k]
        return total


def map_of(machine: RigidBody, tool_m: tuple[float, float, float] = NO_TOOL) -> ErrorMap:
    """The map of a machine at the nodes of its errors, or at 25 even places of an axis with more of them.

    Sums of what depends on one axis, and its products with another's position, are linear in each direction between the nodes: nothing is lost. Of a table's
    angle times its own position, a quarter of the angle's change between two nodes times their distance is.
    """
    lines = []
    for axis in AXES:
        at, _ = machine.curve(f"EX{axis}")
        lines.append(at if at.size <= MOST_NODES else np.linspace(at[0], at[-1], MOST_NODES))
    turn = machine.turn(np.stack(np.meshgrid(*lines, indexing="ij")))
    return ErrorMap(
        x_m=lines[0], y_m=lines[1], z_m=lines[2], delta_m=machine.grid(lines[0], lines[1], lines[2], tool_m), turn_rad=turn, tool_m=tool_m, chain=machine.chain
    )


def write(errors: ErrorMap) -> str:
    """The text of a file; 1 nm and 1 nrad are its last digits."""
    lines = [
        HEAD,
        "# Errors of the tool relative to the workpiece, actual - nominal. The controller adds the opposite.",
        "# Rows: dx dy dz (um) a b c (urad), z runs fastest. Positions are machine coordinates after homing.",
        SIGN, UNITS, *([f"chain {errors.chain}"] if errors.chain else []),
        f"tool {' '.join(decimal(value / _MM, 6) for value in errors.tool_m)}",
        *(f"{axis.lower()} {' '.join(decimal(value / _MM, 6) for value in line)}" for axis, line in zip(AXES, errors.lines_m, strict=True)),
        f"points {errors.size}",
    ]  # fmt: skip
    rows = np.concatenate([errors.delta_m, errors.turn_rad]).reshape(6, -1).T / _FACTORS
    lines += [" ".join(decimal(float(value), 3) for value in row) for row in rows]
    return "\n".join([*lines, "end", ""])


def read(text: str) -> ErrorMap:
    """The map in a file.

    Raises
    ------
    DataError       naming the line: another head, sign or unit, positions that do not ascend, a row too few or too many, numbers that no machine's errors have
    """
    words: Iterator[tuple[int | None, str]] = _content(text)
    for expected in (HEAD, SIGN, UNITS):
        line, said = next(words, _NOTHING)
        if said != expected:
            refuse(FORMAT, line, f"{said[:60]!r}; {expected!r} is expected")
    chain = ""
    line, said = next(words, _NOTHING)
    if said.startswith("chain "):
        chain = said.removeprefix("chain ")
        if sorted(chain) != sorted("FXYZ"):
            refuse(FORMAT, line, f"chain {chain[:20]!r}; X, Y, Z and F, each once, are expected")
        line, said = next(words, _NOTHING)
    tool = _numbers(line, said, "tool", 3, 3)
    lines = []
    for axis in "xyz":
        line, said = next(words, _NOTHING)
        positions = _numbers(line, said, axis, 2, MOST_NODES)
        for before, now in itertools.pairwise(positions):
            ascending(FORMAT, line or 0, before, now, f"{axis}")
        lines.append(np.array(positions) * _MM)
    line, said = next(words, _NOTHING)
    nodes = lines[0].size * lines[1].size * lines[2].size
    if not said.startswith("points ") or whole(FORMAT, line or 0, said.removeprefix("points "), "points") != nodes:
        refuse(FORMAT, line, f"{said[:60]!r}; 'points {nodes}' is expected, for {' × '.join(str(one.size) for one in lines)} nodes")
    rows = []
    for line, said in words:
        if said == "end":
            break
        rows.append(_numbers(line, said, "", 6, 6))
        if len(rows) > nodes:
            refuse(FORMAT, line, f"more than {nodes} rows")
    else:
        refuse(FORMAT, None, f"ends after {len(rows)} of {nodes} rows, without 'end'; it may be cut off")
    if len(rows) != nodes:
        refuse(FORMAT, line, f"'end' after {len(rows)} of {nodes} rows")
    if rest := next(words, None):
        refuse(FORMAT, rest[0], f"{rest[1][:60]!r} after 'end'")
    values = (np.array(rows) * _FACTORS).T.reshape(6, *(one.size for one in lines))
    return ErrorMap(
        x_m=lines[0], y_m=lines[1], z_m=lines[2], delta_m=values[:3], turn_rad=values[3:], chain=chain,
        tool_m=(tool[0] * _MM, tool[1] * _MM, tool[2] * _MM),
    )  # fmt: skip


def _content(text: str) -> Iterator[tuple[int | None, str]]:
    """(line number, text) of what is neither blank nor a comment; comments stand before the rows only."""
    rows = False
    for line, content in numbered(FORMAT, text):
        content = content.strip(" \t")
        if not content or (content.startswith("#") and not rows):
            continue
        rows = rows or content.startswith("points ")
        yield line, content


def _numbers(line: int | None, said: str, name: str, fewest: int, most: int) -> list[float]:
    parts = said.split()
    if name and (not parts or parts.pop(0) != name):
        refuse(FORMAT, line, f"{said[:60]!r}; {name!r} and its numbers are expected")
    if not fewest <= len(parts) <= most:
        refuse(FORMAT, line, f"{len(parts)} numbers{f' of {name}' if name else ''}; {fewest if fewest == most else f'{fewest} to {most}'} are expected")
    return [number(FORMAT, line or 0, part, "a value") for part in parts]
