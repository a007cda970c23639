"""Blocks cover the data exactly, with their halo; BLAS is held to one thread inside and only there."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.kernels.blocks import SHORT_BUFFER, blocks, one_blas_thread, short_buffers


@given(st.integers(0, 200), st.integers(1, 50), st.integers(0, 9), st.integers(0, 9))
def test_every_result_is_written_once_from_the_inputs_it_needs(n, size, before, after):
    x = np.arange(n + before + after)
    window = before + after + 1
    written = []
    for read, write in blocks(n, size, before=before, after=after):
        m = write.stop - write.start
        assert 1 <= m <= size
        assert x[read].size == m + window - 1
        written += list(range(write.start, write.stop))
        assert x[read][0] == write.start
    assert written == list(range(n))


def test_blocks_refuse_sizes_that_never_end():
    with pytest.raises(ValueError, match="size is 0"):
        next(blocks(10, 0))
    with pytest.raises(ValueError, match="no negative halo"):
        next(blocks(10, 5, before=-1))


def test_short_buffers_end_with_the_block_and_belong_to_the_thread():
    before = np.getbufsize()
    elsewhere = []
    with short_buffers():
        assert np.getbufsize() == SHORT_BUFFER < before
        other = threading.Thread(target=lambda: elsewhere.append(np.getbufsize()))
        other.start()
        other.join()
    with pytest.raises(ZeroDivisionError), short_buffers():
        raise ZeroDivisionError
    assert np.getbufsize() == before and elsewhere == [before]


def blas_threads():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    return max(
        (pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"), default=1
    )


@pytest.fixture
def before():
    """The number of threads of BLAS; there is nothing to see where it is one anyway."""
    count = blas_threads()
    if count == 1:
        pytest.skip("BLAS has one thread here")
    return count


def test_blas_has_one_thread_inside_and_its_own_number_after(before):
    with one_blas_thread():
        with one_blas_thread():
            assert blas_threads() == 1
        assert blas_threads() == 1
    assert blas_threads() == before


def test_threads_that_leave_in_another_order_restore_the_number_they_found(before):
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def first():
        with one_blas_thread():
            first_is_in.set()
            second_is_in.wait(10)
        first_is_out.set()

    def second():
        first_is_in.wait(10)
        with one_blas_thread():
            second_is_in.set()
            first_is_out.wait(10)

    threads = [threading.Thread(target=f) for f in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert blas_threads() == before


def test_the_limit_goes_when_the_work_fails(before):
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        _ = 1 / 0
    assert blas_threads() == before
