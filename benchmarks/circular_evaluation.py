"""From the readings of a ball bar to the figures of a circular test and the errors behind them: pure, so that an old run can be judged again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.figures import Figure
from precision.runs.capture import Column
from precision.standards import ballbar, iso230_4
from precision.standards.iso230_4 import Centring, Path, Sense, Zone
from precision.uncertainty.readings import Readings as Known

from .circular import axes_of
from .circular_plan import READINGS, AsRecorded, Evaluated, Parameters, RecordedCircle
from .procedure import Readings

IMPORTED_COLUMNS: Final = (Column("circle", "i8", ""), Column("direction", "i8", ""), Column("sample", "i8", ""), Column("reading", "f8", ""), Column("angle_rad", "f8", "rad"))
"""A recording from elsewhere: direction +1 counter-clockwise, −1 clockwise; reading in the file's counts; angle NaN where the file has none."""

ZONES: Final = {"minimum zone": Zone.MINIMUM_ZONE, "least squares": Zone.LEAST_SQUARES}
CENTRINGS: Final = {"least squares": Centring.LEAST_SQUARES, "minimum zone": Centring.MINIMUM_ZONE, "set-up": Centring.SET_UP}
_SLOWEST_M_PER_S2: Final = 0.2
"""Acceleration of a slow machine: how much longer than way/feed a circle may take because of its ramps."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Feed:
    """One feed.

    paths : of each direction. test : figures of ISO 230-4. diagnosis : what makes them, or None with `reason`. fixed : errors of `evaluation.fix` that were
    found, by key. remaining : circularity without them, or None. calculated : direction -> feed from the recording's duration, m/s.
    """

    feed_m_per_s: float
    paths: tuple[Path, ...]
    test: iso230_4.Result
    diagnosis: ballbar.Result | None
    reason: str
    fixed: tuple[str, ...]
    remaining: Figure | None
    calculated: Mapping[str, float]
    flags: tuple[str, ...]

    @property
    def name(self) -> str:
        """"1500 mm/min"."""
        return f"{self.feed_m_per_s * 60e3:g} mm/min"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Analysis:
    """A circular test, judged. uncertainty_reason : what the plan lacks for U of G, or ""."""

    axes: tuple[str, str]
    radius_m: float
    feeds: tuple[Feed, ...]
    uncertainty_reason: str


def analyse(plan: Evaluated, readings: Readings) -> Analysis:
    """Evaluate a test: the columns of its capture, (rows,) each.

    Raises
    ------
    DataError       no circle, or readings that contradict each other
    """
    found = _measured_paths(plan, readings) if isinstance(plan, Parameters) else _imported_paths(plan, readings)
    if not found:
        raise DataError("the run holds no circle; see its events.jsonl for what happened, and measure again")
    known, reason = _known(plan)
    evaluation: AsRecorded = plan.evaluation
    feeds: list[Feed] = []
    for feed in sorted({feed for feed, *_ in found}):
        parts = [(path, calculated, flag) for one, path, calculated, flag in found if one == feed]
        feeds.append(_feed(plan, evaluation, feed, parts, known))
    return Analysis(axes=axes_of(plan.circle.plane), radius_m=plan.circle.radius, feeds=tuple(feeds), uncertainty_reason=reason)


def _feed(plan: Evaluated, evaluation: AsRecorded, feed: float, parts: list[tuple[Path, float | None, str]], known: Known | None) -> Feed:
    paths = tuple(path for path, _, _ in parts)
    axes, zone = axes_of(plan.circle.plane), ZONES[evaluation.zone]
    common: dict[str, Any] = {"radius_m": plan.circle.radius, "feed_m_per_s": feed, "axes": axes, "zone": zone, "length_uncertainty_m": plan.uncertainty.bar_length}
    test = iso230_4.evaluate(paths, **common, centring=CENTRINGS[evaluation.centring], readings=known)
    pitches = {axis: pitch for axis, pitch in zip(axes, (evaluation.first_pitch, evaluation.second_pitch), strict=True) if pitch is not None}
    diagnosis, reason = None, ""
    try:
        diagnosis = ballbar.evaluate(paths, **common, cyclic_pitch_m=pitches, spike_window_rad=evaluation.spike_window)
    except DataError as error:
        reason = str(error)
    fixed, remaining = _what_if(evaluation.fix, diagnosis, reason)
    flags = dict.fromkeys([*(flag for *_, flag in parts if flag), *test.flags, *(diagnosis.flags if diagnosis else [])])
    return Feed(
        feed_m_per_s=feed, paths=paths, test=test, diagnosis=diagnosis, reason=reason, fixed=fixed, remaining=remaining,
        calculated={path.sense.name: value for path, value, _ in parts if value is not None}, flags=tuple(flags),
    )  # fmt: skip


def _what_if(wanted: tuple[str, ...], diagnosis: ballbar.Result | None, reason: str) -> tuple[tuple[str, ...], Figure | None]:
    """The errors that are thought away, and the circularity that is left. A name also stands for all that begin with it: "backlash", "spike_x"."""
    if not wanted:
        return (), None
    if diagnosis is None:
        said = f"nothing was diagnosed: {reason}"
        return (), Figure(symbol="G without", key="remaining", name=f"circularity that would remain without {', '.join(wanted)}", unit="m", value=None, reason=said)
    keys = [key for key in diagnosis.curves if any(key == name or key.startswith(f"{name}_") for name in wanted if name != "scale" or key != "scale_mismatch")]
    symbol = f"{'G(b)' if len(diagnosis.paths) == 2 else 'G'} without"
    return tuple(keys), Figure(
        symbol=symbol, key="remaining", name=f"circularity that would remain without {', '.join(wanted)}", unit="m", value=diagnosis.without(*keys),
        uncertainty_reason="a prediction from the fit: repair the machine and measure again",
    )  # fmt: skip


def _known(plan: Evaluated) -> tuple[Known | None, str]:
    stated = plan.uncertainty
    lacking = [name for name in READINGS if getattr(stated, name) is None]
    if lacking:
        return None, f"the plan's [uncertainty] lacks {', '.join(lacking)}"
    return Known(device=stated.bar_sensor or 0.0, noise=stated.bar_noise or 0.0, drift_range=stated.drift or 0.0, resolution=stated.bar_resolution), ""


def _measured_paths(plan: Parameters, readings: Readings) -> list[tuple[float, Path, float | None, str]]:
    paths = []
    for number in np.unique(readings["circle"]):
        rows = readings["circle"] == number
        direction, feed = int(readings["direction"][rows][0]), float(readings["feed_m_per_s"][rows][0])
        paths.append((feed, *_one_path(plan, direction, feed, readings["t_s"][rows], readings["extension_m"][rows])))
    return paths


def _one_path(plan: Parameters, direction: int, feed: float, t_s: NDArray[np.float64], extension_m: NDArray[np.float64]) -> tuple[Path, float | None, str]:
    angle, calculated, flag = angles(plan, direction, feed, t_s, extension_m)
    around = np.abs(angle - (plan.circle.start + direction * math.pi)) < math.pi
    inside = around & (extension_m < plan.circle.feed_in / 2)
    if inside.sum() < iso230_4.FEWEST_POINTS:
        raise DataError(f"a {'counter-clockwise' if direction > 0 else 'clockwise'} circle at {feed * 60e3:g} mm/min has {int(inside.sum())} readings; measure it again")
    return Path(sense=Sense.XY if direction > 0 else Sense.YX, angle_rad=angle[inside], deviation_m=extension_m[inside]), calculated, flag


def angles(plan: Parameters, direction: int, feed: float, t_s: NDArray[np.float64], extension_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, str]:
    """Angle of each reading, rad; the feed that the recording's duration says, m/s; and a flag where that is not the plan's, or "".

    The bar has no angle. It passes half of the radial way in at t₁ and out at t₂; both ways and the ramps of the arc are mirror images, so the middle of the arc
    is at (t₁ + t₂)/2, and between its ramps the angle goes as ω = F/R. Equal lag of both axes delays t₁, t₂ and the circle alike.

    Raises
    ------
    DataError       the bar was not in its travel, or never left it
    """
    circle = plan.circle
    inside = np.flatnonzero(extension_m < circle.feed_in / 2)
    if not inside.size or inside[0] == 0 or inside[-1] == extension_m.size - 1:
        raise DataError(f"a circle at {feed * 60e3:g} mm/min has no beginning or no end: the bar was not driven in and out while it was recorded; measure it again")
    t_in, t_out = (_crossing(t_s, extension_m, k, circle.feed_in / 2) for k in (int(inside[0]), int(inside[-1]) + 1))
    way_m = circle.radius * (2 * math.pi + 2 * circle.overshoot)
    over_s = t_out - t_in - way_m / feed
    ramps_s = circle.feed_in / feed + 4 * feed / _SLOWEST_M_PER_S2
    used, flag = feed, ""
    calculated = way_m / max(1e-9, t_out - t_in - circle.feed_in / feed)
    if not -0.01 * way_m / feed <= over_s <= ramps_s + 0.01 * way_m / feed:
        used = calculated
        flag = (
            f"the {'counter-clockwise' if direction > 0 else 'clockwise'} circle took {t_out - t_in:.2f} s; at the plan's {feed * 60e3:g} mm/min it takes {way_m / feed:.2f} s: an override, or a "
            f"controller that slows on circles. Angles are those of the mean feed, {calculated * 60e3:.4g} mm/min"
        )
    middle = circle.start + direction * math.pi
    return middle + direction * used / circle.radius * (t_s - 0.5 * (t_in + t_out)), calculated, flag


def _crossing(t_s: NDArray[np.float64], value: NDArray[np.float64], k: int, level: float) -> float:
    """When the level was passed between samples k − 1 and k."""
    a, b = float(value[k - 1]), float(value[k])
    return float(t_s[k - 1] + (t_s[k] - t_s[k - 1]) * (level - a) / (b - a))


def _imported_paths(plan: Evaluated, readings: Readings) -> list[tuple[float, Path, float | None, str]]:
    circle = plan.circle
    if not isinstance(circle, RecordedCircle):
        raise TypeError("an imported circle has feed, start, arc and unit")
    paths: list[tuple[float, Path, float | None, str]] = []
    for number in np.unique(readings["circle"]):
        rows = readings["circle"] == number
        direction, counts = int(readings["direction"][rows][0]), readings["reading"][rows]
        sense = Sense.XY if direction > 0 else Sense.YX
        if np.isfinite(angle := readings["angle_rad"][rows]).all():
            paths.append((circle.feed, Path(sense=sense, angle_rad=angle, deviation_m=counts * circle.unit), None, ""))
            continue
        closed = circle.arc >= 2 * math.pi
        # Readings are evenly spaced; those of a whole turn do not come back to the first place.
        step = circle.arc / (counts.size if closed else counts.size - 1)
        along = np.arange(counts.size) * step
        kept = slice(0, None)
        if circle.arc > 2 * math.pi:
            kept = slice(*np.searchsorted(along, [(circle.arc - 2 * math.pi) / 2, (circle.arc + 2 * math.pi) / 2]).tolist())
        path = Path(sense=sense, angle_rad=circle.start + direction * along[kept], deviation_m=counts[kept] * circle.unit)
        paths.append((circle.feed, path, None, ""))
    senses = [path.sense for _, path, _, _ in paths]
    if len(set(senses)) != len(senses):
        # Repeated runs of one direction: the first of each is evaluated, and that is said.
        first = {path.sense: k for k, (_, path, _, _) in reversed(list(enumerate(paths)))}
        flag = f"the file holds {len(paths)} runs; the first of each direction is evaluated"
        paths = [(*paths[k][:3], flag) for k in sorted(first.values())]
    return paths
