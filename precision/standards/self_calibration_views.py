"""Views of a plate on a stage, for self-calibration: which mark stands where, which equations that gives, and what they leave open.

A grid of n × n places with pitch D, coordinates from its centre. In view v the plate is turned by a multiple of 90° and shifted by whole pitches,

    M_v(q) = G(q) + R_v·A(R_v⁻¹(q − T_v)) + (t_x, t_y) + θ·(−q_y, q_x) + noise

G : error of the stage at place q, fixed to the machine. A : error of the plate's mark, fixed to the plate. t, θ : how the plate was
misplaced, unknown.

Seven combinations of G, A, t and θ can never be seen, whatever the views (gauge): translation, rotation and mean scale of G; translation
and rotation of A are taken up by t, θ and by one another. A set of views is good if nothing else stays open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .arrays import Array

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Whole = NDArray[np.int64]
GAUGE: Final = 7
"""Constraints: Σ Gx = Σ Gy = 0, Σ (Gy·x − Gx·y) = 0, Σ (Gx·x + Gy·y) = 0, Σ Ax = Σ Ay = 0, Σ (Ay·x − Ax·y) = 0."""
EXACT_RANK_UP_TO: Final = 11
"""Grids up to this size get their rank from the singular values of all equations; larger ones are judged by the pivots of the factorisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How the plate lies: quarter turns counter-clockwise, then a shift in whole pitches (x, y)."""

    turns: int = 0
    shift: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        shift = "" if self.shift == (0, 0) else f" shifted by {self.shift[0]}, {self.shift[1]}"
        return f"{90 * (self.turns % 4)}°{shift}"

    @property
    def rotation(self) -> Whole:
        """R (2, 2), whole numbers."""
        c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[self.turns % 4]
        return np.array([[c, -s], [s, c]], dtype=np.int64)


THREE_VIEWS: Final = (View(), View(turns=1), View(shift=(1, 0)))
"""The smallest set that leaves nothing open: as placed, turned by 90°, shifted by one pitch."""
FOUR_VIEWS: Final = (*THREE_VIEWS, View(shift=(0, 1)))
EIGHT_VIEWS: Final = (*(View(turns=k) for k in range(4)), *(View(shift=shift) for shift in ((1, 0), (-1, 0), (0, 1), (0, -1))))
VIEW_SETS: Final = {"three": THREE_VIEWS, "four": FOUR_VIEWS, "eight": EIGHT_VIEWS}


def coordinates(n: int) -> Array:
    """(n·n, 2) x, y of the places in pitches from the centre, row by row upwards: place k = n·row + column."""
    steps = np.arange(n) - (n - 1) / 2
    y, x = np.meshgrid(steps, steps, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=-1)


def mark_at(view: View, n: int) -> Whole:
    """(n·n,) which mark of the plate stands at each place, −1 for none."""
    doubled = np.rint(2 * coordinates(n)).astype(np.int64) - 2 * np.array(view.shift)
    back = doubled @ view.rotation  # R⁻¹ = Rᵀ, and rows are multiplied from the left
    index = (back + (n - 1)) // 2
    inside = ((index >= 0) & (index < n)).all(axis=1)
    return np.where(inside, n * index[:, 1] + index[:, 0], -1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Equations:
    """H·u = M. Unknowns u: Gx, Gy of each place; Ax, Ay of each mark; t_x, t_y, θ·L of each view (L : half the grid, so that all are lengths).

    matrix : (2r, 4n² + 3V) sparse, rows in pairs dx, dy. view, place, mark : (r,) of each pair. n, views : as given. seen : (4n² + 3V,)
    bool, unknowns that a reading depends on.
    """

    matrix: csr_array
    view: Whole
    place: Whole
    mark: Whole
    n: int
    views: tuple[View, ...]
    seen: NDArray[np.bool_]


def equations(views: Sequence[View], n: int, present: NDArray[np.bool_] | None = None) -> Equations:
    """The equations of all views; `present` (V, n·n) says which places were read, all that have a mark by default."""
    from scipy.sparse import coo_array

    rho = unit_coordinates(n)
    rows, columns, values = [], [], []
    kept_view, kept_place, kept_mark = [], [], []
    start = 0
    for v, view in enumerate(views):
        mark = mark_at(view, n)
        place = np.flatnonzero((mark >= 0) & (True if present is None else present[v]))
        mark = mark[place]
        row = start + 2 * np.arange(place.size)
        turn, offset = view.rotation, 4 * n * n + 3 * v
        for axis in (0, 1):
            entries: list[tuple[Any, Any]] = [
                (2 * place + axis, 1.0),
                (offset + axis, 1.0),
                (offset + 2, -rho[place, 1] if axis == 0 else rho[place, 0]),
            ]
            entries += [(2 * n * n + 2 * mark + other, float(turn[axis, other])) for other in (0, 1) if turn[axis, other]]
            for column, value in entries:
                rows.append(row + axis)
                columns.append(np.broadcast_to(column, row.shape))
                values.append(np.broadcast_to(value, row.shape))
        kept_view.append(np.full(place.size, v))
        kept_place.append(place)
        kept_mark.append(mark)
        start += 2 * place.size
    shape = (start, 4 * n * n + 3 * len(views))
    matrix = coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape).tocsr()
    view_of, place_of, mark_of = (np.concatenate(parts).astype(np.int64) for parts in (kept_view, kept_place, kept_mark))
    seen = np.zeros(shape[1], dtype=bool)
    for part in (
        2 * place_of,
        2 * place_of + 1,
        2 * n * n + 2 * mark_of,
        2 * n * n + 2 * mark_of + 1,
        *(4 * n * n + 3 * view_of + k for k in range(3)),
    ):
        seen[part] = True
    return Equations(matrix=matrix, view=view_of, place=place_of, mark=mark_of, n=n, views=tuple(views), seen=seen)


def unit_coordinates(n: int) -> Array:
    """`coordinates` in units of half the grid: the corners are ±1."""
    return coordinates(n) / max(1.0, (n - 1) / 2)


def gauge(system: Equations) -> tuple[Array, Array]:
    """Z (u, 7), what no view can see, and C (7, u), the constraints that take its place; over the unknowns that are seen (0 for others)."""
    n, views = system.n, system.views
    rho, turned = unit_coordinates(n), unit_coordinates(n) @ np.array([[0, 1], [-1, 0]])  # (−y, x)
    half = max(1.0, (n - 1) / 2)
    size = 4 * n * n + 3 * len(views)
    z, c = np.zeros((size, GAUGE)), np.zeros((GAUGE, size))
    g, a = slice(0, 2 * n * n), slice(2 * n * n, 4 * n * n)
    shapes = [np.tile([1.0, 0.0], (n * n, 1)), np.tile([0.0, 1.0], (n * n, 1)), turned, rho]
    for k in range(4):
        z[g, k] = shapes[k].ravel()
    for k in range(3):
        z[a, 4 + k] = shapes[k].ravel()
    z[a, 3] = -rho.ravel()
    for v, view in enumerate(views):
        t = 4 * n * n + 3 * v
        shift = np.array(view.shift) / half
        z[t : t + 2, 0], z[t : t + 2, 1] = (-1, 0), (0, -1)
        z[t + 2, 2] = -1
        z[t : t + 2, 3] = -shift
        z[t : t + 2, 4], z[t : t + 2, 5] = -view.rotation[:, 0], -view.rotation[:, 1]
        z[t : t + 2, 6], z[t + 2, 6] = np.array([-shift[1], shift[0]]), -1
    seen = system.seen
    c[:4, g] = z[g, :4].T * seen[g]
    c[4:, a] = np.stack([shapes[k].ravel() for k in range(3)]) * seen[a]
    z[~seen] = 0
    return z, c


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRank:
    """What a set of views determines on an n × n grid. unknowns : 4n² + 3V that any reading depends on. rank : with the seven constraints,
    as the literature counts it. open : unknowns − rank. reasons : why, a sentence each; empty where nothing is open. exact_for : the n
    that the rank was computed for."""

    n: int
    unknowns: int
    rank: int
    reasons: tuple[str, ...]
    exact_for: int

    @property
    def open(self) -> int:
        """How many combinations of errors stay undetermined."""
        return self.unknowns - self.rank

    def __str__(self) -> str:
        return f"rank {self.rank} of {self.unknowns} on {self.n} × {self.n}" + "".join(f"; {reason}" for reason in self.reasons)


def rank(views: Sequence[View], n: int, present: NDArray[np.bool_] | None = None) -> ViewRank:
    """Rank of a set of views by singular values, for n up to 11; larger grids are given that of 11 × 11 or, where n is even, of 10 × 10.

    >>> str(rank(THREE_VIEWS, 5))
    'rank 109 of 109 on 5 × 5'
    """
    exact = n if present is not None else min(n, EXACT_RANK_UP_TO - (EXACT_RANK_UP_TO - n) % 2)
    system = equations(views, exact, present)
    _, constraints = gauge(system)
    whole = np.vstack([system.matrix.toarray(), constraints])[:, system.seen]
    found = int(np.linalg.matrix_rank(whole))
    unknowns = int(system.seen.sum())
    why = reasons(views) if found < unknowns else ()
    if found < unknowns and not why:
        why = (
            ("missing marks cut the stage or the plate into parts that no view connects",)
            if present is not None
            else ("maps stay free that these turns and shifts repeat",)
        )
    return ViewRank(n=exact, unknowns=unknowns, rank=found, reasons=why, exact_for=exact)


def reasons(views: Sequence[View]) -> tuple[str, ...]:
    """What a set of views lacks, by its turns and shifts; empty where it lacks nothing that these show."""
    turns = {view.turns % 4 for view in views}
    found = []
    if len(views) < 2:
        found.append("one view sees the sum of stage and plate only; turn the plate by 90°, and shift it by one pitch")
    if not any((a - b) % 2 for a in turns for b in turns):
        found.append("no view is turned by 90° against another: orthogonality and the difference of the axes' scales stay free")
    steps = [
        (a.shift[0] - b.shift[0], a.shift[1] - b.shift[1])
        for i, a in enumerate(views)
        for b in views[:i]
        if (a.turns - b.turns) % 4 == 0 and a.shift != b.shift
    ]
    if len(views) > 1 and not steps:
        found.append("no view is only shifted against another: errors that look the same from all the turned views stay free")
    # Turned views carry a shift along x over to y, so that one direction is enough; its common step is what counts.
    step = reduce(math.gcd, [abs(part) for pair in steps for part in pair], 0)
    if step > 1:
        found.append(f"the shifts are multiples of {step} pitches: errors that repeat every {step} pitches stay free; shift by one")
    return tuple(found)
