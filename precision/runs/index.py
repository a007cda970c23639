"""The list of runs in a folder, and a cache that makes it fast.

The truth is in the manifests; `.index.sqlite` beside the runs only remembers them. A row counts when the manifest's inode, size and time of change are
still the same. An index that is absent, locked, damaged or not writable costs time, never a run.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from ..errors import DataError
from . import durable
from .directory import run_folders
from .manifest import Manifest

INDEX = ".index.sqlite"
_VERSION = 1
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d)(\d\d)(\d\d)Z-", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """One run as a list shows it. `problem` says what is wrong with its manifest; the other texts are then empty."""

    name: str
    procedure: str
    created_utc: str
    status: str
    reason: str
    simulated: bool
    seed: int | None
    origin: str | None
    problem: str | None

    @property
    def order(self) -> tuple[str, str]:
        """Runs are listed by the time they were made, then by name; where a damaged manifest does not tell, by the time in the name (none: first)."""
        if self.problem is None:
            return self.created_utc, self.name
        stamp = _STAMP.match(self.name)
        return "{}T{}:{}:{}".format(*stamp.groups()) if stamp else "", self.name


_Stamp = tuple[int, int, int]
_COLUMNS = [item.name for item in fields(Entry)]


def listing(out: Path | str) -> tuple[Entry, ...]:
    """The runs in the folder `out`, oldest first. A run whose process died is listed as "RUNNING (dead)".

    Raises
    ------
    DataError       the folder cannot be read
    """
    out = Path(out)
    folders = {folder.name: folder for folder in run_folders(out)}
    known = _remembered(out)
    entries: list[Entry] = []
    fresh: list[tuple[_Stamp, Entry]] = []
    for name, folder in folders.items():
        stamp = _stamp(folder)
        remembered = known.get(name)
        if remembered is not None and remembered[0] == stamp:
            entry = remembered[1]
        else:
            entry = _entry(folder)
            fresh.append((stamp, entry))
        entries.append(_with_life(entry, folder))
    gone = known.keys() - folders.keys()
    if fresh or gone:
        _remember(out, fresh, gone)
    return tuple(sorted(entries, key=lambda entry: entry.order))


def reindex(out: Path | str) -> int:
    """Throw the index away and make it again from the manifests; the number of runs."""
    out = Path(out)
    _forget(out)
    return len(listing(out))


def find(out: Path | str, text: str) -> Path:
    """The folder of a run: its name, a part of one name only, or "last" (the newest, however it ended).

    A beginning goes before an end ("7f3a" is the run, not what was recovered from it), an end before any other part.

    Raises
    ------
    DataError       none, or several: which
    """
    entries = listing(out)
    names = [entry.name for entry in entries]
    if text == "last" and names:
        return Path(out) / names[-1]
    if text in names:
        return Path(out) / text
    for kind, fits in (("begins", str.startswith), ("ends", str.endswith), ("is part of", str.__contains__)):
        matching = [name for name in names if text and fits(name, text)]
        if len(matching) == 1:
            return Path(out) / matching[0]
        if matching:
            raise DataError(
                f"{text!r} {kind} {len(matching)} runs: {', '.join(matching[:8])}{', …' if len(matching) > 8 else ''}; write more of the name, or all of it"
            )
    raise DataError(f"there is no run {text[:100]!r} in {out}; {f'the newest is {names[-1]}' if names else 'there are no runs at all'}")


def _entry(folder: Path) -> Entry:
    try:
        manifest = Manifest.read(folder / "manifest.json")
    except DataError as error:
        return Entry(folder.name, "", "", "", "", False, None, None, str(error))
    return Entry(
        folder.name, manifest.procedure, manifest.created_utc, manifest.status, manifest.reason, bool(manifest.simulated), manifest.seed,
        manifest.origin, None,
    )


def _with_life(entry: Entry, folder: Path) -> Entry:
    with contextlib.suppress(DataError):  # nobody can tell: then it is what its manifest says
        if entry.status == "RUNNING" and not durable.is_locked(folder / "events.jsonl"):
            return replace(entry, status="RUNNING (dead)")
    return entry


def _stamp(folder: Path) -> _Stamp:
    try:
        stat = os.stat(folder / "manifest.json")
    except OSError:
        return 0, 0, 0
    # sqlite holds signed 64-bit numbers
    return stat.st_ino & 0x7FFFFFFFFFFFFFFF, stat.st_size, stat.st_mtime_ns


def _connect(out: Path) -> contextlib.closing[sqlite3.Connection]:
    if os.path.lexists(out / INDEX) and not os.path.isfile(out / INDEX):
        raise sqlite3.OperationalError(f"{INDEX} is no file")
    connection = sqlite3.connect(out / INDEX, timeout=0.2, isolation_level=None)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != _VERSION:
            connection.execute("DROP TABLE IF EXISTS runs")
            connection.execute(f"CREATE TABLE runs (inode, size, mtime_ns, {', '.join(_COLUMNS)}, PRIMARY KEY (name))")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
    except BaseException:
        connection.close()
        raise
    return contextlib.closing(connection)


def _remembered(out: Path) -> dict[str, tuple[_Stamp, Entry]]:
    try:
        with _connect(out) as connection:
            rows = connection.execute(f"SELECT inode, size, mtime_ns, {', '.join(_COLUMNS)} FROM runs").fetchall()
        return {row[3]: ((row[0], row[1], row[2]), _checked(replace(Entry(*row[3:]), simulated=bool(row[8])))) for row in rows}
    except sqlite3.OperationalError:
        return {}  # locked, or the folder cannot be written
    except (sqlite3.DatabaseError, TypeError, UnicodeError):
        _forget(out)
        return {}


def _checked(entry: Entry) -> Entry:
    """`entry` where its fields have the types they should; sqlite keeps whatever it was given."""
    texts = (entry.name, entry.procedure, entry.created_utc, entry.status, entry.reason)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(text, str | None) for text in (entry.origin, entry.problem)):
        raise TypeError(f"a row of the index holds {texts!r}")
    if not isinstance(entry.seed, int | None):
        raise TypeError(f"a row of the index has the seed {entry.seed!r}")
    return entry


def _remember(out: Path, fresh: Iterable[tuple[_Stamp, Entry]], gone: Iterable[str]) -> None:
    marks = ", ".join("?" * (3 + len(_COLUMNS)))
    # What cannot be remembered is read again next time.
    with contextlib.suppress(sqlite3.Error, UnicodeError, OverflowError), _connect(out) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(f"INSERT OR REPLACE INTO runs VALUES ({marks})", [(*stamp, *astuple(entry)) for stamp, entry in fresh])
        connection.executemany("DELETE FROM runs WHERE name = ?", [(name,) for name in gone])
        connection.execute("COMMIT")


def _forget(out: Path) -> None:
    for name in (INDEX, f"{INDEX}-journal", f"{INDEX}-wal", f"{INDEX}-shm"):
        with contextlib.suppress(OSError):
            (out / name).unlink(missing_ok=True)
