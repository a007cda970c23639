"""The interferometer-linearity test as a procedure: two signals in quadrature during a sweep, periodic error before and after correction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from precision.drivers.lab.nano_serve import FASTEST_M_PER_S
from precision.drivers.roles import Stream
from precision.errors import DataError, PlanError
from precision.report.document import Document, FigureTable, Note
from precision.report.harmonics_charts import harmonics_chart, phase_chart
from precision.runs.capture import Column
from precision.runs.directory import RunDirectory
from precision.runs.manifest import Manifest
from precision.standards import sampling
from precision.standards.periodic_error import Linearity, linearity
from precision.units import text

from .comparing_figures import compare
from .even_log import even_log
from .importing_signals import Wanted, import_signals
from .linearity_plan import Parameters, Recorded
from .procedure import Connected, Evaluation, Outlook, Procedure, Readings, Sink
from .report_head import head, provenance, stopped_early, verdict_dict
from .streaming import record
from .streaming_bench import opened

COLUMNS: Final = (Column("t_s", "f8", "s"), Column("cosine_v", "f8", "V"), Column("sine_v", "f8", "V"))
CHANNELS: Final = {"cosine": "cosine_v", "sine": "sine_v"}
HEADLINES: Final = ("raw_h1", "raw_h2", "h1", "h2")


@dataclass(frozen=True, slots=True)
class Rig:
    """The two signals, as a stream with channels cosine and sine (V)."""

    signals: Stream


def _outlook(plan: Parameters) -> Outlook:
    periods = plan.sweep.speed * plan.sweep.duration / plan.evaluation.period
    remarks = [] if plan.devices.simulated else [f"move the reflector at {plan.sweep.speed * 1e3:g} mm/s while the signals are recorded; this program does not drive it"]
    if plan.devices.simulated and plan.sweep.speed > FASTEST_M_PER_S:
        raise PlanError(f"sweep.speed: turns of the virtual interferometer can be counted up to {FASTEST_M_PER_S * 1e3:.3g} mm/s (seen: {plan.sweep.speed * 1e3:g} mm/s); sweep slower")
    if periods < 10:
        raise PlanError(f"the sweep covers {periods:.3g} periods of {plan.evaluation.period * 1e9:g} nm; at least 10 are needed: sweep longer or faster")
    return Outlook(
        lines=(
            ("sweep", f"{plan.sweep.duration:g} s at {plan.sweep.speed * 1e3:g} mm/s, {periods:.0f} periods of {plan.evaluation.period * 1e9:.6g} nm"),
            ("method", "Heydemann" + (", and fourth order (Matus and Dai)" if plan.evaluation.fourth_order else "")),
        ),
        uncertainty="from the scatter of the signals",
        envelope_m={},
        duration_s=plan.sweep.duration,
        points=100,
        bytes=int(plan.sweep.duration * 2e6) + (1 << 20),
        remarks=tuple(remarks),
    )


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    sweep = f"sweep {plan.sweep.speed!r} {plan.sweep.duration!r}"
    with opened(plan, "signals", "nano_serve", "signals", controls=(sweep,)) as (stream, instruments, simulated):
        yield Connected(rig=Rig(signals=stream), instruments=instruments, moving=(), lab=simulated)


def _check(plan: Parameters, rig: Rig) -> None:
    channels = {channel.name: channel.unit for channel in rig.signals.channels}
    if absent := [name for name in CHANNELS if name not in channels]:
        raise PlanError(f"the stream has no channel {' and '.join(absent)}; it has {', '.join(channels)}")
    steps = plan.sweep.speed / (plan.evaluation.period * rig.signals.rate_hz)
    if steps > 0.4:
        raise PlanError(f"at {plan.sweep.speed * 1e3:g} mm/s neighbouring samples lie {steps:.2f} of a period apart; below 0.4 turns can be counted: sweep slower or sample faster")


def _acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    samples = round(plan.sweep.duration * rig.signals.rate_hz)
    record(rig.signals, COLUMNS, CHANNELS, sink, samples=samples, log=log, progress=lambda done, total: progress(100 * done // total, 100))


def analyse(plan: Parameters | Recorded, readings: Readings) -> Linearity:
    """The periodic error of the sweep. Raises `DataError` where the signals give none, or samples are missing."""
    wanted, flags = plan.evaluation, tuple[str, ...]()
    if isinstance(plan, Recorded):
        readings, _, flags = even_log(readings, resample=plan.evaluation.resample)
    time = np.asarray(readings["t_s"])
    judged = sampling.sampling(time)
    if judged.gaps:
        raise DataError(f"{judged}: turns may have been lost in the gap; sweep again")
    found = linearity(
        time, readings["cosine_v"], readings["sine_v"], period_m=wanted.period, degree=wanted.degree, fourth_order=wanted.fourth_order, signal_unit=_unit(plan),
    )
    return replace(found, flags=(*flags, *found.flags))


def _unit(plan: Parameters | Recorded) -> str:
    """Of both signals."""
    return plan.recording.unit if isinstance(plan, Recorded) else "V"


def _read_file(
    file: Path, out: Path, *, plan: str | None = None, settings: Sequence[str] = (), unit: str | None = None, columns: Mapping[str, str] | None = None
) -> RunDirectory:
    """A log with the columns time, cosine and sine into a new run. DataError, PlanError name what is wrong."""
    if unit is not None:
        raise PlanError("--unit: write it in the column names, cosine_V or cosine [V]; counts have none")

    def units(found: Mapping[str, str]) -> dict[str, Any]:
        if found["cosine"] != found["sine"] or found["cosine"] not in ("V", "A", ""):
            raise DataError(f"{file.name}: cosine is in {found['cosine'] or 'no unit'}, sine in {found['sine'] or 'no unit'}; both in V, in A or in counts (no unit) are expected")
        return {"recording": {"unit": found["cosine"]}}

    return import_signals(
        file, out, Recorded, COLUMNS, [Wanted(name="cosine"), Wanted(name="sine")], units=units,
        rows=lambda time_s, signals: {"t_s": time_s, "cosine_v": signals["cosine"], "sine_v": signals["sine"]}, plan=plan, settings=settings, columns=columns,
    )  # fmt: skip


def _document(plan: Parameters | Recorded, found: Linearity, manifest: Manifest, stopped: str | None) -> Document:
    judged = {key: float(value) for key, value in plan.limits.model_dump(exclude_none=True).items()}
    harmonic = [figure for key, figure in found.figures.items() if "h" in key and key[-1].isdigit()]
    rest = [figure for key, figure in found.figures.items() if figure not in harmonic]
    parameters = list(found.correction.figures.values())
    key = f"largest amplitude {text(max(h.amplitude_m for h in found.harmonics_raw), 'm', digits=3)} before, {text(max(h.amplitude_m for h in found.harmonics), 'm', digits=3)} after"
    return Document(
        title=plan.title,
        subtitle=f"{plan.evaluation.period * 1e9:.6g} nm a period" + (", virtual interferometer" if manifest.simulated else ""),
        header=head(plan, manifest, test=(
            ("Method", "Heydemann 1981" + ("; Matus and Dai" if plan.evaluation.fourth_order else "")), ("Sweep", _sweep(plan, found)),
            ("Smooth motion", f"polynomial of degree {plan.evaluation.degree} in time"),
        )),
        figures=[
            FigureTable.of("Harmonics", harmonic, limits={k: v for k, v in judged.items()}, headline=list(HEADLINES)),
            FigureTable.of("Position off the smooth motion", rest),
            *(FigureTable.of(words, [f for f in parameters if f.unit == unit], unit="deg" if unit == "rad" else None) for words, unit in ((("The signals", _unit(plan)), ("Their proportions", "")) if _unit(plan) else (("The signals, and their proportions", ""),)) + ( ("Their phase", "rad"), ("Their correction", "m"))),
        ],
        charts=[
            harmonics_chart([h.amplitude_m for h in found.harmonics_raw], [h.amplitude_m for h in found.harmonics], [h.uncertainty_m for h in found.harmonics], key_numbers=key),
            phase_chart(found.phase_rad, found.residual_raw_m, found.residual_m),
        ],
        notes=[*(Note(text=flag, kind="flag") for flag in found.flags), *(Note(text=sentence) for sentence in found.stated)],
        provenance=provenance(manifest),
        not_for_acceptance=stopped_early(stopped),
        limits_given=bool(judged),
    )  # fmt: skip


def _sweep(plan: Parameters | Recorded, found: Linearity) -> str:
    if isinstance(plan, Recorded):
        return f"{np.ptp(found.phase_rad) / (2 * np.pi):.4g} periods, {found.phase_rad.size} samples"
    return f"{plan.sweep.duration:g} s at {plan.sweep.speed * 1e3:g} mm/s"


def _evaluate(plan: Parameters | Recorded, readings: Readings, manifest: Manifest, *, standard: str | None = None, stopped: str | None = None) -> Evaluation:
    found = analyse(plan, readings)
    report = _document(plan, found, manifest, stopped)
    result: dict[str, Any] = {
        "schema": 1,
        "procedure": plan.procedure,
        "figures": {row.figure.key: row.figure.to_dict() for row in report.rows},
        "harmonics": [[h.order, h.amplitude_m, h.phase_rad, h.uncertainty_m] for h in found.harmonics],
        "flags": list(found.flags),
        "verdict": verdict_dict(report),
    }
    return Evaluation(document=report, result=result, analysis=found)


_NO_MERIT: Final = ("explained", "radius_raw", "radius", "ratio")
"""How strong the signals are, and what there was to correct: a smaller one is not the better interferometer."""

PROCEDURE = Procedure(
    name="interferometer-linearity",
    title="periodic error of an interferometer or encoder, before and after correction",
    model=Parameters,
    preview=_outlook,
    columns=lambda plan: COLUMNS,
    connect=_connect,
    check=_check,
    acquire=_acquire,
    evaluate=_evaluate,
    recorded=Recorded,
    read_file=_read_file,
    compare=lambda before, after: compare(before, after, neither=_NO_MERIT),
)
