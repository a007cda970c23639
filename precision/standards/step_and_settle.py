"""Step and settle: how long an axis needs after each of many steps, after all three definitions of settling, and how still it stands then.

Figures over the steps: mean, standard deviation (divisor n − 1) and largest settling time. A step that never settles has no time; the figure over the steps
then has none either, and says which steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError
from ..figures import Figure
from ..kernels.moving import moving_mean_std
from ..units import text
from . import settling
from .arrays import positive, vector
from .reported import Reported, figure, keyed
from .settling import Settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What "settled" means. band : ±b, m or rad. dwell_s : of the first entry. window_s, mean, std : of the moving statistics; None leaves them out."""

    band: float
    dwell_s: float
    window_s: float | None = None
    mean: float | None = None
    std: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Settling of a series of steps. settled : definition -> one `Settled` a step, in order."""

    settled: dict[str, tuple[Settled, ...]]


def evaluate(time_s: ArrayLike, error: ArrayLike, step_ends_s: Sequence[float], limits: Limits, *, until_s: Sequence[float] | None = None, unit: str = "m") -> Result:
    """Settling after each step of a record.

    Parameters
    ----------
    time_s : (n,) float64 s, ascending and equally spaced
    error : (n,) float64, actual − target, m or rad
    step_ends_s : where each reference comes to rest; settling counts from there
    until_s : where each step's record ends; by default just before the next step ends its reference, and the end of the record for the last

    Raises
    ------
    DataError       shapes, order, limits, a step without samples, naming it
    """
    time = vector("time_s", time_s, fewest=4, ascending=True, largest=1e12)
    values = vector("error", error, size=time.size)
    ends = vector("step_ends_s", step_ends_s, ascending=True, largest=1e12)
    last = [*ends[1:], float(time[-1]) + 1.0] if until_s is None else list(vector("until_s", until_s, size=ends.size, largest=1e12))
    positive("band", limits.band, unit)
    settled: dict[str, list[Settled]] = {"last exit": [], "first entry": []}
    windowed = _windowed(limits)
    if windowed is not None:
        settled["moving"] = []
    for number, (begin, end) in enumerate(zip(ends, last, strict=True), 1):
        piece = (time >= begin) & (time < end)
        if piece.sum() < 4:
            raise DataError(f"step {number}: {int(piece.sum())} samples between {begin:g} s and {end:g} s; at least 4 are needed")
        t, e = time[piece] - begin, values[piece]
        settled["last exit"].append(settling.last_exit(t, e, band=limits.band, unit=unit))
        settled["first entry"].append(settling.first_entry(t, e, band=limits.band, dwell_s=limits.dwell_s, unit=unit))
        if windowed is not None:
            width = max(1, round(windowed[0] / float(np.median(np.diff(t)))))
            if width + 2 > t.size:
                raise DataError(f"step {number}: the window of {windowed[0]:g} s is {width} samples, the step has {t.size}")
            ma, msd = moving_mean_std(e, width)
            centre = (t[: ma.size] + t[width - 1 :]) / 2
            settled["moving"].append(settling.moving(centre, ma, msd, mean_limit=windowed[1], std_limit=windowed[2], unit=unit))
    return Result(
        title=f"Step and settle, {ends.size} steps",
        stated=(f"band ±{text(limits.band, unit, digits=3)}", f"dwell {limits.dwell_s:g} s", "time counts from the end of the reference"),
        figures=keyed(_figures(settled)),
        flags=("a single step: nothing is known about how much steps differ",) if ends.size == 1 else (),
        settled={name: tuple(found) for name, found in settled.items()},
    )


def _windowed(limits: Limits) -> tuple[float, float, float] | None:
    given = (limits.window_s, limits.mean, limits.std)
    if all(value is None for value in given):
        return None
    if limits.window_s is None or limits.mean is None or limits.std is None:
        raise DataError(f"moving statistics need window_s, mean and std together; given were {given}")
    return limits.window_s, limits.mean, limits.std


def _figures(settled: dict[str, list[Settled]]) -> list[Figure]:
    figures = []
    for name, steps in settled.items():
        key = {"last exit": "t_exit", "first entry": "t_entry", "moving": "t_moving"}[name]
        never = [number for number, step in enumerate(steps, 1) if step.time_s is None]
        more = f" and {len(never) - 8} more" if len(never) > 8 else ""
        reason = f"step {', '.join(map(str, never[:8]))}{more} of {len(steps)}: {next(step.reason for step in steps if step.time_s is None)}" if never else ""
        times = np.array([step.time_s for step in steps if step.time_s is not None])
        resolution = max(step.resolution_s + step.noise_s for step in steps)
        spread: float | str = reason or (float(times.std(ddof=1)) if times.size > 1 else "one step")
        figures += [
            figure(f"{key}_mean", f"settling time, {name}, mean of {len(steps)} steps", reason or float(times.mean()), "s", resolution, symbol=f"t̄ ({name})"),
            figure(f"{key}_sd", f"settling time, {name}, standard deviation of the steps", spread, "s", resolution, symbol=f"s_t ({name})"),
            figure(f"{key}_max", f"settling time, {name}, largest", reason or float(times.max()), "s", resolution, symbol=f"t_max ({name})"),
        ]
    return figures
