"""From recorded positions and their part program to contour errors, line by line, and what makes them: pure, so that an old run can be judged again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.figures import Figure
from precision.models.gcode_path import GcodePath
from precision.models.part_program import Motion, in_plane, motions
from precision.standards import contour_causes, recorded_contour
from precision.standards.recorded_contour import WORST, Commanded, Place, Result
from precision.standards.reported import figure
from precision.uncertainty.readings import Readings as Known

from .contour import kind_of
from .contour_alignment import Alignment, aligned, path_normals
from .contour_plan import Evaluated
from .contour_program import program_text, start_of
from .procedure import Readings

Array = NDArray[np.float64]
WORDS: Final = {"cmd": "command", "fb": "feedback", "tool": "tool"}
"""Source of the columns -> in words, from the controller outwards."""
_LARGEST_S: Final = 1e12
_LARGEST_M: Final = 1e6
_SHORTEST_S: Final = 1e-12
"""Beyond these a column is in another unit, or of something else."""
_FEWEST_AT_REST: Final = 50
_LEAST_MOVING: Final = 0.02
"""Share of the median speed below which positions without a command count as standing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One motion of the program. feed_m_per_s : programmed, None for a rapid. mean_m … : contour error of `Analysis.main`, None without samples. peaks : source
    -> largest magnitude, signed. following_m : largest distance of command and feedback while on it, None where one was not recorded."""

    line: int
    kind: str
    feed_m_per_s: float | None
    samples: int
    mean_m: float | None
    rms_m: float | None
    peak_m: float | None
    peaks: Mapping[str, float | None]
    following_m: float | None
    following_rms_m: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Analysis:
    """A contour test, judged.

    results : source ("cmd", "fb", "tool") -> its contour error, of those that were recorded. main : the last of them, which the limits are for.
    worst : the largest errors of `main`, one for each motion of the program. positions : source -> (2, n) m, aligned, in the program's coordinates. parts : figures of what servo and mechanics add. following : figures of it.
    causes : lags, backlash, squareness, or None with `reason`. across : figures of the third axis. known : source -> what its U is from,
    before the alignment.
    """

    axes: tuple[str, str]
    text: str
    path: GcodePath
    commanded: Commanded
    positions: Mapping[str, Array]
    results: Mapping[str, Result]
    main: str
    segments: tuple[Segment, ...]
    worst: tuple[Place, ...]
    parts: tuple[Figure, ...]
    following: tuple[Figure, ...]
    across: tuple[Figure, ...]
    causes: contour_causes.Result | None
    reason: str
    alignment: Alignment | None
    rate_hz: float
    known: Mapping[str, Known | None]
    uncertainty_reason: str
    flags: tuple[str, ...]

    @property
    def result(self) -> Result:
        """Of `main`."""
        return self.results[self.main]


def analyse(plan: Evaluated, readings: Readings) -> Analysis:
    """Evaluate a recording: the columns of its capture, (rows,) each.

    Raises
    ------
    DataError       the program; a recording of one axis only, in another unit, that never reaches the path or leaves it
    """
    text = program_text(plan.program)
    program = motions(text, start_m=start_of(plan.program), units=plan.program.units)
    axes = (plan.program.plane[0], plan.program.plane[1])
    t_s, positions = _recorded(readings, axes)
    leader = next(iter(positions))
    start = start_of(plan.program)
    if plan.program.origin == "first sample":
        begin = np.array([start["XYZ".index(axis)] for axis in axes])
        shift = begin - positions[leader][:, 0]
        positions = {source: place + shift[:, None] for source, place in positions.items()}
    path, first, dropped = _where_it_begins(program, plan, positions[leader])
    positions = {source: place[:, first:] for source, place in positions.items()}
    t_s, rate_hz = t_s[first:], _rate(t_s)
    commanded = recorded_contour.follow_command(path, positions[leader], tolerance_m=plan.evaluation.tolerance)
    if leader != "cmd":
        commanded = replace(commanded, moving=_moving(positions[leader]))
    known, reason = _known(plan, positions, commanded, rate_hz)
    as_read, alignment = dict(known), None
    if "tool" in positions and plan.evaluation.alignment != "none":
        turned = plan.evaluation.alignment == "offset and rotation"
        alignment = aligned(path, commanded, positions["tool"], rotation=turned, window_m=plan.evaluation.window, rapids=plan.evaluation.rapids)
        positions["tool"] = alignment.position_m
        known["tool"] = alignment.widened(known["tool"])
    window = plan.evaluation.window or max(1e-4, *(2 * float(np.hypot(*(place - commanded.position_m)).max()) for place in positions.values()))
    results = {
        source: recorded_contour.evaluate(path, commanded, place, window_m=window, readings=known[source], source=WORDS[source], rapids=plan.evaluation.rapids)
        for source, place in positions.items()
    }
    main = list(results)[-1]
    lag = np.hypot(*(positions["cmd"] - positions["fb"])) if {"cmd", "fb"} <= set(positions) else None
    causes, why = _causes(plan, path, positions, results, as_read, rate_hz, axes)
    flags = [*(flag for result in results.values() for flag in result.flags), *_flags(t_s, dropped)]
    return Analysis(
        axes=axes, text=text, path=path, commanded=commanded, positions=positions, results=results, main=main,
        segments=_segments(program, path, commanded, results, main, lag), worst=_worst(path, results[main], positions[main]), parts=_parts(results, known), following=_following(lag, results[main], known),
        across=_across(readings, first, plan, path, results, known), causes=causes, reason=why, alignment=alignment, rate_hz=rate_hz, known=as_read,
        uncertainty_reason=reason, flags=tuple(dict.fromkeys(flags)),
    )  # fmt: skip


# ---- what was recorded -------------------------------------------------------------------------------------------------------------


def _recorded(readings: Readings, axes: tuple[str, str]) -> tuple[Array, dict[str, Array]]:
    """Times (n,) and positions (2, n) of each source, as recorded; the command first where there is one."""
    positions: dict[str, Array] = {}
    halves = []
    for source in WORDS:
        columns = [readings[f"{axis.lower()}_{source}_m"] for axis in axes]
        has = [bool(np.isfinite(column).any()) for column in columns]
        if all(has):
            positions[source] = np.stack(columns)
        elif any(has):
            halves.append(f"{axes[has.index(True)]} but not {axes[has.index(False)]} of the {WORDS[source]}")
    if not positions:
        what = "; ".join(halves) or f"no position of {axes[0]} and {axes[1]}"
        raise DataError(f"the recording holds {what}; a contour error needs both axes of the plane {''.join(axes)}, of command, feedback or tool (set program.plane)")
    whole = np.all([np.isfinite(place).all(axis=0) for place in positions.values()], axis=0)
    if not whole.all():
        row = int(np.argmin(whole)) + 1
        raise DataError(f"row {row} of the recording lacks a position; {int((~whole).sum())} rows do: leave them out of the file, missing samples do no harm, half ones do")
    if whole.size < _FEWEST_AT_REST:
        raise DataError(f"the recording has {whole.size} rows; {_FEWEST_AT_REST} at least are expected")
    time_s = np.asarray(readings["t_s"], dtype=np.float64)
    for name, values, most, unit in (("the time", time_s, _LARGEST_S, "s"), *((name, place, _LARGEST_M, "m") for name, place in positions.items())):
        if not (largest := float(np.abs(values).max())) <= most:
            raise DataError(f"{name} of the recording goes up to {largest:.3g} {unit}; at most {most:g} {unit} is expected: is the unit right?")
    return time_s, positions


def _rate(t_s: Array) -> float:
    step = float(np.median(np.diff(t_s)))
    if not step > 0:
        raise DataError("the time of the recording does not rise; each row needs its own")
    if step < _SHORTEST_S:
        raise DataError(f"the rows of the recording are {step:.3g} s apart; {_SHORTEST_S:g} s or more is expected: is the unit of the time right?")
    return 1 / step


def _moving(position: Array) -> NDArray[np.bool_]:
    """Without a command: samples that are not slower than the noise and a share of the usual speed."""
    width = min(25, max(3, position.shape[1] // 10))
    speed = np.hypot(*(np.convolve(np.gradient(one), np.ones(width) / width, mode="same") for one in position))
    return np.asarray(speed > max(_LEAST_MOVING * float(np.percentile(speed, 75)), 0.0))


def _where_it_begins(program: tuple[Motion, ...], plan: Evaluated, leader: Array) -> tuple[GcodePath, int, int]:
    """The path, from the first of its leading motions whose begin the recording passes; the first row there; how many motions were left out for it."""
    rapids = next((k for k, motion in enumerate(program) if not motion.rapid), 0)
    tolerance = plan.evaluation.tolerance
    nearest = math.inf
    for left_out in range(rapids + 1):
        try:
            path = in_plane(program[left_out:], plan.program.plane)
        except DataError:
            if left_out == 0:
                raise
            break
        distance = np.hypot(*(leader - path.point_m[:, :1]))
        nearest = min(nearest, float(distance.min()))
        near = distance <= tolerance
        if near.any():
            return path, int(np.argmax(near)), left_out
    raise DataError(_never_there(program, plan, leader, nearest))


def _never_there(program: tuple[Motion, ...], plan: Evaluated, leader: Array, nearest: float) -> str:
    path = in_plane(program, plan.program.plane)
    at_feed = path.point_m[:, int(np.argmin(path.rapid)) :]  # the way to the part may be longer than the part
    span = float(np.ptp(at_feed, axis=1).max()) or 1.0
    ratio = float(np.ptp(leader, axis=1).max()) / span
    for factor, why in ((25.4, "inches taken for millimetres, or the other way round"), (1000.0, "millimetres taken for metres, or micrometres for millimetres"), (10.0, "a unit ten times another")):
        if abs(math.log(max(ratio, 1e-12) / factor)) < 0.15 or abs(math.log(max(ratio, 1e-12) * factor)) < 0.15:
            return f"the recording spans {ratio:.4g} times what the program spans: {why}; state the unit of the columns (--unit), or program.units"
    begin = ", ".join(f"{axis} {value * 1e3:.4f}" for axis, value in zip(plan.program.plane, path.point_m[:, 0], strict=True))
    return (
        f"the recording never reaches the begin of the path ({begin} mm): it comes no nearer than {nearest * 1e3:.4g} mm. If it is in other coordinates than the program, set "
        'program.origin="first sample" or program.start; if it is of another program, give that'
    )


def _known(plan: Evaluated, positions: Mapping[str, Array], commanded: Commanded, rate_hz: float) -> tuple[dict[str, Known | None], str]:
    """What U is from: source -> readings; and why the tool's is missing."""
    stated = plan.uncertainty
    speed = float(np.hypot(*np.diff(commanded.position_m, axis=1)).max()) * rate_hz
    timing = speed * stated.skew / 2
    rest = _at_rest(commanded)
    found: dict[str, Known | None] = {"cmd": None}
    reason = ""
    if "fb" in positions:
        counts = Known(device=timing, noise=_noise(positions["fb"], rest), resolution=max(stated.feedback_resolution, _step(positions["fb"])))
        # of readings that show neither steps nor noise nothing is known
        found["fb"] = counts if counts.resolution or counts.noise else None
    if "tool" in positions:
        lacking = [name for name in ("tool_sensor", "drift") if getattr(stated, name) is None]
        if lacking:
            found["tool"], reason = None, f"the plan's [uncertainty] lacks {', '.join(lacking)}"
        else:
            noise = max(stated.tool_noise or 0.0, _noise(positions["tool"], rest))
            found["tool"] = Known(
                device=(stated.tool_sensor or 0.0) + timing, noise=noise, drift_range=stated.drift or 0.0, resolution=max(stated.tool_resolution, _step(positions["tool"]))
            )
    return found, reason


def _at_rest(commanded: Commanded) -> slice:
    """Before the command moves at all."""
    moving = np.flatnonzero(commanded.moving)
    return slice(0, int(moving[0]) if moving.size else 0)


def _noise(position: Array, rest: slice) -> float:
    """Standard deviation of one reading at standstill, of the axis that has more; 0 where there is no standstill."""
    still = position[:, rest]
    if still.shape[1] < _FEWEST_AT_REST:
        return 0.0
    # about the first: a position that stands still to the last bit has no noise of rounding
    return float((still - still[:, :1]).std(axis=1, ddof=1).max())


def _step(position: Array) -> float:
    """The smallest step between two readings: the resolution as the recording shows it; 0 where it cannot be seen."""
    smallest = 0.0
    for one in position:
        steps = np.diff(np.unique(one))
        steps = steps[steps > 1e-12]
        # a resolution shows in that all steps are multiples of the smallest
        if steps.size > 10 and np.mean(np.abs(steps / (least := float(steps.min())) - np.round(steps / least)) < 0.02) > 0.99:
            smallest = max(smallest, least)
    return smallest


def _flags(t_s: Array, dropped: int) -> list[str]:
    step = np.diff(t_s)
    usual = float(np.median(step))
    flags = []
    if gaps := int((step > 1.5 * usual).sum()):
        flags.append(f"{gaps} gaps in the recording, the longest of {float(step.max()):.4g} s; what happened in them is not judged")
    if float(step.min()) <= 0:
        flags.append("the time of the recording does not rise everywhere; lags are worth nothing")
    if dropped:
        flags.append(f"the recording begins after the first {dropped} rapid motions of the program; they are left out")
    return flags


# ---- figures ---------------------------------------------------------------------------------------------------------------------------


def _segments(
    program: tuple[Motion, ...], path: GcodePath, commanded: Commanded, results: Mapping[str, Result], main: str, lag: Array | None
) -> tuple[Segment, ...]:
    by_line = {motion.line: motion for motion in program}
    owner = np.minimum(np.searchsorted(np.cumsum(path.length_m), commanded.path_m, side="left"), path.line.size - 1)[commanded.moving]
    behind = None if lag is None else lag[commanded.moving]
    order = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[order], np.arange(path.line.size + 1))
    rows = []
    for k, line in enumerate(path.line.tolist()):
        motion, here = by_line[line], results[main].lines[k]
        late = None if behind is None or bounds[k] == bounds[k + 1] else behind[order[bounds[k] : bounds[k + 1]]]
        rows.append(
            Segment(
                line=line, kind=kind_of(motion), feed_m_per_s=None if motion.rapid else motion.feed_m_per_s, samples=here.samples,
                mean_m=here.mean_m, rms_m=here.rms_m, peak_m=here.max_m, peaks={source: result.lines[k].max_m for source, result in results.items()},
                following_m=None if late is None else float(late.max()), following_rms_m=None if late is None else float(np.sqrt(np.mean(late**2))),
            )
        )  # fmt: skip
    return tuple(rows)


def _worst(path: GcodePath, result: Result, position: Array) -> tuple[Place, ...]:
    """The largest error of each motion, the largest of these first."""
    at = np.flatnonzero(result.counted)
    owner = np.clip(np.searchsorted(np.cumsum(path.length_m), result.foot_m[at], side="left"), 0, path.line.size - 1)
    order = at[np.lexsort((-np.abs(result.deviation_m[at]), owner))]
    _, firsts = np.unique(np.sort(owner), return_index=True)
    largest = order[firsts]
    chosen = largest[np.argsort(-np.abs(result.deviation_m[largest]), kind="stable")][:WORST]
    lines = path.line[np.clip(np.searchsorted(np.cumsum(path.length_m), result.foot_m[chosen], side="left"), 0, path.line.size - 1)]
    return tuple(
        Place(line=int(line), deviation_m=float(result.deviation_m[k]), path_m=float(result.foot_m[k]), sample=int(k), at_m=(float(position[0, k]), float(position[1, k])))
        for k, line in zip(chosen, lines, strict=True)
    )


def _parts(results: Mapping[str, Result], known: Mapping[str, Known | None]) -> tuple[Figure, ...]:
    """What each stage adds to the contour error: sample by sample the error behind it less the error before it."""
    figures = []
    for key, name, before, behind in (("servo", "the servos", "cmd", "fb"), ("mechanics", "the mechanics", "fb", "tool")):
        if before in results and behind in results:
            added = (results[behind].deviation_m - results[before].deviation_m)[results[behind].counted]
            u = _of_difference([known.get(before), known.get(behind)], [before, behind], added.size)
            value: float | str = float(np.sqrt(np.mean(added**2)))
            largest: float | str = float(np.abs(added).max())
        else:
            missing = " and ".join(WORDS[source] for source in (before, behind) if source not in results)
            value = largest = f"{missing} not recorded"
            u = "the figure is not evaluated", "the figure is not evaluated"
        figures += [
            figure(f"{key}_rms", f"root mean square of what {name} add to the contour error", value, "m", u[0], symbol=f"ε_{key},rms"),
            figure(f"{key}_max", f"largest contribution of {name} to the contour error, magnitude", largest, "m", u[1], symbol=f"ε_{key},max"),
        ]
    return tuple(figures)


def _of_difference(pair: list[Known | None], sources: list[str], count: int) -> tuple[float | str, float | str]:
    """U of rms and extreme of the difference of two sources; a command is exact."""
    used = [one for one, source in zip(pair, sources, strict=True) if source != "cmd"]
    if any(one is None for one in used):
        return "the uncertainty of the tool's readings is not stated", "the uncertainty of the tool's readings is not stated"
    root = math.sqrt(2)
    bounded = sum(root * (one.device + one.drift_range + one.resolution / 2) for one in used if one is not None)
    noise = math.sqrt(sum(one.noise**2 for one in used if one is not None))
    both = Known(device=bounded, noise=noise)
    return bounded + noise * (1 + 2 / math.sqrt(2 * count)), both.of_extreme(count)


def _following(lag: Array | None, main: Result, known: Mapping[str, Known | None]) -> tuple[Figure, ...]:
    encoder = known.get("fb")
    value: float | str
    mean: float | str
    if lag is None:
        value = mean = "command and feedback were not both recorded"
        u: float | str = "the figure is not evaluated"
    else:
        behind = lag[main.counted]
        value, mean = float(behind.max()), float(np.sqrt(np.mean(behind**2)))
        u = "the uncertainty of the feedback is not known" if encoder is None else math.sqrt(2) * encoder.resolution / 2
    return (
        figure("following_max", "largest following error, distance of command and feedback", value, "m", u, symbol="e_max"),
        figure("following_rms", "root mean square of the following error", mean, "m", u, symbol="e_rms"),
    )


def _across(
    readings: Readings, first: int, plan: Evaluated, path: GcodePath, results: Mapping[str, Result], known: Mapping[str, Known | None]
) -> tuple[Figure, ...]:
    """How far the axis across the plane is from where the program has it, at the foot of each position."""
    third = next(axis for axis in "XYZ" if axis not in plan.program.plane)
    figures = []
    for source, result in results.items():
        place = readings[f"{third.lower()}_{source}_m"][first:]
        if source == "cmd" or not np.isfinite(place).all() or path.third_m is None:
            continue
        ends = np.concatenate([[0.0], np.cumsum(path.length_m)])
        k = np.clip(np.searchsorted(ends, result.foot_m, side="left") - 1, 0, path.line.size - 1)
        share = np.clip((result.foot_m - ends[k]) / np.where(path.length_m[k] > 0, path.length_m[k], 1.0), 0.0, 1.0)
        asked = path.third_m[0][k] + share * (path.third_m[1][k] - path.third_m[0][k])
        # beside a way along the third axis alone the place on the path does not say how far along it the machine is
        jumps = ends[1:-1][np.abs(path.third_m[1][:-1] - path.third_m[0][1:]) > 1e-9]
        clear = np.ones(place.size, dtype=np.bool_)
        for jump in jumps.tolist():
            clear &= np.abs(result.foot_m - jump) > result.window_m
        if not (result.counted & clear).any():
            continue
        off = (place - asked)[result.counted & clear]
        off = off - off.mean()
        one = known.get(source)
        u: float | str = "the uncertainty of these readings is not stated" if one is None else one.of_extreme(off.size) * 2
        name = f"largest departure of {third} from the program, {WORDS[source]}, about its mean"
        figures.append(figure(f"across_{source}", name, float(np.abs(off).max()), "m", u, symbol=f"ζ_{source}"))
    return tuple(figures)


def _causes(
    plan: Evaluated, path: GcodePath, positions: Mapping[str, Array], results: Mapping[str, Result], known: Mapping[str, Known | None], rate_hz: float, axes: tuple[str, str]
) -> tuple[contour_causes.Result | None, str]:
    if "cmd" not in positions or len(positions) < 2:
        return None, "causes are told from command and feedback, and from feedback and tool; only " + " and ".join(WORDS[source] for source in positions) + " was recorded"
    main = results[list(results)[-1]]
    added = results["tool"].deviation_m - results["fb"].deviation_m if {"tool", "fb"} <= set(results) else None
    try:
        return contour_causes.evaluate(
            positions["cmd"], rate_hz=rate_hz, moving=main.counted, axes=axes, feedback_m=positions.get("fb"), added_m=added, normal=path_normals(path, main.foot_m)[1],
            feedback=known.get("fb"), tool=known.get("tool"), synchronisation_s=plan.uncertainty.synchronisation,
        ), ""  # fmt: skip
    except DataError as error:
        return None, str(error)


def as_json(segment: Segment) -> dict[str, Any]:
    """Plain JSON types."""
    return {name: dict(value) if isinstance(value := getattr(segment, name), Mapping) else value for name in segment.__slots__}
