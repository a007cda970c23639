"""The gate itself: correct kernels pass it, and every fault planted on purpose is stopped by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

PLANTED = Path(__file__).parent / "planted" / "planted.cu"
ORDERS = ["forward", "reverse", 7]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("block", [32, 96, 128])
def test_a_correct_reduction_passes_in_every_order(cuda_shim, order, block):
    x = np.random.default_rng(1).normal(size=1003)
    out = np.full(3, np.nan)
    cuda_shim.load(PLANTED).launch("block_sum", 3, block, (x, out, x.size), order=order)
    # 1003 additions of values of order 1, in another order: 1003 · 2⁻⁵³ · Σ|x| < 1e-10
    assert np.sum(out) == pytest.approx(np.sum(x), abs=1e-10)


@pytest.mark.parametrize("order", ORDERS)
def test_atomics_on_dynamic_shared_memory_count_right(cuda_shim, order):
    x = np.random.default_rng(2).integers(0, 11, size=517)
    out = np.zeros(11, np.int32)
    cuda_shim.load(PLANTED).launch("histogram", 4, 64, (x, out, x.size, 11), shared=44, order=order)
    assert np.array_equal(out, np.bincount(x, minlength=11))


@pytest.mark.parametrize("sanitize", ["address", "thread"])
def test_correct_kernels_are_clean_under_the_sanitizers(cuda_shim, sanitize):
    shim = cuda_shim.load(PLANTED, sanitize=sanitize)
    x, out = np.ones(100), np.full(2, np.nan)
    shim.launch("block_sum", 2, 64, (x, out, x.size))
    assert np.sum(out) == 100.0
    count = np.zeros(5, np.int32)
    shim.launch("histogram", 2, 64, (np.arange(100) % 5, count, 100, 5), shared=20)
    assert count.tolist() == [20] * 5


def test_a_missing_barrier_shows_in_the_order_of_threads(cuda_shim):
    shim, x = cuda_shim.load(PLANTED), np.arange(128.0)
    right = {}
    for order in ORDERS:
        out = np.full(128, np.nan)
        shim.launch("race", 1, 128, (x, out, 128), order=order)
        right[order] = np.array_equal(out, np.roll(x, -1))
    assert not right["forward"] and not right[7]


def test_a_missing_barrier_is_reported_by_the_thread_sanitizer(cuda_shim):
    x, out = np.arange(64.0), np.empty(64)
    with pytest.raises(cuda_shim.ShimError, match=r"(?s)data race.*planted\.cu:\d+"):
        cuda_shim.load(PLANTED, sanitize="thread").launch("race", 1, 64, (x, out, 64))


def test_an_overrun_of_an_array_is_reported_with_its_line(cuda_shim):
    x, out = np.arange(64.0), np.empty(64)
    with pytest.raises(cuda_shim.ShimError, match=r"(?s)heap-buffer-overflow.*planted\.cu:\d+"):
        cuda_shim.load(PLANTED, sanitize="address").launch("overrun", 1, 32, (x, out, 64))


def test_an_overrun_of_shared_memory_is_reported_with_its_line(cuda_shim):
    with pytest.raises(cuda_shim.ShimError, match=r"(?s)planted\.cu:\d+"):
        cuda_shim.load(PLANTED, sanitize="address").launch("shared_overrun", 1, 32, (np.empty(32),))


def test_an_overflow_is_reported_with_its_line(cuda_shim):
    with pytest.raises(cuda_shim.ShimError, match=r"(?s)planted\.cu:\d+.*signed integer overflow"):
        cuda_shim.load(PLANTED, sanitize="address").launch("overflow", 1, 32, (np.empty(32, np.int64), 2**62))


def test_shared_memory_that_nobody_set_is_not_zero(cuda_shim):
    out = np.zeros(2)
    cuda_shim.load(PLANTED).launch("unset_shared", 2, 32, (out,))
    assert np.all(np.isnan(out))


def test_a_thread_that_leaves_before_a_barrier_is_reported(cuda_shim):
    with pytest.raises(
        cuda_shim.ShimError, match="32 of 64 threads have left the kernel, 32 wait at the barrier of line"
    ):
        cuda_shim.load(PLANTED).launch("early_exit", 1, 64, (np.empty(64), 32))


def test_a_warp_operation_that_some_threads_miss_is_reported(cuda_shim):
    with pytest.raises(cuda_shim.ShimError, match="threads of a warp wait at different warp operations, line"):
        cuda_shim.load(PLANTED).launch("lonely_shuffle", 1, 32, (np.empty(32),))
    with pytest.raises(
        cuda_shim.ShimError, match=r"waiting that cannot end.*barrier of line \d+.*warp operation of line"
    ):
        cuda_shim.load(PLANTED).launch("lonelier_shuffle", 1, 32, (np.empty(32),))


@pytest.mark.parametrize(
    ("args", "what"),
    [
        ((np.ones(4), np.ones(4)), "takes 3 arguments, 2 were given"),
        ((np.ones(4, np.float32), np.ones(4), 4), "argument 0 of race is float32"),
        ((np.ones(8)[::2], np.ones(4), 4), "argument 0 of race is not C-contiguous"),
        ((np.ones(4), np.broadcast_to(1.0, (1,)), 4), "argument 1 of race is read-only"),
        ((np.ones(4), np.ones(4), 4.0), "argument 2 of race is float; the kernel takes q"),
    ],
)
def test_an_argument_the_kernel_does_not_take_is_refused(cuda_shim, args, what):
    with pytest.raises(cuda_shim.ShimError, match=what):
        cuda_shim.load(PLANTED).launch("race", 1, 32, args)
