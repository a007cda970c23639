"""Allan deviations: every tier gives the definition's numbers, gaps and blocks included, and the same error for the same mistake."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precision.kernels import allan, allan_terms, compiled
from precision.kernels.allan import allan_deviation

KINDS = ("adev", "oadev", "mdev", "tdev", "hdev", "ohdev")


def by_definition(data: np.ndarray, kind: str, data_type: str, m: int, interval: float) -> tuple[float, int]:
    """Term by term, as the formulas stand, in exact arithmetic; a term that needs a missing sample is left out."""
    order, modified, step = (
        (3 if "hdev" in kind else 2),
        kind in ("mdev", "tdev"),
        (m if kind in ("adev", "hdev") else 1),
    )
    values = [None if math.isnan(v) else Fraction(float(v)) for v in data]
    if data_type == "rate":
        phase: list[Any] = [Fraction(0)]
        for v in values:
            phase.append(phase[-1] + (v or 0))
        missing = set(np.flatnonzero(np.isnan(data)).tolist())
    else:
        phase, missing = values, set()
    weights = (1, -2, 1) if order == 2 else (-1, 3, -3, 1)
    total, terms = Fraction(0), 0
    span = order * m + (m - 1 if modified else 0)
    for i in range(0, len(phase) - span, step):
        used = [phase[i + j + k * m] for k in range(order + 1) for j in range(m if modified else 1)]
        if None in used or any(at in missing for at in range(i, i + span)):
            continue
        term = sum(w * sum(phase[i + j + k * m] for j in range(m if modified else 1)) for k, w in enumerate(weights))
        total, terms = total + term * term, terms + 1
    if not terms:
        return math.nan, 0
    mean = float(total / terms) / (2 if order == 2 else 6) / (m * m if modified else 1)
    value = math.sqrt(mean) / (m * (1.0 if data_type == "rate" else interval))
    return (value * m * interval / math.sqrt(3) if kind == "tdev" else value), terms


def agree(xp: Any, data: np.ndarray, kind: Any, data_type: Any, averages: Any = "octave", **more: Any) -> None:
    found = allan_deviation(xp.asarray(data), interval_s=0.1, data_type=data_type, kind=kind, averages=averages, **more)
    expected = [by_definition(data, kind, data_type, m, 0.1) for m in found.samples]
    assert xp.numbers(found.terms).tolist() == [terms for _, terms in expected]
    # sums of n rates of size s are rounded to √n·s·2⁻⁵³, which is what is left of a deviation that vanishes
    largest = np.nanmax(np.abs(data), initial=0.0)
    unit = 1.0 if data_type == "rate" else 10.0
    np.testing.assert_allclose(
        xp.numbers(found.deviation),
        [v for v, _ in expected],
        rtol=1e-11,
        atol=4e-15 * largest * math.sqrt(data.size) * unit,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data_type", ["rate", "phase"])
@pytest.mark.parametrize("averages", ["octave", "decade", (1, 3, 7, 20)])
def test_every_library_gives_the_definition(xp: Any, kind: str, data_type: str, averages: Any) -> None:
    agree(xp, np.sin(np.arange(151.0) ** 2), kind, data_type, averages)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data_type", ["rate", "phase"])
def test_gaps_leave_out_the_terms_that_need_them(xp: Any, kind: str, data_type: str) -> None:
    data = np.sin(np.arange(120.0) ** 2)
    data[[0, 17, 18, 60, 119]] = np.nan
    agree(xp, data, kind, data_type)


def test_all_takes_every_number_of_samples(xp: Any) -> None:
    data = np.sin(np.arange(40.0) ** 2)
    agree(xp, data, "oadev", "rate", "all")
    found = allan_deviation(xp.asarray(data), interval_s=0.5, data_type="rate", averages="all", longest_s=3.0)
    assert found.samples == (1, 2, 3, 4, 5, 6) and found.tau_s[-1] == 3.0


def test_nothing_but_gaps_has_no_terms(xp: Any) -> None:
    found = allan_deviation(xp.asarray(np.full(20, np.nan)), interval_s=1.0, data_type="phase", averages=(1,))
    assert xp.numbers(found.terms).tolist() == [0] and np.isnan(xp.numbers(found.deviation)).all()


@pytest.mark.parametrize("kind", ["oadev", "mdev", "ohdev"])
def test_offset_and_slope_cost_no_digits(xp: Any, kind: Any) -> None:
    """The statistic is blind to both; dyadic noise, offset and slope, so that the shifted phases are exact."""
    noise = np.round(np.random.default_rng(6).normal(size=30_000) * 2**10) / 2**10
    plain = allan_deviation(xp.asarray(noise), interval_s=1.0, data_type="phase", kind=kind)
    moved = allan_deviation(
        xp.asarray(noise + 2.0**30 + 0.25 * np.arange(noise.size)), interval_s=1.0, data_type="phase", kind=kind
    )
    # what the line keeps of its own rounding: 7500·2⁻⁵³ a sample, in sums over all samples of a window; of noise √m
    np.testing.assert_allclose(xp.numbers(moved.deviation), xp.numbers(plain.deviation), rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data_type", ["rate", "phase"])
@pytest.mark.parametrize("tier", ["0", "1"])
@pytest.mark.parametrize("gapped", [False, True])
def test_blocks_give_the_array_to_the_last_bit(
    kind: Any, data_type: Any, tier: str, gapped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(compiled.SWITCH, tier)
    monkeypatch.setattr(allan, "_STARTS", 1000)
    data = 1e3 + np.random.default_rng(5).normal(size=20_011)
    if gapped:
        data[[4000, 12_345]] = np.nan
    edges = [0, 1, 1, 900, 9000, 20_000, 20_011]
    arguments = {"interval_s": 0.1, "data_type": data_type, "kind": kind, "averages": "decade", "longest_s": 20.0}
    pieces = allan_deviation((data[a:b] for a, b in itertools.pairwise(edges)), **arguments)
    whole = allan_deviation(data, **arguments)
    assert pieces.samples == whole.samples == (1, 2, 4, 10, 20, 40, 100, 200)
    np.testing.assert_array_equal(pieces.terms, whole.terms)
    np.testing.assert_array_equal(pieces.deviation, whole.deviation)
    free = allan_deviation(data, **{**arguments, "longest_s": None})
    np.testing.assert_array_equal(whole.terms, free.terms[:8])
    # one pass over all sums 20 000 rates, of unit spread about their mean: to √20 000·2⁻⁵³ a sum
    np.testing.assert_allclose(whole.deviation, free.deviation[:8], rtol=1e-11)


@pytest.mark.parametrize("kind", ["oadev", "mdev", "ohdev"])
def test_long_records_agree_across_tiers(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than every tile and chunk, and in parallel."""
    data = np.cumsum(np.random.default_rng(7).normal(size=200_003)) + 1e3
    found = []
    for tier in ("0", "1"):
        monkeypatch.setenv(compiled.SWITCH, tier)
        found.append(allan_deviation(data, interval_s=1.0, data_type="phase", kind=kind))
    strict = pytest.importorskip("array_api_strict")
    found.append(allan_deviation(strict.asarray(data), interval_s=1.0, data_type="phase", kind=kind))
    for other in found[1:]:
        np.testing.assert_allclose(np.asarray(other.deviation), found[0].deviation, rtol=1e-11)


@pytest.mark.parametrize("kind", ["oadev", "mdev", "ohdev"])
@pytest.mark.parametrize("n", [3 * 4096, 3 * 4096 + 1, 2 * 16_384, 2 * 16_384 + 1, 3 * 16_384 + 33, 65_535, 100_000])
def test_records_that_end_anywhere_in_a_row_of_residues_agree_with_the_definition(
    kind: Any, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long spans are taken by residues, whose last row is whole, partial or missing."""
    data = 1e3 + np.random.default_rng(n).normal(size=n)
    statistic, samples = allan._STATISTICS[kind], tuple(1 << i for i in range(16))
    samples = tuple(m for m in samples if statistic.span(m) < n)
    terms = tuple(n - statistic.span(m) for m in samples)
    shifted = data - data[0] - (data[-1] - data[0]) / (n - 1) * np.arange(n) if statistic.modified else data
    expected, _ = allan_terms._generic(shifted, None, samples, terms, statistic, 0, xp=np)
    for tier in ("0", "1"):
        monkeypatch.setenv(compiled.SWITCH, tier)
        found, _ = allan_terms.squares(data, None, samples, terms, statistic, 0, False, xp=np)
        # a line through 1e3 is taken off with 2⁻⁴⁴ a sample, and m of them are summed
        np.testing.assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize("kind", ["oadev", "mdev"])
@pytest.mark.parametrize("tier", ["0", "1"])
def test_octaves_in_blocks_give_the_array_to_the_last_bit(
    kind: Any, tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(compiled.SWITCH, tier)
    monkeypatch.setattr(allan, "_STARTS", 100_000)
    data = np.random.default_rng(5).normal(size=300_000)
    arguments: dict[str, Any] = {"interval_s": 1.0, "data_type": "phase", "kind": kind, "longest_s": 17_000.0}
    pieces = allan_deviation((data[a : a + 70_001] for a in range(0, data.size, 70_001)), **arguments)
    np.testing.assert_array_equal(pieces.deviation, allan_deviation(data, **arguments).deviation)
    assert pieces.samples[-1] == 16_384 and int(pieces.terms[0]) == data.size - 2


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (np.zeros(2), {}, "data has 2 phases; expected at least 3 phases"),
        (np.zeros(0), {}, "data has 0 phases"),
        (np.zeros((4, 4)), {}, r"data has shape \(4, 4\); expected \(n,\)"),
        (np.zeros(9), {"interval_s": 0.0}, "interval_s is 0.0; expected the time between samples"),
        (np.zeros(9), {"interval_s": math.nan}, "interval_s is nan"),
        (np.zeros(9), {"kind": "xdev"}, "kind is 'xdev'; expected one of adev, oadev"),
        (np.zeros(9), {"data_type": "freq"}, "data_type is 'freq'; expected 'rate' or 'phase'"),
        (np.zeros(9), {"averages": "some"}, "averages is 'some'"),
        (np.zeros(9), {"averages": (1, 5)}, "averages asks for 5 samples, which needs 11 phases; data has 9 phases"),
        (np.zeros(9), {"averages": (0, 1)}, r"averages is \[0, 1\]; expected numbers of samples ≥ 1"),
        (np.zeros(9), {"averages": ()}, "expected numbers of samples ≥ 1"),
        (np.zeros(9), {"averages": 3}, "averages is 3"),
        (np.zeros(9), {"longest_s": 0.5}, "longest_s is below one interval"),
        (np.zeros(9), {"longest_s": -1.0}, "longest_s is -1.0"),
    ],
)
def test_a_mistake_is_named(xp: Any, data: np.ndarray, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        allan_deviation(xp.asarray(data), **{"interval_s": 1.0, "data_type": "phase", **arguments})


def test_blocks_need_a_longest_time() -> None:
    with pytest.raises(ValueError, match="longest_s is None and data is an iterable of blocks"):
        allan_deviation(iter([np.zeros(9)]), interval_s=1.0, data_type="phase")
    with pytest.raises(ValueError, match="data has no block"):
        allan_deviation(iter([]), interval_s=1.0, data_type="phase", longest_s=3.0)
    for n, kind in itertools.product((1, 2), ("oadev", "mdev", "adev")):
        with pytest.raises(ValueError, match=f"data has {n} phases"):
            allan_deviation(iter([np.zeros(n)]), interval_s=1.0, data_type="phase", kind=kind, longest_s=3.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="data has 1 phases"):
        allan_deviation(iter([np.zeros(0)]), interval_s=1.0, data_type="rate", longest_s=3.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gapped", [False, True])
def test_the_cuda_kernel_gives_the_definition(
    cuda_on_cpu: Any, kind: str, gapped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cuda_on_cpu.tiny:
        monkeypatch.setattr(allan_terms, "_THREADS", 16)
        monkeypatch.setattr(allan_terms, "_BLOCKS", 2)
    data = np.sin(np.arange(97.0) ** 2)
    samples, interval = (1, 2, 4, 10), 0.1
    statistic = allan._STATISTICS[kind]
    phase, breaks = np.concatenate(([0.0], np.cumsum(data))), None
    if gapped:
        data[[20, 21, 70]] = np.nan
        phase = np.concatenate(([0.0], np.cumsum(np.nan_to_num(data))))
        breaks = np.concatenate(([0], np.cumsum(np.isnan(data)))).astype(np.int64)
    terms = tuple(phase.size - statistic.span(m) for m in samples)
    totals, counts = allan_terms._cuda(phase, breaks, samples, terms, statistic, 0, xp=cuda_on_cpu.xp)
    found = allan._result(kind, "rate", samples, interval, totals, counts, cuda_on_cpu.xp)  # type: ignore[arg-type]
    expected = [by_definition(data, kind, "rate", m, interval) for m in samples]
    assert counts.tolist() == [n for _, n in expected]
    np.testing.assert_allclose(found.deviation, [v for v, _ in expected], rtol=1e-12)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(st.floats(-1e3, 1e3, width=32) | st.just(math.nan), min_size=4, max_size=60),
    kind=st.sampled_from(KINDS),
    data_type=st.sampled_from(["rate", "phase"]),
)
def test_tiers_agree_on_any_data(xp: Any, data: list[float], kind: str, data_type: str) -> None:
    agree(xp, np.array(data), kind, data_type)
