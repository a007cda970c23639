"""Every export, read back by a library that did not write it, holds what the run holds; hostile text stays text."""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from precision.errors import DataError, PlanError
from precision.runs import export as exporting
from precision.runs.canonical import sha256_of_file
from precision.runs.capture import Column
from precision.runs.directory import RunDirectory
from precision.runs.export import FORMATS, CsvOptions, export

COLUMNS = [Column("=HYPERLINK(1)/µ", "f8", "m"), Column("t_ns", "i8", "ns", wall_clock=True), Column("small", "f8", "")]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    chance = np.random.Generator(np.random.Philox(key=3))
    x = chance.normal(size=1000)
    x[:6] = [np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7e308]
    with RunDirectory.create(tmp_path / "runs", "positioning", name="one", columns=COLUMNS, plan={"note": "=1+1"}) as run:
        capture = run.start_capture()
        for part in np.split(x, 4):
            capture.append_and_wait({COLUMNS[0].name: part, "t_ns": np.arange(250) + (1 << 60), "small": part * 1e-12})
        capture.gap("@SUM(A1)", 7)
        run.write_result({"A": 1e-6 / 3, "name": '=cmd|"/C calc"!A0', "count": -1})
        run.finish("COMPLETE")
    return run


def bits(array: np.ndarray) -> list[int]:
    return np.ascontiguousarray(array).view(np.int64).tolist()


def test_hdf5_holds_every_bit_with_units_and_gaps(run: RunDirectory, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(export(run, tmp_path / "one.h5")) as file:
        for (name, dataset), column in zip(file["readings"].items(), COLUMNS, strict=True):
            assert name.isidentifier() and dataset.attrs["name"] == column.name and dataset.attrs["unit"] == column.unit
            assert bits(dataset[()]) == bits(run.readings().columns[column.name])
        assert file["gaps/samples"][()].tolist() == [7] and file["gaps/row"][()].tolist() == [1000]
        assert json.loads(file["manifest"][()])["run_id"] == "one"


def test_parquet_holds_every_bit(run: RunDirectory, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(str(export(run, tmp_path / "one.parquet"))).read()
    for column in COLUMNS:
        assert bits(table.column(column.name).to_numpy()) == bits(run.readings().columns[column.name])
        assert table.schema.field(column.name).metadata[b"unit"].decode() == column.unit


def test_mat_holds_every_bit_in_columns(run: RunDirectory, tmp_path: Path) -> None:
    from scipy.io import loadmat, whosmat

    path = export(run, tmp_path / "one.mat")
    shapes = {name: shape for name, shape, _ in whosmat(str(path))}
    assert shapes["t_ns"] == (1000, 1) and all(name.isidentifier() and len(name) <= 31 for name in shapes)
    said = loadmat(str(path))
    assert bits(said["small"].ravel()) == bits(run.readings().columns["small"])
    assert said["t_ns"].dtype == np.int64 and said["t_ns"][-1, 0] == (1 << 60) + 249


@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ","), ("\t", ",")])
def test_csv_reads_back_bit_for_bit_with_any_separator(run: RunDirectory, tmp_path: Path, separator: str, decimal: str) -> None:
    path = export(run, tmp_path / "one.csv", csv=CsvOptions(separator=separator, decimal=decimal))
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = list(csv.reader(file, delimiter=separator))
    assert header == ["'=HYPERLINK(1)/µ [m]", "t_ns [ns]", "small"]
    small = np.array([float(row[2].replace(decimal, ".")) for row in rows])
    assert np.array_equal(small, run.readings().columns["small"], equal_nan=True)
    assert [int(row[1]) for row in rows] == run.readings().columns["t_ns"].tolist()
    assert any(row[0].startswith("-") for row in rows), "a negative number stays a number"


def test_xlsx_holds_figures_and_readings_and_no_formula(run: RunDirectory, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    path = export(run, tmp_path / "one.xlsx")
    book = openpyxl.load_workbook(path)  # formulas, not their values
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert [cell.value for cell in cells if cell.data_type == "f"] == []
    assert [book["Readings"].cell(row, 1).value for row in (2, 3, 4)] == ["nan", "inf", "-inf"]
    figures = {row[0]: row[1] for row in book["Figures"].iter_rows(values_only=True)}
    assert figures == {"A": pytest.approx(1e-6 / 3, rel=6.2e-16), "count": -1, "name": '\'=cmd|"/C calc"!A0'}
    assert book["Readings"].max_row == 1001
    book.close()


@pytest.mark.parametrize("format", FORMATS)
def test_a_run_without_a_reading_is_exported_too(tmp_path: Path, format: str) -> None:
    if FORMATS[format][1] and importlib.util.find_spec(str(FORMATS[format][1])) is None:
        pytest.skip(f"{FORMATS[format][1]} is not installed")
    with RunDirectory.create(tmp_path, "positioning", name="empty", columns=COLUMNS) as run:
        run.start_capture()
        run.finish("COMPLETE")
    assert export(run, tmp_path / "empty.out", format).stat().st_size > 0


def test_an_export_never_overwrites_and_leaves_no_half_file(run: RunDirectory, tmp_path: Path) -> None:
    before = sha256_of_file(run.capture_path)
    folder = tmp_path / "exports"
    folder.mkdir()
    export(run, folder / "one.csv")
    with pytest.raises(DataError, match="exists already"):
        export(run, folder / "one.csv")
    assert [path.name for path in folder.iterdir()] == ["one.csv"]
    with pytest.raises(DataError):
        export(run, folder / "absent" / "one.csv")
    assert sha256_of_file(run.capture_path) == before


def test_a_missing_extra_is_named_with_the_command_that_brings_it(run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda name: None)
    for name, extra in (("one.h5", "h5"), ("one.xlsx", "xlsx")):
        with pytest.raises(PlanError, match=rf'pip install "precision-bench\[{extra}\]"'):
            export(run, tmp_path / name)


def test_an_unknown_format_or_separator_is_refused(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="known: hdf5"):
        export(run, tmp_path / "one.doc")
    with pytest.raises(PlanError, match="cannot be read back"):
        CsvOptions(separator=",", decimal=",")


def test_a_crash_of_the_writing_process_is_reported_and_leaves_nothing(run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DataError, match="the run is unchanged"):
        export(run, folder / "one.csv")
    assert list(folder.iterdir()) == []


def test_what_is_read_back_wrong_is_not_kept(run: RunDirectory, tmp_path: Path) -> None:
    from precision.runs import export_formats

    content = export_formats.Content.of(run)
    path = tmp_path / "one.csv"
    options = {"separator": ",", "decimal": "."}
    export_formats.write("csv", content, path, **options)
    assert export_formats.differences("csv", content, path, **options) == []
    text = path.read_bytes()
    path.write_bytes(text[:-4] + (b"7" if text[-4:-3] != b"7" else b"8") + text[-3:])
    assert export_formats.differences("csv", content, path, **options) == ["column 'small' differs"]
