"""Files that are no files, files that are too much, and places that cannot be written: refused with what to do, at once, and no other run suffers."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from precision.cli import cli
from precision.drivers.files import outside, positioning_csv, table
from precision.drivers.files.recognise import read_positioning
from precision.errors import DataError
from precision.recording import Positioning
from precision.runs import canonical, durable, events, index
from precision.runs.directory import RunDirectory
from precision.runs.manifest import Manifest
from precision.runs.recover import recover, verify_run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes, devices and links as POSIX has them")

CSV = "run,direction,target_mm,actual_mm\n1,+,0,0.0002\n1,+,100,100.0012\n1,-,100,100.0004\n1,-,0,-0.0006\n2,+,0,0.0001\n2,+,100,100.0011\n2,-,100,100.0003\n2,-,0,-0.0005\n"
PARTS = ("manifest.json", "capture.arrows", "events.jsonl", "result.json", "truth.json", "report.html")


def said(arguments: list[str], code: int) -> str:
    """What a command says; the error too. It must end with `code`."""
    result = CliRunner().invoke(cli, arguments)
    found = getattr(result.exception, "exit_code", result.exit_code)
    assert found == code, (result.output, result.exception)
    return f"{result.output}{result.exception or ''}"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run in it, made once."""
    folder = tmp_path_factory.mktemp("imported")
    (folder / "x.csv").write_text(CSV, encoding="ascii")
    said(["analyze", str(folder / "x.csv"), "--out", str(folder / "runs")], 0)
    return folder / "runs"


@pytest.fixture
def out(imported: Path, tmp_path: Path) -> Path:
    """A folder with two runs of the same content, the second called "b"."""
    import shutil

    run = next(path for path in imported.iterdir() if path.is_dir())
    for name in ("a", "b"):
        shutil.copytree(run, tmp_path / "runs" / name)
    return tmp_path / "runs"


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _folder(path: Path) -> None:
    path.mkdir()


@contextlib.contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    """Fail instead of waiting for a pipe that nobody writes to."""
    import signal

    def late(number: int, frame: object) -> None:
        raise AssertionError(f"still not back after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# -- what stands in a run's folder --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [_pipe, _endless, _link_to_itself, _folder])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_run_that_is_no_file_is_refused_and_the_other_runs_are_listed(out: Path, part: str, make: Callable[[Path], None]) -> None:
    (out / "b" / part).unlink(missing_ok=True)
    make(out / "b" / part)
    with _at_most(20):
        assert {"a", "b"} <= {entry.name for entry in index.listing(out)}
        listed = said(["runs", "list", "--out", str(out)], 0)
        assert "a" in listed and "b" in listed
        for arguments in (["verify"], ["show"], ["recover"]):
            result = CliRunner().invoke(cli, ["runs", *arguments, "b", "--out", str(out)])
            assert result.exception is None or isinstance(result.exception, DataError | SystemExit), result.exception
        if make is not _link_to_itself or part in ("manifest.json", "capture.arrows"):
            assert verify_run(out / "b").problems or part == "report.html"
    assert not verify_run(out / "a").problems


@pytest.mark.parametrize("make", [_pipe, _endless, _link_to_itself, _folder])
def test_every_reader_refuses_what_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "x"
    make(path)
    with _at_most(5):
        with pytest.raises(DataError):
            Manifest.read(path)
        with pytest.raises(DataError):
            events.read(path)
        with pytest.raises((DataError, OSError)):
            canonical.sha256_of_file(path)
        assert not durable.is_locked(path)
        with pytest.raises(DataError):
            durable.replace(path, b"x")
    assert not path.is_file()


def test_a_folder_that_may_not_be_opened_is_listed_with_its_problem(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.stat

    def stat(path: object, *arguments: object, **options: object) -> os.stat_result:
        if str(path).endswith("b/manifest.json"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(os, "stat", stat)  # root may open everything: its tests could not see this
    problems = {entry.name: entry.problem for entry in index.listing(out)}
    assert problems["a"] is None and "Permission denied" in str(problems["b"])


def test_a_folder_that_links_to_itself_is_no_run(out: Path) -> None:
    _link_to_itself(out / "c")
    assert [entry.name for entry in index.listing(out)] == ["a", "b"]
    with pytest.raises(DataError):
        RunDirectory.open("c", out)
    with pytest.raises(DataError):
        recover(out / "c")


@pytest.mark.parametrize("content", [b"", b"{", b"{}"])
def test_what_was_recovered_without_its_manifest_says_why_it_has_no_figures(out: Path, content: bytes) -> None:
    (out / "b" / "manifest.json").write_bytes(content)
    recover(out / "b")
    assert "its plan is unknown" in said(["runs", "show", "b-recovered", "--out", str(out)], 6)
    assert RunDirectory.open(out / "b-recovered").readings().rows == 8


@pytest.mark.parametrize(
    ("field", "value"),
    [("versions", ["1"]), ("versions", {"python": 3}), ("plan", []), ("seed", "1"), ("simulated", 1), ("origin", 7), ("clock_start", {"wall_utc": "soon", "mono_ns": 1}),
     ("instruments", {"x": {"driver": 1, "address": "", "identity": ""}})],
)  # fmt: skip
def test_a_manifest_whose_fields_have_other_types_is_refused_though_its_hash_fits(out: Path, field: str, value: object) -> None:
    path = out / "b" / "manifest.json"
    content = {**canonical.loads(path.read_bytes(), "manifest"), field: value}
    content["plan_sha256"] = canonical.sha256(content["plan"])
    del content["sha256"]
    path.write_text(canonical.dumps({**content, "sha256": canonical.sha256(content)}), encoding="ascii")
    with pytest.raises(DataError, match="does not have the fields"):
        Manifest.read(path)
    assert "a" in said(["runs", "list", "--out", str(out)], 0)


def test_numbers_where_the_index_has_texts_cost_the_index_and_nothing_else(out: Path) -> None:
    expected = index.listing(out)
    with contextlib.closing(sqlite3.connect(out / index.INDEX)) as connection:
        connection.execute("UPDATE runs SET created_utc = 7, reason = 8, status = 9 WHERE name = 'b'")
        connection.commit()
    assert index.listing(out) == expected


@pytest.mark.parametrize("make", [_pipe, _endless, _link_to_itself, _folder])
def test_an_index_that_is_no_file_costs_time_only(out: Path, make: Callable[[Path], None]) -> None:
    (out / index.INDEX).unlink(missing_ok=True)
    make(out / index.INDEX)
    with _at_most(20):
        assert [entry.name for entry in index.listing(out)] == ["a", "b"]


# -- tables of readings -------------------------------------------------------------------------------------------------------------------------------


def refused(tmp_path: Path, content: str | bytes, *, name: str = "x.csv") -> str:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with _at_most(20), pytest.raises(DataError) as error:
        read_positioning(path)
    return str(error.value)


def test_a_name_and_a_cell_of_100_000_blanks_are_refused_at_once_with_their_place(tmp_path: Path) -> None:
    blanks = " " * 100_000
    assert "line 1, column 3: 100002 characters" in refused(tmp_path, f"run,direction,a{blanks}b,actual_mm\n1,+,0,0\n")
    assert "line 2, column 4: 100001 characters" in refused(tmp_path, f"run,direction,target_mm,actual_mm\n1,+,0,{blanks}0\n")
    assert "no table found" in refused(tmp_path, f"# a{blanks}:{blanks}b\n" * 20)
    accents = "\N{COMBINING GRAVE ACCENT}\N{COMBINING GRAVE ACCENT BELOW}" * 50_000  # sorting them takes the square of their number
    assert "line 2, column 2" in refused(tmp_path, f"run,direction,target_mm,actual_mm\n1,{accents},0,0\n")


@pytest.mark.parametrize(
    ("written", "name", "unit"),
    [("target_mm", "target", "mm"), ("Ist Position  (µm)", "ist position", "µm"), ("a_b_m", "a b", "m"), ("error[um] ", "error[um]", ""), ("x (a) [mm]", "x (a)", "mm"),
     ("[mm]", "", "mm"), ("(" * 200, "(" * 200, "")],
)  # fmt: skip
def test_a_column_name_is_split_into_name_and_unit(written: str, name: str, unit: str) -> None:
    assert positioning_csv._name_and_unit(written) == (name, unit)


def test_a_run_and_a_target_for_each_row_are_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    count = 60_000
    with pytest.raises(DataError, match="60000 rows name 60000 targets and 60000 runs"):
        Positioning.from_rows(axis="X", target=np.arange(count) * 1e-6, run=np.arange(count), direction=np.zeros(count, dtype=int), actual=np.zeros(count))
    sparse = Positioning.from_rows(axis="X", target=np.arange(300) * 1e-3, run=np.arange(300), direction=np.zeros(300, dtype=int), actual=np.zeros(300))
    assert int(sparse.valid.sum()) == 300


def test_large_tables_are_refused_with_the_limits_and_read_in_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    head = "run,direction,target_mm,actual_mm\n"
    assert "more than 16 MB; a table of a positioning test has at most 16 MB and 200000 rows" in refused(tmp_path, head + "1,+,0.000,0.0000\n" * 1_000_000)
    assert "line 200002: more than 200000 rows" in refused(tmp_path, head + "1,+,0,0\n" * 200_001)
    path = tmp_path / "x.csv"
    path.write_text(head + "1,+,100.000000,100.000123456\n" * 50_000, encoding="ascii")
    tracemalloc.start()
    table.read_table(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 600 * 50_000  # bytes a row: four short texts of some 60, their tuples, the line; it was more than 1000 with every line kept twice


@pytest.mark.parametrize("make", [_pipe, _endless, _link_to_itself, _folder])
def test_a_recording_that_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "x.csv")
    for read in (read_positioning, table.read_table, outside.read_bytes):
        with _at_most(5), pytest.raises(DataError):
            read(tmp_path / "x.csv")


def test_a_unit_above_the_table_that_contradicts_its_columns_is_refused_naming_both(tmp_path: Path) -> None:
    message = refused(tmp_path, f"# unit: in\n{CSV}")
    assert "'# unit: in' contradicts" in message and "'target_mm' says mm, 'actual_mm' says mm" in message
    assert "'# unit: furlong' contradicts" in refused(tmp_path, f"# unit: furlong\n{CSV}")
    (tmp_path / "x.csv").write_text("# unit: mm\nrun,direction,target_mm,deviation_um\n1,+,0,0.1\n", encoding="ascii")
    assert read_positioning(tmp_path / "x.csv").kind == "linear"


@pytest.mark.parametrize(
    ("content", "what"), [(b"%PDF-1.7\n%\xe2\xe3\n", "is a PDF"), (b"PK\x03\x04\x14\0", "XLSX"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS")]
)
def test_a_document_is_refused_with_what_to_do(tmp_path: Path, content: bytes, what: str) -> None:
    message = refused(tmp_path, content, name="report.csv")
    assert what in message and "CSV" in message


# -- places that cannot be written --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [_pipe, _endless, _link_to_itself, _folder])
def test_nothing_but_a_file_is_replaced(out: Path, tmp_path: Path, make: Callable[[Path], None]) -> None:
    place = tmp_path / "place.csv"
    make(place)
    before = os.lstat(place)
    for arguments in (["report", "a", "--format", "csv", "-o"], ["export", "a", "--to", "csv", "--force", "-o"]):
        with _at_most(10):
            result = CliRunner().invoke(cli, [*arguments, str(place), "--out", str(out)])
        assert isinstance(result.exception, DataError | SystemExit), result.exception
    with _at_most(5):
        assert isinstance(CliRunner().invoke(cli, ["simulate", "--truth", str(place)]).exception, DataError | SystemExit)
    assert os.lstat(place).st_mode == before.st_mode and os.lstat(place).st_ino == before.st_ino


def test_a_truth_that_cannot_be_written_is_said_before_anything_is_served(tmp_path: Path) -> None:
    with _at_most(5):
        assert "cannot be written" in said(["simulate", "--truth", str(tmp_path / "none" / "truth.json")], 6)


def test_a_report_without_room_says_that_the_run_is_whole(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Path, content: bytes) -> None:
        raise OSError(27, "File too large", str(file))

    monkeypatch.setattr("precision.report.writers._replace", full)
    message = said(["report", "a", "--out", str(out)], 6)
    assert "The run and its raw data are whole" in message and "`precision report RUN`" in message
