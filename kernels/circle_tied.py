"""Reference circles of tied points: where an exchange of single points determines no centre, cutting planes do.

Points that compete exactly (two paths over one another, many equal lobes, a symmetrical set, one notch in a perfect circle) leave
the exchanges of `circle.py` without a next step. What is sought is still well defined: with r_k(δ) ≥ r_k − u_k·δ to first order in
the step δ of the centre, u_k the direction of point k,

    zone            minimise max_k r_k − min_k r_k
    circumscribed   minimise max_k r_k            inscribed   maximise min_k r_k

are linear programs in the plane. Few points matter: each pass adds the farthest and the nearest to the cuts, the program of the
cuts is solved, and the centre moves, by no more than a reach that shrinks where terms of second order, δ²/2R, spoil the gain.
It ends where the cuts allow no gain beyond rounding: no step within the reach is better, nor one across the cuts that decide,
along which only terms of second order count.
"""

from __future__ import annotations

import math
from typing import Any, Literal

Array = Any
Wanted = Literal["zone", "circumscribed", "inscribed"]
Cut = tuple[float, float, float]

MOST_PASSES = 400
MOST_CUTS = 60
SAME = 1e-14
"""Of numbers of size 1: less than this is rounding."""


def by_cuts(x: Array, y: Array, wanted: Wanted, *, tolerance: float, xp: Any) -> tuple[float, float, float, float] | None:
    """The best centre of points (n,) about some place among them, and the radii of its nearest and its farthest point.

    `tolerance` is of the radius. None where the points surround no centre (on a line; for "inscribed" within half a turn).
    """
    if wanted != "circumscribed" and not _surround(x, y, wanted, xp):
        return None
    points: list[tuple[int, int]] = []
    places: dict[int, tuple[float, float]] = {}
    best = _about(x, y, 0.0, 0.0, wanted, xp)
    now, a, b = best, 0.0, 0.0
    inner, outer = best[1][0], best[2][0]
    best_a = best_b = 0.0
    reach = outer - inner
    for _ in range(MOST_PASSES):
        for _, k in now[1:]:
            places.setdefault(k, (float(x[k]), float(y[k])))
        pair = (now[2][1] if wanted != "inscribed" else -1, now[1][1] if wanted != "circumscribed" else -1)
        known = pair in points
        if not known:
            points.append(pair)
        moved = max(abs(a - best_a), abs(b - best_b))
        if now[0] < best[0]:
            reach = 2 * reach if moved > 0.99 * reach else reach
            best, best_a, best_b = now, a, b
        elif known and moved > 0:
            reach = min(reach, moved) / 4
        inner, outer = best[1][0], best[2][0]
        scale, least = max(outer - inner, tolerance * outer), tolerance * outer
        cuts = [_cut(pair, places, best_a, best_b, best[0], scale) for pair in points]
        step_x, step_y = _lowest(cuts, reach / scale)
        heights = [height - vx * step_x - vy * step_y for height, vx, vy in cuts]
        if -max(heights) * scale <= least or outer - inner <= least or reach <= 1e-3 * least:
            across = _across(x, y, best_a, best_b, best[0] - least, cuts, scale, wanted, xp) if outer - inner > least else None
            if across is None:
                return best_a, best_b, inner, outer
            a, b = across
            reach = max(reach, math.hypot(a - best_a, b - best_b))
        else:
            a, b = best_a + step_x * scale, best_b + step_y * scale
        if len(points) >= MOST_CUTS:  # the one that is least needed; not the newest
            points.pop(min(range(len(points) - 1), key=heights.__getitem__))
        now = _about(x, y, a, b, wanted, xp)
    return None


Found = tuple[float, tuple[float, int], tuple[float, int]]


def _about(x: Array, y: Array, a: float, b: float, wanted: Wanted, xp: Any) -> Found:
    """What is minimised, about (a, b); the nearest and the farthest point: how far, and which."""
    square = (x - a) ** 2 + (y - b) ** 2
    near, far = ((k, math.hypot(float(x[k]) - a, float(y[k]) - b)) for k in (int(xp.argmin(square)), int(xp.argmax(square))))
    worth = {"zone": far[1] - near[1], "circumscribed": far[1], "inscribed": -near[1]}[wanted]
    return worth, (near[1], near[0]), (far[1], far[0])


def _across(
    x: Array, y: Array, a: float, b: float, limit: float, cuts: list[Cut], scale: float, wanted: Wanted, xp: Any
) -> tuple[float, float] | None:
    """The best centre below `limit` on the lines across and along the steepest of the cuts that decide; None where there is none."""
    decide = [(math.hypot(vx, vy), vx, vy) for height, vx, vy in cuts if height >= -1e-9]
    size, vx, vy = max(decide, default=(0.0, 0.0, 0.0))
    ux, uy = (vx / size, vy / size) if size > 0.0 else (1.0, 0.0)
    best = None
    for k in range(12):
        for tx, ty in ((-uy, ux), (uy, -ux), (ux, uy), (-ux, -uy)):
            there = a + tx * scale * 0.25**k, b + ty * scale * 0.25**k
            worth = _about(x, y, *there, wanted, xp)[0]
            if worth < limit:
                best, limit = there, worth
    return best


def _surround(x: Array, y: Array, wanted: Wanted, xp: Any) -> bool:
    """Whether the points leave less than half a turn open; for a zone, whether they are off one line."""
    if wanted == "zone":
        return True  # the caller has found that they determine a circle
    angle = xp.sort(xp.atan2(y, x))
    gap = float(xp.max(angle[1:] - angle[:-1]))
    return max(gap, float(angle[0] - angle[-1]) + 2 * math.pi) < math.pi - SAME


def _cut(pair: tuple[int, int], places: dict[int, tuple[float, float]], a: float, b: float, worth: float, scale: float) -> Cut:
    """What is minimised, less `worth`, in units of `scale`, as far as this pair decides: height − v·δ."""
    height = vx = vy = 0.0
    for k, sign in zip(pair, (1.0, -1.0), strict=True):
        if k >= 0:
            dx, dy = places[k][0] - a, places[k][1] - b
            r = math.hypot(dx, dy)
            height += sign * r
            if r > 0:
                vx += sign * dx / r
                vy += sign * dy / r
    return (height - worth) / scale, vx, vy


def _lowest(cuts: list[Cut], reach: float) -> tuple[float, float]:
    """Where the highest of `height − v·δ` is lowest, |δx|, |δy| ≤ reach: cut after cut, a violated one holds with equality."""
    height, vx, vy = cuts[0]
    px, py = _corner(vx, vy, reach)
    z = height - vx * px - vy * py
    for k in range(1, len(cuts)):
        height, vx, vy = cuts[k]
        if height - vx * px - vy * py > z + SAME:
            planes = [(vx - wx, vy - wy, height - other) for other, wx, wy in cuts[:k]]
            px, py = _farthest_along(vx, vy, planes, reach)
            z = height - vx * px - vy * py
    return px, py


def _corner(vx: float, vy: float, reach: float) -> tuple[float, float]:
    """The point of the square that is farthest along v, in the middle of a side where several are."""
    return (math.copysign(reach, vx) if abs(vx) > SAME else 0.0), (math.copysign(reach, vy) if abs(vy) > SAME else 0.0)


def _farthest_along(vx: float, vy: float, planes: list[tuple[float, float, float]], reach: float) -> tuple[float, float]:
    """The point farthest along v with n·p ≤ c for all (nx, ny, c) and |px|, |py| ≤ reach."""
    px, py = _corner(vx, vy, reach)
    square = [(1.0, 0.0, reach), (-1.0, 0.0, reach), (0.0, 1.0, reach), (0.0, -1.0, reach)]
    for k, (nx, ny, c) in enumerate(planes):
        length = math.hypot(nx, ny)
        if length <= SAME or nx * px + ny * py <= c + SAME * max(1.0, reach):
            continue
        ox, oy, tx, ty = nx * c / length**2, ny * c / length**2, -ny / length, nx / length
        low, high = -math.inf, math.inf
        for mx, my, limit in (*square, *planes[:k]):
            along, room = mx * tx + my * ty, limit - mx * ox - my * oy
            if along > SAME:
                high = min(high, room / along)
            elif along < -SAME:
                low = max(low, room / along)
        gain = vx * tx + vy * ty
        if low > high:  # they meet in one point, up to rounding
            t = (low + high) / 2
        else:
            t = high if gain > SAME else (low if gain < -SAME else min(max(0.0, low), high))
        px, py = ox + t * tx, oy + t * ty
    return px, py
