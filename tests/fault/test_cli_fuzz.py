"""Whatever a file holds: an answer or an error of the package's own, no hang, little memory. Plans, tables, run directories."""

from __future__ import annotations

import contextlib
import shutil
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from precision import plan as plans
from precision.benchmarks.execution import evaluated, execute
from precision.benchmarks.plan_files import checked
from precision.benchmarks.positioning import preview
from precision.benchmarks.positioning_plan import Parameters
from precision.drivers.files import positioning_csv
from precision.errors import DataError, PrecisionError
from precision.runs.directory import RunDirectory
from precision.runs.manifest import Manifest

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

KEYS = st.sampled_from(["axis", "cycle", "targets", "devices", "limits", "procedure", "seed", "title", "instrument", "evaluation", "simulation", "uncertainty", "x"])
WORDS = st.sampled_from(
    ["=", "[", "]", "[[", "]]", "{", "}", ".", ",", '"', "'", '"""', "\n", "#", "1", "-1", "1e400", "nan", "inf", "0x7f", "true", "1979-05-27", '"5 mm"', '"9**9 m"', '"\\u0000"',
     "start", "end", "feed", "count", "positions", "runs", "[axis]", "[cycle]", "[devices.controller]", "\x00", "\ufeff", "é"]
)  # fmt: skip
TOML = st.one_of(st.text(max_size=300), st.lists(st.one_of(KEYS, WORDS), max_size=60).map("".join))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=40), st.sampled_from(["5 mm", "1 s", "30 %", "1e308 m", "-1 mm", "nan mm"])),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10), inner, max_size=4)),
    max_leaves=10,
)


@given(TOML)
@example("a=" + "[" * 5000)
@example("a." * 5000 + "b=1")
@QUICK
def test_any_text_is_a_plan_or_a_plan_error(text: str) -> None:
    with contextlib.suppress(PrecisionError):
        plan = plans.check(Parameters, plans.read(text, name="fuzz"), name="fuzz")
        preview(plan)


PATHS = sorted(
    f"{section}.{name}"
    for section, field in Parameters.model_fields.items()
    if hasattr(field.annotation, "model_fields")
    for name in field.annotation.model_fields  # type: ignore[union-attr]
)


@given(st.dictionaries(st.sampled_from(PATHS), VALUES, max_size=4))
@QUICK
def test_any_value_anywhere_in_a_plan_is_taken_or_refused_in_words(changes: dict[str, object]) -> None:
    raw: dict[str, dict[str, object]] = {}
    for path, value in changes.items():
        section, name = path.split(".")
        raw.setdefault(section, {})[name] = value
    try:
        plan = plans.check(Parameters, raw, name="fuzz")
    except PrecisionError:
        return
    ahead = preview(plan)
    assert ahead.target_m.size <= 2000 and len(ahead.approaches) <= 2000 * 50 * 2
    plans.check(Parameters, plans.dump(plan), name="again")


CELLS = st.one_of(
    st.sampled_from(["target", "actual", "run", "direction", "deviation", "up", "down", "1", "-1", "0,5", "1.5", "1e400", "nan", "∞", "１", "1_000", "=1+1", '"', "", "mm", "# unit: mm"]),
    st.text(max_size=12),
)
TABLES = st.lists(st.lists(CELLS, max_size=6), max_size=12).flatmap(
    lambda rows: st.sampled_from([",", ";", "\t", "|"]).map(lambda separator: "\n".join(separator.join(row) for row in rows))
)


@given(st.one_of(TABLES.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=300)))
@example(b"target,actual,run,direction\n" + b"1,1,1,up\n" * 3)
@QUICK
def test_any_bytes_are_a_table_or_an_error_of_ours(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    with contextlib.suppress(PrecisionError):
        positioning_csv.read(path)


@pytest.mark.parametrize("data", [b"target,actual,run,direction\n" + b"," * 4_000_000, b'target,actual\n"' + b"a" * 4_000_000, b"\n" * 4_000_000, b"1;" * 2_000_000], ids=["commas", "open quote", "newlines", "columns"])
def test_a_table_of_nothing_much_takes_little_memory(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(DataError):
        positioning_csv.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The bytes, their text, its lines; a list of empty lines or cells holds a pointer of 8 bytes each.
    assert peak < 25 * len(data)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    plan = checked("positioning", ["targets.count=2", "cycle.runs=2"])
    assert isinstance(plan, Parameters)
    return execute(plan, tmp_path_factory.mktemp("runs")).run


def spoiled(run: RunDirectory, tmp_path: Path, name: str, at: int, bit: int, cut: bool) -> RunDirectory | None:
    """A copy of the run with one bit of one file turned, or the file cut there; None when its manifest refuses."""
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run.path, copy)
    data = bytearray((copy / name).read_bytes())
    at %= len(data)
    data[at] ^= 1 << bit
    (copy / name).write_bytes(data[:at] if cut else data)
    return RunDirectory.open(copy)


@given(st.sampled_from(["manifest.json", "capture.arrows", "events.jsonl", "result.json"]), st.integers(0, 10**6), st.integers(0, 7), st.booleans())
@settings(QUICK, max_examples=40)
def test_a_damaged_run_is_read_as_it_was_or_refused(complete: RunDirectory, tmp_path: Path, name: str, at: int, bit: int, cut: bool) -> None:
    expected = evaluated(complete).analysis.result.to_dict() if not hasattr(complete, "expected") else complete.expected
    complete.expected = expected  # type: ignore[attr-defined]
    with contextlib.suppress(PrecisionError):
        copy = spoiled(complete, tmp_path, name, at, bit, cut)
        assert copy is not None
        copy.readings(unfinished=True)
        with contextlib.suppress(PrecisionError):
            copy.events()
        with contextlib.suppress(PrecisionError):
            copy.read_result()
        # No damage is silent: what is evaluated without complaint is what was measured.
        assert evaluated(copy).analysis.result.to_dict() == expected


@given(VALUES)
@QUICK
def test_any_json_is_a_manifest_or_a_data_error(value: object) -> None:
    with contextlib.suppress(DataError):
        Manifest.from_dict(value if isinstance(value, dict) else {"schema_version": value})
        raise AssertionError("taken for a manifest")
