"""How each export is written and read back. Runs in the child process of `export`.

Text cells of CSV and XLSX that a spreadsheet would take for a formula get an apostrophe in front; numbers stay numbers.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..errors import DataError
from . import canonical

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .capture import Capture
    from .columns import Column
    from .directory import RunDirectory

    Array = NDArray[np.float64] | NDArray[np.int64]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_SHEET_ROWS = 100_000
"""Readings beyond this stay out of a workbook: a spreadsheet takes seconds for every 20 000 rows."""
_SHEET_ERROR = 5e-16 + 2**-53
"""Of the value: half a unit of the 16th digit, and half a unit of the last bit when the digits are read."""
_MAT_BYTES = (1 << 31) - 1
_CSV_ROWS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is exported: readings, gaps, figures (result.json) and the manifest."""

    capture: Capture
    result: dict[str, Any]
    manifest: dict[str, Any]

    @classmethod
    def of(cls, run: RunDirectory, *, unfinished: bool = False) -> Self:
        result = run.read_result() if run.result_path.exists() else {}
        return cls(capture=run.readings(unfinished=unfinished), result=result, manifest=run.manifest.to_dict())

    @property
    def columns(self) -> Iterator[tuple[Column, Array]]:
        for column in self.capture.schema:
            yield column, self.capture.columns[column.name]


def guarded(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula: an apostrophe before = + - @ tab and line ends (and before an apostrophe, to be undone)."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def write(format: str, content: Content, path: Path, *, separator: str, decimal: str) -> None:
    """Write `content` to `path` in one of `export.FORMATS`."""
    if format == "csv":
        _write_csv(content, path, separator, decimal)
    else:
        {"hdf5": _write_hdf5, "parquet": _write_parquet, "mat": _write_mat, "xlsx": _write_xlsx}[format](content, path)


def differences(format: str, content: Content, path: Path, *, separator: str, decimal: str) -> list[str]:
    """Read the file back and say where it differs from `content`."""
    if format == "csv":
        found = _read_csv(content, path, separator, decimal)
    else:
        found = {"hdf5": _read_hdf5, "parquet": _read_parquet, "mat": _read_mat, "xlsx": _read_xlsx}[format](content, path)
    if format == "xlsx" and content.capture.rows > _SHEET_ROWS:
        return []
    problems = []
    for column, array in content.columns:
        if column.name not in found:
            problems.append(f"column {column.name!r} is missing")
        elif not _same(array, found[column.name], rounded=format == "xlsx", text=format == "csv"):
            problems.append(f"column {column.name!r} differs")
    return problems


def _same(wanted: Array, found: Array, *, rounded: bool, text: bool) -> bool:
    """Bit for bit; a NaN that was text has only one kind of bits; a number in a workbook has 16 decimal digits."""
    import numpy as np

    if wanted.shape != found.shape:
        return False
    if rounded:
        wide = wanted.astype(np.float64)
        with np.errstate(invalid="ignore"):
            close = np.abs(wide - found) <= _SHEET_ERROR * np.abs(wide)
        return bool(np.all(close | (wide == found) | (np.isnan(wide) & np.isnan(found))))
    if wanted.dtype != found.dtype:
        return False
    same = wanted.view(np.int64) == np.ascontiguousarray(found).view(np.int64)
    if text and wanted.dtype == np.float64:
        same |= np.isnan(wanted) & np.isnan(found)
    return bool(np.all(same))


# -- HDF5 -------------------------------------------------------------------------------------------------------------------------------------------


def _write_hdf5(content: Content, path: Path) -> None:
    import h5py

    with h5py.File(path, "x") as file:
        readings = file.create_group("readings", track_order=True)
        for place, (column, array) in enumerate(content.columns):
            # A "/" in a name would make a group; the name is in an attribute, exactly.
            dataset = readings.create_dataset(_identifier(column.name, place), data=array)
            dataset.attrs.update({"name": column.name, "unit": column.unit, "wall_clock": column.wall_clock})
        gaps = file.create_group("gaps")
        gaps.create_dataset("row", data=[gap.row for gap in content.capture.gaps], dtype="i8")
        gaps.create_dataset("samples", data=[gap.samples for gap in content.capture.gaps], dtype="i8")
        gaps.create_dataset("reason", data=[_storable(gap.reason) for gap in content.capture.gaps], dtype=h5py.string_dtype())
        file.create_dataset("manifest", data=canonical.dumps(content.manifest))
        file.create_dataset("result", data=canonical.dumps(content.result))


def _read_hdf5(content: Content, path: Path) -> dict[str, Array]:
    import h5py

    with h5py.File(path, "r") as file:
        if canonical.loads(file["manifest"][()], "manifest") != canonical.plain(content.manifest):
            raise DataError("the manifest differs in the HDF5 file")
        if file["gaps/samples"][()].tolist() != [gap.samples for gap in content.capture.gaps]:
            raise DataError("the gaps differ in the HDF5 file")
        return {str(dataset.attrs["name"]): dataset[()] for dataset in file["readings"].values()}


# -- Parquet ----------------------------------------------------------------------------------------------------------------------------------------


def _write_parquet(content: Content, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from .columns import arrow_schema

    schema = arrow_schema(content.capture.schema)
    gaps = [{"row": gap.row, "samples": gap.samples, "reason": gap.reason} for gap in content.capture.gaps]
    said = {"precision.manifest": content.manifest, "precision.result": content.result, "precision.gaps": gaps}
    metadata = {**schema.metadata, **{key.encode(): canonical.dumps(value).encode() for key, value in said.items()}}
    arrays = [
        pa.Array.from_buffers(field.type, len(array), [None, pa.py_buffer(array)], null_count=0)
        for field, (_, array) in zip(schema, content.columns, strict=True)
    ]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema.with_metadata(metadata)), path, compression="zstd")


def _read_parquet(content: Content, path: Path) -> dict[str, Array]:
    import pyarrow.parquet as pq

    # By path: a file object can hang at the end of the process.
    table = pq.read_table(str(path))
    if canonical.loads(table.schema.metadata[b"precision.manifest"], "manifest") != canonical.plain(content.manifest):
        raise DataError("the manifest differs in the Parquet file")
    return {name: table.column(name).to_numpy() for name in table.column_names}


# -- CSV --------------------------------------------------------------------------------------------------------------------------------------------


def _header(column: Column) -> str:
    return guarded(f"{column.name} [{column.unit}]" if column.unit else column.name)


def _write_csv(content: Content, path: Path, separator: str, decimal: str) -> None:
    arrays = [array for _, array in content.columns]
    # The mark of UTF-8 in front tells a spreadsheet how to read µ and °.
    with path.open("x", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=separator, lineterminator="\r\n")
        writer.writerow([_header(column) for column, _ in content.columns])
        for start in range(0, content.capture.rows, _CSV_ROWS):
            parts = [[_number(value, decimal) for value in array[start : start + _CSV_ROWS].tolist()] for array in arrays]
            writer.writerows(zip(*parts, strict=True))


def _number(value: float | int, decimal: str) -> str:
    """The shortest text that reads back to the same bits."""
    text = repr(value)
    return text if decimal == "." else text.replace(".", decimal)


def _read_csv(content: Content, path: Path, separator: str, decimal: str) -> dict[str, Array]:
    import numpy as np

    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=separator)
        header = next(rows)
        if header != [_header(column) for column, _ in content.columns]:
            raise DataError("the header differs in the CSV file")
        texts: list[list[str]] = [[] for _ in header]
        for row in rows:
            for cells, cell in zip(texts, row, strict=True):
                cells.append(cell)
    found: dict[str, Array] = {}
    for column, cells in zip(content.capture.schema, texts, strict=True):
        if column.dtype == "i8":
            found[column.name] = np.array([int(cell) for cell in cells], dtype=np.int64)
        else:
            found[column.name] = np.array([float(cell.replace(decimal, ".")) for cell in cells], dtype=np.float64)
    return found


# -- MATLAB -----------------------------------------------------------------------------------------------------------------------------------------


def _identifier(name: str, place: int) -> str:
    """A name that MATLAB and HDF5 accept, one a column: letters, digits and _, beginning with a letter, at most 31 characters."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    changed = plain != name or not plain[0].isalpha() or len(plain) > 31
    return f"c{place}_{plain}"[:31] if changed else plain


def _write_mat(content: Content, path: Path) -> None:
    from scipy.io import savemat

    if any(array.nbytes > _MAT_BYTES for _, array in content.columns):
        raise DataError("a column has more than 2 GiB, which a MAT file (version 5) cannot hold; export hdf5")
    said: dict[str, Any] = {_identifier(column.name, place): array for place, (column, array) in enumerate(content.columns)}
    units = {f"unit_of_column_{place}": f"{column.name} [{column.unit}]" for place, (column, _) in enumerate(content.columns, start=1)}
    said["precision_run"] = {"manifest": canonical.dumps(content.manifest), "result": canonical.dumps(content.result), **units}
    savemat(str(path), said, appendmat=False, oned_as="column", long_field_names=True)


def _read_mat(content: Content, path: Path) -> dict[str, Array]:
    from scipy.io import loadmat

    said = loadmat(str(path), appendmat=False)
    if canonical.loads(str(said["precision_run"]["manifest"][0, 0][0]), "manifest") != canonical.plain(content.manifest):
        raise DataError("the manifest differs in the MAT file")
    return {column.name: said[_identifier(column.name, place)].ravel() for place, column in enumerate(content.capture.schema)}


# -- XLSX -------------------------------------------------------------------------------------------------------------------------------------------

_XLSX_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True, "constant_memory": True}


def _write_xlsx(content: Content, path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(path), _XLSX_OPTIONS) as book:
        _write_tree(book.add_worksheet("Figures"), content.result)
        _write_tree(book.add_worksheet("Run"), content.manifest)
        sheet = book.add_worksheet("Readings")
        if content.capture.rows > _SHEET_ROWS:
            sheet.write_string(0, 0, f"{content.capture.rows} rows are too many for a workbook; export csv, hdf5 or parquet")
            return
        for place, (column, _) in enumerate(content.columns):
            sheet.write_string(0, place, _header(column))
        arrays = [array.tolist() for _, array in content.columns]
        for row in range(content.capture.rows):
            for place, array in enumerate(arrays):
                value = array[row]
                # A spreadsheet computes in float64, where a larger integer would change without a word, and has neither NaN nor infinity.
                if not math.isfinite(value) or (isinstance(value, int) and abs(value) > 1 << 53):
                    sheet.write_string(row + 1, place, str(value))
                else:
                    sheet.write_number(row + 1, place, value)


def _write_tree(sheet: Any, tree: dict[str, Any]) -> None:
    for row, (path, value) in enumerate(_leaves(tree, "")):
        sheet.write_string(row, 0, guarded(path))
        if isinstance(value, bool):
            sheet.write_boolean(row, 1, value)
        elif isinstance(value, int | float) and abs(value) <= 1 << 53:
            sheet.write_number(row, 1, value)
        elif value is not None:
            sheet.write_string(row, 1, guarded(str(value))[:32_000])


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _leaves(value[key], f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    else:
        yield path, value


def _read_xlsx(content: Content, path: Path) -> dict[str, Array]:
    """Read back with another library where it is installed; else the parts of the archive are checked for being whole."""
    import importlib.util
    import zipfile

    import numpy as np

    if importlib.util.find_spec("openpyxl") is None:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken:
            raise DataError(f"{broken} is damaged in the XLSX file")
        return dict(content.capture.columns)
    import openpyxl

    with path.open("rb") as file:
        book = openpyxl.load_workbook(file, read_only=True)
        figures = {row[0]: row[1] if len(row) > 1 else None for row in book["Figures"].iter_rows(values_only=True) if row}
        for name, value in _leaves(content.result, ""):
            if isinstance(value, float) and not math.isclose(float(str(figures[guarded(name)])), value, rel_tol=_SHEET_ERROR):
                raise DataError(f"the figure {name} differs in the XLSX file")
        rows = list(book["Readings"].iter_rows(values_only=True)) if content.capture.rows <= _SHEET_ROWS else []
        book.close()
    found: dict[str, Array] = {}
    for place, column in enumerate(content.capture.schema if rows else ()):
        cells = [row[place] for row in rows[1:]]
        found[column.name] = np.array([float(str(cell)) for cell in cells])
    return found


def _storable(text: str) -> str:
    return text.replace("\0", "\\0")
