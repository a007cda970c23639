"""Two runs, compared number by number: the proof that a run was reproduced, or the list of what differs.

Readings are compared bit for bit (two NaN with the same bits are the same; 0.0 and −0.0 are not). Columns marked `wall_clock` are left out: two runs never
happen at the same time. For another machine or tier a tolerance can be stated; it then stands in the answer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import canonical
from .directory import RunDirectory

if TYPE_CHECKING:
    from .capture import Capture

LEFT_OUT_OF_RESULTS = frozenset({"run", "run_id", "created_utc", "versions", "elapsed_s", "t_mono_ns", "t_wall", "computed_on"})
"""Keys of result.json that say when, where and with what it was computed, not what came out."""

BETWEEN_TIERS = 1e-9
"""By so much, relatively, a figure computed on a GPU may differ from that of a CPU (sums in another order, another fused multiplication)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs between two runs, and how much was compared.

    readings : number of readings compared.  numbers, texts : numbers and other values of result.json compared.
    left_out : columns and keys that were not compared.
    relative, absolute : tolerance of floats; both 0 means bit for bit.
    differences : one line each; empty when the runs are the same.
    """

    first: str
    second: str
    readings: int
    numbers: int
    texts: int
    left_out: tuple[str, ...]
    relative: float
    absolute: float
    differences: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def __str__(self) -> str:
        how = "bit for bit" if self.relative == self.absolute == 0 else f"to {self.relative:g} of the value or {self.absolute:g} in SI units"
        compared = f"{self.readings} readings and {self.numbers} numbers of the result compared {how}"
        if self.left_out:
            compared += f" (left out: {', '.join(self.left_out)})"
        if self.identical:
            return f"{self.first} and {self.second} are the same: {compared}"
        return "\n".join([f"{self.first} and {self.second} differ: {compared}", *(f"  {line}" for line in self.differences)])


def difference(
    first: RunDirectory, second: RunDirectory, *, relative: float = 0.0, absolute: float = 0.0, ignored_sections: Sequence[str] = ()
) -> Difference:
    """Compare plan, seed, every reading and every number of the results of two runs.

    relative, absolute : two floats are the same when |a − b| ≤ max(relative · max(|a|, |b|), absolute); integers, plan and seed always exactly.
    ignored_sections : sections of the plan that differ on purpose ("simulation").

    Raises
    ------
    DataError       a capture is not whole, or a result is damaged
    """
    if relative < 0 or absolute < 0:
        raise ValueError(f"a tolerance is negative: relative {relative}, absolute {absolute}")
    found: list[str] = []
    left_out: list[str] = [f"plan section {name}" for name in ignored_sections]
    if first.manifest.plan_sha256 != second.manifest.plan_sha256:
        plans = [{key: value for key, value in run.manifest.plan.items() if key not in ignored_sections} for run in (first, second)]
        found += [f"plan {line}" for line in _Leaves(0.0, 0.0).compare(*plans)]
    for name in ("procedure", "seed", "simulated"):
        a, b = getattr(first.manifest, name), getattr(second.manifest, name)
        if a != b:
            found.append(f"{name}: {a!r} and {b!r}")
    readings = _compare_captures(first, second, relative, absolute, found, left_out)
    leaves = _Leaves(relative, absolute)
    with_result = [run for run in (first, second) if run.result_path.exists()]
    if len(with_result) == 2:
        found += [f"result {line}" for line in leaves.compare(first.read_result(), second.read_result())]
    elif with_result:
        found.append(f"result.json: only {with_result[0].name} has one")
    left_out += sorted(leaves.left_out)
    return Difference(
        first=first.name, second=second.name, readings=readings, numbers=leaves.numbers, texts=leaves.texts, left_out=tuple(left_out),
        relative=relative, absolute=absolute, differences=tuple(found),
    )


def differing_results(first: Mapping[str, Any], second: Mapping[str, Any], *, relative: float = 0.0) -> list[str]:
    """One line for each number or text that differs between two results; floats by more than `relative`. When and where they were computed is left out."""
    return _Leaves(relative, 0.0).compare(first, second)


def _compare_captures(first: RunDirectory, second: RunDirectory, relative: float, absolute: float, found: list[str], left_out: list[str]) -> int:
    if not first.capture_path.exists() and not second.capture_path.exists():
        return 0
    for run, other in ((first, second), (second, first)):
        if not run.capture_path.exists():
            found.append(f"capture.arrows: only {other.name} has one")
            return 0
    a, b = first.readings(), second.readings()
    if a.schema != b.schema:
        found.append(f"columns: {[column.name for column in a.schema]} and {[column.name for column in b.schema]}, or their types or units")
    gaps = [[(gap.row, gap.samples, gap.reason) for gap in capture.gaps] for capture in (a, b)]
    if gaps[0] != gaps[1]:
        found.append(f"gaps: {len(gaps[0])} with {sum(gap[1] for gap in gaps[0])} samples, and {len(gaps[1])} with {sum(gap[1] for gap in gaps[1])}")
    readings = 0
    for column in a.schema:
        if column.wall_clock:
            left_out.append(f"column {column.name}")
        elif column in b.schema:
            count, line = _compare_column(column.name, a, b, relative, absolute)
            readings += count
            found += [line] if line else []
    return readings


def _compare_column(name: str, first: Capture, second: Capture, relative: float, absolute: float) -> tuple[int, str | None]:
    import numpy as np

    a, b = first.columns[name], second.columns[name]
    if a.size != b.size:
        return min(a.size, b.size), f"column {name}: {a.size} and {b.size} readings"
    same = a.view(np.int64) == b.view(np.int64)
    if a.dtype == np.float64 and (relative or absolute):
        with np.errstate(invalid="ignore"):
            bound = np.maximum(relative * np.maximum(np.abs(a), np.abs(b)), absolute)
            same |= (np.abs(a - b) <= bound) | (np.isnan(a) & np.isnan(b))
    wrong = np.flatnonzero(~same)
    if not wrong.size:
        return a.size, None
    row = int(wrong[0])
    return a.size, f"column {name}: {wrong.size} of {a.size} readings, the first in row {row}: {a[row].item()!r} and {b[row].item()!r}"


class _Leaves:
    """Compares two trees of JSON leaf by leaf and counts."""

    def __init__(self, relative: float, absolute: float) -> None:
        self.relative, self.absolute = relative, absolute
        self.numbers = self.texts = 0
        self.left_out: set[str] = set()

    def compare(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
        """One line for each leaf that differs."""
        a, b = dict(self._leaves(canonical.plain(first), "")), dict(self._leaves(canonical.plain(second), ""))
        lines = []
        for path in sorted(a.keys() | b.keys()):
            if path not in a or path not in b:
                lines.append(f"{path}: only in the {'first' if path in a else 'second'}")
                continue
            if _is_number(a[path]) and _is_number(b[path]):
                self.numbers += 1
            else:
                self.texts += 1
            if not self._same(a[path], b[path]):
                lines.append(f"{path}: {_shown(a[path])} and {_shown(b[path])}")
        return lines

    def _leaves(self, value: Any, path: str) -> Iterator[tuple[str, Any]]:
        if isinstance(value, dict):
            if not value:
                yield path or ".", "{}"
            for key, item in value.items():
                if key in LEFT_OUT_OF_RESULTS:
                    self.left_out.add(key)
                else:
                    yield from self._leaves(item, f"{path}.{key}" if path else key)
        elif isinstance(value, list):
            if not value:
                yield path, "[]"
            for number, item in enumerate(value):
                yield from self._leaves(item, f"{path}[{number}]")
        else:
            yield path, value

    def _same(self, a: Any, b: Any) -> bool:
        if isinstance(a, float) and isinstance(b, float):
            bits = struct.pack("<d", a) == struct.pack("<d", b)
            return bits or abs(a - b) <= max(self.relative * max(abs(a), abs(b)), self.absolute) > 0
        return type(a) is type(b) and bool(a == b)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return repr(value)[:80]
