"""What a run of the speed suite left behind: read, compared, and written as tables."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from precision.errors import DataError

from .accuracy import Accuracy
from .paired import Pair, cores
from .remarks import remark

NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: its pairs, its accuracy table, and the machine it ran on."""

    begun: str
    machine: Mapping[str, str]
    pairs: tuple[Pair, ...]
    accuracy: tuple[Accuracy, ...]
    skipped: tuple[str, ...]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One kernel in two runs. `slower` is 0.1 where the new one needs 10 % more CPU time, with the peer as the yardstick of both."""

    name: str
    base_ratio: float
    new_ratio: float

    @property
    def slower(self) -> float:
        """0.1 where 10 % more CPU time is needed."""
        return self.base_ratio / self.new_ratio - 1.0


def name_of(pair: Pair) -> str:
    """What a pair is called where two runs are compared."""
    return f"{pair.kernel} ({pair.size}) [{pair.tier}] against {pair.peer}"


def this_machine() -> dict[str, str]:
    """What has to be known of a machine to judge a ratio; no name, no address."""
    from importlib import metadata

    packages = []
    for package in ("numpy", "scipy", "numba"):
        try:
            packages.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            packages.append(f"{package} not installed")
    return {
        "processor": _processor(),
        "cores": str(cores()),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": ", ".join(packages),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (ValueError, OSError, AttributeError):
        return "unknown"


def complete(path: Path, accuracy: Sequence[Accuracy], skipped: Sequence[str], command: str) -> Run:
    """Add to pytest-benchmark's JSON at `path` what it does not hold: ratios in one list, accuracy, machine, what was skipped."""
    document = _document(path)
    run = Run(
        begun=str(document.get("datetime") or datetime.now(UTC).isoformat()),
        machine=this_machine(),
        pairs=tuple(Pair(**b["extra_info"]) for b in document.get("benchmarks", []) if "cpu_ratio" in b.get("extra_info", {})),
        accuracy=tuple(accuracy),
        skipped=tuple(skipped),
        command=command,
    )
    document["precision"] = asdict(run)
    for private in ("node", "commit_info"):  # the host's name and the author's branch are nobody's business
        document.get("machine_info", {}).pop(private, None)
        document.pop(private, None)
    path.write_text(json.dumps(document, indent=1, allow_nan=False, default=str) + "\n", encoding="utf-8")
    return run


def read(path: Path) -> Run:
    """A run from the JSON that `precision bench run` wrote.

    Raises
    ------
    DataError       the file is not there, is not JSON, or holds no run
    """
    held: Any = _document(path).get("precision")
    try:
        return Run(
            begun=held["begun"],
            machine=held["machine"],
            pairs=tuple(Pair(**pair) for pair in held["pairs"]),
            accuracy=tuple(Accuracy(**row) for row in held["accuracy"]),
            skipped=tuple(held["skipped"]),
            command=held["command"],
        )
    except (TypeError, KeyError) as error:
        raise DataError(f"{path}: holds no run of the speed suite ({error!r}); write one with: precision bench run --out {path.name}") from error


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected the JSON of precision bench run") from error
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error}); expected the JSON of precision bench run") from error
    if not isinstance(document, dict):
        raise DataError(f"{path}: holds a {type(document).__name__}, expected the JSON object of precision bench run")
    return document


def changes(base: Run, new: Run) -> tuple[list[Change], list[str]]:
    """Every pair that both runs hold, slowest change first, and the names of those that only the base holds."""
    before = {name_of(pair): pair for pair in base.pairs}
    after = {name_of(pair): pair for pair in new.pairs}
    both = [Change(name=name, base_ratio=before[name].cpu_ratio, new_ratio=after[name].cpu_ratio) for name in before if name in after]
    return sorted(both, key=lambda change: -change.slower), sorted(set(before) - set(after))


SPEED_COLUMNS = ("kernel", "size", "tier", "peer", "× peer (wall)", "goal", "× peer (CPU)", "× floor", "goal", "peak memory, peer → ours", "others' CPU")
ACCURACY_COLUMNS = ("kernel", "case", "error", "reference", "ours", "limit", "peers")


def speed_row(pair: Pair) -> tuple[str, ...]:
    """The pair as the cells of `SPEED_COLUMNS`."""
    return (
        pair.kernel,
        pair.size,
        pair.tier,
        f"{pair.peer} {pair.peer_version}".strip(),
        _ratio(pair.wall_ratio),
        _goal(pair.goal, "≥", None if pair.goal is None else pair.wall_ratio >= pair.goal),
        f"{_ratio(pair.cpu_ratio)} ({_ratio(pair.cpu_ratio_low)} … {_ratio(pair.cpu_ratio_high)})",
        "–" if pair.over_floor is None else _ratio(pair.over_floor),
        _goal(pair.floor_goal, "≤", None if pair.floor_goal is None or pair.over_floor is None else pair.over_floor <= pair.floor_goal),
        f"{_megabytes(pair.reference_peak_bytes)} → {_megabytes(pair.candidate_peak_bytes)} MB",
        f"{100 * pair.others_cpu:.0f} %",
    )


def accuracy_row(row: Accuracy) -> tuple[str, ...]:
    """The line as the cells of `ACCURACY_COLUMNS`."""
    ours = ", ".join(f"{tier} {error:.1e}" for tier, error in row.ours.items())
    peers = ", ".join(f"{name} {error:.1e}" for name, error in row.peers.items()) or "–"
    return row.kernel, row.case, row.measure, row.reference, ours, f"{row.limit:.0e} {'met' if row.holds else 'MISSED'}", peers


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _goal(goal: float | None, sign: str, met: bool | None) -> str:
    return "–" if goal is None else f"{sign} {goal:g} {'met' if met else 'missed'}"


def _megabytes(count: int | None) -> str:
    return "?" if count is None else f"{count / 1e6:.0f}" if math.isfinite(count) else "?"


def markdown(run: Run) -> str:
    """The run as the text of `RESULTS.md`."""
    machine = run.machine
    lines = [
        "# Speed and accuracy of the kernels, as measured",
        "",
        f"Written by `{run.command}` on {run.begun[:10]}. Every figure is a ratio within this run: candidate, peer and a copy of the bytes that",
        "must move take turns in one process. “× peer” above 1 means that we are faster; “× floor” is our time over that of the copy, which runs on",
        "all cores and into memory that is there already. Peers return fresh memory, and so do kernels (“new array”) unless they are given where to",
        "write (`out=`, “given array”), as the copy is: goals on the floor belong to those rows. Wall ratios are best against best; CPU ratios count",
        "the time of all threads: the median of the rounds, and their range. “others' CPU” is the load that others put on the machine. Tier `numpy` is",
        "the plain install, `fast` the extra with Numba on all cores. Linear algebra runs on one thread, for both sides.",
        "",
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory']}; {machine['system']}; Python {machine['python']}, {machine['packages']}.",
        "",
        "## Speed",
        "",
        *_markdown_table((*SPEED_COLUMNS, "GPU", "why a goal is missed"), [(*speed_row(pair), NOT_MEASURED, remark(pair)) for pair in run.pairs]),
        "",
        "## Accuracy",
        "",
        *_markdown_table(ACCURACY_COLUMNS, [accuracy_row(row) for row in run.accuracy]),
        "",
        "## On a GPU",
        "",
        NOT_MEASURED,
    ]
    if run.skipped:
        lines += ["", "## Left out of this run", "", *(f"- {reason}" for reason in run.skipped)]
    return "\n".join(lines) + "\n"


def _markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(columns), "|" + " --- |" * len(columns), *(line(row) for row in rows)]
