"""The run directory: one folder a run, made once, locked while the run lives, its raw data never changed.

    manifest.json    what the run is; status RUNNING until it is finished
    capture.arrows   the readings
    events.jsonl     what happened
    result.json      the figures (can be computed again from the above)
    report.html      (can be written again)
    truth.json       what a virtual lab was made of
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from ..errors import DataError
from ..regular_file import read_regular
from . import canonical, durable, events
from .capture import Capture, CaptureWriter, read, verify
from .capture_reader import end_problem
from .columns import Column, checked
from .manifest import ClockPair, Instrument, Manifest, Status, folder_stamp, versions

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
MOST_JSON_BYTES = 1 << 28
CLOCK_JUMP_S = 0.1
"""A wall clock that runs away from the monotonic one by more than this during a run is logged."""


def checked_name(name: str) -> str:
    """`name` when it may name a run: 1 to 80 of A-Z a-z 0-9 . _ -, not beginning with "." or "-", and no device name of Windows.

    Raises
    ------
    DataError       naming what is wrong
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.endswith(".") or _RESERVED.fullmatch(name):
        raise DataError(
            f"{str(name)[:100]!r} cannot name a run; 1 to 80 characters of A-Z a-z 0-9 . _ - are expected, beginning with a letter, digit or _, "
            "and not ending with a dot"
        )
    return name


class RunDirectory:
    """A run on the disk. `create` makes one and may write to it; `open` reads one."""

    def __init__(self, path: Path, manifest: Manifest, log: events.EventLog | None = None) -> None:
        self.path = path
        self.manifest = manifest
        self._log = log
        self._writer: CaptureWriter | None = None

    # -- making one -------------------------------------------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        out: Path | str,
        procedure: str,
        *,
        name: str | None = None,
        label: str | None = None,
        plan: Mapping[str, Any] | None = None,
        columns: Sequence[Column] = (),
        instruments: Mapping[str, Instrument] | None = None,
        seed: int | None = None,
        simulated: bool = False,
        software: Mapping[str, str] | None = None,
        origin: str | None = None,
    ) -> Self:
        """Make a run in the folder `out`; its manifest is on the disk when this returns, before the first reading.

        name : of its folder; by default time, procedure, `label` and four random characters: "2026-11-23T101500Z-positioning-x-7f3a".
        software : versions beside those of this package and its libraries.
        The other arguments are fields of `Manifest`.

        Raises
        ------
        DataError       the name is not allowed or taken, the folder cannot be written, the plan holds a NaN
        """
        now = ClockPair.now()
        if name is None:
            parts = [folder_stamp(now.wall_utc), procedure, *([label] if label else []), os.urandom(2).hex()]
            name = "-".join(parts)
        if Path(out).exists() and not Path(out).is_dir():
            raise DataError(f"no run can be made in {out}: it is no folder; choose another with --out")
        path = _inside(Path(out), checked_name(name))
        manifest = Manifest(
            run_id=name, procedure=procedure, created_utc=now.wall_utc, plan=canonical.plain(dict(plan or {}), "plan"),
            columns=checked(columns) if columns else (), versions={**versions(), **(software or {})}, instruments=dict(instruments or {}),
            clock_start=now, seed=seed, simulated=simulated, origin=origin,
        )
        manifest.to_dict()  # nothing is made on the disk for a manifest that cannot be written
        try:
            durable.make_folder(Path(out))
            path.mkdir()
            log = events.EventLog(path / "events.jsonl")
            manifest.write(path / "manifest.json")
            durable.sync_directory(path.parent)
        except FileExistsError:
            raise DataError(f"the run {name} exists already in {out}; raw data is never overwritten: choose another name") from None
        except OSError as error:
            raise DataError(f"no run can be made in {out}: {error}; choose another folder with --out") from None
        run = cls(path, manifest, log)
        run.event("created", procedure=procedure, seed=seed, simulated=simulated)
        return run

    def start_capture(self, *, sync: float | Literal["block"] = "block", queue_blocks: int = 64, reserve_bytes: int = 0) -> CaptureWriter:
        """Begin the capture with the columns of the manifest; `finish` closes it. Raises as `CaptureWriter` does."""
        self._writing()
        if not self.manifest.columns:
            raise DataError(f"{self.name} was created without columns; give them to RunDirectory.create")
        self._writer = CaptureWriter(self.capture_path, self.manifest.columns, sync=sync, queue_blocks=queue_blocks, reserve_bytes=reserve_bytes)
        return self._writer

    def event(self, event: str, **details: Any) -> None:
        """Append one line to events.jsonl; see `EventLog.write`."""
        self._writing().write(event, **details)

    def finish(self, status: Status, reason: str = "") -> Manifest:
        """Close the capture, check it, and write down how the run ended. Does nothing the second time.

        COMPLETE means that every record is whole: where it is not, the run is ABORTED with that as its reason, and `DataError` is raised.
        """
        if self._log is None:
            return self.manifest
        problems = self._closed_capture()
        incomplete = status == "COMPLETE" and bool(problems)
        if incomplete:
            status, reason = "ABORTED", "; ".join(problems)
        log, self._log = self._log, None
        try:
            self.manifest = dataclasses.replace(
                self.manifest, status=status, reason=reason[:2000], clock_end=ClockPair.now(),
                capture_sha256=canonical.sha256_of_file(self.capture_path) if self.capture_path.exists() else None,
            )
            self.manifest.write(self.manifest_path)
            jump_s = self.manifest.clock_jump_s
            if jump_s is not None and abs(jump_s) > CLOCK_JUMP_S:
                log.write("clock jump", jump_s=jump_s)
            log.write("finished", status=status, reason=reason)
        except OSError as error:
            raise DataError(f"{self.name}: its end cannot be written down: {error}; free some space, then `precision runs recover {self.name}`") from error
        finally:
            log.close()
        if incomplete:
            raise DataError(f"{self.name} cannot be complete: {reason}; `precision runs recover {self.name}` copies what is whole")
        return self.manifest

    def _closed_capture(self) -> list[str]:
        """Close the capture and check it; what is wrong with it."""
        problems = []
        if self._writer is not None:
            try:
                self._writer.close()
            except DataError as error:
                problems.append(str(error))
        if self.capture_path.exists():
            problems += verify(self.capture_path, self.manifest.capture_schema_sha256).problems
        elif self.manifest.columns:
            problems.append("nothing was captured")
        return problems

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.finish("ABORTED", "the procedure ended without finishing its run")
            return
        with contextlib.suppress(DataError):  # the first error is the one to tell
            self.finish("ABORTED", f"{type(error).__name__}: {error}")

    def _writing(self) -> events.EventLog:
        if self._log is None:
            raise DataError(f"{self.name} is finished or was opened for reading; raw data is never changed: start a new run")
        return self._log

    # -- reading one ------------------------------------------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, path_or_name: Path | str, out: Path | str | None = None) -> Self:
        """A run that exists: its path, or its name in the folder `out`.

        Raises
        ------
        DataError       no run there, or its manifest is damaged: what, and what to do
        """
        path = Path(path_or_name)
        if out is not None and path.name == str(path_or_name) and not path.is_absolute():
            path = _inside(Path(out), checked_name(str(path_or_name)))
        if not os.path.isdir(path):
            raise DataError(f"there is no run {str(path_or_name)!r}; `precision runs` lists the runs there are")
        manifest = Manifest.read(path / "manifest.json")
        return cls(path.resolve(), manifest)

    def readings(self, *, unfinished: bool = False) -> Capture:
        """The capture, checked against the manifest.

        unfinished : also give what is whole of a run that still runs, died, or is damaged; the `Capture` says what is wrong.

        Raises
        ------
        DataError       there is none, or (unless `unfinished`) it is not whole: what is wrong, and what to do
        """
        if not self.capture_path.exists():
            raise DataError(f"{self.name} has no capture.arrows; it holds no readings")
        capture = read(self.capture_path, self.manifest.columns or None)
        if unfinished:
            return capture
        problems = [str(damage) for damage in capture.damage]
        changed = self.manifest.capture_sha256 not in (None, canonical.sha256_of_file(self.capture_path))
        if changed or not capture.closed:
            problems.append(end_problem(closed=capture.closed, changed=changed))
        if problems:
            state = "still runs: wait for its end" if self.running else f"is not whole: `precision runs recover {self.name}` copies what is whole to a new run"
            raise DataError(f"{self.name}/capture.arrows: {'; '.join(dict.fromkeys(problems))}. The run {state}")
        return capture

    @property
    def running(self) -> bool:
        """Whether a living process writes this run now."""
        return self._log is not None or durable.is_locked(self.events_path)

    def events(self) -> list[dict[str, Any]]:
        """What happened, in order; raises `DataError` when a line is damaged."""
        return events.read(self.events_path)

    # -- what can be computed again ---------------------------------------------------------------------------------------------------------------

    def write_result(self, result: Mapping[str, Any], path: Path | None = None) -> None:
        """Put `result` into result.json (or `path`), whole; raises `DataError` naming a NaN or what JSON cannot hold."""
        self._write_json(path or self.result_path, result)

    def read_result(self) -> dict[str, Any]:
        """result.json; raises `DataError` when it is absent or damaged."""
        return self._read_json(self.result_path, f"`precision analyze {self.name}` computes it again")

    def write_truth(self, truth: Mapping[str, Any]) -> None:
        """Put what the virtual lab was made of into truth.json, whole."""
        self._write_json(self.truth_path, truth)

    def read_truth(self) -> dict[str, Any]:
        """truth.json; raises `DataError` when it is absent (a real machine) or damaged."""
        return self._read_json(self.truth_path, "only runs on a virtual lab have one")

    def _write_json(self, path: Path, value: Mapping[str, Any]) -> None:
        data = (canonical.dumps(value, indent=2) + "\n").encode("ascii")
        try:
            durable.replace(path, data)
        except OSError as error:
            raise DataError(f"{self.name}/{path.name} cannot be written: {error}. What was captured is kept; with room, `precision report {self.name}` computes again from it") from error

    def _read_json(self, path: Path, advice: str) -> dict[str, Any]:
        try:
            return canonical.loads(read_regular(path, MOST_JSON_BYTES), f"{self.name}/{path.name}")
        except OSError as error:
            raise DataError(f"{self.name}/{path.name} cannot be read: {error}; {advice}") from None
        except DataError as error:
            raise DataError(f"{error}; {advice}") from None

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def manifest_path(self) -> Path:
        """What was done, with what: written at the start, completed at the end."""
        return self.path / "manifest.json"

    @property
    def capture_path(self) -> Path:
        """The readings."""
        return self.path / "capture.arrows"

    @property
    def events_path(self) -> Path:
        """What happened, a line each."""
        return self.path / "events.jsonl"

    @property
    def result_path(self) -> Path:
        """The figures; can be computed again."""
        return self.path / "result.json"

    @property
    def report_path(self) -> Path:
        """The page for a person; can be computed again."""
        return self.path / "report.html"

    @property
    def truth_path(self) -> Path:
        """What the virtual lab was made of; of simulated runs only."""
        return self.path / "truth.json"


def run_folders(out: Path | str) -> Iterable[Path]:
    """The folders in `out` that hold a manifest, by name; also those of which nobody can tell, since they may not be opened."""
    try:
        with os.scandir(out) as entries:
            names = sorted(entry.name for entry in entries if _NAME.fullmatch(entry.name))
    except OSError as error:
        raise DataError(f"the folder {out} cannot be read: {error}") from None
    return [folder for name in names if os.path.isdir(folder := Path(out) / name) and _may_be_run(folder)]


def _may_be_run(folder: Path) -> bool:
    try:
        os.stat(folder / "manifest.json")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # listed with what is wrong
    return True


def _inside(out: Path, name: str) -> Path:
    try:
        base = out.resolve()
        path = (base / name).resolve()
    except (OSError, RuntimeError) as error:  # a link that leads to itself
        raise DataError(f"{out / name} cannot be followed ({error}); remove the link") from None
    if path == base or not path.is_relative_to(base):
        raise DataError(f"{name!r} leads out of the folder {out}; a run stands directly in it")
    return path
