"""Recovery: what is whole is copied to a new run, what was lost is said; the original is never changed.

A torn end is dropped and damage in the middle becomes an explicit gap; nothing is interpolated.
"""

from __future__ import annotations

import itertools
import math
import os
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import DataError
from ..regular_file import read_regular
from . import canonical, durable, events
from .capture import CaptureReader, Damage, verify
from .directory import MOST_JSON_BYTES, RunDirectory, checked_name
from .manifest import Manifest

if TYPE_CHECKING:
    from .records import Record


UNKNOWN_PROCEDURE = "unknown"
"""Of a run that was recovered without its manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What came over and what did not. Losses that nothing tells are None; those of a torn end are estimates from the blocks before it, rounded up.

    run : the new run, status RECOVERED.
    blocks, samples : copied.
    blocks_lost, samples_lost, seconds_lost : between whole records, and in the torn end.
    open_end : whether the end record is missing. The losses are then lower bounds: nothing tells what followed.
    damage : what does not pass in the original, one line each.
    """

    run: RunDirectory
    blocks: int
    samples: int
    blocks_lost: int | None
    samples_lost: int | None
    seconds_lost: float | None
    open_end: bool
    damage: tuple[str, ...]

    def __str__(self) -> str:
        lost = [
            "an unknown number of blocks" if self.blocks_lost is None else f"{self.blocks_lost} blocks",
            "an unknown number of samples" if self.samples_lost is None else f"{self.samples_lost} samples",
            "an unknown time" if self.seconds_lost is None else f"{self.seconds_lost:.3f} s",
        ]
        known = ", ".join(lost)
        if self.open_end and self.blocks_lost == 0:
            known = "nothing that shows; how many blocks followed the last whole one cannot be told"
        elif self.open_end and self.blocks_lost is not None:
            known = f"at least {known}; how many more followed the torn end cannot be told"
        said = f"{self.run.name}: {self.blocks} blocks with {self.samples} samples copied; lost: {known}"
        return "\n".join([said, *(f"  {line}" for line in self.damage)])


def recover(path: Path | str) -> Recovery:
    """Copy what is whole in a run to the new run `<name>-recovered` beside it.

    A damaged manifest does not stop it: the columns then come from the capture, and plan and instruments are unknown.

    Raises
    ------
    DataError       no such run, it still runs, it is whole, or nothing in it can be read
    """
    path = Path(path)
    if not os.path.isdir(path):
        raise DataError(f"there is no run {str(path)!r}; `precision runs` lists the runs there are")
    path = path.resolve()
    capture, log = path / "capture.arrows", path / "events.jsonl"
    if durable.is_locked(log) or durable.is_locked(capture):
        raise DataError(f"{path.name} still runs; wait for its end, or stop it, and recover it then")
    if not capture.exists():
        raise DataError(f"{path.name} has no capture.arrows; there are no readings to recover")
    if verify_run(path):
        raise DataError(f"{path.name} is whole; nothing to recover: every record, CRC and hash of it fits, so use it as it is")
    manifest, problem = _manifest(path)
    reader = CaptureReader(capture, manifest.columns if manifest else None)
    known: dict[str, Any] = {"procedure": UNKNOWN_PROCEDURE} if manifest is None else {
        "procedure": manifest.procedure, "plan": manifest.plan, "instruments": manifest.instruments, "seed": manifest.seed,
        "simulated": manifest.simulated, "software": {**manifest.versions, "recovered by": __version__},
    }
    run = RunDirectory.create(path.parent, **known, name=_new_name(path), columns=reader.columns, origin=path.name)
    with run:
        copied = _copied(reader, run)
        lines = [*problem, *([f"capture.arrows: {reader.schema_problem}"] if reader.schema_problem else []), *(str(damage) for damage in reader.damage)]
        lines += _end_lines(path, manifest, reader)
        lines += _copy_texts(path, run.path)
        recovery = replace(copied, run=run, damage=tuple(lines))
        run.finish("RECOVERED", f"copied from {path.name}; {str(recovery).splitlines()[0].partition(': ')[2]}")
    return recovery


def _end_lines(path: Path, manifest: Manifest | None, reader: CaptureReader) -> list[str]:
    """What the manifest tells of the capture's end: whether it was closed, and changed since."""
    if manifest is not None and manifest.capture_sha256 is not None:
        if canonical.sha256_of_file(path / "capture.arrows") == manifest.capture_sha256:
            return [] if reader.closed else ["the capture was like this when the run was finished: its SHA-256 fits"]
        state = "the capture was whole when it was closed" if manifest.status == "COMPLETE" else "the capture was closed"
        return [f"the manifest says {manifest.status}: {state}, and its SHA-256 does not fit: the file was changed since"]
    if not reader.closed and not any(damage.tail for damage in reader.damage):
        return ["the writer did not mark the end; what it had not written yet is lost"]
    return []


def _copied(reader: CaptureReader, run: RunDirectory) -> Recovery:
    blocks: list[Record] = []  # without their readings: number, time and rows are all that is needed afterwards
    sizes: list[int] = []
    told = 0
    writer = run.start_capture(sync=60.0)
    for record in reader:
        for damage in reader.damage[told:]:
            writer.gap(f"damaged: {damage.reason}", max(damage.samples or 0, 0), t_mono_ns=record.t_mono_ns)
        told = len(reader.damage)
        if record.kind == "block":
            readings = {column.name: array for column, array in zip(reader.columns, record.readings, strict=True)}
            writer.append_and_wait(readings, t_mono_ns=record.t_mono_ns)
            blocks.append(replace(record, readings=()))
            sizes.append(record.rows)
        elif record.kind == "gap":
            writer.gap(record.reason, record.missing, t_mono_ns=record.t_mono_ns)
            writer.wait()
    for damage in reader.damage[told:]:
        writer.gap(f"torn end: {damage.reason}", 0)
    writer.close()
    losses = [_loss(damage, blocks, sizes) for damage in reader.damage]
    return Recovery(
        run=run, blocks=len(blocks), samples=sum(sizes), damage=(),
        blocks_lost=_total([loss[0] for loss in losses]), samples_lost=_total([loss[1] for loss in losses]),
        seconds_lost=_total([loss[2] for loss in losses]), open_end=not reader.ended,
    )


def _loss(damage: Damage, blocks: list[Record], sizes: list[int]) -> tuple[Any, Any, Any]:
    """Blocks, samples and seconds of one damage. A torn end is taken for blocks like those before it, the torn one counted whole."""
    if not damage.tail:
        return damage.blocks, damage.samples, damage.seconds
    if not sizes or max(sizes) == 0:
        return None, None, None
    count = math.ceil(damage.size * len(sizes) / damage.offset)
    samples = count * max(sizes)
    steps = [(later.t_mono_ns - earlier.t_mono_ns) / 1e9 for earlier, later in itertools.pairwise(blocks)]
    return count, samples, count * statistics.median(steps) if steps else None


def _total(losses: list[Any]) -> Any:
    return None if None in losses else sum(losses)


def _manifest(path: Path) -> tuple[Manifest | None, list[str]]:
    try:
        return Manifest.read(path / "manifest.json"), []
    except DataError as error:
        return None, [str(error)]


def _new_name(path: Path) -> str:
    base = path.name[: 80 - len("-recovered-99")] + "-recovered"
    for number in range(1, 100):
        name = base if number == 1 else f"{base}-{number}"
        if not (path.parent / name).exists():
            return checked_name(name)
    raise DataError(f"{path.name} was recovered {number} times already; use one of those runs")


def _copy_texts(original: Path, copy: Path) -> list[str]:
    """The manifest, events, truth and what the supervisors did of the original, as they are, beside the new ones; what there is to say of it."""
    lines = []
    kept = [("manifest.json", "original-manifest.json"), ("events.jsonl", "original-events.jsonl"), ("truth.json", "truth.json")]
    kept += [(file.name, file.name) for file in sorted(original.glob("supervisor*.json"))[:100]]
    for name, new in kept:
        try:
            data = read_regular(original / name, MOST_JSON_BYTES)
        except FileNotFoundError:
            continue
        except (OSError, DataError) as error:
            lines.append(f"{name} is not copied: {error}")
            continue
        durable.replace(copy / new, data)
        if name.startswith("supervisor"):
            lines.append(_said_by_supervisor(name, data))
    return lines


def _said_by_supervisor(name: str, data: bytes) -> str:
    """Why and how it stopped the machine."""
    try:
        told = canonical.loads(data, name)
        stands = "its standstill was confirmed" if told["standstill_confirmed"] is True else "its standstill was NOT confirmed: home it before it moves again"
        return f"{name}: the supervisor stopped the machine ({str(told['cause'])[:200]}); {stands}; copied"
    except (DataError, KeyError, TypeError):
        return f"{name}: the supervisor stopped the machine; its note is damaged, and copied as it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerification:
    """What a check of a whole run directory found; `problems` is empty when everything fits."""

    name: str
    problems: tuple[str, ...]
    blocks: int
    samples: int
    gaps: int
    missing: int

    def __bool__(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        if self.problems:
            return "\n".join([f"{self.name}: {len(self.problems)} problems", *(f"  {problem}" for problem in self.problems)])
        gaps = f", {self.gaps} gaps with {self.missing} samples that the writer recorded" if self.gaps else ""
        return f"{self.name}: {self.blocks} blocks with {self.samples} samples, every CRC and hash fits{gaps}"


def verify_run(path: Path | str) -> RunVerification:
    """Check manifest, schema, every record and number of the capture, its hash, the events and the result of a run. Changes nothing."""
    path = Path(path)
    if not os.path.isdir(path):
        raise DataError(f"there is no run {str(path)!r}; `precision runs` lists the runs there are")
    path = path.resolve()
    manifest, problems = _manifest(path)
    found = None
    if (path / "capture.arrows").exists():
        columns, sha256 = (manifest.columns, manifest.capture_sha256) if manifest else (None, None)
        found = verify(path / "capture.arrows", manifest.capture_schema_sha256 if manifest else None, columns=columns, sha256=sha256)
        problems += found.problems
        if manifest and manifest.status == "COMPLETE" and found.problems:
            problems.append(f"the manifest of {path.name} says COMPLETE: its capture was whole when it was closed, and was damaged since")
    elif manifest and (manifest.columns or manifest.capture_sha256):
        problems.append(f"{path.name} has no capture.arrows, but its manifest says that there is one")
    try:
        if manifest and manifest.status == "RUNNING" and not durable.is_locked(path / "events.jsonl"):
            problems.append(f"{path.name} says RUNNING, but no process writes it: it died; `precision runs recover {path.name}` copies what is whole")
        if (path / "events.jsonl").exists():
            events.read(path / "events.jsonl")
        for name in ("result.json", "truth.json"):
            if (path / name).exists():
                canonical.loads(read_regular(path / name, MOST_JSON_BYTES), f"{path.name}/{name}")
    except (DataError, OSError) as error:
        problems.append(str(error))
    return RunVerification(
        name=path.name, problems=tuple(problems), blocks=found.blocks if found else 0, samples=found.samples if found else 0,
        gaps=found.gaps if found else 0, missing=found.missing if found else 0,
    )
