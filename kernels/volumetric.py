"""Volumetric error: what the 21 error functions of a three-axis machine add up to at the tool, anywhere in its volume.

Every error is that of the tool relative to the workpiece (ISO 230-1:2012 notation), rigid bodies, first order:

    Δ = Σ_a [ E_a(p_a) + ε_a(p_a) × r_a ],   E_a = (E_Xa, E_Ya, E_Za),   ε_a = (E_Aa, E_Ba, E_Ca)
    Δx += −E_C0Y·y + E_B0Z·z,   Δy += −E_A0Z·z

The chain, from workpiece to tool with F for the frame (`FXYZ`, `XFYZ`, ...), says what the lever arm r_a is made of: the
tool offset, and the positions of — for an axis on the tool's side — the axes strictly between it and the tool; for an
axis on the workpiece's side, itself, the axes between it and the frame, and all axes on the tool's side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from array_api_compat import device, is_cupy_namespace, is_numpy_namespace

from precision.kernels import compiled, cuda, threads, volumetric_compiled
from precision.kernels.blocks import blocks, one_blas_thread
from precision.kernels.one_library import one_library
from precision.kernels.real_array import real_array, result_array

BLOCK = 8192  # a dozen scratch rows of this length and the tables stay in a second-level cache of 1 MB

# ε × r, term by term: rotation (A, B, C) times lever (x, y, z) goes to a component, with a sign
CROSS = ((0, 1, 2, 1.0), (0, 2, 1, -1.0), (1, 2, 0, 1.0), (1, 0, 2, -1.0), (2, 0, 1, 1.0), (2, 1, 0, -1.0))


class AxisErrors(NamedTuple):
    """The six error functions of one linear axis, sampled along it; linear between samples, held beyond the ends.

    Parameters
    ----------
    position_m : (k,) float
        Where the samples were taken, increasing, k ≥ 2, m.
    translation_m : (3, k) float
        E_Xa, E_Ya, E_Za, m: positioning where the letters agree, straightness elsewhere.
    rotation_rad : (3, k) float
        E_Aa, E_Ba, E_Ca, rad: roll, pitch and yaw.
    lever_m : three floats
        From the point where E was measured to the axes' functional point at zero, added to every lever arm, m.
    """

    position_m: Any
    translation_m: Any
    rotation_rad: Any
    lever_m: Sequence[float] = (0.0, 0.0, 0.0)


class GeometricErrors(NamedTuple):
    """The 21 errors of three linear axes: six functions each, and three squareness errors, rad.

    The squareness errors are added as such: straightness then has its slope removed, or they are zero.
    """

    x: AxisErrors
    y: AxisErrors
    z: AxisErrors
    c0y_rad: float = 0.0
    b0z_rad: float = 0.0
    a0z_rad: float = 0.0


def volumetric_error(
    errors: GeometricErrors, position_m: Any, /, *, chain: str, tool_m: Sequence[float] = (0.0, 0.0, 0.0), out: Any = None
) -> Any:
    """Deviation of the tool from where the axes say it is, at scattered points (Δ).

    Parameters
    ----------
    errors : GeometricErrors
        Arrays of the same library and device as `position_m`.
    position_m : (3, ...) float
        Rows x, y, z of the axes' positions, m. Beyond the tables' ends their last values hold. NaN gives NaN.
    chain : str
        From workpiece to tool: the letters X, Y, Z and F (frame), each once.
    tool_m : three floats
        Tool offset: from the spindle's reference point to the tool tip, m.
    out : (3, ...) float64 or None
        For the result: of the library and on the device of `position_m`, C-contiguous, apart from it, to be filled. None makes
        a new array.

    Returns
    -------
    (3, ...) float64
        `out`, or a new array: Δx, Δy, Δz, m; library and device of `position_m`.

    Raises
    ------
    ValueError
        Wrong shape, dtype or chain; a table that does not increase or holds a NaN; `out` is not like that.

    References
    ----------
    ISO 230-1:2012 for the notation (from memory of the standard). The rule for the lever arms was derived and agrees with
    exact homogeneous transforms to second order in the errors.

    Examples
    --------
    >>> import numpy as np
    >>> zero = np.zeros((3, 2)); ends = np.asarray([0.0, 1.0])
    >>> yaw = np.asarray([[0.0, 0.0], [0.0, 0.0], [2e-6, 2e-6]])
    >>> errors = GeometricErrors(AxisErrors(ends, zero, yaw), AxisErrors(ends, zero, zero), AxisErrors(ends, zero, zero))
    >>> volumetric_error(errors, np.asarray([0.5, 0.25, 0.0]), chain="FXYZ")  # E_CX turns y = 0.25 m into −x
    array([-5.e-07,  0.e+00,  0.e+00])
    """
    position, xp = real_array("position_m", position_m, "(3, ...): rows x, y, z")
    if position.shape[0] != 3:
        raise ValueError(f"position_m has shape {position.shape}; expected (3, ...): rows x, y, z")
    plan = _plan(errors, position, chain, tool_m, xp)
    result = result_array("out", out, position.shape, position_m, xp=xp)
    flat = xp.reshape(position, (3, -1))
    if is_cupy_namespace(xp):
        _cuda(plan, flat, xp.reshape(result, flat.shape), xp=xp)
    elif not is_numpy_namespace(xp):
        result[...] = xp.reshape(_generic(plan, flat, xp=xp), position.shape)
    elif compiled.numba_or_none():
        _numba(plan, flat, xp.reshape(result, flat.shape), xp=xp)
    else:
        _blocked(plan, flat, xp.reshape(result, flat.shape), xp=xp)
    return result


def volumetric_compensation(
    errors: GeometricErrors,
    commanded_m: Any,
    /,
    *,
    chain: str,
    tool_m: Sequence[float] = (0.0, 0.0, 0.0),
    passes: int = 1,
) -> Any:
    """What to add to commanded positions so that the tool arrives there: −Δ.

    Parameters
    ----------
    errors, chain, tool_m
        As for `volumetric_error`.
    commanded_m : (3, ...) float
        Commanded positions, rows x, y, z, m.
    passes : int
        1 evaluates Δ at the commanded position; 2 evaluates it again where the compensated machine stands, which leaves
        only errors of third order.

    Returns
    -------
    (3, ...) float64
        To be added to the command, m.

    Raises ValueError as `volumetric_error`, and for passes < 1.
    """
    if isinstance(passes, bool) or not isinstance(passes, int) or passes < 1:
        raise ValueError(f"passes is {passes!r}; expected an integer of at least 1")
    correction = -volumetric_error(errors, commanded_m, chain=chain, tool_m=tool_m)
    for _ in range(passes - 1):
        correction = -volumetric_error(errors, commanded_m + correction, chain=chain, tool_m=tool_m)
    return correction


def volumetric_error_grid(
    errors: GeometricErrors,
    x_m: Any,
    y_m: Any,
    z_m: Any,
    /,
    *,
    chain: str,
    tool_m: Sequence[float] = (0.0, 0.0, 0.0),
    out: Any = None,
) -> Any:
    """Deviation of the tool on a regular grid (Δ).

    Parameters
    ----------
    errors, chain, tool_m
        As for `volumetric_error`.
    x_m, y_m, z_m : (nx,), (ny,), (nz,) float
        The grid's coordinates, in any order, m.
    out : (3, nx, ny, nz) float64 or None
        As for `volumetric_error`.

    Returns
    -------
    (3, nx, ny, nz) float64
        `out`, or a new array: Δx, Δy, Δz, m; library and device of `x_m`.

    Raises
    ------
    ValueError
        As `volumetric_error`.

    Notes
    -----
    No term joins more than two axes: a function of one coordinate stands alone or is multiplied by another coordinate. So each
    component is a product of two thin matrices, (nx·ny, 5) · (5, nz): Δ = P(x,y)·1 + Q(x,y)·z + 1·R(z) + x·S(z) + y·T(z); the
    last two only where Z has the lever arms x and y.
    """
    x, xp = real_array("x_m", x_m, "(nx,)", ndim=1)
    y, _ = real_array("y_m", y_m, "(ny,)", ndim=1)
    z, _ = real_array("z_m", z_m, "(nz,)", ndim=1)
    one_library({"x_m": x, "y_m": y, "z_m": z})
    plan = _plan(errors, x, chain, tool_m, xp)
    along = _along_axes(plan, (x, y, z), xp)
    delta = result_array("out", out, (3, x.shape[0], y.shape[0], z.shape[0]), x_m, y_m, z_m, xp=xp)
    if is_numpy_namespace(xp) and compiled.numba_or_none():
        _numba_grid(plan, x, y, z, along, delta, xp=xp)
        return delta
    left, right = _factors(plan, x, y, z, along, xp)
    if is_numpy_namespace(xp):
        _blocked_grid(left, right, xp.reshape(delta, (3, -1, z.shape[0])), xp=xp)
    else:
        delta[...] = xp.reshape(xp.matmul(xp.matrix_transpose(left), right), delta.shape)
    return delta


# ---- what is known before the points are --------------------------------------------------------------------------------


class _Axis(NamedTuple):
    """Six functions as straight lines, one set an interval: value = offset + slope · clipped position."""

    node: Any  # (k,)
    offset: Any  # (6, k − 1): E_X, E_Y, E_Z with the constant lever arms in them, then E_A, E_B, E_C
    slope: Any  # (6, k − 1)
    first: float
    last: float


class _Plan(NamedTuple):
    axes: tuple[_Axis, _Axis, _Axis]
    levers: tuple[tuple[bool, bool, bool], ...]  # levers[a][b]: the position of axis b is in the lever arm of axis a
    squareness: tuple[float, float, float]


def _plan(errors: GeometricErrors, like: Any, chain: str, tool_m: Sequence[float], xp: Any) -> _Plan:
    levers = lever_arms(chain)
    tool = _three("tool_m", tool_m)
    squareness = _three("the squareness errors", (errors.c0y_rad, errors.b0z_rad, errors.a0z_rad))
    axes = [_axis(f"errors.{letter}", axis, tool, like, xp) for letter, axis in zip("xyz", errors[:3], strict=True)]
    return _Plan((axes[0], axes[1], axes[2]), levers, squareness)


def lever_arms(chain: str) -> tuple[tuple[bool, bool, bool], ...]:
    """Which positions are in which lever arm: row a, column b, of X, Y, Z.

    Raises
    ------
    ValueError
        Not the letters X, Y, Z and F, each once.

    Examples
    --------
    >>> lever_arms("FXYZ")
    ((False, True, True), (False, False, True), (False, False, False))
    """
    if not isinstance(chain, str) or sorted(chain) != sorted("FXYZ"):
        raise ValueError(f"chain is {chain!r}; expected the letters X, Y, Z and F (frame), each once, workpiece first")
    frame = chain.index("F")

    def arm(a: str) -> tuple[bool, bool, bool]:
        at = chain.index(a)
        carried = chain[at:] if at < frame else chain[at + 1 :]
        return ("X" in carried, "Y" in carried, "Z" in carried)

    return tuple(arm(a) for a in "XYZ")


def _axis(name: str, axis: AxisErrors, tool: tuple[float, ...], like: Any, xp: Any) -> _Axis:
    node, _ = real_array(f"{name}.position_m", axis.position_m, "(k,) with k ≥ 2", ndim=1)
    k = node.shape[0]
    move, _ = real_array(f"{name}.translation_m", axis.translation_m, f"(3, {k})", ndim=2)
    turn, _ = real_array(f"{name}.rotation_rad", axis.rotation_rad, f"(3, {k})", ndim=2)
    lever = [t + o for t, o in zip(tool, _three(f"{name}.lever_m", axis.lever_m), strict=True)]
    one_library({"the points": like, f"{name}.position_m": node, f"{name}.translation_m": move, f"{name}.rotation_rad": turn})
    if k < 2 or not bool(xp.all(node[1:] > node[:-1])):  # a NaN compares false, so it is caught here too
        raise ValueError(f"{name}.position_m has shape {node.shape}; expected at least two positions, increasing, no NaN")
    for what, table in (("translation_m", move), ("rotation_rad", turn)):
        if table.shape != (3, k):
            raise ValueError(f"{name}.{what} has shape {table.shape}; expected (3, {k}), one column a position")
        if not bool(xp.all(xp.isfinite(table))):
            raise ValueError(f"{name}.{what} has a NaN or an infinity; expected numbers at every position")
    moves = [move[c, :] for c in range(3)]
    for rotation, b, component, sign in CROSS:  # the constant part of the lever arm belongs to the table
        moves[component] = moves[component] + (sign * lever[b]) * turn[rotation, :]
    table = xp.stack([*moves, *(turn[c, :] for c in range(3))])
    slope = (table[:, 1:] - table[:, :-1]) / (node[1:] - node[:-1])
    offset = table[:, :-1] - slope * node[:-1]
    return _Axis(node, offset, slope, float(node[0]), float(node[-1]))


def _three(name: str, values: Sequence[float]) -> tuple[float, float, float]:
    try:
        x, y, z = (float(v) for v in values)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {values!r}; expected three numbers") from None
    if not all(abs(v) < float("inf") for v in (x, y, z)):
        raise ValueError(f"{name} is {values!r}; expected three finite numbers")
    return x, y, z


# ---- generic: the definition ----------------------------------------------------------------------------------------------


def _generic(plan: _Plan, p: Any, *, xp: Any) -> Any:
    delta = [xp.zeros_like(p[0, :]) for _ in range(3)]
    for axis, position, arm in zip(plan.axes, (p[0, :], p[1, :], p[2, :]), plan.levers, strict=True):
        six = _interpolated(axis, position, xp)
        for component in range(3):
            delta[component] = delta[component] + six[component]
        for rotation, b, component, sign in CROSS:
            if arm[b]:
                delta[component] = delta[component] + sign * six[3 + rotation] * p[b, :]
    c0y, b0z, a0z = plan.squareness
    delta[0] = delta[0] - c0y * p[1, :] + b0z * p[2, :]
    delta[1] = delta[1] - a0z * p[2, :]
    return xp.stack(delta)


def _interpolated(axis: _Axis, position: Any, xp: Any) -> list[Any]:
    held = xp.clip(position, axis.first, axis.last)
    i = xp.searchsorted(axis.node[1:-1], held, side="right")  # NaN sorts last: a valid interval, and NaN comes out of it
    return [xp.take(axis.offset[q, :], i) + xp.take(axis.slope[q, :], i) * held for q in range(6)]


def _along_axes(plan: _Plan, coordinates: tuple[Any, Any, Any], xp: Any) -> list[Any]:
    """For each axis a (3, 3, n_a): what is multiplied by x, by y and by z, or, in its own place, by 1; of every component."""
    tables = []
    for a, (axis, arm, p) in enumerate(zip(plan.axes, plan.levers, coordinates, strict=True)):
        six = _interpolated(axis, p, xp)
        by = [[xp.zeros_like(p) for _ in range(3)] for _ in range(3)]
        by[a] = six[:3]
        for rotation, b, component, sign in CROSS:
            if arm[b]:
                by[b][component] = by[b][component] + sign * six[3 + rotation] * (p if b == a else 1.0)
        tables.append(by)
    c0y, b0z, a0z = plan.squareness
    _, y, z = coordinates
    of_y, of_z = tables[1][1], tables[2][2]
    of_y[0] = of_y[0] - c0y * y
    of_z[0], of_z[1] = of_z[0] + b0z * z, of_z[1] - a0z * z
    return [xp.stack([xp.stack(rows) for rows in by]) for by in tables]


def _factors(plan: _Plan, x: Any, y: Any, z: Any, along: list[Any], xp: Any) -> tuple[Any, Any]:
    """The two thin matrices of a grid: (3, r, nx·ny) and (3, r, nz), r = 3 or 5."""
    of_x, of_y, of_z = along
    column, row, ones = (slice(None), slice(None), None), (slice(None), None, slice(None)), xp.ones_like(of_z[2, ...])
    left = xp.ones((3, 5 if _joins_all(plan) else 3, x.shape[0], y.shape[0]), dtype=xp.float64, device=device(x))
    left[:, 0, ...] = of_x[0, ...][column] + of_y[1, ...][row]
    if plan.levers[0][1]:
        left[:, 0, ...] += of_x[1, ...][column] * y
    if plan.levers[1][0]:
        left[:, 0, ...] += of_y[0, ...][row] * x[:, None]
    left[:, 1, ...] = of_x[2, ...][column] + of_y[2, ...][row]
    rows = [ones, z * ones, of_z[2, ...]]
    if _joins_all(plan):
        left[:, 3, ...] *= x[:, None]
        left[:, 4, ...] *= y
        rows += [of_z[0, ...], of_z[1, ...]]
    return xp.reshape(left, (3, len(rows), -1)), xp.stack(rows, axis=1)


def _joins_all(plan: _Plan) -> bool:
    """Whether Z has a lever arm x or y."""
    return plan.levers[2][0] or plan.levers[2][1]


# ---- NumPy, in blocks with reused buffers ---------------------------------------------------------------------------------


class _Lookup(NamedTuple):
    """From a position to its interval without a search: buckets no wider than the narrowest interval."""

    per_metre: float  # buckets
    start: Any  # (buckets,) int: the interval at the bucket's beginning
    end: Any  # (buckets,) float: that interval's end; None where buckets are intervals, the samples being equidistant


def _lookup(axis: _Axis, xp: Any) -> _Lookup | None:
    """None where more than 65 536 buckets were needed."""
    k, length = axis.node.shape[0], axis.last - axis.first
    even = xp.linspace(axis.first, axis.last, k)
    # Positions within 1e-12 of the length of even ones: taking the neighbouring line there errs by as little of its value
    if bool(xp.all(xp.abs(axis.node - even) <= 1e-12 * length)):
        return _Lookup((k - 1) / length, xp.arange(k - 1), None)
    wanted = length / float(xp.min(axis.node[1:] - axis.node[:-1]))
    if not wanted < 65_536:
        return None
    count = int(wanted) + 1
    start = xp.searchsorted(axis.node, axis.first + xp.arange(count) * (length / count), side="right") - 1
    start = xp.clip(start, 0, k - 2)
    return _Lookup(count / length, start, axis.node[start + 1])


def _blocked(plan: _Plan, p: Any, delta: Any, *, xp: Any) -> None:
    lookups = [_lookup(axis, xp) for axis in plan.axes]
    scratch, whole, flag = xp.empty((3, BLOCK)), xp.empty(BLOCK, dtype=xp.intp), xp.empty(BLOCK, dtype=xp.bool)
    with xp.errstate(invalid="ignore"):  # a NaN cast to an interval: clipped into a valid one, and NaN comes out of it
        for _, at in blocks(p.shape[1], BLOCK):
            _block(plan, lookups, p[:, at], delta[:, at], scratch, whole, flag, xp)


def _block(plan: _Plan, lookups: list[_Lookup | None], p: Any, delta: Any, scratch: Any, whole: Any, flag: Any, xp: Any) -> None:
    m = p.shape[1]
    held, value, product = scratch[:, :m]
    for a, (axis, lookup, arm) in enumerate(zip(plan.axes, lookups, plan.levers, strict=True)):
        xp.clip(p[a], axis.first, axis.last, out=held)
        i = _intervals(axis, lookup, held, value, whole[:m], flag[:m], xp)
        for q in range(6):
            levers = [(b, component, sign) for rotation, b, component, sign in CROSS if rotation == q - 3 and arm[b]]
            if q >= 3 and not levers:
                continue
            target = delta[q] if q < 3 and a == 0 else value
            axis.slope[q].take(i, out=target, mode="clip")
            xp.multiply(target, held, out=target)
            axis.offset[q].take(i, out=product, mode="clip")
            xp.add(target, product, out=target)
            if q < 3 and a > 0:
                xp.add(delta[q], value, out=delta[q])
            for b, component, sign in levers:
                xp.multiply(value, p[b], out=product)
                (xp.add if sign > 0 else xp.subtract)(delta[component], product, out=delta[component])
    c0y, b0z, a0z = plan.squareness
    for component, row, factor in ((0, 1, -c0y), (0, 2, b0z), (1, 2, -a0z)):
        if factor != 0.0:
            xp.multiply(p[row], factor, out=product)
            xp.add(delta[component], product, out=delta[component])


def _intervals(axis: _Axis, lookup: _Lookup | None, held: Any, scratch: Any, whole: Any, flag: Any, xp: Any) -> Any:
    if lookup is None:
        return xp.searchsorted(axis.node[1:-1], held, side="right")
    xp.subtract(held, axis.first, out=scratch)
    xp.multiply(scratch, lookup.per_metre, out=scratch)
    xp.copyto(whole, scratch, casting="unsafe")
    if lookup.end is None:
        return whole
    lookup.end.take(whole, out=scratch, mode="clip")
    xp.greater_equal(held, scratch, out=flag)
    interval = lookup.start.take(whole, mode="clip")
    return xp.add(interval, flag, out=interval)


def _blocked_grid(left: Any, right: Any, delta: Any, *, xp: Any) -> None:
    """delta : (3, nx·ny, nz)."""
    rows = max(1, BLOCK * 8 // max(1, right.shape[2]))
    pieces = [(c, at) for c in range(3) for _, at in blocks(left.shape[2], rows)]

    def share(worker: int, workers: int) -> None:
        for c, at in pieces[len(pieces) * worker // workers : len(pieces) * (worker + 1) // workers]:
            xp.matmul(left[c, :, at].T, right[c], out=delta[c, at])

    with one_blas_thread():
        threads.side_by_side(share, threads.workers_for(delta.size))


# ---- Numba ------------------------------------------------------------------------------------------------------------------


def _numba(plan: _Plan, p: Any, delta: Any, *, xp: Any) -> None:
    tables: list[Any] = []
    even = True
    for axis, arm in zip(plan.axes, plan.levers, strict=True):
        lookup = _lookup(axis, xp)
        if lookup is None:  # samples that close together need a search, which NumPy does as fast
            _blocked(plan, p, delta, xp=xp)
            return
        even = even and lookup.end is None
        end = axis.node[1:] if lookup.end is None else lookup.end
        tables += [axis.first, axis.last, lookup.per_metre, lookup.start, xp.ascontiguousarray(end), _in_fours(axis, arm, xp)]
    parallel = compiled.parallel_pays(p.shape[1])
    workers = compiled.numba_or_none().get_num_threads() if parallel else 1  # type: ignore[union-attr]
    scratch = xp.empty((workers, volumetric_compiled.SCRATCH, volumetric_compiled.POINTS))
    body = volumetric_compiled.scattered(plan.levers, even, parallel)
    body(xp.ascontiguousarray(p), *tables, *plan.squareness, scratch, delta)


def _in_fours(axis: _Axis, arm: tuple[bool, bool, bool], xp: Any) -> Any:
    """For every interval: offset and slope of (E_X, E_Y, E_Z, 0), then of ε × e_b for every position b in the lever arm."""
    none = xp.zeros_like(axis.offset[0])
    columns = [*axis.offset[:3], none, *axis.slope[:3], none]
    for b in range(3):
        for six in (axis.offset, axis.slope):
            turned = [none, none, none, none]
            for rotation, lever, component, sign in CROSS:
                if lever == b:
                    turned[component] = sign * six[3 + rotation]
            columns += turned if arm[b] else []
    return xp.reshape(xp.stack(columns, axis=1), -1)


def _numba_grid(plan: _Plan, x: Any, y: Any, z: Any, along: list[Any], delta: Any, *, xp: Any) -> None:
    body = volumetric_compiled.grid(_joins_all(plan), compiled.parallel_pays(delta.size))
    body(*(xp.ascontiguousarray(p) for p in (x, y, z)), *along, delta)


# ---- CUDA ---------------------------------------------------------------------------------------------------------------------


def _cuda(plan: _Plan, p: Any, delta: Any, *, xp: Any) -> None:
    n = p.shape[1]
    node = xp.concat([axis.node for axis in plan.axes])
    table = xp.concat([xp.concat([axis.offset, axis.slope]).T for axis in plan.axes])
    levers = sum(int(plan.levers[a][b]) << (3 * a + b) for a in range(3) for b in range(3))
    counts = [axis.node.shape[0] for axis in plan.axes]
    args = (xp.ascontiguousarray(p), n, node, xp.ascontiguousarray(table), *counts, levers, *plan.squareness, delta)
    cuda.launch("volumetric", "volumetric", args, grid=cuda.grid_for(n))
