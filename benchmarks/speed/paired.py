"""The measurement behind every speed figure: two ways to one answer, interleaved in one process, as ratios.

Times of two runs cannot be compared on a shared machine: the same code timed twice raises a false alarm in 27 % of the
sessions at a limit of 10 %. Interleaved in one process, the median ratio of CPU times raised none and still caught 98 % of
the 15 % slow-downs. So a figure here is always a ratio, and its yardsticks, the peer and a plain copy of the bytes that have
to move, run in the same rounds.

Use it as a fixture (`conftest.py` provides it):

    def test_moving_mean_std_is_faster_than_bottleneck(tier, paired):
        bottleneck = peer("bottleneck")                      # skips, naming the extra, where it is missing
        x = ...
        paired(
            lambda: moving_mean_std(x, window=100),          # ours
            lambda: (bottleneck.move_mean(x, 100), bottleneck.move_std(x, 100)),
            kernel="moving", size="3e7, w = 100", peer="bottleneck",
            floor_bytes=3 * x.nbytes,                        # x in, mean and std out
            goal={"numpy": 0.8, "fast": 2.0}, floor_goal={"fast": 2.0},
            agree=lambda ours, theirs: assert_allclose(ours[0], theirs[0][99:], atol=...),
        )

`tier` runs the test once with the plain NumPy install and once with the Numba tier. What was measured is stored in
pytest-benchmark's `extra_info`, as the fields of `Pair`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

SHORTEST_S = 0.02
"""A sample is repeated inside its clock readings until it lasts at least this long."""

LONG_S = 1.0
"""Whatever takes longer is not called once more to find out how often to repeat it."""

ROUND_BUDGET_S = 20.0
"""No new round is begun after this much time, once `FEWEST_ROUNDS` are done."""

FEWEST_ROUNDS = 3
MOST_ROUNDS = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One candidate against one reference. Every ratio says how many times faster the candidate is.

    wall_ratio : best wall time of the reference / best wall time of the candidate. For the reports.
    cpu_ratio : median over the rounds of the ratio of CPU times (all threads of the process). For the gates.
    cpu_ratio_low, cpu_ratio_high : smallest and largest of the rounds.
    candidate_peak_bytes, reference_peak_bytes : growth of the resident set during one call, result included; None where the
        system does not tell it.
    floor_s : best time of a copy, with all cores, that reads and writes `floor_bytes` in all. over_floor : candidate / floor.
    others_cpu : share of the machine's CPU time that other processes took meanwhile (0 … 1).
    goal, floor_goal : what `wall_ratio` and `over_floor` should reach; None where nothing is asked.
    """

    kernel: str
    size: str
    tier: str
    peer: str
    peer_version: str
    wall_ratio: float
    cpu_ratio: float
    cpu_ratio_low: float
    cpu_ratio_high: float
    candidate_wall_s: float
    reference_wall_s: float
    candidate_cpu_s: float
    reference_cpu_s: float
    candidate_peak_bytes: int | None
    reference_peak_bytes: int | None
    floor_bytes: int | None
    floor_s: float | None
    over_floor: float | None
    others_cpu: float
    rounds: int
    goal: float | None
    floor_goal: float | None


def peer(module: str, extra: str = "bench") -> Any:
    """The module of a peer; the test is skipped, naming the extra that brings it, where it is not installed."""
    import pytest

    try:
        return import_module(module)
    except ImportError:
        pytest.skip(f"{module} is not installed: pip install 'precision-bench[{extra}]'")


def measure(
    candidate: Callable[[], object],
    reference: Callable[[], object],
    *,
    kernel: str,
    size: str,
    peer: str,
    tier: str,
    floor_bytes: int | None = None,
    goal: float | None = None,
    floor_goal: float | None = None,
    agree: Callable[[Any, Any], object] | None = None,
    rounds: int = MOST_ROUNDS,
) -> Pair:
    """Interleave `candidate`, `reference` and the floor in rotated order.

    The first calls compile and warm up and are not counted; their results go to `agree(ours, theirs)`, which raises where
    they differ: the speed of a wrong answer is not recorded. Linear algebra runs on one thread, for both sides (its threads
    made a loop of small fits four times slower, and forty times on a loaded machine).
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"), _no_collection():
        candidate()
        candidate_peak, ours = _peak_memory(candidate)
        begun = time.perf_counter()
        reference_peak, theirs = _peak_memory(reference)
        reference_is_long = time.perf_counter() - begun > LONG_S
        if agree is not None:
            agree(ours, theirs)
        del ours, theirs
        runs: dict[str, Callable[[], object]] = {"candidate": candidate, "reference": reference}
        with contextlib.ExitStack() as stack:
            if floor_bytes is not None:
                runs["floor"] = stack.enter_context(_copy_of(floor_bytes))
            samples, others = _interleave(runs, rounds, once={"reference"} if reference_is_long else set())
    ratios = [r.cpu_s / c.cpu_s for c, r in zip(samples["candidate"], samples["reference"], strict=True)]
    wall = {name: min(s.wall_s for s in taken) for name, taken in samples.items()}
    cpu = {name: statistics.median(s.cpu_s for s in taken) for name, taken in samples.items()}
    floor_s = wall.get("floor")
    return Pair(
        kernel=kernel, size=size, tier=tier, peer=peer, peer_version=_version(peer),
        wall_ratio=wall["reference"] / wall["candidate"],
        cpu_ratio=statistics.median(ratios), cpu_ratio_low=min(ratios), cpu_ratio_high=max(ratios),
        candidate_wall_s=wall["candidate"], reference_wall_s=wall["reference"],
        candidate_cpu_s=cpu["candidate"], reference_cpu_s=cpu["reference"],
        candidate_peak_bytes=candidate_peak, reference_peak_bytes=reference_peak,
        floor_bytes=floor_bytes, floor_s=floor_s, over_floor=None if floor_s is None else wall["candidate"] / floor_s,
        others_cpu=others, rounds=len(ratios), goal=goal, floor_goal=floor_goal,
    )  # fmt: skip


class Paired:
    """What the fixture `paired` returns: measures, stores, and asserts a bound where one is given."""

    def __init__(self, benchmark: Any, tier: str) -> None:
        self._benchmark, self._tier = benchmark, tier

    def __call__(
        self,
        candidate: Callable[[], object],
        reference: Callable[[], object],
        *,
        kernel: str,
        size: str,
        peer: str,
        floor_bytes: int | None = None,
        goal: Mapping[str, float] | None = None,
        floor_goal: Mapping[str, float] | None = None,
        at_least: Mapping[str, float] | None = None,
        agree: Callable[[Any, Any], object] | None = None,
        rounds: int = MOST_ROUNDS,
    ) -> Pair:
        """Measure (see `measure`), store in `extra_info`, and return the `Pair`.

        Parameters
        ----------
        kernel, size, peer : the words of the table. `peer` begins with the name of the distribution ("scipy least_squares").
        floor_bytes : bytes that any implementation has to read and write; None where the work is bound by arithmetic.
        goal, floor_goal : per tier ("numpy", "fast"): wall ratio to reach, multiple of the floor to stay below. Reported.
        at_least : per tier: bound on the median CPU-time ratio. Asserted. Leave room: this is a gate and not a goal.
        agree : called with both results.
        """
        pair = measure(
            candidate, reference, kernel=kernel, size=size, peer=peer, tier=self._tier, floor_bytes=floor_bytes,
            goal=(goal or {}).get(self._tier), floor_goal=(floor_goal or {}).get(self._tier), agree=agree, rounds=rounds,
        )  # fmt: skip
        self._benchmark.extra_info.update(asdict(pair))
        self._benchmark.pedantic(candidate, rounds=1, iterations=1)  # the record that pytest-benchmark itself keeps
        bound = (at_least or {}).get(self._tier)
        if bound is not None and pair.cpu_ratio < bound:
            raise AssertionError(f"{kernel} ({size}, {self._tier}): {pair.cpu_ratio:.2f} × {peer} in CPU time; at least {bound:g} ×")
        return pair


@dataclass(frozen=True, slots=True)
class _Sample:
    wall_s: float
    cpu_s: float


def _interleave(runs: Mapping[str, Callable[[], object]], rounds: int, once: Set[str]) -> tuple[dict[str, list[_Sample]], float]:
    names = list(runs)
    repeats = {name: 1 if name in once else _repeats(runs[name]) for name in names}
    samples: dict[str, list[_Sample]] = {name: [] for name in names}
    begun, own, busy = time.perf_counter(), time.process_time(), _machine_busy_s()
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            samples[name].append(_sample(runs[name], repeats[name]))
        if turn + 1 >= FEWEST_ROUNDS and time.perf_counter() - begun > ROUND_BUDGET_S:
            break
    elapsed = time.perf_counter() - begun
    others = _machine_busy_s() - busy - (time.process_time() - own)
    return samples, min(1.0, max(0.0, others / (elapsed * (os.cpu_count() or 1))))


def _sample(run: Callable[[], object], repeats: int) -> _Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        run()
    return _Sample((time.perf_counter() - wall) / repeats, (time.process_time() - cpu) / repeats)


def _repeats(run: Callable[[], object]) -> int:
    once = _sample(run, 1).wall_s
    return max(1, min(10_000, math.ceil(SHORTEST_S / max(once, 1e-7))))


@contextlib.contextmanager
def _no_collection() -> Any:
    """No garbage collection inside a sample."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def _copy_of(floor_bytes: int) -> Any:
    """A copy that reads and writes `floor_bytes` in all, spread over the cores, into memory that is already there."""
    import numpy as np

    source = np.ones(max(1, floor_bytes // 16))
    target = np.zeros_like(source) + 0.0
    threads = cores() if floor_bytes > 2**20 else 1  # below, handing over costs more than it brings
    if threads == 1:
        yield lambda: np.copyto(target, source)
        return
    edges = [source.size * k // threads for k in range(threads + 1)]
    parts = [(target[a:b], source[a:b]) for a, b in itertools.pairwise(edges)]
    with ThreadPoolExecutor(threads) as pool:
        yield lambda: list(pool.map(lambda part: np.copyto(*part), parts))


def _peak_memory(run: Callable[[], object]) -> tuple[int | None, object]:
    """Growth of the resident set during one call, in bytes (Linux; None elsewhere), and the call's result."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    gc.collect()
    _give_back_free_memory()
    try:
        reset.write_text("5")  # resets the high-water mark
    except OSError:
        return None, run()
    before = _kilobytes(status, "VmRSS")
    result = run()
    return max(0, _kilobytes(status, "VmHWM") - before) * 1024, result


def _kilobytes(status: Path, field: str) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(field + ":"))


def _give_back_free_memory() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library: the figure is then an upper bound
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def _machine_busy_s() -> float:
    import psutil

    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _version(peer: str) -> str:
    """Version of the distribution that `peer` begins with, or "" where it is no distribution."""
    try:
        return metadata.version(peer.split()[0].lower())
    except (metadata.PackageNotFoundError, ValueError, IndexError):
        return ""
