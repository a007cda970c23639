"""A report written to files: HTML, PDF, Markdown with its charts, JSON, CSV with its tables, XLSX or JUnit. A file is complete or not there."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import unicodedata
from pathlib import Path
from typing import Final, Literal, get_args

from precision.errors import DataError, PlanError
from precision.regular_file import refuse_to_replace

from .csv_text import figures_csv, table_csv
from .document import Document
from .html import html
from .json_text import json_text
from .junit import junit
from .markdown import markdown

Format = Literal["html", "pdf", "md", "json", "csv", "xlsx", "junit"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
SUFFIXES: Final[dict[str, str]] = {**dict(zip(FORMATS, FORMATS, strict=True)), "junit": "xml"}
"""Format -> the suffix of its file."""


def write(document: Document, path: Path, *, format: Format | None = None, decimal: str = ".", separator: str = ",") -> tuple[Path, ...]:
    """Write the report at `path`, in `format` or in that of the path's suffix; the files that were written, the report first.

    Markdown puts its charts beside itself ("report-1-deviation-against-target.svg"), CSV its tables ("report-1-results-at-each-target.csv"). CSV
    begins with a byte order mark, without which spreadsheets misread "µm". Files that are there are replaced.

    Raises
    ------
    PlanError       a format, decimal mark or separator that is not offered, or the library for a format is not installed
    DataError       the file cannot be written, or what stands there is a device, pipe or folder
    """
    suffix = path.suffix.lower().lstrip(".")
    named: dict[str, str] = {SUFFIXES[known]: known for known in FORMATS}
    chosen = format or named.get(suffix, suffix)
    if chosen == "html":
        files = {path: html(document).encode()}
    elif chosen == "md":
        charts = [path.with_name(_beside(path, number, chart.title, "svg")) for number, chart in enumerate(document.charts, start=1)]
        files = {path: markdown(document, chart_files=[chart.name for chart in charts]).encode()}
        files |= {file: chart.svg.encode() for file, chart in zip(charts, document.charts, strict=True)}
    elif chosen == "json":
        files = {path: json_text(document).encode()}
    elif chosen == "pdf":
        from .pdf import pdf

        files = {path: pdf(document)}
    elif chosen == "xlsx":
        from .xlsx import xlsx

        files = {path: xlsx(document)}
    elif chosen == "junit":
        files = {path: junit(document).encode()}
    elif chosen == "csv":
        files = {path: figures_csv(document, decimal=decimal, separator=separator).encode("utf-8-sig")}
        for number, table in enumerate(document.tables, start=1):
            file = path.with_name(_beside(path, number, table.title, "csv"))
            files[file] = table_csv(table, decimal=decimal, separator=separator).encode("utf-8-sig")
    else:
        raise PlanError(f"report {path.name!r}: format {chosen or '(none)'!r} is not known; {', '.join(FORMATS)} are; name one or use it as the file's suffix")
    for file in files:
        refuse_to_replace(file)
    for file, content in files.items():
        try:
            _replace(file, content)
        except OSError as error:
            raise DataError(
                f"{file}: the report cannot be written ({error.strerror}). The run and its raw data are whole: free some room or choose another file, "
                "then `precision report RUN` writes it again"
            ) from error
    return tuple(files)


def _beside(path: Path, number: int, title: str, suffix: str) -> str:
    """A file name from a title: letters, digits and dashes only, so that no title can point elsewhere."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")
    return f"{path.stem}-{number}{'-' + slug if slug else ''}.{suffix}"


def _replace(file: Path, content: bytes) -> None:
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
