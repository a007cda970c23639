"""Whatever is captured comes back: any columns, any blocks, any bits; and canonical JSON is one text for one value."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from precision.errors import DataError
from precision.runs import canonical
from precision.runs.capture import CaptureWriter, Column, read, schema_sha256, verify

names = st.text(min_size=1, max_size=80).filter(str.isprintable)
units = st.sampled_from(["", "m", "rad", "ns", "K", "µm", "1/K"])
columns = st.lists(st.builds(Column, names, st.sampled_from(["f8", "i8"]), units, st.booleans()), min_size=1, max_size=6, unique_by=lambda c: c.name)


@st.composite
def captures(draw: st.DrawFn) -> tuple[list[Column], list[dict[str, Any] | tuple[str, int]]]:
    schema = draw(columns)
    parts: list[dict[str, Any] | tuple[str, int]] = []
    for _ in range(draw(st.integers(0, 5))):
        if draw(st.integers(0, 4)) == 0:
            # any text that UTF-8 can hold, quotes, line ends and NUL included
            parts.append((draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=40)), draw(st.integers(0, 1 << 40))))
            continue
        rows = draw(st.integers(0, 20))
        # all 64-bit patterns: for float64 every NaN, infinity and denormal
        bits = {column.name: draw(arrays(np.int64, rows, elements=st.integers(-(1 << 63), (1 << 63) - 1))) for column in schema}
        parts.append({column.name: bits[column.name].view(np.float64) if column.dtype == "f8" else bits[column.name] for column in schema})
    return schema, parts


@settings(max_examples=60, deadline=None)
@given(captures())
def test_any_capture_comes_back_bit_for_bit(capture: tuple[list[Column], list[Any]]) -> None:
    schema, parts = capture
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.arrows"
        with CaptureWriter(path, schema, sync=60.0) as writer:
            for part in parts:
                if isinstance(part, tuple):
                    writer.gap(*part)
                else:
                    writer.append(part)
        found = read(path)
        assert found.whole and list(found.schema) == schema
        blocks = [part for part in parts if not isinstance(part, tuple)]
        for column in schema:
            wanted = np.concatenate([block[column.name] for block in blocks]) if blocks else np.empty(0)
            assert found.columns[column.name].view(np.int64).tolist() == wanted.view(np.int64).tolist()
        assert [(gap.reason, gap.samples) for gap in found.gaps] == [part for part in parts if isinstance(part, tuple)]
        assert verify(path, schema_sha256(schema), columns=schema)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=5), st.randoms())
def test_canonical_json_is_one_line_of_ascii_that_reads_back(value: dict[str, Any], chance: Any) -> None:
    text = canonical.dumps(value)
    assert text.isascii() and text.isprintable()
    back = canonical.loads(text, "test")
    assert back == value and canonical.dumps(back) == text == canonical.dumps(json.loads(text))
    items = list(value.items())
    chance.shuffle(items)
    assert canonical.sha256(dict(items)) == canonical.sha256(value), "the order of keys does not matter"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_comes_back_with_the_same_bits(value: float) -> None:
    back = canonical.loads(canonical.dumps({"x": np.float64(value)}), "test")["x"]
    assert np.float64(back).view(np.int64) == np.float64(value).view(np.int64)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"a": [1.0, float("nan")]}, r"\$\.a\[1\] is nan"),
        ({"a": {"b": float("inf")}}, r"\$\.a\.b is inf"),
        ({"a": np.array([1.0, np.nan])}, r"\$\.a\[1\]"),
        ({1: 2}, "keys are text"),
        ({"a": object()}, "object"),
        ({"a": 1j}, "complex"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(value: Any, named: str) -> None:
    with pytest.raises(DataError, match=named):
        canonical.dumps(value)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"a": NaN}', '{"a": Infinity}', '{"a": 1e999}', '{"a": 1, "a": 2}', "[" * 100_000])
def test_json_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"given\.json"):
        canonical.loads(text, "given.json")
