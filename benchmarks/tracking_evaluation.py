"""From command and feedback to the following error of each axis and feed: phases, time shift, lag and gain of the loop, ripple along the travel, lines of G-code. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.figures import Figure
from precision.standards import following_error, position_loop, position_ripple, sampling
from precision.standards.following_error import CONSTANT, DECELERATION

from .procedure import Readings
from .tracking import FEWEST, Record, records
from .tracking_figures import figures
from .tracking_parts import JudgedPart, Known, OwnError, Traverse, judged_part, own_error, traverses_of
from .tracking_plan import Parameters, Recorded

Array = NDArray[np.float64]

SETTLED: Final = 8.0
"""Times the time shift until a loop of first order has settled to e⁻⁸ = 0.03 %."""
SHORTEST_SETTLE_S: Final = 0.02
MOST_WAVES: Final = 3
_STUCK: Final = 5
"""Samples that a feedback may show the same count while the command goes on."""


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
        """ "X, 3000 mm/min"."""
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
        raise DataError(
            f"no axis moves: the command of {', '.join(one.name for one in present)} stays where it is; a following error needs a motion"
        )
    return Analysis(unit=unit, judged=tuple(judged), lines=_by_line(judged), notes=tuple(notes))


def _count(plan: Parameters | Recorded, record: Record) -> float:
    """One count of the feedback, where the log says so."""
    counts = plan.recording.counts if isinstance(plan, Recorded) else ()
    return counts[record.number] if record.number < len(counts) else 0.0


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
        raise DataError(
            f"{name}: {command.size} samples of a command that moves by {float(np.ptp(command)):g} {unit}; {FEWEST} and a motion are expected"
        )
    first = following_error.evaluate(command, feedback, rate_hz=rate, unit=unit)
    settle = own.settle if own.settle is not None else max(SETTLED * abs(first["time_shift"] or 0.0), SHORTEST_SETTLE_S, own.lead)
    result = following_error.evaluate(command, feedback, rate_hz=rate, unit=unit, settle_s=settle, lead_s=own.lead, shortest_s=own.shortest)
    loop = position_loop.evaluate(command, feedback, rate_hz=rate)
    traverses, stretches = traverses_of(result, command, time[kept], rate), following_error.constant_stretches(result)
    known = Known.of(plan, result, feedback, _count(plan, record))
    waves = {direction: _waves(result, feedback, stretches, sign, known) for direction, sign in (("forward", 1), ("backward", -1))}
    parts = tuple(judged_part(one, result, command, rate, known) for one in result.parts)
    tool = signals["tool"][kept] if "tool" in signals else None
    theirs = own_error(signals["reported"][kept], result.error) if "reported" in signals else None
    found = figures(plan, result, loop, parts, traverses, waves, known, tool, feedback, theirs, settle, unit)
    doubtful = [f"{name}: {flag}" for flag in (*flags, *_stuck(result, command, feedback, known.count * math.sqrt(12), unit))]
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


def _stuck(result: following_error.Result, command: Array, feedback: Array, count: float, unit: str) -> list[str]:
    """A feedback that shows one value while the command goes on by more than its counts: saturated, clipped or frozen."""
    steps = np.abs(np.diff(feedback))
    if not np.any(steps > 0):
        return [f"the feedback stays at {feedback[0]:.6g} {unit}: not connected, or the axis did not move"]
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


def _waves(
    result: following_error.Result, feedback: Array, stretches: Sequence[tuple[int, int, int]], sign: int, known: Known
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
        if one.period * position_ripple.FEWEST_PERIODS > travel or any(
            abs(one.period / other.period - 1) < 2 * other.period / travel for other in found
        ):
            continue
        wave = position_ripple.wave(place, error, one.period)
        if wave.stands_out and wave.amplitude > counting:
            found.append(wave)
    return tuple(sorted(found, key=lambda wave: -wave.amplitude)[:MOST_WAVES])


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
