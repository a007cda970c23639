"""How Numba is reached: its cache, its threads, and what happens where it is missing or cannot cache."""

from __future__ import annotations

import multiprocessing
import os
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

from precision.kernels import compiled

numba = pytest.importorskip("numba", reason="Numba is not installed (extra fast)")


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A cache folder of the test's own, and nothing remembered from other tests."""
    monkeypatch.setenv(compiled.CACHE, str(tmp_path / "cache"))
    for kept in (compiled._cache_folder, compiled._salt, compiled._safe_layer):
        kept.cache_clear()
    yield tmp_path / "cache"
    for kept in (compiled._cache_folder, compiled._salt, compiled._safe_layer):
        kept.cache_clear()


def doubled(parallel=False):
    from numba import prange

    def body(x, out):
        for i in prange(x.shape[0]):
            out[i] = 2.0 * x[i]

    return compiled.jit(body, (compiled.frozen(1), compiled.writable(1)), parallel=parallel)


def test_a_compiled_body_takes_read_only_and_writable_arrays(fresh):
    x, out = np.arange(5.0), np.empty(5)
    body = doubled()
    body(x, out)
    x.flags.writeable = False
    body(x, out)
    assert out.tolist() == [0, 2, 4, 6, 8]
    assert len(body.signatures) == 1


def test_a_body_refuses_what_it_was_not_compiled_for(fresh):
    with pytest.raises(TypeError, match="No matching definition"):
        doubled()(np.arange(5), np.empty(5))
    frozen_result = np.empty(5)
    frozen_result.flags.writeable = False
    with pytest.raises(TypeError, match="No matching definition"):
        doubled()(np.arange(5.0), frozen_result)


def test_the_cache_is_ours_and_found_again(fresh):
    before = numba.config.CACHE_DIR
    first, second = doubled(), doubled()
    assert numba.config.CACHE_DIR == before
    assert sum(first.stats.cache_misses.values()) == 1 and sum(second.stats.cache_hits.values()) == 1
    assert list(fresh.rglob("*.nbi"))


def test_serial_and_parallel_bodies_do_not_share_the_cache(fresh):
    doubled(parallel=False)
    assert sum(doubled(parallel=True).stats.cache_misses.values()) == 1


def test_a_change_in_any_kernel_leaves_the_old_cache_behind(fresh, monkeypatch, tmp_path):
    for name in ("one.py", "other.py"):
        (tmp_path / name).write_text(f"# {name}")
    monkeypatch.setattr(compiled, "__file__", str(tmp_path / "one.py"))
    before = compiled._salt()
    (tmp_path / "other.py").write_text("# changed")
    compiled._salt.cache_clear()
    assert compiled._salt() != before


def test_where_no_folder_can_be_written_nothing_is_cached_and_everything_works(fresh, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv(compiled.CACHE, str(tmp_path / "file" / "below"))
    out = np.empty(3)
    doubled()(np.arange(3.0), out)
    assert compiled._cache_folder("serial-exact") is None
    assert out.tolist() == [0, 2, 4]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_folder_that_others_can_write_is_not_used_because_its_content_is_executed(fresh):
    folder = compiled._cache_folder("serial-exact")
    assert folder is not None
    folder.chmod(folder.stat().st_mode | stat.S_IWOTH)
    compiled._cache_folder.cache_clear()
    assert compiled._cache_folder("serial-exact") is None


def test_small_arrays_do_not_wake_threads():
    assert not compiled.parallel_pays(compiled.PARALLEL_FROM - 1)


def test_with_workqueue_alone_everything_runs_serially(fresh, monkeypatch):
    monkeypatch.setattr(numba.config, "THREADING_LAYER", "workqueue")
    assert not compiled.parallel_pays(10**9)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_runs_serially_and_lives():
    """OpenMP ends a forked child that uses threads after its parent did."""
    out = np.empty(200_000)
    if compiled.parallel_pays(out.size):
        doubled(parallel=True)(np.ones(out.size), out)

    def child(pipe):
        result = np.empty(out.size)
        parallel = compiled.parallel_pays(out.size)
        doubled(parallel)(np.ones(out.size), result)
        pipe.send((parallel, float(result.sum())))

    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=child, args=(theirs,))
    process.start()
    assert ours.poll(60), "the forked child gave no answer"
    assert ours.recv() == (False, 2.0 * out.size)
    process.join()
    assert process.exitcode == 0


def test_two_threads_may_be_in_a_parallel_body_at_once():
    if not compiled.parallel_pays(10**6):
        pytest.skip("no threading layer that allows it is installed")
    body, sums = doubled(parallel=True), []

    def work():
        out = np.empty(100_000)
        for _ in range(20):
            body(np.ones(out.size), out)
        sums.append(out.sum())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [200_000.0] * 4


def test_numba_can_be_switched_off(monkeypatch):
    for word in ("0", "off", "No"):
        monkeypatch.setenv(compiled.SWITCH, word)
        assert compiled.numba_or_none() is None
    monkeypatch.delenv(compiled.SWITCH)
    assert compiled.numba_or_none() is numba


ALONE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"numba", "llvmlite", "threadpoolctl", "scipy", "pydantic", "cupy", "click"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import precision.kernels
assert "numpy" not in sys.modules, "importing the kernels imports numpy"
import numpy as np
from precision.kernels import AxisErrors, GeometricErrors, Toolpath, contour_error, volumetric_error, volumetric_error_grid
still = AxisErrors(np.array([0.0, 1.0]), np.full((3, 2), 1e-6), np.zeros((3, 2)))
errors = GeometricErrors(still, still, still)
points = np.random.default_rng(0).random((3, 60_000))
assert np.allclose(volumetric_error(errors, points, chain="FXYZ"), 3e-6, rtol=1e-12)
grid = volumetric_error_grid(errors, *points[:, :5], chain="FXYZ")
assert np.allclose(grid, 3e-6, rtol=1e-12)
line = Toolpath(np.array([[0.0, 1.0], [0.0, 0.0]]))
assert contour_error(line, np.array([[0.5], [0.1]]), np.array([0.5]), window_m=0.1).deviation_m == 0.1
"""


def test_numpy_and_the_compatibility_layer_are_enough():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PRECISION_")}
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
