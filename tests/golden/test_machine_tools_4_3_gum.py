"""Published uncertainty examples (machine_tools.md §4.3): JCGM 100 H.1 and H.2, JCGM 101 9.2 and 9.5, NIST TN 1900 E13."""

from __future__ import annotations

import math

import numpy as np
import pytest

from precision.uncertainty.gum import Input, propagate
from precision.uncertainty.monte_carlo import Distribution, run


def gauge_block(l_s, d1, d2, d3, alpha, theta_mean, theta_cycle, d_alpha, d_theta):  # type: ignore[no-untyped-def]
    """l = l_s + d − l_s(δα·θ + α_s·δθ), nm; θ = θ̄ + Δ."""
    return l_s + d1 + d2 + d3 - l_s * (d_alpha * (theta_mean + theta_cycle) + alpha * d_theta)


H1 = {
    "l_s": Input(value=50_000_623, u=25, freedom=18), "d1": Input(value=215, u=5.8, freedom=24), "d2": Input(value=0, u=3.9, freedom=5), "d3": Input(value=0, u=6.7, freedom=8),
    "alpha": Input(value=11.5e-6, u=2e-6 / math.sqrt(3)), "theta_mean": Input(value=-0.1, u=0.2), "theta_cycle": Input(value=0, u=0.5 / math.sqrt(2)),
    "d_alpha": Input(value=0, u=1e-6 / math.sqrt(6), freedom=50), "d_theta": Input(value=0, u=0.05 / math.sqrt(3), freedom=2),
}  # fmt: skip


def test_h1_the_gauge_block_has_its_length_components_and_combined_uncertainty() -> None:
    found = propagate(gauge_block, H1)
    assert found.value == pytest.approx(50_000_838)
    c = found.components
    assert c["l_s"] == pytest.approx(25, abs=1e-3)
    assert math.hypot(c["d1"], c["d2"], c["d3"]) == pytest.approx(9.68, abs=5e-3)
    assert c["d_theta"] == pytest.approx(16.599, abs=5e-4)
    assert c["alpha"] == pytest.approx(0, abs=1e-6)
    assert c["theta_mean"] == pytest.approx(0, abs=1e-6)


def test_h1_combined_uncertainty_and_degrees_of_freedom_are_the_published_ones() -> None:
    # δα of U ±1e-6 as a rectangle gives the published component of 2.887 nm: 50 mm · 0.1 K · 1e-6/√3.
    inputs = {**H1, "d_alpha": Input(value=0, u=1e-6 / math.sqrt(3), freedom=50)}
    found = propagate(gauge_block, inputs)
    assert found.components["d_alpha"] == pytest.approx(2.887, abs=5e-4)
    assert found.u == pytest.approx(31.664, abs=5e-4)
    assert found.freedom == pytest.approx(16.75, abs=0.06)  # the three parts of d one by one; the GUM pools them first
    assert found.expanded(0.99) == pytest.approx(92.5, abs=0.1)
    assert found.u_second_order == pytest.approx(33.8, abs=0.05)


def test_h2_correlated_voltage_current_and_phase_give_impedance() -> None:
    v = np.array([5.007, 4.994, 5.005, 4.990, 4.999])
    i = np.array([19.663, 19.639, 19.640, 19.685, 19.678]) * 1e-3
    phi = np.array([1.0456, 1.0438, 1.0468, 1.0428, 1.0433])
    inputs = {name: Input(value=float(x.mean()), u=float(x.std(ddof=1) / math.sqrt(5))) for name, x in (("v", v), ("i", i), ("phi", phi))}
    r = {("v", "i"): np.corrcoef(v, i)[0, 1], ("v", "phi"): np.corrcoef(v, phi)[0, 1], ("i", "phi"): np.corrcoef(i, phi)[0, 1]}
    for model, value, u in (
        (lambda v, i, phi: v / i * math.cos(phi), 127.732, 0.071),
        (lambda v, i, phi: v / i * math.sin(phi), 219.847, 0.295),
        (lambda v, i, phi: v / i, 254.260, 0.236),
    ):
        found = propagate(model, inputs, correlation=r)
        assert found.value == pytest.approx(value, abs=5e-4)
        assert found.u == pytest.approx(u, abs=6e-4)  # the GUM goes on with rounded uncertainties and correlations: 0.2956 of the data is printed as 0.295
        with pytest.raises(ValueError, match="correlated"):
            found.expanded(0.95)


def test_tn1900_e13_coefficient_of_thermal_expansion() -> None:
    inputs = {"l0": Input(value=1.4999, u=1e-4, freedom=3), "t0": Input(value=288.15, u=0.02, freedom=3), "l1": Input(value=1.5021, u=2e-4, freedom=3), "t1": Input(value=373.10, u=0.05, freedom=3)}
    found = propagate(lambda l0, t0, l1, t1: (l1 - l0) / (l0 * (t1 - t0)), inputs)
    assert found.value == pytest.approx(1.7266e-5, abs=5e-10)
    assert found.u == pytest.approx(1.76e-6, abs=5e-9)


def test_welch_satterthwaite_quick_check() -> None:
    found = propagate(lambda a, b: a + b, {"a": Input(value=0, u=0.57, freedom=9), "b": Input(value=0, u=0.25)})
    assert found.freedom == pytest.approx(12.8, abs=0.05)


@pytest.mark.parametrize(("shape", "scale", "half"), [("normal", 1.0, 3.92), ("rectangular", math.sqrt(3), 3.88)])
def test_jcgm_101_9_2_sums_of_four(shape: str, scale: float, half: float) -> None:
    inputs = {name: Distribution(shape=shape, centre=0.0, scale=scale) for name in "abcd"}  # type: ignore[arg-type]
    found = run(lambda a, b, c, d: a + b + c + d, inputs, trials=1_000_000)
    assert found.u == pytest.approx(2.0, abs=0.006)
    assert found.interval == pytest.approx((-half, half), abs=0.02)  # standard deviation of an end from 10⁶ trials: 0.005


def test_jcgm_101_9_5_gauge_block_by_monte_carlo() -> None:
    def model(**x):  # type: ignore[no-untyped-def]
        return 50_000_623 * 0 + x["l_s"] + x["d0"] + x["d1"] + x["d2"] - (50_000_623 + x["l_s"]) * (x["da"] * (x["t0"] + x["dt0"]) + x["a"] * x["dt"])

    inputs = {
        "l_s": Distribution(shape="t", centre=0.0, scale=25, freedom=18), "d0": Distribution(shape="t", centre=215, scale=6, freedom=24),
        "d1": Distribution(shape="t", centre=0, scale=4, freedom=5), "d2": Distribution(shape="t", centre=0, scale=7, freedom=8),
        "a": Distribution(shape="rectangular", centre=11.5e-6, scale=2e-6), "t0": Distribution(shape="normal", centre=-0.1, scale=0.2),
        "dt0": Distribution(shape="arcsine", centre=0, scale=0.5), "da": Distribution(shape="curvilinear trapezoid", centre=0, scale=1e-6, inexact=0.1e-6),
        "dt": Distribution(shape="curvilinear trapezoid", centre=0, scale=0.05, inexact=0.025),
    }  # fmt: skip
    found = run(model, inputs, trials=2_000_000, probability=0.99)
    assert found.mean + 623 == pytest.approx(838, abs=0.2)
    assert found.u == pytest.approx(36, abs=0.5)
    assert found.interval[0] + 623 == pytest.approx(744, abs=1.5)
    assert found.interval[1] + 623 == pytest.approx(932, abs=1.5)


def test_draws_of_one_input_do_not_change_when_another_joins() -> None:
    a = Distribution(shape="normal", centre=0, scale=1)
    one = run(lambda a: a, {"a": a}, trials=200_000)
    two = run(lambda a, b: a + 0 * b, {"a": a, "b": a}, trials=200_000)
    assert one == two


@pytest.mark.parametrize(
    "make",
    [
        lambda: propagate(lambda a: a, {"a": Input(value=0, u=-1)}),
        lambda: propagate(lambda a: a, {"a": Input(value=0, u=1)}, correlation={("a", "b"): 0.5}),
        lambda: run(lambda a: a, {"a": Distribution(shape="normal", centre=0, scale=1)}, trials=100),
        lambda: run(lambda a: np.log(a - 10), {"a": Distribution(shape="normal", centre=0, scale=1)}, trials=200_000),
        lambda: Distribution(shape="normal", centre=0, scale=-1),
    ],
)
def test_what_cannot_be_propagated_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with np.errstate(invalid="ignore"), pytest.raises(ValueError):
        make()
