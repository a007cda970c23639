"""Results written into arrays that the caller gives: the same numbers as in new ones, in every library, and one refusal for the same mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from precision.kernels import compiled
from precision.kernels.moving import moving_mean_std
from precision.kernels.quadrature import unwrapped_phase
from precision.kernels.volumetric import AxisErrors, GeometricErrors, volumetric_error, volumetric_error_grid

N = 300


def machine(xp: Any) -> GeometricErrors:
    rng = np.random.default_rng(4)

    def axis() -> AxisErrors:
        return AxisErrors(*(xp.asarray(a) for a in (np.linspace(0.0, 1.0, 11), *rng.normal(size=(2, 3, 11)))))

    return GeometricErrors(axis(), axis(), axis(), 1e-5, 2e-5, 3e-5)


def empty(xp: Any, shape: tuple[int, ...]) -> Any:
    array = xp.asarray(np.full(shape, np.nan))
    return np.full(shape, np.nan) if isinstance(array, np.ndarray) else array  # the data may be read-only, the result not


Kernel = Callable[..., Any]


def moving(xp: Any, data: Any, **given: Any) -> Any:
    return moving_mean_std(data, 7, **given)


def weighted(xp: Any, data: Any, **given: Any) -> Any:
    return moving_mean_std(data, (1.0, 3.0, 1.0), **given)


def phase(xp: Any, data: Any, **given: Any) -> Any:
    return unwrapped_phase(data[0, :], data[1, :], **given)[0]


def scattered(xp: Any, data: Any, **given: Any) -> Any:
    return volumetric_error(machine(xp), data[:3, :], chain="FXYZ", **given)


def grid(xp: Any, data: Any, **given: Any) -> Any:
    return volumetric_error_grid(machine(xp), data[0, :5], data[1, :6], data[2, :7], chain="XFYZ", **given)


ONE: dict[str, tuple[Kernel, tuple[int, ...]]] = {
    "phase": (phase, (N,)), "scattered": (scattered, (3, N)), "grid": (grid, (3, 5, 6, 7)),
}  # fmt: skip
TWO: dict[str, tuple[Kernel, tuple[int, ...]]] = {"moving": (moving, (4, N - 6)), "weighted": (weighted, (4, N - 2))}


@pytest.fixture
def data(xp: Any) -> Any:
    return xp.asarray(np.random.default_rng(0).uniform(0.1, 0.9, (4, N)))


@pytest.mark.parametrize("name", ONE)
def test_a_result_goes_into_the_array_given(xp: Any, data: Any, name: str) -> None:
    kernel, shape = ONE[name]
    out = empty(xp, shape)
    assert kernel(xp, data, out=out) is out
    np.testing.assert_array_equal(xp.numbers(out), xp.numbers(kernel(xp, data)))


@pytest.mark.parametrize("name", TWO)
def test_two_results_go_into_the_two_arrays_given(xp: Any, data: Any, name: str) -> None:
    kernel, shape = TWO[name]
    out = tuple(empty(xp, shape) for _ in range(2))
    found = kernel(xp, data, out=out)
    for mine, given, fresh in zip(found, out, kernel(xp, data), strict=True):
        assert mine is given
        np.testing.assert_array_equal(xp.numbers(given), xp.numbers(fresh))


@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_an_array_of_another_shape_or_kind_is_refused(xp: Any, data: Any, name: str) -> None:
    kernel, shape = (ONE | TWO)[name]
    pair = name in TWO
    for wrong, seen in (
        (xp.asarray(np.zeros((*shape[:-1], shape[-1] + 1))), r"has shape"),
        (xp.asarray(np.zeros(shape, dtype=np.float32)), r"dtype float32"),
        (np.zeros(shape).tolist(), r"is a list"),
    ):
        with pytest.raises(ValueError, match=rf"^out(\[0\])? .*{seen}.*expected a float64 array of shape"):
            kernel(xp, data, out=(wrong, wrong) if pair else wrong)


@pytest.mark.parametrize("numba", ["on", "off"])
@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_numpy_arrays_that_cannot_be_filled_as_a_whole_are_refused(name: str, numba: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.SWITCH, numba)
    kernel, shape = (ONE | TWO)[name]
    frozen, strided = np.zeros(shape), np.zeros((*shape[:-1], 2 * shape[-1]))[..., ::2]
    frozen.flags.writeable = False
    numbers = np.random.default_rng(0).uniform(0.1, 0.9, (4, N))
    for wrong in (frozen, strided):
        with pytest.raises(ValueError, match="is not C-contiguous, or read-only"):
            kernel(np, numbers, out=(wrong, wrong) if name in TWO else wrong)


def test_the_data_themselves_are_no_place_for_the_result() -> None:
    numbers = np.random.default_rng(0).uniform(0.1, 0.9, (3, N))
    with pytest.raises(ValueError, match="out shares memory with the data"):
        phase(np, numbers, out=numbers[0])
    with pytest.raises(ValueError, match="out shares memory with the data"):
        scattered(np, numbers, out=numbers)
    with pytest.raises(ValueError, match=r"out\[0\] shares memory with the data"):
        moving_mean_std(numbers, 1, out=(numbers, np.zeros_like(numbers)))
    same = np.zeros((3, N - 6))
    with pytest.raises(ValueError, match=r"out\[1\] shares memory with the data"):
        moving_mean_std(numbers, 7, out=(same, same))


@pytest.mark.parametrize("wrong", [np.zeros((2, N - 6)), (np.zeros(N - 6),), "no"])
def test_what_is_no_pair_is_refused_for_mean_and_standard_deviation(wrong: Any) -> None:
    with pytest.raises(ValueError, match="expected two arrays of shape"):
        moving_mean_std(np.zeros(N), 7, out=wrong)
