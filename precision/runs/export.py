"""Exports of a run for other programs: HDF5, Parquet, CSV, MATLAB, XLSX. The run itself stays as it is.

An export is made by a child process (a library that crashes there takes nothing else down), in a temporary file, put on the disk, renamed, read back
by another code path than the one that wrote it, and compared with the run: number by number, bit for bit (XLSX holds 16 digits).
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import DataError, PlanError
from ..regular_file import refuse_to_replace
from . import canonical, durable
from .directory import RunDirectory

FORMATS: Final[dict[str, tuple[str, str | None, str]]] = {
    "hdf5": (".h5", "h5py", "h5"),
    "parquet": (".parquet", None, ""),
    "csv": (".csv", None, ""),
    "mat": (".mat", None, ""),
    "xlsx": (".xlsx", "xlsxwriter", "xlsx"),
}
"""Format -> suffix, the library that an extra brings, the extra."""
_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """How a CSV file is written. A spreadsheet with a decimal comma wants `separator=";"` and `decimal=","`."""

    separator: str = ","
    decimal: str = "."

    def __post_init__(self) -> None:
        if self.separator not in (",", ";", "\t") or self.decimal not in (".", ",") or self.separator == self.decimal:
            raise PlanError(
                f"CSV with separator {self.separator!r} and decimal {self.decimal!r} cannot be read back; "
                "the separator is , ; or a tab, the decimal is . or , and they differ"
            )


def export(run: RunDirectory, path: Path | str, format: str | None = None, *, csv: CsvOptions | None = None, unfinished: bool = False) -> Path:
    """Write the readings, figures and manifest of a run to a new file at `path`; by its suffix unless `format` (a key of `FORMATS`) is given.

    unfinished : also export what is whole of a run that died.

    Raises
    ------
    PlanError       unknown format, or the extra that it needs is not installed
    DataError       the run is not whole, the file exists, the disk is full, or what was read back differs
    """
    target = Path(path)
    format = format or next((name for name, (suffix, _, _) in FORMATS.items() if suffix == target.suffix.lower()), "")
    if format not in FORMATS:
        raise PlanError(f"{target.name!r} has no known format; known: {', '.join(f'{name} ({row[0]})' for name, row in FORMATS.items())}")
    _, library, extra = FORMATS[format]
    if library is not None and importlib.util.find_spec(library) is None:
        raise PlanError(f"{format} needs the library {library}, which is not installed: pip install \"precision-bench[{extra}]\"")
    refuse_to_replace(target)
    if target.exists():
        raise DataError(f"{target} exists already; choose another name or remove it")
    run.readings(unfinished=unfinished)
    temporary = target.with_name(f".{target.name[:60]}.{os.urandom(4).hex()}{target.suffix}.tmp")
    order = {"run": str(run.path), "path": str(temporary), "format": format, "unfinished": unfinished, "csv": asdict(csv or CsvOptions())}
    try:
        _in_child(order)
        durable.put(temporary, target)
    except OSError as error:
        raise DataError(f"{target} cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _in_child(order: dict[str, Any]) -> None:
    """Let a fresh interpreter write and check the file, away from the threads and libraries of this one."""
    room = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [room, os.environ.get("PYTHONPATH")]))}
    # -P: the folder in which the command was typed is no place to import from.
    command = [sys.executable, "-P", "-c", "from precision.runs.export import child; child()"]
    try:
        done = subprocess.run(command, input=json.dumps(order), capture_output=True, text=True, timeout=_TIMEOUT_S, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise DataError(f"the export did not end within {_TIMEOUT_S:g} s and was stopped; the run is unchanged") from None
    if done.returncode == 0:
        return
    try:
        told = canonical.loads(done.stdout, "answer")["error"]
    except (DataError, KeyError):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        told = f"the process that writes the file ended with {done.returncode} ({last[:300]}); the run is unchanged"
    raise DataError(str(told))


def child() -> None:
    """What the child process does: read the order from standard input, write, sync, read back, compare; say what went wrong on standard output."""
    from . import export_formats

    order = json.loads(sys.stdin.read())
    try:
        run = RunDirectory.open(order["run"])
        content = export_formats.Content.of(run, unfinished=order["unfinished"])
        path = Path(order["path"])
        export_formats.write(order["format"], content, path, **order["csv"])
        problems = export_formats.differences(order["format"], content, path, **order["csv"])
        if problems:
            raise DataError(f"the {order['format']} file does not hold what the run holds: {'; '.join(problems[:5])}; it was not kept")
    except (DataError, OSError, ValueError, MemoryError) as error:
        sys.stdout.write(canonical.dumps({"error": f"{error}" if isinstance(error, DataError) else f"{type(error).__name__}: {error}"}))
        sys.exit(1)
