"""Many steps of a set-point: shape, settling and error of the responses by size and direction, and how far the axis
answers all sizes alike.

Steps of one size and direction are a group; their figures are means over the group. A linear axis answers every size
with one response r(t) = (y − y₀)/(target − y₀):

    departure of a group = max_t |r_g(t) − r̄(t)| over the mean r̄ of all groups that are compared

Expanded uncertainties: of a group's mean k·s/√n with Student's k, together with what sampling and sensor noise do to a
single response. Noise of standard deviation σ (neighbouring samples at the end of each response) is taken as white; it
moves

    a peak by up to z_m σ (m samples within 4σ of it),   a passage by 4σ/|ẏ|,   ∫|e| by ∫|n| ≤ σ√(2/π) T,   ∫e² by
    2·2σ√(Δt∫e²dt) + σ² T,   the others likewise
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..figures import Figure
from ..kernels.moving import moving_mean_std
from ..uncertainty.readings import largest_normal
from ..units import text
from . import settling, step_response
from .arrays import Array, frozen, positive, vector
from .coverage import coverage_factor
from .reported import Reported, figure, keyed
from .settling import Settled

ALIKE: Final = 1e-3
"""Share of a step within which two steps are of one size: controllers round their set-points."""
_TAIL: Final = 0.1
"""Share of a response, its end, over which the steady-state error is averaged; as in `step_response`."""
_BATCHES: Final = 8
_KEYS: Final = (
    "t_rise",
    "overshoot",
    "overshoot_ratio",
    "t_peak",
    "t_exit",
    "t_entry",
    "t_moving",
    "steady_state",
    "iae",
    "ise",
    "itae",
    "itse",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a response is judged. band : ±b in the unit of the position, or None: `band_share` of each step. dwell_s : of
    the first entry. window_s, std_share : of the moving statistics: |MA| ≤ b and MSD ≤ std_share·b. end_s : of the
    integrals, from the step; None: the shortest response."""

    band: float | None = None
    band_share: float = 0.02
    dwell_s: float = 0.01
    window_s: float = 0.01
    std_share: float = 0.5
    end_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One step. size : commanded, with its sign. at_s : when. time_s, response : (k,) since the step, and (y −
    y₀)/(target − y₀). values, u : figure -> value or reason, and U."""

    size: float
    at_s: float
    time_s: Array
    response: Array
    values: dict[str, float | str]
    u: dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """Steps of one size and direction. size : > 0. direction : "up" or "down". steps : how many. band : ±b. figures : by
    the keys of `KEYS`.

    time_s, response : (k,) the mean normalised response. spread : (k,) largest distance of one of the group from it.
    """

    size: float
    direction: str
    steps: int
    band: float
    figures: dict[str, Figure]
    time_s: Array
    response: Array
    spread: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(Reported):
    """Step responses. Figures "t_exit_max", "t_entry_max", "t_moving_max", "overshoot_max", "overshoot_ratio_max",
    "steady_state_max", "departure_up", "departure_down", "departure_directions", and those of each group, "t_rise_1_up"
    …, sizes numbered from the smallest.

    groups : by size, up before down.
    """

    groups: tuple[Group, ...]


def found_steps(time_s: ArrayLike, set_point: ArrayLike) -> NDArray[np.int64]:
    """Indices of the samples at which the set-point has jumped.

    Raises
    ------
    DataError       it never changes, or moves on over several samples: a profile is no step
    """
    time = vector("time_s", time_s, fewest=step_response.FEWEST, ascending=True, largest=1e12)
    r = vector("set_point", set_point, size=time.size)
    changed = np.flatnonzero(np.diff(r) != 0) + 1
    if not changed.size:
        raise DataError(f"the set-point stays at {r[0]:g}: there is no step in the record")
    on = np.flatnonzero(np.diff(changed) == 1)
    if on.size:
        raise DataError(
            f"the set-point changes at {time[changed[on[0]]]:.6g} s and again one sample later ({on.size} such places): "
            "it follows a profile. Record jumps of the set-point, "
            "or evaluate settling after the profile (step-settle)"
        )
    return np.asarray(changed, dtype=np.int64)


def evaluate(
    time_s: ArrayLike, set_point: ArrayLike, position: ArrayLike, options: Options | None = None, *, unit: str = "m"
) -> Result:
    """Evaluate a record of steps.

    Parameters
    ----------
    time_s : (n,) float64 s, ascending, equally spaced
    set_point, position : (n,) float64, m or rad; the set-point jumps from one constant to the next
    options : band, dwell, window, end of the integrals

    Raises
    ------
    DataError       shapes, no step or a profile, a step with too few samples, naming it
    """
    chosen = options or Options()
    time = vector("time_s", time_s, fewest=step_response.FEWEST, ascending=True, largest=1e12)
    r, y = vector("set_point", set_point, size=time.size), vector("position", position, size=time.size)
    for name, value in (("band_share", chosen.band_share), ("window_s", chosen.window_s), ("std_share", chosen.std_share)):
        positive(name, value, "s" if name == "window_s" else "1")
    begins = found_steps(time, r)
    ends = [*begins[1:].tolist(), time.size]
    shortest = min(float(time[end - 1] - time[begin]) for begin, end in zip(begins, ends, strict=True))
    last_s = shortest if chosen.end_s is None else chosen.end_s
    steps = []
    for number, (begin, end) in enumerate(zip(begins.tolist(), ends, strict=True), 1):
        try:
            steps.append(_step(time, r, y, begin, end, chosen, last_s, unit))
        except DataError as error:
            raise DataError(f"step {number} of {begins.size}, at {time[begin]:.6g} s: {error}") from error
    groups = _groups(steps, chosen, unit)
    figures = [*_worst(groups, unit), *_departures(groups, steps), *_of_groups(groups)]
    flags = []
    if single := [group for group in groups if group.steps == 1]:
        flags.append(
            f"{len(single)} of {len(groups)} sizes and directions were stepped once: nothing is known about how much "
            "those steps differ"
        )
    tail = max(
        float(np.abs(step.values["steady_state"]) - _band(chosen, step.size))
        for step in steps
        if not isinstance(step.values["steady_state"], str)
    )
    if tail > 0:
        flags.append("not every step comes to its target: the steady-state error of the worst is larger than the band")
    stated = (
        "overshoot and rise in terms of the way from where the axis stood to the target, rise from 10 % to 90 %",
        f"band ±{text(chosen.band, unit, digits=3)}"
        if chosen.band is not None
        else f"band ±{100 * chosen.band_share:g} % of the step",
        "settling, last exit: inside the band for the rest of the response",
        f"settling, first entry: inside the band for at least {text(chosen.dwell_s, 's', digits=3)}",
        f"settling, moving: from there on |MA| within the band and MSD within {100 * chosen.std_share:g} % of it, "
        f"windows of {text(chosen.window_s, 's', digits=3)}",
        f"integrals from the step to {text(last_s, 's', digits=4)} after it, time from the step",
        "steady-state error: target − position, mean over the last tenth",
    )
    return Result(
        title=f"Step responses, {len(steps)} steps",
        stated=stated,
        figures=keyed(figures),
        flags=tuple(flags),
        groups=tuple(groups),
    )


def _band(options: Options, size: float) -> float:
    return options.band if options.band is not None else options.band_share * abs(size)


def _step(time: Array, r: Array, y: Array, begin: int, end: int, options: Options, last_s: float, unit: str) -> Step:
    """One response and its figures."""
    size, target = float(r[begin] - r[begin - 1]), float(r[begin])
    before = y[max(0, begin - max(2, int(_TAIL * (end - begin)))) : begin]
    stood = begin - int(np.flatnonzero(np.concatenate([[True], np.diff(r[:begin]) != 0]))[-1])
    initial = float(before[-min(before.size, max(1, stood // 4)) :].mean())
    t, reached = time[begin:end] - time[begin], y[begin:end]
    band = _band(options, size)
    last_s = min(last_s, float(t[-1]))
    shape = step_response.evaluate(t, reached, initial=initial, target=target, end_s=last_s, band=band, unit=unit)
    error, way = target - reached, abs(target - initial)
    sigma = float(np.diff(error[-max(4, error.size // 4) :]).std() / math.sqrt(2))
    entry = settling.first_entry(t, error, band=band, dwell_s=options.dwell_s, unit=unit)
    exits = settling.last_exit(t, error, band=band, unit=unit)
    moving = _moving(t, error, band, options, unit)
    values: dict[str, float | str] = {}
    u: dict[str, float | None] = {}
    for key in ("t_rise", "t_peak", "iae", "ise", "itae", "itse"):
        one = shape.figures[key]
        values[key] = one.value if one.value is not None else str(one.reason)
    ratio = shape.figures["overshoot"].value or 0.0
    values |= {"overshoot": ratio * way, "overshoot_ratio": ratio, "steady_state": shape.figures["remaining"].value or 0.0}
    for key, settled in (("t_exit", exits), ("t_entry", entry), ("t_moving", moving)):
        values[key] = settled.time_s if settled.time_s is not None else str(settled.reason)
        u[key] = settled.resolution_s + settled.noise_s
    interval = float(np.max(np.diff(t)))
    response = (reached - initial) / (target - initial)
    u |= _peak_u(t, response, sigma / way, interval, way)
    rise = values["t_rise"]
    u["t_rise"] = None if isinstance(rise, str) else interval + 4 * math.sqrt(2) * sigma / way * rise / 0.8
    u["steady_state"] = _mean_u(error[-max(2, int(_TAIL * error.size)) :])
    inside = t <= last_s
    u |= _integrals_u(t[inside], error[inside], sigma)
    return Step(size=size, at_s=float(time[begin]), time_s=t, response=response, values=values, u=u)


def _moving(t: Array, error: Array, band: float, options: Options, unit: str) -> Settled:
    width = max(2, round(options.window_s / float(np.median(np.diff(t)))))
    if width + 2 > t.size:
        raise DataError(
            f"the window of {options.window_s:g} s is {width} samples, the response has {t.size}; take a shorter window "
            "or hold longer"
        )
    mean, std = moving_mean_std(error, width)
    return settling.moving(
        (t[: mean.size] + t[width - 1 :]) / 2, mean, std, mean_limit=band, std_limit=options.std_share * band, unit=unit
    )


def _peak_u(t: Array, response: Array, sigma: float, interval: float, way: float) -> dict[str, float | None]:
    """Of overshoot and its time: samples within 4σ of the highest may each have been it."""
    top = float(response.max())
    if top <= 1 + 4 * sigma:
        return {
            "overshoot": largest_normal(t.size) * sigma * way,
            "overshoot_ratio": largest_normal(t.size) * sigma,
            "t_peak": interval,
        }
    near = np.flatnonzero(response >= top - 4 * sigma)
    bound = largest_normal(near.size) * sigma
    return {"overshoot": bound * way, "overshoot_ratio": bound, "t_peak": interval + float(t[near[-1]] - t[near[0]]) / 2}


def _mean_u(values: Array) -> float:
    """k·s/√m of the means of batches: noise that follows itself for less than a batch is seen in them."""
    batches = min(_BATCHES, values.size)
    means = np.array([part.mean() for part in np.array_split(values, batches)])
    return coverage_factor(batches - 1) * float(means.std(ddof=1)) / math.sqrt(batches)


def _integrals_u(t: Array, error: Array, sigma: float) -> dict[str, float | None]:
    """Noise as in the module's words; the trapezoid by its difference from one of every second sample, as |e| has
    kinks."""
    step = float(t[-1]) / (t.size - 1)
    end, size = float(t[-1]), np.abs(error)
    odd = t.size - 1 + t.size % 2  # samples whose every second one ends the same interval
    coarse = slice(0, odd, 2)

    def rule(values: Array) -> float:
        return abs(float(np.trapezoid(values[:odd], t[:odd])) - float(np.trapezoid(values[coarse], t[coarse])))

    rectified = sigma * math.sqrt(2 / math.pi)
    square = 4 * sigma * math.sqrt(step * float(np.trapezoid(error**2, t)))
    weighted = 4 * sigma * math.sqrt(step * float(np.trapezoid((t * error) ** 2, t)))
    return {
        "iae": rule(size) + rectified * end,
        "itae": rule(t * size) + rectified * end**2 / 2,
        "ise": rule(size**2) + square + sigma**2 * end,
        "itse": rule(t * size**2) + weighted + sigma**2 * end**2 / 2,
    }


def _groups(steps: Sequence[Step], options: Options, unit: str) -> list[Group]:
    """By size, smallest first, up before down."""
    sizes: list[float] = []
    for size in sorted(abs(step.size) for step in steps):
        if not sizes or size > sizes[-1] * (1 + ALIKE):
            sizes.append(size)
    found = []
    for number, size in enumerate(sizes, 1):
        for direction, sign in (("up", 1), ("down", -1)):
            own = [step for step in steps if step.size * sign > 0 and size <= abs(step.size) <= size * (1 + ALIKE)]
            if own:
                found.append(_group(own, number, size, direction, _band(options, size), unit))
    return found


_NAMES: Final = {
    "t_rise": ("rise time, 10 % to 90 %", "t_r"),
    "overshoot": ("overshoot over the target", "y_p"),
    "overshoot_ratio": ("overshoot, share of the step", "M_p"),
    "t_peak": ("time of the highest point", "t_p"),
    "t_exit": ("settling time, last exit", "t_s (last exit)"),
    "t_entry": ("settling time, first entry", "t_s (first entry)"),
    "t_moving": ("settling time, moving", "t_s (moving)"),
    "steady_state": ("steady-state error", "e_∞"),
    "iae": ("integral of |e|", "IAE"),
    "ise": ("integral of e²", "ISE"),
    "itae": ("integral of t·|e|", "ITAE"),
    "itse": ("integral of t·e²", "ITSE"),
}


def _unit(key: str, unit: str) -> str:
    times = {
        "iae": f"{unit} s",
        "ise": f"{unit}² s" if unit else "s",
        "itae": f"{unit} s²",
        "itse": f"{unit}² s²" if unit else "s²",
        "overshoot": unit,
        "steady_state": unit,
    }
    return "s" if key.startswith("t_") else times.get(key, "").strip()


def _group(own: Sequence[Step], number: int, size: float, direction: str, band: float, unit: str) -> Group:
    figures = {}
    for key in _KEYS:
        given = [step.values[key] for step in own]
        values = np.array([value for value in given if not isinstance(value, str)])
        name, symbol = _NAMES[key][0], f"{_NAMES[key][1]} {number}{'↑' if direction == 'up' else '↓'}"
        words = f"{name}, {text(size, unit, digits=3)} {direction}"
        lacking = [k for k, value in enumerate(given, 1) if isinstance(value, str)]
        mean: float | str
        if lacking:
            mean = f"step {', '.join(map(str, lacking[:6]))} of {len(own)}: {next(value for value in given if isinstance(value, str))}"
            figures[key] = figure(f"{key}_{number}_{direction}", words, mean, _unit(key, unit), symbol=symbol)
            continue
        single = max(one if one is not None else 0.0 for one in (step.u[key] for step in own))
        scatter = coverage_factor(len(own) - 1) * float(values.std(ddof=1)) / math.sqrt(len(own)) if len(own) > 1 else 0.0
        figures[key] = figure(
            f"{key}_{number}_{direction}",
            words,
            float(values.mean()),
            _unit(key, unit),
            math.hypot(single, scatter),
            symbol=symbol,
        )
    shortest = min((step.time_s for step in own), key=lambda t: float(t[-1]))
    curves = np.stack([np.interp(shortest, step.time_s, step.response) for step in own])
    mean_curve = curves.mean(axis=0)
    return Group(
        size=size,
        direction=direction,
        steps=len(own),
        band=band,
        figures=figures,
        time_s=frozen(shortest.copy()),
        response=frozen(mean_curve),
        spread=frozen(np.abs(curves - mean_curve).max(axis=0)),
    )


def _of_groups(groups: Sequence[Group]) -> list[Figure]:
    return [one for group in groups for one in group.figures.values()]


def _worst(groups: Sequence[Group], unit: str) -> list[Figure]:
    """The largest over all sizes and directions."""
    found = []
    for key in ("t_exit", "t_entry", "t_moving", "overshoot", "overshoot_ratio", "steady_state"):
        own = [group.figures[key] for group in groups]
        name, symbol = _NAMES[key]
        words = f"{name}, largest of all sizes and directions"
        lacking = [one for one in own if one.value is None]
        if lacking:
            found.append(
                figure(
                    f"{key}_max", words, f"{lacking[0].name}: {lacking[0].reason}", _unit(key, unit), symbol=f"{symbol} max"
                )
            )
            continue
        worst = max(own, key=lambda one: abs(one.value or 0.0))
        # Another may be the largest in truth: what the largest reaches with its U is the bound.
        reach = max(abs(one.value or 0.0) + (one.uncertainty or 0.0) for one in own)
        u = max(worst.uncertainty or 0.0, reach - abs(worst.value or 0.0))
        found.append(figure(f"{key}_max", words, worst.value or 0.0, worst.unit, u, symbol=f"{symbol} max"))
    return found


def _departures(groups: Sequence[Group], steps: Sequence[Step]) -> list[Figure]:
    """How far the normalised responses of sizes, and of directions, lie apart."""
    noise = {(group.size, group.direction): _noise(group, steps) for group in groups}
    found = []
    for direction in ("up", "down"):
        own = [group for group in groups if group.direction == direction]
        words = f"linearity: largest departure of a size's normalised response from the mean of all, {direction}"
        value, u = (
            _apart(own, noise)
            if len(own) > 1
            else (f"{len(own)} size was stepped {direction}; at least two are needed", None)
        )
        found.append(figure(f"departure_{direction}", words, value, "", u, symbol=f"Δr {'↑' if direction == 'up' else '↓'}"))
    pairs = [[one for one in groups if one.size == size] for size in dict.fromkeys(group.size for group in groups)]
    pairs = [pair for pair in pairs if len(pair) == 2]
    words = "largest departure of a direction's normalised response from the mean of both, same size"
    both = [_apart(pair, noise) for pair in pairs]
    if both:
        worst = max(both, key=lambda one: float(one[0]))
        found.append(figure("departure_directions", words, worst[0], "", max(u for _, u in both), symbol="Δr ↑↓"))
    else:
        found.append(figure("departure_directions", words, "no size was stepped in both directions", "", symbol="Δr ↑↓"))
    return found


def _apart(groups: Sequence[Group], noise: dict[tuple[float, str], float]) -> tuple[float, float]:
    shortest = min((group.time_s for group in groups), key=lambda t: float(t[-1]))
    curves = np.stack([np.interp(shortest, group.time_s, group.response) for group in groups])
    return float(np.abs(curves - curves.mean(axis=0)).max()), largest_normal(shortest.size) * max(
        noise[group.size, group.direction] for group in groups
    )


def _noise(group: Group, steps: Sequence[Step]) -> float:
    """Standard deviation of a sample of the group's mean response: from the scatter of its steps, at least the
    sensor's."""
    tail = group.response[-max(4, group.response.size // 4) :]
    sensor = float(np.diff(tail).std() / math.sqrt(2))
    scatter = float(np.sqrt(np.mean(group.spread**2))) / math.sqrt(group.steps - 1) if group.steps > 1 else 0.0
    return math.hypot(sensor, scatter)
