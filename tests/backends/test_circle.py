"""Reference circles: every library and tier gives the same circle, and the same error for the same mistake."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precision.kernels import circle

FITS = (
    circle.least_squares_circle,
    circle.minimum_zone_circle,
    circle.minimum_circumscribed_circle,
    circle.maximum_inscribed_circle,
)
CUDA = {fit.__name__: (generic, results) for fit, generic, results in (
    (circle.least_squares_circle, circle.least_squares, 3),
    (circle.minimum_zone_circle, circle.minimum_zone, 4),
    (circle.minimum_circumscribed_circle, circle.circumscribed, 3),
    (circle.maximum_inscribed_circle, circle.inscribed, 3),
)}  # fmt: skip


def profiles(count: int, n: int, *, seed: int = 1, form: float = 1e-3) -> tuple[np.ndarray, np.ndarray]:
    """Circles of radius 1 … 2 with a form error, each somewhere else."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    radius = rng.uniform(1, 2, (count, 1)) + form * rng.uniform(-1, 1, (count, n))
    return radius * np.cos(angle) + rng.uniform(-5, 5, (count, 1)), radius * np.sin(angle) + rng.uniform(-5, 5, (count, 1))


def reference(fit: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The definition on plain NumPy arrays, whole batch at once."""
    import array_api_compat.numpy as xp

    generic, results = CUDA[fit.__name__]
    found = generic(x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1]), xp=xp)
    return np.stack([part.reshape(x.shape[:-1]) for part in found[:results]])


def agree(found: Any, expected: np.ndarray, size: float = 8.0) -> None:
    # coordinates up to 7 are rounded to 4.4e-16 of 1 and enter through a mean, a difference and the solution of two equations
    # whose condition is that of the chords of the determining points: a few hundred units for the random profiles here
    np.testing.assert_allclose(np.stack(list(found)), expected, rtol=0, atol=size * 64 * 2.0**-52)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(1, 5), (3, 64), (2, 4097), (17, 3600)])
def test_every_library_gives_the_definition(xp: Any, fit: Any, shape: tuple[int, int]) -> None:
    x, y = profiles(*shape)
    found = fit(xp.asarray(x), xp.asarray(y))
    agree([xp.numbers(part) for part in found], reference(fit, x, y))


@pytest.mark.parametrize("fit", FITS)
def test_axes_in_front_are_a_batch_and_none_of_them_is_one_circle(xp: Any, fit: Any) -> None:
    x, y = profiles(6, 50)
    expected = reference(fit, x, y)
    found = fit(xp.asarray(x.reshape(2, 3, 50)), xp.asarray(y.reshape(2, 3, 50)))
    assert all(part.shape == (2, 3) for part in found)
    agree([xp.numbers(part).ravel() for part in found], expected)
    one = fit(xp.asarray(x[4]), xp.asarray(y[4]))
    assert all(part.shape == () for part in one)
    agree([xp.numbers(part) for part in one], expected[:, 4])


@pytest.mark.parametrize("fit", FITS)
def test_no_circles_give_no_results(xp: Any, fit: Any) -> None:
    found = fit(xp.asarray(np.zeros((0, 9))), xp.asarray(np.zeros((0, 9))))
    assert all(part.shape == (0,) for part in found)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("poison", [np.nan, np.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_point_that_is_not_finite_spoils_its_own_circle_only(xp: Any, fit: Any, poison: float) -> None:
    x, y = profiles(3, 40)
    clean = reference(fit, x, y)
    x[1, 7] = poison
    found = np.stack([xp.numbers(part) for part in fit(xp.asarray(x), xp.asarray(y))])
    assert np.isnan(found[:, 1]).all()
    agree(found[:, [0, 2]], clean[:, [0, 2]])


@pytest.mark.parametrize("fit", [circle.least_squares_circle, circle.minimum_zone_circle, circle.maximum_inscribed_circle])
def test_points_on_a_line_have_no_circle(xp: Any, fit: Any) -> None:
    found = fit(xp.asarray(np.arange(9.0)), xp.asarray(3 - 2 * np.arange(9.0)))
    assert all(np.isnan(xp.numbers(part)) for part in found)


def test_an_open_arc_has_no_largest_inscribed_circle(xp: Any) -> None:
    angle = np.linspace(0, 3, 50)
    found = circle.maximum_inscribed_circle(xp.asarray(np.cos(angle)), xp.asarray(np.sin(angle)))
    assert np.isnan(xp.numbers(found.radius))


@pytest.mark.parametrize("fit", FITS)
def test_the_order_of_the_points_does_not_matter(xp: Any, fit: Any) -> None:
    x, y = profiles(2, 500)
    mixed = np.random.default_rng(5).permutation(500)
    found = fit(xp.asarray(x[:, mixed].copy()), xp.asarray(y[:, mixed].copy()))
    agree([xp.numbers(part) for part in found], reference(fit, x, y))


@pytest.mark.parametrize("fit", FITS)
def test_strided_and_single_precision_and_whole_numbers_are_taken_as_they_are(xp: Any, fit: Any) -> None:
    x, y = profiles(2, 300)
    wide_x, wide_y = (np.stack([v, v], axis=-1).reshape(2, 600) for v in (x, y))
    found = fit(xp.asarray(wide_x)[:, ::2], xp.asarray(wide_y)[:, ::2])
    agree([xp.numbers(part) for part in found], reference(fit, x, y))
    single = [v.astype(np.float32) for v in (x, y)]
    found = fit(*(xp.asarray(v, np.float32) for v in single))
    agree([xp.numbers(part) for part in found], reference(fit, *(v.astype(float) for v in single)))
    whole = [np.round(1000 * v).astype(np.int64) for v in (x, y)]
    found = fit(*(xp.asarray(v, np.int64) for v in whole))
    agree([xp.numbers(part) for part in found], reference(fit, *(v.astype(float) for v in whole)), size=8000)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((2, 9)), np.zeros((3, 9)), r"y has shape \(3, 9\), x has shape \(2, 9\); expected the same"),
        (np.zeros(1), np.zeros(1), r"x has shape \(1,\); expected \(..., n\) with n ≥ [234] points a circle"),
        (np.zeros((4, 0)), np.zeros((4, 0)), r"x has shape \(4, 0\); expected"),
        (np.zeros(()), np.zeros(()), r"x has shape \(\); expected"),
        (np.zeros(9), np.zeros(9, complex), "y has shape \\(9,\\) and dtype complex128; expected real numbers"),
    ],
)
def test_a_mistake_is_named(xp: Any, fit: Any, x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(xp.asarray(x, x.dtype), xp.asarray(y, y.dtype))


@pytest.mark.parametrize("fit", FITS)
def test_the_cuda_kernel_gives_the_definition(cuda_on_cpu: Any, fit: Any) -> None:
    count, n = (1, 40) if cuda_on_cpu.tiny else (3, 700)
    x, y = profiles(count, n)
    if count > 1:
        x[1, 3] = np.nan
    results = CUDA[fit.__name__][1]
    with np.errstate(invalid="ignore"):
        found = circle._cuda(fit.__name__, x, y, xp=cuda_on_cpu.xp, results=results)
        expected = reference(fit, x, y)
    agree(found, expected)
    assert np.isnan(expected).any() == (count > 1)


def test_the_cuda_kernels_know_points_on_a_line_and_half_turns(cuda_shim: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def launch(file: str, kernel: str, args: Any, *, grid: Any, block: Any = 256, shared: int = 0) -> None:
        cuda_shim.load(circle.cuda.source(file), sanitize=None).launch(kernel, grid, block, args, shared=shared, order="forward")

    monkeypatch.setattr(circle.cuda, "launch", launch)
    import array_api_compat.numpy as xp

    line = np.arange(9.0)[None, :]
    arc = np.linspace(0, 3, 50)[None, :]
    for name in ("least_squares_circle", "minimum_zone_circle", "maximum_inscribed_circle"):
        assert np.isnan(circle._cuda(name, line, 3 - 2 * line, xp=xp, results=CUDA[name][1])).all()
    assert np.isnan(circle._cuda("maximum_inscribed_circle", np.cos(arc), np.sin(arc), xp=xp, results=3)).all()
    around = circle._cuda("minimum_circumscribed_circle", line, 3 - 2 * line, xp=xp, results=3)
    np.testing.assert_allclose(around[:, 0], [4.0, -5.0, 4 * np.sqrt(5)], rtol=1e-14)


ANGLE = (np.arange(360) + 0.5) * np.pi / 180
PLAY = 1e-5 * np.abs(np.sin(ANGLE))
TIED = {  # deviations, angles; expected zone, circumscribed and inscribed radius less 1
    "lateral play, both ways": (np.r_[-PLAY, PLAY[::-1]], np.r_[ANGLE, ANGLE[::-1]], (2e-5, 1e-5, -1e-5)),
    "many lobes": (1e-5 * np.cos(60 * (ANGLE - ANGLE[0])), ANGLE, (2e-5, 1e-5, -1e-5)),
    "one notch": (np.where(np.arange(360) == 0, -1e-5, 0.0), ANGLE, (1e-5, 0.0, -0.5e-5)),
    "round": (0 * ANGLE, ANGLE, (0.0, 0.0, 0.0)),
    "a square": (np.zeros(4), np.arange(4) * np.pi / 2, (0.0, 0.0, 0.0)),
}


@pytest.mark.parametrize("name", TIED)
def test_tied_points_have_their_circles(xp: Any, name: str) -> None:
    deviation, angle, (zone, outer, inner) = TIED[name]
    x, y = (xp.asarray(v) for v in ((1 + deviation) * np.cos(angle) + 3, (1 + deviation) * np.sin(angle) - 2))
    found = circle.minimum_zone_circle(x, y)
    # crests lie up to half a degree from a point: 1e-5 · (1 − cos 0.5°) · 2; radii near 1 about (3, −2) are rounded to 1e-15
    assert float(found.outer_radius) - float(found.inner_radius) == pytest.approx(zone, abs=1e-9)
    assert float(circle.minimum_circumscribed_circle(x, y).radius) - 1 == pytest.approx(outer, abs=1e-9)
    assert float(circle.maximum_inscribed_circle(x, y).radius) - 1 == pytest.approx(inner, abs=1e-9)


@pytest.mark.parametrize("name", ["lateral play, both ways", "a square"])
def test_circles_that_the_cuda_kernels_leave_open_are_settled(cuda_shim: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As CuPy arrays go: the kernels give NaN where points are tied, cutting planes take over, and the neighbour stays as it is."""

    def launch(file: str, kernel: str, args: Any, *, grid: Any, block: Any = 256, shared: int = 0) -> None:
        cuda_shim.load(circle.cuda.source(file), sanitize=None).launch(kernel, grid, block, args, shared=shared, order="forward")
        left_open.append(np.isnan(args[-1][:, 0]).tolist())

    left_open: list[list[bool]] = []
    monkeypatch.setattr(circle.cuda, "launch", launch)
    monkeypatch.setattr(circle, "is_cupy_namespace", lambda xp: True)
    deviation, angle, (zone, outer, inner) = TIED[name]
    other = 1e-3 * np.random.default_rng(7).uniform(-1, 1, angle.size)
    x, y = (np.stack([(1 + d) * turned(angle) for d in (deviation, other)]) for turned in (np.cos, np.sin))
    found = circle.minimum_zone_circle(x, y)
    assert found.outer_radius[0] - found.inner_radius[0] == pytest.approx(zone, abs=1e-9)
    assert circle.minimum_circumscribed_circle(x, y).radius[0] - 1 == pytest.approx(outer, abs=1e-9)
    assert circle.maximum_inscribed_circle(x, y).radius[0] - 1 == pytest.approx(inner, abs=1e-9)
    assert any(first for first, _ in left_open), "no kernel found these points tied: the test shows nothing"
    expected = [reference(fit, x[1:], y[1:])[:, 0] for fit in FITS[1:]]
    again = [np.stack(list(fit(x, y)))[:, 1] for fit in FITS[1:]]
    for ours, theirs in zip(again, expected, strict=True):
        agree(ours, theirs)


def test_settling_stays_in_the_library_and_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    device = strict.Device("device1")
    deviation, angle, (zone, _, _) = TIED["many lobes"]
    x, y = (strict.asarray(((1 + deviation) * turned(angle))[None, :], device=device) for turned in (np.cos, np.sin))

    def nothing_found(name: str, x: Any, y: Any, *, xp: Any, results: int) -> Any:
        return xp.full((results, x.shape[0]), xp.nan, device=device)

    monkeypatch.setattr(circle, "is_cupy_namespace", lambda xp: True)
    monkeypatch.setattr(circle, "_cuda", nothing_found)
    found = circle.minimum_zone_circle(x, y)
    assert all(part.device == device for part in found)
    assert float(found.outer_radius[0] - found.inner_radius[0]) == pytest.approx(zone, abs=1e-9)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.integers(-3, 3), min_size=6, max_size=24),
    step=st.sampled_from([1e-6, 1e-4, 1e-3]),
    twice=st.booleans(),
    fit=st.sampled_from(FITS[1:]),
)
def test_no_centre_nearby_is_better_where_points_are_tied(xp: Any, steps: list[int], step: float, twice: bool, fit: Any) -> None:
    n = len(steps)
    angle = np.tile(np.arange(n) * 2 * np.pi / n, 2 if twice else 1)
    radius = 1 + step * np.array(steps + steps[::-1] if twice else steps)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    found = fit(xp.asarray(x), xp.asarray(y))
    worth = {
        "minimum_zone_circle": lambda r: np.ptp(r, axis=-1),
        "minimum_circumscribed_circle": lambda r: r.max(axis=-1),
        "maximum_inscribed_circle": lambda r: -r.min(axis=-1),
    }[fit.__name__]
    a, b = float(found.x), float(found.y)
    away = np.array([(0.3**k * np.cos(t), 0.3**k * np.sin(t)) for k in range(3, 16) for t in np.arange(24) * np.pi / 12])
    around = np.hypot(x - a - away[:, :1], y - b - away[:, 1:])
    assert worth(around).min() >= worth(np.hypot(x - a, y - b)) - 4e-15  # distances near 1, each rounded


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n=st.integers(5, 80),
    count=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    form=st.sampled_from([1e-6, 1e-3, 3e-2]),
    fit=st.sampled_from(FITS),
)
def test_tiers_agree_on_any_circles(xp: Any, n: int, count: int, seed: int, form: float, fit: Any) -> None:
    x, y = profiles(count, n, seed=seed, form=form)
    found = fit(xp.asarray(x), xp.asarray(y))
    expected = reference(fit, x, y)
    for i in np.flatnonzero(np.isnan(expected[0])):  # tied: the same in every tier
        expected[:, i] = [float(part) for part in fit(x[i], y[i])]
    agree([xp.numbers(part) for part in found], expected, size=64)
