"""Diagnosis of a circular test: which error of the machine makes how much of the circle's error.

Radial deviation ΔR(θ) of single errors, first order, θ from the first axis (X), radius R, feed F, d = +1 counter-clockwise, −1 clockwise. Derived from the
motion x = R cosθ, y = R sinθ, v_x ∝ −d sinθ, v_y ∝ d cosθ, and checked against exact geometry:

    centre                      c_x cosθ + c_y sinθ  (the path's centre; a bar whose pivot is off by (a, b) gives −a, −b)
    scale k_x, k_y              R k_x cos²θ + R k_y sin²θ        → mismatch k_x − k_y;  radius R (k_x + k_y)/2
    squareness C                −R C sinθ cosθ                   C > 0: angle of the axes beyond 90°
    servo mismatch τ_x − τ_y    d F (τ_x − τ_y) sinθ cosθ        lag of X behind Y, s
    backlash b_x, b_y           d (b_x/2) sgn(sinθ) cosθ,  −d (b_y/2) sgn(cosθ) sinθ      lost motion, positive: outward step at each reversal
    lateral play p_x, p_y       −d (p_x/2) |sinθ|,  d (p_y/2) |cosθ|      of X (of Y): it moves sideways by p with the sign of its own motion
    straightness s_x, s_y       s_x cos²θ sinθ,  s_y sin²θ cosθ           bow of X (of Y): sagitta over the diameter 2R; a scale that changes across the
                                                                          plane has the same three lobes and is in it
    cyclic, amplitude A, pitch p   A cosθ sin(2πR cosθ/p + φ)             of X; of Y with sinθ
    reversal spike              largest residual just after θ = 0, 90, 180, 270°, above the residual that follows, once the play is taken up

Both runs are fitted together by linear least squares (the pitch by search), without the points in a window after each reversal, so that spikes do not bend
the smooth model. A constant is not fitted: it is the sum of the scales. Equal lag of both axes makes the circle smaller by ½R(ωτ)² (second order): it shows
as radius.

U (k = 2) is from the covariance of the fit with the measured correlation of what the fit leaves over (`precision.uncertainty.least_squares`); the
calibration of the bar is added where it matters: scales and radius.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..errors import DataError
from ..figures import Figure
from ..uncertainty.least_squares import correlated_covariance
from ..uncertainty.readings import largest_normal
from .arrays import Array, frozen, positive
from .iso230_4 import SMALLEST_ARC_RAD, Path, Sense, Zone, circularity, swapped
from .reported import Reported, figure, keyed, plain

SPIKE_WINDOW_RAD: Final = math.radians(3)
"""Angle after a reversal in which a spike is looked for; at 1000 mm/min on 150 mm 0.5 s."""
SAMPLES_PER_PITCH: Final = 7
"""Fewest points in one period of a cyclic error, where the axis is fastest."""
FEWEST_PITCHES: Final = 4
"""Fewest periods along the diameter; a longer one cannot be told from scale and straightness."""
WAVES: Final = range(4, 13)
"""Undulations around of slow waves that are fitted beside the errors; 0 to 3 are the errors' own."""
_CHANCE: Final = 1e-3
"""Probability that noise alone shows a cyclic error."""
_ILL_CONDITIONED: Final = 1e-5
_POORLY_DETERMINED: Final = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Error:
    """One error of the machine.

    size : `Figure` with its U.
    circularity_m : the circularity that this error alone would have (both directions together), m.
    share : circularity_m in proportion to the sum of all; None for what centring removes (centre, radius) and for the single scales, which count as mismatch.
    detail : what belongs to it ("pitch 10.00 mm", "for 60 ms"), or "".
    """

    size: Figure
    circularity_m: float
    share: float | None
    detail: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Diagnosis. Figures are the errors' sizes in the order of their shares; "circularity" and "residual" come first.

    axes, radius_m, feed_m_per_s : as measured.
    errors : key ("backlash_x", "squareness", …) -> `Error`, largest share first.
    curves : key -> the radial deviation that the error makes, one (n,) array a path, m.
    paths : as measured.
    residual : what the model leaves over, one (n,) array a path, m.
    """

    axes: tuple[str, str]
    radius_m: float
    feed_m_per_s: float
    zone: Zone
    errors: Mapping[str, Error]
    curves: Mapping[str, tuple[Array, ...]]
    paths: tuple[Path, ...]
    residual: tuple[Array, ...]

    def without(self, *errors: str) -> float:
        """The circularity that would remain, m, were these errors (keys of `errors`) repaired: that of the measured paths minus their curves.

        `scale_mismatch` and `radius` together are the two scales in other words: name either the ones or the others.

        Raises
        ------
        ValueError      an error that was not found, with those that were
        """
        for key in errors:
            if key not in self.curves:
                raise ValueError(f"{key!r} is not among the errors found: {', '.join(self.curves)}")
        remaining = [path.deviation_m - sum(self.curves[key][i] for key in errors) for i, path in enumerate(self.paths)]
        return _of(remaining, self.paths, self.radius_m, self.zone)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types. The paths are the recording's, and curves and residual follow from them: they are left out."""
        kept = ("title", "stated", "figures", "flags", "axes", "radius_m", "feed_m_per_s", "zone", "conforming")
        errors = {key: {"circularity_m": error.circularity_m, "share": error.share, "detail": error.detail} for key, error in self.errors.items()}
        return {name: plain(getattr(self, name)) for name in kept} | {"errors": errors}


def evaluate(
    paths: Sequence[Path],
    *,
    radius_m: float,
    feed_m_per_s: float,
    axes: tuple[str, str] = ("X", "Y"),
    cyclic_pitch_m: Mapping[str, float] | None = None,
    spike_window_rad: float = SPIKE_WINDOW_RAD,
    zone: Zone = Zone.MINIMUM_ZONE,
    length_uncertainty_m: float | None = None,
) -> Result:
    """Diagnose a circular test.

    Parameters
    ----------
    paths : one path of each sense; with one only, squareness and servo mismatch cannot be told apart and are not evaluated
    radius_m, feed_m_per_s : nominal
    cyclic_pitch_m : axis -> pitch of its ball screw, rack or scale; for an axis without an entry the strongest period is searched
    spike_window_rad : angle after a reversal in which a spike is looked for; these points do not enter the fit
    length_uncertainty_m : expanded uncertainty (k = 2) of the calibrated length of the bar, for U of scales and radius

    Raises
    ------
    DataError       no path, two of one sense, less than half a turn, or an arc on which the errors cannot be told apart
    """
    ordered = _checked(paths, radius_m, feed_m_per_s)
    if not 0 <= spike_window_rad <= math.pi / 8:
        raise DataError(f"spike_window_rad is {spike_window_rad:g}; expected 0 to π/8: a wider window leaves too little for the fit")
    fit = _Fit(ordered, radius_m, feed_m_per_s, axes, spike_window_rad)
    pitches, unseen = _cyclic(fit, cyclic_pitch_m or {})
    fit.solve()
    sizes, curves, details = _sizes(fit, pitches, length_uncertainty_m)
    _spikes(fit, sizes, curves, details)
    alone = {key: _of(parts, ordered, radius_m, zone) for key, parts in curves.items()}
    counted = [key for key in curves if key not in fit.not_shared]
    total = sum(alone[key] for key in counted)
    shares = {key: (alone[key] / total if total else 0.0) for key in counted}
    ranked = sorted(curves, key=lambda key: -shares.get(key, -1.0))
    measured = _of([path.deviation_m for path in ordered], ordered, radius_m, zone)
    unexplained = fit.residual + sum((fit.coefficient[name] * column for name, column in fit.waves.items()), np.zeros(fit.angle.size))
    residual = tuple(frozen(part) for part in fit.split(unexplained))
    rms = float(np.sqrt(np.mean(unexplained[fit.kept] ** 2)))
    first, second = axes
    found = [_with_share(sizes[key], shares.get(key), details.get(key, "")) for key in ranked]
    return Result(
        title=f"Diagnosis of a circular test, {first}{second}, radius {radius_m * 1e3:g} mm, feed {feed_m_per_s * 60e3:g} mm/min",
        stated=(f"circularity: {zone.value}", "shares: circularity of each error alone, in proportion to their sum"),
        figures=keyed([
            figure("circularity", "G(b)" if len(ordered) == 2 else "G, one direction", measured, "m", "see the circular test (ISO 230-4)"),
            figure("residual", "rms of what the errors do not explain", rms, "m", "a statistic of the fit, not a property of the machine"),
            *found,
            *(item for item in (*fit.missing, *unseen) if item.key not in sizes),
        ]),
        flags=tuple(fit.flags),
        axes=axes,
        radius_m=radius_m,
        feed_m_per_s=feed_m_per_s,
        zone=zone,
        errors=MappingProxyType({key: Error(size=sizes[key], circularity_m=alone[key], share=shares.get(key), detail=details.get(key, "")) for key in ranked}),
        curves=MappingProxyType({key: curves[key] for key in ranked}),
        paths=ordered,
        residual=residual,
    )  # fmt: skip


def _with_share(size: Figure, share: float | None, detail: str) -> Figure:
    words = [size.name, *([detail] if detail else []), *([f"{share * 100:.1f} % of the circularity"] if share is not None else [])]
    return figure(size.key, ", ".join(words), size.reason or size.value or 0.0, size.unit, size.uncertainty if size.uncertainty is not None else size.uncertainty_reason, symbol=size.symbol)


def _checked(paths: Sequence[Path], radius_m: float, feed_m_per_s: float) -> tuple[Path, ...]:
    positive("radius_m", radius_m, "m")
    positive("feed_m_per_s", feed_m_per_s, "m/s")
    ordered = tuple(path for sense in Sense for path in paths if path.sense is sense)
    if not ordered or len({path.sense for path in ordered}) != len(ordered):
        raise DataError(f"{len(ordered)} paths, senses {', '.join(path.sense.value for path in ordered) or 'none'}; expected one of each sense, or one path")
    for path in ordered:
        if path.arc_rad < SMALLEST_ARC_RAD:
            raise DataError(f"the {path.sense.value} path covers {math.degrees(path.arc_rad):.0f}°; a diagnosis needs at least 180°, better a full circle")
    return ordered


def _of(deviations: Sequence[Array], paths: Sequence[Path], radius_m: float, zone: Zone) -> float:
    moved = [Path(sense=path.sense, angle_rad=path.angle_rad, deviation_m=deviation) for path, deviation in zip(paths, deviations, strict=True)]
    return circularity(moved, radius_m, zone)


class _Fit:
    """The columns of the model, both paths one below the other, and their least-squares solution."""

    def __init__(self, paths: tuple[Path, ...], radius_m: float, feed_m_per_s: float, axes: tuple[str, str], window: float) -> None:
        self.paths, self.radius, self.feed, self.axes, self.window = paths, radius_m, feed_m_per_s, axes, window
        self.angle = np.concatenate([path.angle_rad for path in paths])
        self.measured = np.concatenate([path.deviation_m for path in paths])
        self.sense = np.concatenate([np.full(path.angle_rad.size, float(path.sense.sign)) for path in paths])
        self.first, self.second = (axis.lower() for axis in axes)
        self.missing: list[Figure] = []
        self.flags: list[str] = [swapped(path) for path in paths if path.turns_the_other_way]
        self.columns: dict[str, Array] = self._smooth()
        self.waves = self._waves()
        self.columns |= self.waves
        self.since_reversal = np.mod(self.sense * self.angle, math.pi / 2)
        """Angle moved since the last quadrant was entered."""
        self.kept = self.since_reversal > window if window else np.ones(self.angle.size, dtype=bool)
        self.not_shared = {f"centre_{self.first}", f"centre_{self.second}", f"scale_{self.first}", f"scale_{self.second}", "radius"}
        self._judge()

    def _smooth(self) -> dict[str, Array]:
        x, y, d, r, f = self.first, self.second, self.sense, self.radius, self.feed
        sin, cos = np.sin(self.angle), np.cos(self.angle)
        columns = {
            f"centre_{x}": cos,
            f"centre_{y}": sin,
            f"scale_{x}": r * cos**2,
            f"scale_{y}": r * sin**2,
            "squareness": -r * sin * cos,
            "servo_mismatch": d * f * sin * cos,
            f"backlash_{x}": d / 2 * np.sign(sin) * cos,
            f"backlash_{y}": -d / 2 * np.sign(cos) * sin,
            f"lateral_play_{x}": -d / 2 * np.abs(sin),
            f"lateral_play_{y}": d / 2 * np.abs(cos),
            f"straightness_{x}": cos**2 * sin,
            f"straightness_{y}": sin**2 * cos,
        }
        if len(self.paths) == 1:
            del columns["servo_mismatch"]
            columns["squareness_or_servo_mismatch"] = columns.pop("squareness")
            why = "one direction only: squareness and servo mismatch cannot be told apart; measure the other direction too"
            self.missing += [figure("squareness", "squareness", why, "rad", symbol="C"), figure("servo_mismatch", "servo mismatch", why, "s", symbol="Δτ")]
            self.flags.append("one direction only: squareness and servo mismatch are not evaluated, and what is left of either shows as one error")
        return columns

    def _waves(self) -> dict[str, Array]:
        """Columns of slow waves that both directions share and no named error makes: errors of guideways and screws of a length between the circle's and a pitch.

        They are fitted beside the errors, so that what they are does not lean on a cyclic error, whose phase stands still where its axis turns round. With one
        direction, an arc, or few points they could not be told from backlash, and are left out.
        """
        whole = len(self.paths) == 2 and all(path.arc_rad == 2 * math.pi for path in self.paths)
        if not whole or self.angle.size < 40 * (len(self.columns) + 2 * len(WAVES)):
            return {}
        return {f"wave_{k}_{name}": of(k * self.angle) for k in WAVES for name, of in (("cos", np.cos), ("sin", np.sin))}

    def _judge(self) -> None:
        """Refuse an arc on which the errors cannot be told apart; say which suffer on a poor one."""
        matrix = self.matrix()[self.kept]
        if matrix.shape[0] < 4 * matrix.shape[1]:
            raise DataError(f"{matrix.shape[0]} points outside the windows after reversals for {matrix.shape[1]} errors; expected at least {4 * matrix.shape[1]}; measure more points")
        unit = matrix / np.sqrt((matrix**2).sum(axis=0))
        _, singular, directions = np.linalg.svd(unit, full_matrices=False)
        names = list(self.columns)
        if singular[-1] < _ILL_CONDITIONED * singular[0]:
            together = [names[k] for k in np.argsort(-np.abs(directions[-1]))[:3]]
            raise DataError(f"on this arc {', '.join(together)} cannot be told apart; expected a full circle in both directions; measure the missing quadrants")
        inflation = np.sqrt(np.diag(np.linalg.inv(unit.T @ unit)))
        poor = [name for name, factor in zip(names, inflation, strict=True) if factor > _POORLY_DETERMINED]
        if any(path.arc_rad < 2 * math.pi for path in self.paths):
            suffering = f": {', '.join(poor)} are poorly told apart, as their U shows" if poor else ""
            self.flags.append(f"an arc, not a full circle, was measured{suffering}")

    def matrix(self) -> Array:
        return np.stack(list(self.columns.values()), axis=-1)

    def solve(self) -> None:
        matrix = self.matrix()
        scale = np.sqrt((matrix[self.kept] ** 2).sum(axis=0))
        solution, *_ = np.linalg.lstsq(matrix[self.kept] / scale, self.measured[self.kept], rcond=None)
        self.coefficient = dict(zip(self.columns, solution / scale, strict=True))
        self.residual = self.measured - matrix @ (solution / scale)
        lengths = tuple(int(part.sum()) for part in self.split(self.kept))
        self.covariance = correlated_covariance(matrix[self.kept], self.residual[self.kept], lengths)

    def split(self, values: Array) -> list[Array]:
        """One array a path."""
        return list(np.split(values, np.cumsum([path.angle_rad.size for path in self.paths])[:-1]))

    def expanded(self, weights: Mapping[str, float]) -> float:
        """U (k = 2) of a weighted sum of coefficients."""
        w = np.array([weights.get(name, 0.0) for name in self.columns])
        return 2 * math.sqrt(max(0.0, float(w @ self.covariance @ w)))

    def along(self, axis: str) -> Array:
        """Position on the circle along an axis, in radii."""
        along: Array = np.cos(self.angle) if axis == self.axes[0] else np.sin(self.angle)
        return along

    def cyclic(self, axis: str, frequency: float) -> tuple[Array, Array]:
        u = self.along(axis)
        phase = 2 * math.pi * self.radius * frequency * u
        return u * np.sin(phase), u * np.cos(phase)


def _cyclic(fit: _Fit, given: Mapping[str, float]) -> tuple[dict[str, float], list[Figure]]:
    """Adds the columns of cyclic errors to the fit; axis -> pitch of those found, and a figure with the reason for each that is not."""
    fit.solve()
    for axis in given:
        if axis not in fit.axes:
            raise DataError(f"cyclic_pitch_m names axis {axis!r}; the circle lies in {fit.axes[0]} and {fit.axes[1]}")
    points = min(path.angle_rad.size * 2 * math.pi / path.arc_rad for path in fit.paths)
    shortest, longest = SAMPLES_PER_PITCH * 2 * math.pi * fit.radius / points, 2 * fit.radius / FEWEST_PITCHES
    pitches: dict[str, float] = {}
    unseen: list[Figure] = []
    for axis in sorted(fit.axes, key=lambda axis: axis not in given):
        key, name = f"cyclic_{axis.lower()}", f"cyclic error of {axis}, amplitude"
        reason = None
        pitch = given.get(axis)
        if pitch is not None and pitch < shortest:
            reason = f"{pitch * 1e3:.4g} mm has fewer than {SAMPLES_PER_PITCH} points in a period (the shortest seen is {shortest * 1e3:.4g} mm); sample faster or feed slower"
        elif pitch is not None and pitch > longest:
            reason = f"{pitch * 1e3:.4g} mm has fewer than {FEWEST_PITCHES} periods along the diameter and cannot be told from scale and straightness"
        elif pitch is None and shortest >= longest:
            reason = f"{points:.0f} points around are too few for any period; expected more than {SAMPLES_PER_PITCH * math.pi * FEWEST_PITCHES:.0f}"
        elif pitch is None:
            pitch = _search(fit, axis, 1 / longest, 1 / shortest)
            reason = None if pitch else "no period stands out of what the other errors leave over"
        if reason or pitch is None:
            unseen.append(figure(key, name, reason or "", "m", symbol=f"A_{axis}"))
            continue
        pitches[axis] = pitch
        fit.columns[f"{key}_sin"], fit.columns[f"{key}_cos"] = fit.cyclic(axis, 1 / pitch)
        fit.solve()
    return pitches, unseen


def _search(fit: _Fit, axis: str, lowest: float, highest: float) -> float | None:
    """The pitch that explains most of the residual beside the errors already in the model, None if noise explains it as well."""
    from scipy.optimize import minimize_scalar

    kept, residual = fit.kept, fit.residual[fit.kept]
    along = fit.along(axis)[kept]
    # What a period explains is 2·|Σ e·u·exp(−2πi·f·R·u)|²/Σu² to a few per cent: one Fourier transform over bins of position scans them all.
    bins = 2 ** math.ceil(math.log2(32 * 2 * fit.radius * highest))
    place = np.minimum((along + 1) / 2 * bins, bins - 1).astype(np.int64)
    step = 1 / (2 * fit.radius) / 4
    wanted = np.arange(math.ceil(lowest / step), math.floor(highest / step) + 1)
    if not wanted.size:
        return None
    frequencies = wanted * step
    weighted = np.bincount(place, weights=residual * along, minlength=bins)
    gains = 2 * np.abs(np.fft.rfft(weighted, 4 * bins)[wanted]) ** 2 / float(along @ along)
    best = int(np.argmax(gains))
    # Noise of any colour that varies slowly with frequency explains s²·χ²(2) at each; its median is 2 ln 2·s².
    limit = 2 * math.log(frequencies.size / _CHANCE) * float(np.median(gains)) / (2 * math.log(2))
    smallest = 1e-4 * float(np.ptp(fit.measured))  # what rounding and second-order terms leave is below this
    if gains[best] <= limit or gains[best] <= smallest**2 * kept.sum() / 4:
        return None
    others, _ = np.linalg.qr(fit.matrix()[kept])

    def unexplained(frequency: float) -> float:
        pair = np.stack(fit.cyclic(axis, frequency), axis=-1)[kept]
        pair = pair - others @ (others.T @ pair)
        a, b = pair.T
        aa, ab, bb, ae, be = a @ a, a @ b, b @ b, a @ residual, b @ residual
        return -float((bb * ae**2 - 2 * ab * ae * be + aa * be**2) / (aa * bb - ab**2))

    refined = minimize_scalar(unexplained, bounds=(frequencies[best] - step, frequencies[best] + step), method="bounded", options={"xatol": step * 1e-6})
    return 1 / float(refined.x)


def _sizes(fit: _Fit, pitches: Mapping[str, float], length_u: float | None) -> tuple[dict[str, Figure], dict[str, tuple[Array, ...]], dict[str, str]]:
    x, y = fit.axes
    lx, ly = fit.first, fit.second
    names = {
        f"centre_{lx}": ("m", f"c_{x}", f"centre along {x}"), f"centre_{ly}": ("m", f"c_{y}", f"centre along {y}"),
        f"scale_{lx}": ("", f"k_{x}", f"scale error of {x}"), f"scale_{ly}": ("", f"k_{y}", f"scale error of {y}"),
        "squareness": ("rad", "C", f"squareness of {x} and {y}, positive: beyond 90°"), "servo_mismatch": ("s", "Δτ", f"servo mismatch, lag of {x} behind {y}"),
        "squareness_or_servo_mismatch": ("rad", "C + …", "squareness and servo mismatch together, as an angle"),
        f"backlash_{lx}": ("m", f"b_{x}", f"backlash of {x}"), f"backlash_{ly}": ("m", f"b_{y}", f"backlash of {y}"),
        f"lateral_play_{lx}": ("m", f"p_{x}", f"lateral play of {x}"), f"lateral_play_{ly}": ("m", f"p_{y}", f"lateral play of {y}"),
        f"straightness_{lx}": ("m", f"s_{x}", f"straightness of {x}, bow over the diameter"), f"straightness_{ly}": ("m", f"s_{y}", f"straightness of {y}, bow over the diameter"),
    }  # fmt: skip
    sizes: dict[str, Figure] = {}
    curves: dict[str, tuple[Array, ...]] = {}
    details: dict[str, str] = {}

    def add(key: str, value: float, unit: str, symbol: str, name: str, u: float | str, curve: Array) -> None:
        sizes[key] = figure(key, name, value, unit, u, symbol=symbol)
        curves[key] = tuple(frozen(part.copy()) for part in fit.split(curve))

    no_length = "the uncertainty of the calibrated length of the bar was not given"
    for key, value in fit.coefficient.items():
        if key not in names:
            continue
        unit, symbol, name = names[key]
        u: float | str = fit.expanded({key: 1.0})
        if unit == "":
            u = no_length if length_u is None else math.hypot(float(u), length_u / fit.radius)
        add(key, float(value), unit, symbol, name, u, value * fit.columns[key])
    kx, ky = fit.coefficient[f"scale_{lx}"], fit.coefficient[f"scale_{ly}"]
    sx, sy = fit.columns[f"scale_{lx}"], fit.columns[f"scale_{ly}"]
    mismatch = fit.expanded({f"scale_{lx}": 1.0, f"scale_{ly}": -1.0})
    add("scale_mismatch", float(kx - ky), "", f"k_{x} − k_{y}", f"scale mismatch of {x} and {y}", mismatch, (kx - ky) / 2 * (sx - sy))
    half = fit.radius / 2
    radius_u: float | str = no_length if length_u is None else math.hypot(length_u, fit.expanded({f"scale_{lx}": half, f"scale_{ly}": half}))
    add("radius", float(half * (kx + ky)), "m", "ΔR", "radius", radius_u, (kx + ky) / 2 * (sx + sy))
    for axis, pitch in pitches.items():
        key = f"cyclic_{axis.lower()}"
        a, b = fit.coefficient[f"{key}_sin"], fit.coefficient[f"{key}_cos"]
        amplitude = math.hypot(a, b)
        weights = {f"{key}_sin": a / amplitude, f"{key}_cos": b / amplitude} if amplitude else {f"{key}_sin": 1.0}
        add(key, amplitude, "m", f"A_{axis}", f"cyclic error of {axis}, amplitude", fit.expanded(weights), a * fit.columns[f"{key}_sin"] + b * fit.columns[f"{key}_cos"])
        details[key] = f"pitch {pitch * 1e3:.4g} mm"
    return sizes, curves, details


def _spikes(fit: _Fit, sizes: dict[str, Figure], curves: dict[str, tuple[Array, ...]], details: dict[str, str]) -> None:
    """Largest residual after each reversal, where it stands out of the noise; one that does not is no error and is listed in `fit.missing`."""
    if not fit.window:
        return
    noise = _local_noise(fit)
    places = [(axis, side, quarter) for quarter, (axis, side) in enumerate([(fit.axes[0], "plus"), (fit.axes[1], "plus"), (fit.axes[0], "minus"), (fit.axes[1], "minus")])]
    for sense in {path.sense.sign: path.sense for path in fit.paths}.values():
        for axis, side, quarter in places:
            key = f"spike_{axis.lower()}_{side}_{sense.name.lower()}"
            name = f"reversal spike of {axis} at its {'+' if side == 'plus' else '−'} end, {sense.value}"
            since = np.mod(sense.sign * (fit.angle - quarter * math.pi / 2), 2 * math.pi)
            of_path = fit.sense == sense.sign
            # While the play is taken up, the carriage stands: what the step of the model says too much there is the backlash's own.
            play = math.sqrt(2 * max(0.0, float(fit.coefficient[f"backlash_{axis.lower()}"])) / fit.radius)
            inside = of_path & (since >= play) & (since <= play + fit.window)
            after = of_path & (since > play + fit.window) & (since <= play + 2 * fit.window)
            level = float(fit.residual[after].mean()) if after.any() else 0.0
            values = fit.residual[inside] - level
            if values.size < 3:
                fit.missing.append(figure(key, name, f"{values.size} points in the {math.degrees(fit.window):.1f}° after the reversal; at least 3 are needed", "m"))
                continue
            height = float(values[np.argmax(np.abs(values))])
            limit = largest_normal(values.size) * noise
            if abs(height) <= 1.5 * limit or abs(height) < 1e-4 * float(np.ptp(fit.measured)):
                fit.missing.append(figure(key, name, "no residual after this reversal stands out of the noise", "m"))
                continue
            whole = fit.residual[of_path & (since <= play + fit.window)] - level
            step = float(np.median(np.diff(np.sort(since[of_path]))))
            wide = float((whole * np.sign(height) > abs(height) / 2).sum()) * step
            details[key] = f"for {wide * fit.radius / fit.feed * 1e3:.3g} ms"
            sizes[key] = figure(key, name, height, "m", limit, symbol=f"h_{axis}{'+' if side == 'plus' else '−'} {sense.name}")
            spike = of_path & (since <= play + fit.window) & (inside | ((fit.residual - level) * height > 0))
            curves[key] = tuple(frozen(part) for part in fit.split(np.where(spike, fit.residual - level, 0.0)))


def _local_noise(fit: _Fit) -> float:
    """rms of the residual about its mean within pieces as long as the window: what a spike has to stand out of, whatever the model leaves over slowly."""
    pieces = np.floor(fit.angle / fit.window).astype(np.int64)
    noises = []
    for path in {sign: fit.kept & (fit.sense == sign) for sign in np.unique(fit.sense)}.values():
        _, number = np.unique(pieces[path], return_inverse=True)
        values, count = fit.residual[path], np.bincount(number)
        mean = np.bincount(number, weights=values) / count
        free = values.size - count.size
        if free > 0:
            noises.append(float(((values - mean[number]) ** 2).sum() / free))
    return math.sqrt(sum(noises) / len(noises)) if noises else float(np.sqrt(np.mean(fit.residual[fit.kept] ** 2)))
