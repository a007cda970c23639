"""The manifest: what a run is, on the disk before its first reading.

It is replaced as a whole (temporary file, fsync, rename, fsync of the directory), and it carries the SHA-256 of itself, so that a changed digit is seen.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import platform
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

from .. import __version__
from ..errors import DataError
from ..regular_file import read_regular
from . import canonical, durable
from .columns import Column, checked, schema_sha256

SCHEMA_VERSION = 1
Status = Literal["RUNNING", "COMPLETE", "ABORTED", "RECOVERED"]
_LARGEST = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A device of the run: which driver spoke to it, at which address, and what it said it is (hostile text)."""

    driver: str
    address: str
    identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPair:
    """The wall clock and the monotonic clock of the computer at one moment."""

    wall_utc: str
    mono_ns: int

    @classmethod
    def now(cls) -> Self:
        """Both clocks, read one after the other."""
        return cls(wall_utc=utc_text(time.time_ns()), mono_ns=time.monotonic_ns())

    @property
    def wall_s(self) -> float:
        """The wall clock in seconds since 1970."""
        return datetime.datetime.fromisoformat(self.wall_utc).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a run is.

    run_id : name of its directory.
    procedure : name of the benchmark.
    created_utc : ISO 8601.
    plan : the whole plan, plain JSON types; `plan_sha256` is the hash of its canonical JSON.
    columns : what the capture holds; `capture_schema_sha256` is their hash. Empty when there is no capture.
    versions : software -> version.
    instruments : role -> instrument.
    clock_start, clock_end : wall and monotonic clock when the run was created and finished.
    seed : of the virtual lab, or None.
    simulated : whether the readings came from the virtual lab, or are a stream that calls itself simulated. A controller of its own with simulated
        mechanics behind it is not the virtual lab: its instruments say so in their identity, and its readings cannot be reproduced.
    status, reason : how it stands and why. RUNNING is also what a run says whose process died.
    capture_sha256 : of the capture when it was closed.
    origin : the run or file that this one was recovered or imported from.
    """

    run_id: str
    procedure: str
    created_utc: str
    plan: Mapping[str, Any]
    columns: tuple[Column, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    clock_start: ClockPair
    clock_end: ClockPair | None = None
    seed: int | None = None
    simulated: bool
    status: Status = "RUNNING"
    reason: str = ""
    capture_sha256: str | None = None
    origin: str | None = None

    @property
    def plan_sha256(self) -> str:
        """Of the plan in its canonical form."""
        return canonical.sha256(self.plan)

    @property
    def capture_schema_sha256(self) -> str | None:
        """Of names, types and units of the columns; None for a run without readings."""
        return schema_sha256(self.columns) if self.columns else None

    @property
    def clock_jump_s(self) -> float | None:
        """How far the wall clock ran away from the monotonic one during the run; None before its end. Durations use the monotonic clock only."""
        if self.clock_end is None:
            return None
        return (self.clock_end.wall_s - self.clock_start.wall_s) - (self.clock_end.mono_ns - self.clock_start.mono_ns) / 1e9

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, with the version of the schema and the hashes."""
        value = dataclasses.asdict(self)
        value["columns"] = [column.to_dict() for column in self.columns]
        value |= {"schema_version": SCHEMA_VERSION, "plan_sha256": self.plan_sha256, "capture_schema_sha256": self.capture_schema_sha256}
        return {**value, "sha256": canonical.sha256(value)}

    def write(self, path: Path) -> None:
        """Put the manifest at `path`, on the disk when this returns."""
        durable.replace(path, (canonical.dumps(self.to_dict(), indent=2) + "\n").encode("ascii"))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The manifest at `path`.

        Raises
        ------
        DataError       absent, not whole, changed since it was written, or of a version that this program does not know
        """
        try:
            value = canonical.loads(read_regular(path, _LARGEST), _place(path))
        except FileNotFoundError:
            raise DataError(f"{path.parent} is no run: it has no {path.name}; `precision runs` lists the runs there are") from None
        except OSError as error:
            raise DataError(f"{_place(path)} cannot be read: {error}") from None
        return cls.from_dict(value, _place(path))

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], name: str = "manifest") -> Self:
        """The inverse of `to_dict`; raises `DataError` as `read` does."""
        version = value.get("schema_version")
        if version != SCHEMA_VERSION:
            raise DataError(f"{name} has the schema version {version!r}; this program reads {SCHEMA_VERSION}: install a newer precision-bench")
        said = {key: item for key, item in value.items() if key != "sha256"}
        try:
            changed = canonical.sha256(said) != value.get("sha256")
        except RecursionError:
            raise DataError(f"{name} is nested deeper than a manifest; it was not written by this program") from None
        if changed:
            raise DataError(f"{name} was changed since it was written (its SHA-256 does not fit); restore it from a copy: raw data is never edited")
        try:
            manifest = cls._built(said)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{name} does not have the fields of a manifest ({error!r})") from None
        if said["plan_sha256"] != manifest.plan_sha256 or said["capture_schema_sha256"] != manifest.capture_schema_sha256:
            raise DataError(f"{name}: the hash of its plan or of its columns does not fit; it was not written by this program")
        return manifest

    @classmethod
    def _built(cls, said: Mapping[str, Any]) -> Self:
        names = {item.name for item in dataclasses.fields(cls)}
        fields = {key: said[key] for key in names}
        columns = tuple(Column.from_dict(column) for column in said["columns"])
        fields["columns"] = checked(columns) if columns else ()
        fields["instruments"] = {role: Instrument(**instrument) for role, instrument in said["instruments"].items()}
        fields["clock_start"] = ClockPair(**said["clock_start"])
        fields["clock_end"] = None if said["clock_end"] is None else ClockPair(**said["clock_end"])
        if fields["status"] not in get_args(Status):
            raise ValueError(f"status {fields['status']!r}")
        _check_types(fields)
        return cls(**fields)


def _check_types(fields: Mapping[str, Any]) -> None:
    """Raise TypeError or ValueError naming a field that is not what `Manifest` says."""
    expected: dict[type | tuple[type, ...], tuple[str, ...]] = {
        str: ("run_id", "procedure", "created_utc", "reason"), (str, type(None)): ("capture_sha256", "origin"), (int, type(None)): ("seed",),
        bool: ("simulated",), Mapping: ("plan", "versions"),
    }  # fmt: skip
    for kind, names in expected.items():
        for name in names:
            if not isinstance(fields[name], kind):
                raise TypeError(f"{name} is {str(fields[name])[:80]!r}")
    for software, version in fields["versions"].items():
        if not isinstance(version, str):
            raise TypeError(f"versions.{software} is {str(version)[:80]!r}")
    for role, instrument in fields["instruments"].items():
        if not all(isinstance(text, str) for text in (instrument.driver, instrument.address, instrument.identity)):
            raise TypeError(f"instruments.{role} is {str(instrument)[:80]!r}")
    for clock in filter(None, (fields["clock_start"], fields["clock_end"])):
        if not isinstance(clock.mono_ns, int) or not math.isfinite(clock.wall_s):
            raise TypeError(f"a clock is {str(clock)[:80]!r}")


def versions() -> dict[str, str]:
    """The software that makes the numbers of this run."""
    from importlib import metadata

    found = {"precision": __version__, "python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}
    for package in ("numpy", "scipy", "pyarrow", "numba"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def utc_text(wall_ns: int) -> str:
    """Nanoseconds since 1970 as ISO 8601 in UTC, to the microsecond: "2026-11-23T10:15:00.000000Z"."""
    moment = datetime.datetime.fromtimestamp(wall_ns // 1_000_000_000, datetime.UTC).replace(microsecond=wall_ns // 1000 % 1_000_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def folder_stamp(created_utc: str) -> str:
    """The time of creation as it stands in a run's name: "2026-11-23T101500Z"."""
    return re.sub(r"[:]|\.\d+", "", created_utc)


def _place(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
