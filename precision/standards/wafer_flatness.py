"""Flatness of a wafer as a scanner sees it: global range, range a site, what levelling cannot follow, and spots of the chuck.

    GBIR   largest − smallest height above the back reference (the clamped wafer's height map as it is)
    SFQR   at each site, largest − smallest residual of the site's least-squares plane
    scan levelling: at each scan position y the least-squares plane over the slit, z(y), Rx(y), Ry(y); the residual is non-correctable focus
    chuck spot: local height that stays on the same place of the chuck over several wafers

Definitions of GBIR and SFQR from memory of SEMI M1; a scanner's site is 26 mm × 8 mm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..uncertainty.readings import Readings
from .arrays import Array, frozen, positive, vector
from .coverage import coverage_factor
from .reported import Reported, figure, keyed

SITE_M: Final = (26e-3, 8e-3)
FEWEST_OF_A_PLANE: Final = 4
"""A plane of three points has no residual."""
PLANE_GAIN: Final = 3.0
"""c_g: a least-squares plane under errors within ±w/2 rises by at most about w over its site, in each of two directions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One site. x_m, y_m : centre. sfqr_m : range of the residuals, or None with `reason`."""

    x_m: float
    y_m: float
    points: int
    sfqr_m: float | None
    reason: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Flatness(Reported):
    """Height map of one wafer. Figures "gbir", "warp_of_plane" (range about its plane), "sfqr_max", "sfqr_95", "sfqr_mean". residual_m : (n,) about the plane."""

    sites: tuple[Site, ...]
    residual_m: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Levelling(Reported):
    """Set-points of a scan. Figures "residual_max", "residual_3s", "z_range", "rx_range", "ry_range".

    y_m : (k,) centres of the slit. z_m, rx_rad, ry_rad : (k,) plane over the slit. residual_m : (n,) non-correctable focus of each point, the largest over
    the slit positions that see it; NaN where none does.
    """

    y_m: Array
    z_m: Array
    rx_rad: Array
    ry_rad: Array
    residual_m: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place of the chuck. height_m : mean over the wafers. uncertainty_m : U (k = 2) from their scatter. points : that belong to it."""

    x_m: float
    y_m: float
    height_m: float
    uncertainty_m: float
    points: int


def flatness(x_m: ArrayLike, y_m: ArrayLike, height_m: ArrayLike, *, site_m: tuple[float, float] = SITE_M, readings: Readings | None = None) -> Flatness:
    """GBIR and SFQR of a height map.

    Parameters
    ----------
    x_m, y_m, height_m : (n,) float64, m; places without a valid height are left out by the caller
    site_m : width in x and length in y of a site; sites tile the map from its centre outwards
    readings : of the level sensor

    Raises
    ------
    DataError       shapes, values that are not finite, fewer than four points
    """
    x, y, z = _map(x_m, y_m, height_m)
    positive("site_m", min(site_m), "m")
    residual = z - _plane(x, y, z)[0]
    column, row = np.floor(x / site_m[0] + 0.5).astype(int), np.floor(y / site_m[1] + 0.5).astype(int)
    sites = []
    for c, r in sorted(set(zip(column.tolist(), row.tolist(), strict=True))):
        inside = (column == c) & (row == r)
        found = _site(x[inside], y[inside], z[inside])
        sites.append(Site(x_m=c * site_m[0], y_m=r * site_m[1], points=int(inside.sum()), sfqr_m=None if isinstance(found, str) else found, reason=found if isinstance(found, str) else None))
    ranges = np.array([site.sfqr_m for site in sites if site.sfqr_m is not None])
    lacking = [site for site in sites if site.sfqr_m is None]
    none = "no site has a plane and a residual: at least four points that are not in one line are needed in each" if not ranges.size else ""
    densest = max(site.points for site in sites)
    u_range = None if readings is None else readings.of_range(z.size)
    u_plane = None if readings is None else readings.of_range(z.size, bounded=PLANE_GAIN, random=PLANE_GAIN)
    u_site = None if readings is None else readings.of_range(densest, bounded=PLANE_GAIN, random=PLANE_GAIN)
    figures = (
        figure("gbir", "global flatness, largest − smallest height above the back reference", float(np.ptp(z)), "m", u_range, symbol="GBIR"),
        figure("warp_of_plane", "largest − smallest height about the least-squares plane", float(np.ptp(residual)), "m", u_plane, symbol="range about plane"),
        figure("sfqr_max", "site flatness, largest site", none or float(ranges.max()), "m", u_site, symbol="SFQR max"),
        figure("sfqr_95", "site flatness, 95 % of the sites", none or float(np.quantile(ranges, 0.95)), "m", u_site, symbol="SFQR 95 %"),
        figure("sfqr_mean", "site flatness, mean of the sites", none or float(ranges.mean()), "m", u_site, symbol="SFQR mean"),
    )
    flags = () if not lacking else (f"{len(lacking)} of {len(sites)} sites are not judged: {lacking[0].reason} (site at {lacking[0].x_m * 1e3:.4g}, {lacking[0].y_m * 1e3:.4g} mm)",)
    return Flatness(
        title="Wafer flatness",
        stated=(f"{z.size} points", f"sites of {site_m[0] * 1e3:g} mm × {site_m[1] * 1e3:g} mm", "least-squares planes"),
        figures=keyed(figures),
        flags=flags,
        sites=tuple(sites),
        residual_m=frozen(residual),
    )


def levelling(
    x_m: ArrayLike, y_m: ArrayLike, height_m: ArrayLike, *, slit_height_m: float, step_m: float, readings: Readings | None = None
) -> Levelling:
    """Slide the slit's least-squares plane along y over the map of one field: what a stage can follow, and what it cannot.

    Parameters
    ----------
    x_m, y_m, height_m : (n,) float64, m, points of one field
    slit_height_m : of the slit in the scan direction y
    step_m : between slit positions

    Raises
    ------
    DataError       as `flatness`; a field shorter than the slit; a slit position whose points give no plane, naming it
    """
    x, y, z = _map(x_m, y_m, height_m)
    positive("slit_height_m", slit_height_m, "m")
    positive("step_m", step_m, "m")
    first, last = float(y.min()) + slit_height_m / 2, float(y.max()) - slit_height_m / 2
    if last < first:
        raise DataError(f"the map is {np.ptp(y) * 1e3:.4g} mm long in the scan direction, the slit {slit_height_m * 1e3:.4g} mm high; no slit position lies inside it")
    centres: Array = np.asarray(first + step_m * np.arange(math.floor((last - first) / step_m * (1 + 1e-12)) + 1), dtype=np.float64)
    settings = np.empty((centres.size, 3))
    residual = np.full(z.size, np.nan)
    for k, centre in enumerate(centres):
        inside = np.abs(y - centre) <= slit_height_m / 2 * (1 + 1e-12)
        if isinstance(found := _site(x[inside], y[inside], z[inside]), str):
            raise DataError(f"slit at y = {centre * 1e3:.4g} mm: {found}")
        surface, (z0, gx, gy) = _plane(x[inside], y[inside] - centre, z[inside])
        settings[k] = z0, gy, -gx  # z rises with +Rx along y and falls with +Ry along x
        off = z[inside] - surface
        here = residual[inside]
        residual[inside] = np.where(np.isnan(here) | (np.abs(off) > np.abs(here)), off, here)
    seen = residual[~np.isnan(residual)]
    u = None if readings is None else readings.of_range(seen.size, bounded=PLANE_GAIN, random=PLANE_GAIN)
    figures = (
        figure("residual_max", "largest focus error that levelling cannot follow", float(np.abs(seen).max()), "m", u, symbol="max NCF"),
        figure("residual_3s", "three standard deviations of it, divisor n", 3 * float(seen.std()), "m", u, symbol="3σ NCF"),
        figure("z_range", "range of the height set-point", float(np.ptp(settings[:, 0])), "m", None, symbol="z range"),
        figure("rx_range", "range of the tilt set-point about x", float(np.ptp(settings[:, 1])), "rad", None, symbol="Rx range"),
        figure("ry_range", "range of the tilt set-point about y", float(np.ptp(settings[:, 2])), "rad", None, symbol="Ry range"),
    )
    return Levelling(
        title="Scan levelling",
        stated=(f"slit {slit_height_m * 1e3:g} mm high, every {step_m * 1e3:g} mm, {centres.size} positions", "least-squares plane over the slit"),
        figures=keyed(figures),
        flags=() if seen.size == z.size else (f"{z.size - seen.size} points are seen by no slit position",),
        y_m=frozen(centres),
        z_m=frozen(settings[:, 0].copy()),
        rx_rad=frozen(settings[:, 1].copy()),
        ry_rad=frozen(settings[:, 2].copy()),
        residual_m=frozen(residual),
    )


def chuck_spots(x_m: ArrayLike, y_m: ArrayLike, heights_m: Sequence[ArrayLike], *, threshold_m: float, neighbourhood_m: float) -> tuple[Spot, ...]:
    """Places where several wafers, measured on one chuck, are all locally high (or low): a particle or wear of the chuck.

    Parameters
    ----------
    x_m, y_m : (n,) m, the same places on the chuck for all wafers. heights_m : w ≥ 3 maps, (n,) m each.
    threshold_m : least |mean local height| of a spot; the local height is that above the median within `neighbourhood_m`
    neighbourhood_m : radius, larger than a spot and smaller than the wafer's own shape

    Returns
    -------
    Spots, the highest first. A place belongs to one where its mean exceeds the threshold by more than U from the scatter of the wafers.

    Raises
    ------
    DataError       fewer than three wafers, shapes, no neighbours
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if len(heights_m) < 3:
        raise DataError(f"{len(heights_m)} wafers; at least 3 are needed to tell the chuck from the wafers")
    positive("threshold_m", threshold_m, "m")
    positive("neighbourhood_m", neighbourhood_m, "m")
    x, y, first = _map(x_m, y_m, heights_m[0])
    maps = np.stack([first, *(vector(f"height map {k}", h, size=x.size) for k, h in enumerate(heights_m[1:], 2))])
    places = np.stack([x, y], axis=1)
    tree = cKDTree(places)
    around = [np.asarray(near, dtype=np.intp) for near in np.asarray(tree.query_ball_point(places, neighbourhood_m), dtype=object)]
    if min(near.size for near in around) < 5:
        raise DataError(f"a place has fewer than 5 neighbours within {neighbourhood_m * 1e3:.4g} mm; widen neighbourhood_m")
    local = maps - np.stack([np.median(maps[:, near], axis=1) for near in around], axis=1)
    mean = local.mean(axis=0)
    wafers = maps.shape[0]
    u = coverage_factor(wafers - 1) * local.std(axis=0, ddof=1) / math.sqrt(wafers)
    high = np.flatnonzero(np.abs(mean) - u > threshold_m)
    if not high.size:
        return ()
    nearest = np.asarray(tree.query(places, k=[2])[0])
    spacing = float(np.median(nearest))
    pairs = cKDTree(places[high]).query_pairs(1.6 * spacing, output_type="ndarray")
    graph = csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(high.size, high.size))
    _, group = connected_components(graph, directed=False)
    spots = []
    for number in range(int(group.max()) + 1):
        members = high[group == number]
        top = members[np.abs(mean[members]).argmax()]
        spots.append(Spot(x_m=float(x[top]), y_m=float(y[top]), height_m=float(mean[top]), uncertainty_m=float(u[top]), points=members.size))
    return tuple(sorted(spots, key=lambda spot: -abs(spot.height_m)))


def _map(x_m: ArrayLike, y_m: ArrayLike, height_m: ArrayLike) -> tuple[Array, Array, Array]:
    x = vector("x_m", x_m, fewest=FEWEST_OF_A_PLANE)
    return x, vector("y_m", y_m, size=x.size), vector("height_m", height_m, size=x.size)


def _plane(x: Array, y: Array, z: Array) -> tuple[Array, tuple[float, float, float]]:
    """Heights of the least-squares plane, and its height at (mean x, y = 0) with the slopes in x and y."""
    mx, my = x.mean(), y.mean()
    columns = np.stack([np.ones_like(x), x - mx, y - my], axis=1)
    c, gx, gy = np.linalg.lstsq(columns, z, rcond=None)[0]
    return np.asarray(columns @ (c, gx, gy)), (float(c - gy * my), float(gx), float(gy))


def _site(x: Array, y: Array, z: Array) -> float | str:
    """Range about the least-squares plane, or why there is none."""
    if x.size < FEWEST_OF_A_PLANE:
        return f"{x.size} points; at least {FEWEST_OF_A_PLANE} are needed for a plane and its residual"
    centred = np.stack([x - x.mean(), y - y.mean()])
    size = np.linalg.svd(centred, compute_uv=False)
    if size[1] <= 1e-9 * size[0]:
        return "its points lie in one line; a plane needs others beside it"
    return float(np.ptp(z - _plane(x, y, z)[0]))
