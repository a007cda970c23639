"""The step-and-settle test as a procedure: a staircase, the log of the stage, settling after three definitions, stillness on the plateaus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from precision.drivers.lab.nano_serve import TRAVEL_M
from precision.drivers.roles import Stream
from precision.errors import DataError, PlanError
from precision.figures import Figure
from precision.report.document import Document, FigureTable, Note
from precision.report.settling_charts import settling_chart
from precision.runs.capture import Column
from precision.runs.directory import RunDirectory
from precision.runs.manifest import Manifest
from precision.standards import incremental_motion, sampling, step_and_settle
from precision.standards.reported import figure
from precision.uncertainty.readings import largest_normal
from precision.units import text

from .comparing_figures import compare
from .even_log import even_log
from .importing_signals import Wanted, import_signals
from .procedure import Connected, Evaluation, Outlook, Procedure, Readings, Sink, block
from .report_head import head, provenance, stopped_early, verdict_dict
from .step_settle_plan import Parameters, Recorded
from .streaming import record
from .streaming_bench import opened

Array = NDArray[np.float64]

COLUMNS: Final = (Column("t_s", "f8", "s"), Column("set_m", "f8", "m"), Column("position_m", "f8", "m"), Column("cross_m", "f8", "m"))
CHANNELS: Final = {"set": "set_m", "position": "position_m"}
LONGEST_SIMULATED_S: Final = 200.0
MOST_DRAWN: Final = 24
HEADLINES: Final = ("t_exit_max", "t_entry_max", "t_moving_max", "t_exit_mean")


@dataclass(frozen=True, slots=True)
class Rig:
    """The stage's log, as a stream with channels set and position (m), and cross, the axis that is held at rest, where there is one."""

    stage: Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """readings : as they were judged. step : that was commanded, m, with its sign. settled : of all steps. plateaus : the staircase of means after settling, or None with `no_plateaus`. ends_s : where each reference came to rest.
    cross : largest excursion of the axis that is held at rest, or None where it was not logged."""

    readings: Readings
    step: float
    settled: step_and_settle.Result
    plateaus: incremental_motion.Result | None
    no_plateaus: str
    ends_s: Array
    cross: Figure | None


def _outlook(plan: Parameters) -> Outlook:
    wanted, duration = plan.staircase, (2 * plan.staircase.steps + 1) * plan.staircase.hold
    if plan.devices.simulated and abs(wanted.step) * wanted.steps > TRAVEL_M * (1 + 1e-12):
        raise PlanError(f"staircase: {wanted.steps} steps of {wanted.step * 1e6:g} µm; the virtual stage travels {TRAVEL_M * 1e6:g} µm: take fewer or smaller steps")
    if plan.devices.simulated and duration > LONGEST_SIMULATED_S:
        raise PlanError(f"staircase: lasts {duration:.4g} s; the virtual stage is simulated for at most {LONGEST_SIMULATED_S:g} s: take fewer steps, or hold them for less")
    remarks = [] if plan.devices.simulated else ["start the staircase of set-points when the recording begins; this program does not drive it"]
    return Outlook(
        lines=(
            ("staircase", f"{wanted.steps} steps of {wanted.step * 1e6:g} µm up and as many down, each held {wanted.hold:g} s"),
            ("settled", f"within ±{plan.evaluation.band * 1e9:g} nm; last exit, first entry with {plan.evaluation.dwell * 1e3:g} ms"),
        ),
        uncertainty="from sampling and noise",
        envelope_m={},
        duration_s=duration,
        points=100,
        bytes=int(duration * 2e6) + (1 << 20),
        remarks=tuple(remarks),
    )


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    line = f"staircase {plan.staircase.steps} {plan.staircase.step!r} {plan.staircase.hold!r}"
    with opened(plan, "stage", "nano_serve", "steps", controls=(line,)) as (stream, instruments, simulated):
        yield Connected(rig=Rig(stage=stream), instruments=instruments, moving=(), lab=simulated)


def _check(plan: Parameters, rig: Rig) -> None:
    channels = {channel.name: channel.unit for channel in rig.stage.channels}
    if wrong := [name for name in CHANNELS if channels.get(name) != "m"]:
        raise PlanError(f"the stream has no channel {' and '.join(wrong)} in m; it has {', '.join(f'{name} ({unit})' for name, unit in channels.items())}")
    if rig.stage.rate_hz * plan.staircase.hold < 20:
        raise PlanError(f"a step is held for {rig.stage.rate_hz * plan.staircase.hold:.1f} samples; at least 20 are needed: hold longer or sample faster")


def _acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    samples = round((2 * plan.staircase.steps + 1) * plan.staircase.hold * rig.stage.rate_hz)
    names = {**CHANNELS, **({"cross": "cross_m"} if any(channel.name == "cross" for channel in rig.stage.channels) else {})}
    record(rig.stage, COLUMNS, names, sink, samples=samples, log=log, progress=lambda done, total: progress(100 * done // total, 100))


def analyse(plan: Parameters | Recorded, readings: Readings) -> Analysis:
    """Settling after each change of the set-point. Raises `DataError` where samples are missing, or nothing steps."""
    flags: tuple[str, ...] = ()
    if isinstance(plan, Recorded):
        readings, _, flags = even_log(readings, held=("set_m",), resample=plan.evaluation.resample)
    time = np.asarray(readings["t_s"])
    judged = sampling.sampling(time)
    if judged.gaps:
        raise DataError(f"{judged}: a step cannot be judged across a gap; measure again")
    set_m = np.asarray(readings["set_m"])
    error = np.asarray(readings["position_m"]) - set_m
    changes = np.flatnonzero(np.diff(set_m) != 0) + 1
    if not changes.size:
        raise DataError("the set-point does not change: there is no step in the log")
    last = np.concatenate([np.flatnonzero(np.diff(changes) > 1), [changes.size - 1]])  # a ramp ends with its last change
    ends = time[changes[last]]
    wanted = plan.evaluation
    limits = step_and_settle.Limits(band=wanted.band, dwell_s=wanted.dwell, window_s=wanted.window, mean=wanted.mean, std=wanted.std)
    settled = step_and_settle.evaluate(time, error, ends.tolist(), limits)
    settled = replace(settled, flags=(*flags, *settled.flags))
    step = _step(plan, set_m, changes, last)
    plateaus, reason = _plateaus(step, time, np.asarray(readings["position_m"]), set_m, ends, settled)
    return Analysis(readings=readings, step=step, settled=settled, plateaus=plateaus, no_plateaus=reason, ends_s=ends, cross=_cross(readings))


def _step(plan: Parameters | Recorded, set_m: Array, changes: Any, last: Any) -> float:
    """The step that was commanded, with its sign; of a log the first one of its set-point."""
    if isinstance(plan, Parameters):
        return float(plan.staircase.step)
    return float(set_m[changes[last[0]]] - set_m[changes[0] - 1])


def _read_file(
    file: Path, out: Path, *, plan: str | None = None, settings: Sequence[str] = (), unit: str | None = None, columns: Mapping[str, str] | None = None
) -> RunDirectory:
    """A log with the columns time, set and position, and cross where there is one, into a new run. DataError, PlanError name what is wrong."""
    if unit is not None:
        raise PlanError("--unit: write it in the column names, position_nm or position [nm]")

    def units(found: Mapping[str, str]) -> dict[str, Any]:
        if wrong := [name for name, its in found.items() if its != "m"]:
            raise DataError(f"{file.name}: column {wrong[0]} is in {found[wrong[0]] or 'no unit'}; a length is expected: write it in the name, {wrong[0]}_nm or {wrong[0]} [nm]")
        return {}

    def rows(time_s: Any, signals: Mapping[str, Any]) -> dict[str, Any]:
        return block(COLUMNS, t_s=time_s, **{f"{name}_m": values for name, values in signals.items()})

    wanted = [Wanted(name="set"), Wanted(name="position"), Wanted(name="cross", needed=False)]
    return import_signals(file, out, Recorded, COLUMNS, wanted, units=units, rows=rows, plan=plan, settings=settings, columns=columns)


def _cross(readings: Readings) -> Figure | None:
    """Largest excursion of the axis at rest from its mean; U is what the sensor's noise may add to the largest of so many readings."""
    cross = np.asarray(readings["cross_m"]) if "cross_m" in readings else np.array([np.nan])
    if not np.isfinite(cross).all():
        return None
    noise = float(np.diff(cross).std() / np.sqrt(2))
    return figure("cross", "largest excursion of the other axis, held at rest", float(np.abs(cross - np.median(cross)).max()), "m", largest_normal(cross.size) * noise, symbol="cross")


def _plateaus(
    step: float, time: Array, position: Array, set_m: Array, ends: Array, settled: step_and_settle.Result
) -> tuple[incremental_motion.Result | None, str]:
    """The steps up, as the means of the settled part of each plateau."""
    slowest = [one.time_s for one in settled.settled["last exit"]]
    if any(one is None for one in slowest):
        return None, "not every step settled"
    rest = max(one for one in slowest if one is not None)
    number = np.full(time.size, -1)
    rising = [k for k, end in enumerate(ends) if set_m[np.searchsorted(time, end)] > set_m[max(0, np.searchsorted(time, end) - 2)]] if step > 0 else [
        k for k, end in enumerate(ends) if set_m[np.searchsorted(time, end)] < set_m[max(0, np.searchsorted(time, end) - 2)]
    ]  # fmt: skip
    for plateau, k in enumerate(rising):
        until = ends[k + 1] if k + 1 < ends.size else time[-1]
        number[(time >= ends[k] + rest) & (time < until - 1e-9)] = plateau
    try:
        return incremental_motion.evaluate(position, number, commanded_step=step), ""
    except DataError as error:
        return None, str(error)


def _document(plan: Parameters | Recorded, found: Analysis, manifest: Manifest, stopped: str | None) -> Document:
    judged = {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True).items()}
    figures = found.settled.figures
    present = {key: limit for key, limit in judged.items() if key in figures}
    time, set_m = np.asarray(found.readings["t_s"]), np.asarray(found.readings["set_m"])
    error = np.asarray(found.readings["position_m"]) - set_m
    pieces, errors, rising = [], [], []
    drawn = _drawn(found)
    for k in drawn:
        end = found.ends_s[k]
        until = found.ends_s[k + 1] if k + 1 < found.ends_s.size else time[-1] + 1
        part = slice(*np.searchsorted(time, [end, until]))
        pieces.append(time[part] - end)
        errors.append(error[part])
        first = int(part.start)
        rising.append(bool(set_m[first] > set_m[max(0, first - 2)]))
    slowest = figures["t_exit_max"]
    key = f"slowest step: {text(slowest.value, 's', digits=3)} to ±{text(plan.evaluation.band, 'm', digits=2)} (last exit)" if slowest.value is not None else str(slowest.reason)
    key += "" if len(drawn) == found.ends_s.size else f"; {len(drawn)} of {found.ends_s.size} steps, the slowest among them"
    tables = [FigureTable.of("Settling time", figures.values(), limits=present, headline=[k for k in HEADLINES if k in figures])]
    notes = [Note(text=flag, kind="flag") for flag in found.settled.flags]
    if found.cross is not None:
        tables.append(FigureTable.of("Cross-talk", [found.cross]))
    if found.plateaus is not None:
        own = [replace(figure, key=f"plateau_{figure.key}") for figure in found.plateaus.figures.values()]
        tables.append(FigureTable.of("Steps between the settled plateaus", [figure for figure in own if figure.unit == "m"]))
        tables.append(FigureTable.of("Steps against their scatter", [figure for figure in own if figure.unit == ""]))
        notes += [Note(text=flag, kind="caution") for flag in found.plateaus.flags]
    else:
        notes.append(Note(text=f"The steps between plateaus are not evaluated: {found.no_plateaus}.", kind="caution"))
    if lost := sorted(set(judged) - set(present)):
        notes.append(Note(text=f"Limits for {', '.join(lost)} were given, but the plan does not ask for these figures.", kind="caution"))
    notes += [Note(text=sentence) for sentence in found.settled.stated]
    return Document(
        title=plan.title,
        subtitle=f"{found.ends_s.size} steps of {found.step * 1e6:.6g} µm" + (", virtual stage" if manifest.simulated else ""),
        header=head(plan, manifest, test=(
            *_staircase(plan), ("Band", f"±{plan.evaluation.band * 1e9:g} nm"),
        )),
        figures=tables,
        charts=[settling_chart(pieces, errors, rising, band_m=plan.evaluation.band, settled_s=slowest.value, key_numbers=key)],
        notes=notes,
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )  # fmt: skip


def _drawn(found: Analysis) -> list[int]:
    """Steps that the picture shows: all, or of many `MOST_DRAWN`, evenly chosen, and the slowest."""
    count = int(found.ends_s.size)
    times = [one.time_s for one in found.settled.settled["last exit"]]
    slowest = max(range(count), key=lambda k: float("inf") if times[k] is None else float(times[k] or 0.0))
    return sorted({*np.unique(np.rint(np.linspace(0, count - 1, min(count, MOST_DRAWN))).astype(int)).tolist(), slowest})


def _staircase(plan: Parameters | Recorded) -> tuple[tuple[str, str], ...]:
    if isinstance(plan, Recorded):
        return ()
    wanted = plan.staircase
    return (("Staircase", f"{wanted.steps} steps of {wanted.step * 1e6:g} µm up and down"), ("Held", f"{wanted.hold:g} s"))


def _evaluate(plan: Parameters | Recorded, readings: Readings, manifest: Manifest, *, standard: str | None = None, stopped: str | None = None) -> Evaluation:
    found = analyse(plan, readings)
    report = _document(plan, found, manifest, stopped)
    result: dict[str, Any] = {
        "schema": 1,
        "procedure": plan.procedure,
        "figures": {row.figure.key: row.figure.to_dict() for row in report.rows},
        "settled": {name: [one.time_s for one in steps] for name, steps in found.settled.settled.items()},
        "flags": list(found.settled.flags),
        "verdict": verdict_dict(report),
    }
    return Evaluation(document=report, result=result, analysis=found)


_NO_MERIT: Final = ("plateau_mean_step", "plateau_smallest_step")
"""Better is nearer to the step that was commanded, not smaller."""

PROCEDURE = Procedure(
    name="step-settle",
    title="settling of a stage after steps, three definitions",
    model=Parameters,
    preview=_outlook,
    columns=lambda plan: COLUMNS,
    connect=_connect,
    check=_check,
    acquire=_acquire,
    evaluate=_evaluate,
    recorded=Recorded,
    read_file=_read_file,
    compare=lambda before, after: compare(before, after, larger_is_better=("plateau_snr",), neither=_NO_MERIT),
)
