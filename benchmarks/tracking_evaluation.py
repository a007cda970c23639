"""From command and feedback to the following error of each axis and feed: phases, time shift, lag and gain of the loop, ripple along the travel, lines of G-code. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.figures import Figure
from precision.standards import following_error, position_loop, position_ripple, sampling
from precision.standards.coverage import coverage_factor
from precision.standards.following_error import CONSTANT, DECELERATION, STANDSTILL, Part
from precision.standards.reported import figure

from .procedure import Readings
from .tracking import FEWEST, Record, records
from .tracking_plan import Parameters, Recorded

Array = NDArray[np.float64]

SETTLED: Final = 8.0
"""Times the time shift until a loop of first order has settled to e⁻⁸ = 0.03 %."""
SHORTEST_SETTLE_S: Final = 0.02
MOST_WAVES: Final = 3
_STUCK: Final = 5
"""Samples that a feedback may show the same count while the command goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPart:
    """One phase and direction: its figures, and U (k = 2) of mean, rms and largest, None where it is not stated. stretches : how often it occurs."""

    part: Part
    stretches: int
    mean_u: float | None
    rms_u: float | None
    largest_u: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traverse:
    """One stretch at constant velocity. direction +1 or −1. velocity, mean, rms : of the set-point and of the error. ripple : rms of the error without its straight line."""

    direction: int
    begin_s: float
    samples: int
    velocity: float
    mean: float
    ripple: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnError:
    """The controller's own following error beside ours. rms, largest : of it. difference : rms of the difference, with ours taken `cycles` rows later."""

    rms: float
    largest: float
    difference: float
    cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineError:
    """Following error while the controller commanded one line of the program. rms, largest : axis -> unit of the position; total : of all axes together."""

    line: int
    samples: int
    rms: Mapping[str, float]
    largest: Mapping[str, float]
    total_rms: float
    total_largest: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """One axis at one feed.

    key : what its figures' keys end in. time_s, command, feedback, tool, line : (n,) at equal steps; tool and line may be None. result, loop : see their modules.
    settle_s : that was used. waves : direction -> waves that stand out. own : the controller's own error, or None. figures : in the order of the report.
    flags : what makes the record doubtful. remarks : what else there is to know; a sentence each.
    """

    record: Record
    key: str
    unit: str
    rate_hz: float
    settle_s: float
    time_s: Array
    command: Array
    feedback: Array
    tool: Array | None
    line: NDArray[np.int64] | None
    result: following_error.Result
    loop: position_loop.Result
    parts: tuple[JudgedPart, ...]
    traverses: tuple[Traverse, ...]
    waves: Mapping[str, tuple[position_ripple.Wave, ...]]
    own: OwnError | None
    figures: Mapping[str, Figure]
    flags: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def name(self) -> str:
        """"X, 3000 mm/min"."""
        return self.record.name


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Analysis:
    """A tracking test, judged. lines : of the part program, where one was recorded. notes : what was left out, a sentence each."""

    unit: str
    judged: tuple[Judged, ...]
    lines: tuple[LineError, ...]
    notes: tuple[str, ...]

    @property
    def figures(self) -> dict[str, Figure]:
        """All figures by key."""
        return {one.key: one for judged in self.judged for one in judged.figures.values()}


def analyse(plan: Parameters | Recorded, readings: Readings) -> Analysis:
    """Evaluate a tracking test.

    Raises
    ------
    DataError       no axis that moves; uneven or missing samples, quantified, where resampling was not asked for; a command that is no motion
    """
    unit = plan.recording.unit if isinstance(plan, Recorded) else "m"
    planned = [Record(k, axis, None) for k, axis in enumerate(plan.recording.axes)] if isinstance(plan, Recorded) else list(records(plan))
    series = np.asarray(readings["series"])
    present = [one for one in planned if np.any(series == one.number)]
    if not present:
        raise DataError("the run holds no record of an axis; see its events.jsonl for what happened, and measure again")
    notes = [f"{one.name} was not recorded." for one in planned if one not in present]
    judged: list[Judged] = []
    for one in present:
        rows = {name: np.asarray(column)[series == one.number] for name, column in readings.items() if name != "series"}
        if np.nanmax(rows["command"]) == np.nanmin(rows["command"]):
            notes.append(f"{one.name} stands in the command; nothing of it is evaluated.")
            continue
        judged.append(_judged(plan, one, rows, unit, _suffix(planned, one)))
    if not judged:
        raise DataError(f"no axis moves: the command of {', '.join(one.name for one in present)} stays where it is; a following error needs a motion")
    return Analysis(unit=unit, judged=tuple(judged), lines=_by_line(judged), notes=tuple(notes))


def _suffix(planned: Sequence[Record], one: Record) -> str:
    axis = f"_{one.axis}" if len({other.axis for other in planned}) > 1 else ""
    feeds = {other.feed_m_per_s for other in planned}
    return axis + (f"_{one.feed_m_per_s * 60e3:g}".replace(".", "p") if len(feeds) > 1 and one.feed_m_per_s is not None else "")


def _judged(plan: Parameters | Recorded, record: Record, rows: Readings, unit: str, suffix: str) -> Judged:
    own, name = plan.evaluation, record.name
    time, signals, rate, flags = _even(rows, name, own.resample)
    ahead = own.command_ahead
    if ahead >= time.size - FEWEST:
        raise DataError(f"{name}: evaluation.command_ahead is {ahead} of {time.size} samples; a few servo cycles are expected")
    # Row k holds the command that the feedback of row k + ahead answers.
    kept = slice(ahead, None)
    command, feedback = signals["command"][: time.size - ahead], signals["feedback"][kept]
    if command.size < FEWEST or float(np.ptp(command)) == 0:
        raise DataError(f"{name}: {command.size} samples of a command that moves by {float(np.ptp(command)):g} {unit}; {FEWEST} and a motion are expected")
    first = following_error.evaluate(command, feedback, rate_hz=rate, unit=unit)
    settle = own.settle if own.settle is not None else max(SETTLED * abs(first["time_shift"] or 0.0), SHORTEST_SETTLE_S)
    result = following_error.evaluate(command, feedback, rate_hz=rate, unit=unit, settle_s=settle, shortest_s=own.shortest)
    loop = position_loop.evaluate(command, feedback, rate_hz=rate)
    traverses, stretches = _traverses(result, command, time[kept], rate), following_error.constant_stretches(result)
    known = _Known.of(plan, result, feedback)
    waves = {direction: _waves(result, feedback, stretches, sign, known) for direction, sign in (("forward", 1), ("backward", -1))}
    parts = tuple(_judged_part(one, result, command, rate, known) for one in result.parts)
    tool = signals["tool"][kept] if "tool" in signals else None
    theirs = _own_error(signals["reported"][kept], result.error) if "reported" in signals else None
    found = _figures(plan, result, loop, parts, traverses, waves, known, tool, feedback, theirs, settle, unit)
    doubtful = [f"{name}: {flag}" for flag in (*flags, *_stuck(result, command, feedback, unit))]
    return Judged(
        record=record, key=suffix, unit=unit, rate_hz=rate, settle_s=settle, time_s=time[kept], command=command, feedback=feedback, tool=tool,
        line=_lines_at(rows, time, ahead), result=result, loop=loop, parts=parts, traverses=traverses, waves=waves, own=theirs,
        figures={one.key: replace(one, key=one.key + suffix) for one in found}, flags=tuple(doubtful), remarks=tuple(f"{name}: {flag}" for flag in result.flags),
    )  # fmt: skip


# -- samples --------------------------------------------------------------------------------------------------------------------------------


def _even(rows: Readings, name: str, resample: bool) -> tuple[Array, dict[str, Array], float, tuple[str, ...]]:
    """Times from 0, the signals that there are at equal steps, their rate, and what was done to them."""
    names = [signal for signal in ("command", "feedback", "tool", "reported") if signal in rows and not np.isnan(rows[signal]).all()]
    for needed in ("command", "feedback"):
        if needed not in names:
            raise DataError(f"{name}: the record holds no {needed}")
    try:
        record = sampling.even_record(rows["t_s"], np.stack([rows[signal] for signal in names]), resample_to_even=resample)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    signals = dict(zip(names, record.values, strict=True))
    return np.arange(record.values.shape[1]) / record.rate_hz, signals, record.rate_hz, record.flags


def _lines_at(rows: Readings, time_s: Array, ahead: int) -> NDArray[np.int64] | None:
    """Line of the program that was commanded at each sample: of the row nearest in time."""
    if "line" not in rows or not np.any(rows["line"] > 0):
        return None
    stamps = np.asarray(rows["t_s"]) - float(rows["t_s"][0])
    nearest = np.clip(np.searchsorted(stamps, time_s - 0.5 * float(time_s[1])), 0, stamps.size - 1)
    return np.asarray(rows["line"][nearest][: time_s.size - ahead]).astype(np.int64)


def _stuck(result: following_error.Result, command: Array, feedback: Array, unit: str) -> list[str]:
    """A feedback that shows one value while the command goes on by more than its counts: saturated, clipped or frozen."""
    steps = np.abs(np.diff(feedback))
    if not np.any(steps > 0):
        return [f"the feedback stays at {feedback[0]:.6g} {unit}: not connected, or the axis did not move"]
    count = _count(feedback)
    moving = np.isin(result.phases[1:], (CONSTANT, DECELERATION)) & (np.abs(np.diff(command)) > 3 * count)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], (steps == 0) & moving, [False]]).astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    if not runs.size or int(runs.max()) < _STUCK:
        return []
    k = int(np.argmax(runs))
    begin, end = int(edges[2 * k]), int(edges[2 * k + 1])
    return [
        f"the feedback stays at {feedback[begin]:.6g} {unit} for {int(runs[k]) + 1} samples while the command goes on by {abs(command[end] - command[begin]):.3g} {unit} "
        f"({int((runs >= _STUCK).sum())} such places): saturated, clipped or frozen; the errors there are not the axis'"
    ]


# -- uncertainty ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """Standard uncertainties: of the simultaneity of command and feedback in s (None: not stated), of one reading's noise and of its count."""

    synchronisation_s: float | None
    noise: float
    count: float

    @classmethod
    def of(cls, plan: Parameters | Recorded, result: following_error.Result, feedback: Array) -> _Known:
        stated = plan.uncertainty
        standing = np.diff(result.error)[(result.phases[1:] == STANDSTILL) & (result.phases[:-1] == STANDSTILL)]
        seen = float(standing.std() / math.sqrt(2)) if standing.size >= 16 else 0.0
        count = max(stated.resolution, _count(feedback))
        limit = stated.synchronisation
        return cls(synchronisation_s=None if limit is None else limit / math.sqrt(3), noise=max(stated.noise or 0.0, seen), count=count / math.sqrt(12))


def _count(feedback: Array) -> float:
    """The step of a feedback that comes in whole counts; 0 for one that does not."""
    steps = np.abs(np.diff(feedback))
    steps = steps[steps > 1e-6 * float(steps.max(initial=0.0))]
    if not steps.size:
        return 0.0
    smallest = float(steps.min())
    few = steps[steps < 20.5 * smallest] / smallest
    whole = np.abs(few - np.rint(few)) < 0.05
    # Of a continuous signal a tenth of the ratios would be whole by chance.
    return float(np.median(steps[steps < 1.5 * smallest])) if few.size >= 8 and bool(whole.all()) else 0.0


REASON: Final = "the plan's [uncertainty] does not state synchronisation"


def _judged_part(part: Part, result: following_error.Result, command: Array, rate_hz: float, known: _Known) -> JudgedPart:
    here = result.phases == following_error.PHASES.index(part.phase)
    here &= result.sense == {"forward": 1, "backward": -1, "none": 0}[part.direction]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], here, [False]]).astype(np.int8)))
    places = [slice(begin, end) for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]
    if known.synchronisation_s is None:
        return JudgedPart(part=part, stretches=len(places), mean_u=None, rms_u=None, largest_u=None)
    speed = np.abs(np.gradient(command)) * rate_hz
    repeats = [result.error[place] for place in places] if _alike([place.stop - place.start for place in places], [float(speed[place].max()) for place in places]) else []
    velocity = speed[here]
    mean_v, rms_v, most_v = float(velocity.mean()), float(np.sqrt(np.mean(velocity**2))), float(velocity.max())
    noise = known.noise / math.sqrt(part.samples)

    def expanded(of: Callable[[Array], float], per_second: float, reading: float) -> float:
        return 2 * math.hypot(_scatter([of(piece) for piece in repeats]), per_second * (known.synchronisation_s or 0.0), known.count, reading)

    return JudgedPart(
        part=part,
        stretches=len(places),
        mean_u=expanded(lambda e: float(e.mean()), mean_v, noise),
        rms_u=expanded(lambda e: float(np.sqrt(np.mean(e**2))), rms_v, noise),
        largest_u=2 * math.hypot(most_v * known.synchronisation_s, known.count, known.noise),
    )


def _alike(samples: Sequence[int], velocity: Sequence[float]) -> bool:
    """Whether pieces repeat one motion. How far the errors of different motions are apart is no uncertainty."""
    middle, usual = float(np.median(samples)), float(np.median(velocity))
    return all(abs(one - middle) <= 0.2 * middle + 2 for one in samples) and all(abs(one - usual) <= 0.02 * usual + 1e-9 for one in velocity)


def _scatter(values: Sequence[float]) -> float:
    """Standard uncertainty of the mean of repeats, widened for few of them; 0 for one."""
    n = len(values)
    return 0.0 if n < 2 else float(np.std(values, ddof=1)) / math.sqrt(n) * coverage_factor(n - 1) / 2


# -- constant velocity ------------------------------------------------------------------------------------------------------------------------


def _traverses(result: following_error.Result, command: Array, time_s: Array, rate_hz: float) -> tuple[Traverse, ...]:
    found = []
    for begin, end, sign in following_error.constant_stretches(result):
        e = result.error[begin:end]
        velocity = float(command[end - 1] - command[begin]) * rate_hz / max(1, end - begin - 1)
        ripple = e - np.polynomial.Polynomial.fit(np.arange(e.size), e, 1)(np.arange(e.size)) if e.size > 2 else e - e.mean()
        found.append(
            Traverse(direction=sign, begin_s=float(time_s[begin]), samples=end - begin, velocity=velocity, mean=float(e.mean()), ripple=float(np.sqrt(np.mean(ripple**2))))
        )
    return tuple(found)


def _waves(
    result: following_error.Result, feedback: Array, stretches: Sequence[tuple[int, int, int]], sign: int, known: _Known
) -> tuple[position_ripple.Wave, ...]:
    """The strongest waves of all traverses in a direction, that stand out of noise and counts, strongest first."""
    ripple = result.ripple["forward" if sign > 0 else "backward"]
    own = [(begin, end) for begin, end, direction in stretches if direction == sign]
    if ripple is None or not own:
        return ()
    longest = max(end - begin for begin, end in own)
    alike = [(begin, end) for begin, end in own if end - begin >= 0.8 * longest]
    place, error = [feedback[begin:end] for begin, end in alike], [result.error[begin:end] for begin, end in alike]
    travel = max(float(np.ptp(one)) for one in place)
    found: list[position_ripple.Wave] = []
    # Without noise to blur them, counts beat with the path of a sample: a square wave of one count has an amplitude of 2/π of it.
    counting = 2 / math.pi * math.sqrt(12) * known.count if known.noise < known.count else 0.0
    for one in ripple.waves:
        if one.period * position_ripple.FEWEST_PERIODS > travel or any(abs(one.period / other.period - 1) < 2 * other.period / travel for other in found):
            continue
        wave = position_ripple.wave(place, error, one.period)
        if wave.stands_out and wave.amplitude > counting:
            found.append(wave)
    return tuple(sorted(found, key=lambda wave: -wave.amplitude)[:MOST_WAVES])


def _own_error(reported: Array, error: Array) -> OwnError:
    """The controller's error against ours, taken at equal rows or up to three cycles later: where they agree best."""
    offsets = range(-3, 4)
    differences = {cycles: _difference(reported, error, cycles) for cycles in offsets}
    best = min(offsets, key=lambda cycles: (differences[cycles], abs(cycles)))
    return OwnError(rms=float(np.sqrt(np.mean(reported**2))), largest=float(np.abs(reported).max()), difference=differences[best], cycles=best)


def _difference(reported: Array, error: Array, cycles: int) -> float:
    late, early = (reported[cycles:], error[: error.size - cycles]) if cycles >= 0 else (reported[:cycles], error[-cycles:])
    return float(np.sqrt(np.mean((late - early) ** 2)))


# -- figures --------------------------------------------------------------------------------------------------------------------------------


def _figures(
    plan: Parameters | Recorded, result: following_error.Result, loop: position_loop.Result, parts: Sequence[JudgedPart], traverses: Sequence[Traverse],
    waves: Mapping[str, Sequence[position_ripple.Wave]], known: _Known, tool: Array | None, feedback: Array, own: OwnError | None, settle_s: float, unit: str,
) -> list[Figure]:  # fmt: skip
    found = _errors(result, parts, known, unit)
    constant = [part for part in parts if part.part.phase == "constant velocity"]
    no_constant = f"no stretch at constant velocity of {plan.evaluation.shortest:g} s or more is left after {settle_s:.3g} s of settling: take a longer stroke, a lower feed, or evaluation.settle"
    found.append(
        figure("e_constant", "largest |following error| at constant velocity", max(part.part.largest for part in constant), unit, _larger(constant), symbol="e_v")
        if constant else figure("e_constant", "largest |following error| at constant velocity", no_constant, unit, symbol="e_v")
    )  # fmt: skip
    still = [part for part in parts if part.part.phase == "standstill"]
    found.append(
        figure("e_standstill", "rms following error at standstill", still[0].part.rms, unit, REASON if still[0].rms_u is None else still[0].rms_u, symbol="e_0")
        if still else figure("e_standstill", "rms following error at standstill", "the axis does not stand", unit, symbol="e_0")
    )  # fmt: skip
    found += _times(result, loop, traverses, known, no_constant)
    for direction in ("forward", "backward"):
        reason = no_constant if not any(part.part.direction == direction for part in constant) else "no wave stands out of noise and counts"
        if result.ripple[direction] is None and reason.startswith("no wave"):
            reason = "the axis does not follow the set-point at constant velocity, or for too few samples"
        arrow = "↑" if direction == "forward" else "↓"
        one = waves[direction][0] if waves[direction] else None
        size = figure(f"ripple_{direction}", f"amplitude of the strongest wave along the travel, {direction}", reason if one is None else one.amplitude, unit, None if one is None else one.amplitude_u, symbol=f"ripple {arrow}")
        period = figure(f"ripple_period_{direction}", f"period of the strongest wave along the travel, {direction}", reason if one is None else one.period, unit, None if one is None else one.period_u, symbol=f"period {arrow}")
        found += [size, period]
    if tool is not None:
        apart = tool - feedback
        found.append(figure("mechanics", "largest − smallest tool − feedback: what the feedback does not see", float(np.ptp(apart)), unit, "the instrument at the tool has no statement here", symbol="tool − fb"))
    if own is not None:
        words = "at equal rows" if own.cycles == 0 else f"with ours {abs(own.cycles)} {'row' if abs(own.cycles) == 1 else 'rows'} {'earlier' if own.cycles > 0 else 'later'}"
        found.append(figure("own_difference", f"rms difference to the controller's own following error, {words}", own.difference, unit, "a comparison of two computations", symbol="Δ own"))
    return found


def _errors(result: following_error.Result, parts: Sequence[JudgedPart], known: _Known, unit: str) -> list[Figure]:
    """The whole record; U of the largest is that of the phase where it is largest."""
    u_max = _larger(parts)
    stated = [part.rms_u for part in parts]
    u_rms: float | str = REASON
    if known.synchronisation_s is not None:
        # rms² is the mean of the parts' rms², weighted by samples: their U, taken as correlated.
        total, rms = sum(part.part.samples for part in parts), result.figures["e_rms"].value or 0.0
        u_rms = sum(part.part.samples * part.part.rms * (u or 0.0) for part, u in zip(parts, stated, strict=True)) / (total * rms) if rms > 0 else 2 * known.count
    keys = {"e_max": u_max, "e_rms": u_rms, "e_max_without_shift": u_max if isinstance(u_max, str) else 2 * math.hypot(known.count, known.noise), "e_rms_without_shift": u_rms if isinstance(u_rms, str) else 2 * known.count}
    return [_with_u(result.figures[key], u) for key, u in keys.items()]


def _larger(parts: Sequence[JudgedPart]) -> float | str:
    """U of the largest error of some parts."""
    worst = max(parts, key=lambda part: part.part.largest)
    return REASON if worst.largest_u is None else worst.largest_u


def _times(result: following_error.Result, loop: position_loop.Result, traverses: Sequence[Traverse], known: _Known, no_constant: str) -> list[Figure]:
    """Shift, lag and gain. The scatter of the traverses counts where it is larger than what the residuals say; simultaneity is part of each but the loop's gain."""
    sync = known.synchronisation_s
    shift, lag, gain = (result.figures[key] for key in ("time_shift", "velocity_lag", "k_v"))
    found: list[Figure] = [_with_u(shift, REASON if sync is None else math.hypot(shift.uncertainty or 0.0, 2 * sync))]
    if lag.value is None or not traverses:
        found += [replace(one, value=None, reason=no_constant if not traverses else lag.reason or no_constant, uncertainty=None, uncertainty_reason="the figure is not evaluated") for one in (lag, gain)]
    else:
        offset = float(np.mean([one.mean - lag.value * one.velocity for one in traverses]))
        # With one direction or none to spare the offset stays in the lag, as `following_error` flags.
        if len({one.direction for one in traverses}) < 2:
            offset = 0.0
        scatter = 2 * _scatter([(one.mean - offset) / one.velocity for one in traverses])
        u = None if sync is None else math.hypot(max(lag.uncertainty or 0.0, scatter), 2 * sync)
        found.append(_with_u(lag, REASON if u is None else u))
        if gain.value is None or lag.value <= 0 or (u is not None and lag.value <= u):
            leads = f"the feedback leads the command by {-lag.value:.3g} s at constant velocity: feed-forward above 100 %, or the command is recorded late (evaluation.command_ahead)"
            reason = leads if lag.value <= 0 else gain.reason or f"the lag of {lag.value:.3g} s is not larger than its U of {u or 0.0:.2g} s"
            found.append(replace(gain, value=None, reason=reason, uncertainty=None, uncertainty_reason="the figure is not evaluated"))
        else:
            found.append(_with_u(gain, REASON if u is None else u / lag.value**2))
    found.append(loop.figures["loop_gain"])
    dead = loop.figures["dead_time"]
    found.append(dead if dead.value is None else _with_u(dead, REASON if sync is None else math.hypot(dead.uncertainty or 0.0, 2 * sync)))
    return found


def _with_u(one: Figure, u: float | str) -> Figure:
    if one.value is None:
        return one
    return replace(one, uncertainty=None, uncertainty_reason=u) if isinstance(u, str) else replace(one, uncertainty=u, uncertainty_reason=None)


# -- lines ------------------------------------------------------------------------------------------------------------------------------------


def _by_line(judged: Sequence[Judged]) -> tuple[LineError, ...]:
    """Errors of all axes by the line that was commanded; lines in which nothing moves are left out."""
    of = [one for one in judged if one.line is not None]
    if not of or len({one.command.size for one in of}) > 1:
        return ()
    line = of[0].line
    assert line is not None
    total = np.sqrt(np.sum([one.result.error**2 for one in of], axis=0))
    found: list[LineError] = []
    for number in np.unique(line[line > 0]).tolist():
        here = line == number
        if all(float(np.ptp(one.command[here])) == 0 for one in of):
            continue
        found.append(
            LineError(
                line=int(number), samples=int(here.sum()), rms={one.record.axis: _rms(one.result.error[here]) for one in of},
                largest={one.record.axis: float(np.abs(one.result.error[here]).max()) for one in of}, total_rms=_rms(total[here]), total_largest=float(total[here].max()),
            )
        )  # fmt: skip
    return tuple(found)


def _rms(values: Any) -> float:
    return float(np.sqrt(np.mean(np.asarray(values) ** 2)))
