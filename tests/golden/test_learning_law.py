"""A learning law from a measured response: its contraction by closed forms, its forecast against a plant that is simulated sample by sample, and
the noise that it learns (5.8)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from precision.errors import DataError
from precision.standards import learning, learning_law
from precision.standards.frequency_response import Response, respond

N, RATE, POLE = 400, 1000.0, 0.9


def measured(scale: complex = 1.0, *, sd: float = 0.0, lines: int = 2 * N // 2 - 1) -> Response:
    """0.1/(1 − 0.9 z⁻¹), the first-order plant of 5.8, at the lines of two trials."""
    k = np.arange(1, lines + 1)
    f = k * RATE / (2 * N)
    g = scale * 0.1 / (1 - POLE * np.exp(-2j * math.pi * f / RATE))
    return respond(
        f,
        g,
        np.full(f.size, sd),
        np.ones(f.size),
        averages=10,
        effective=10.0,
        units=("N", "m"),
        rate_hz=None,
        estimator="exact",
        how="closed form",
        flags=[],
    )


def plant(signal: np.ndarray) -> np.ndarray:
    return np.asarray(lfilter([0.1], [1, -POLE], signal))


def test_an_inverse_leaves_what_its_gain_does_not_take() -> None:
    """M = Q (1 − g); with a response 20 % too large, 1 − g/1.2."""
    law = learning_law.design(measured(), samples=N, rate_hz=RATE, cutoff_hz=100.0, order=2, gain=0.6)
    q = 1 / (1 + (law.frequency_hz / 100.0) ** 4)
    np.testing.assert_allclose(np.abs(law.contraction[law.measured]), 0.4 * q[law.measured], rtol=1e-12)
    assert law.filter[0] == 0 and law.filter[-1] == 0  # neither the mean nor half the rate was measured
    np.testing.assert_allclose(law.filter[law.measured], q[law.measured], rtol=1e-14)
    assert law.filter[80] == pytest.approx(0.5, rel=1e-12)  # 100 Hz are 80 lines of 1.25 Hz


def test_a_pd_law_has_the_closed_form_of_its_parts() -> None:
    law = learning_law.design(measured(), samples=N, rate_hz=RATE, cutoff_hz=300.0, order=1, pd=(2.0, 0.01, 0.002))
    f = law.frequency_hz[law.measured]
    learning_filter = (2.0 + 2j * math.pi * f * 0.01) * np.exp(2j * math.pi * f * 0.002)
    np.testing.assert_allclose(law.contraction[law.measured], (1 - learning_filter * measured().response) / (1 + (f / 300.0) ** 2), rtol=1e-12)


def test_the_worst_line_counts_its_uncertainty() -> None:
    law = learning_law.design(measured(sd=0.01 * math.sqrt(2)), samples=N, rate_hz=RATE, cutoff_hz=450.0, order=10, gain=0.6)
    worst, u, at = law.worst
    k = int(np.argmin(np.abs(law.frequency_hz - at)))
    # component u of 0.01 over |J|: largest where |J| is smallest and Q still 1
    assert u == pytest.approx(2 * law.filter[k] * 0.6 * 0.01 / abs(law.plant[k]), rel=1e-9)
    assert worst + u == pytest.approx(max(np.abs(law.contraction[law.measured]) + 2 * law.contraction_u[law.measured]), rel=1e-12)


def test_the_distance_is_as_uncertain_as_the_response_makes_it() -> None:
    law = learning_law.design(measured(sd=0.003 * math.sqrt(2)), samples=N, rate_hz=RATE, cutoff_hz=100.0, order=2, gain=0.5)
    error = np.sin(2 * math.pi * 10 * np.arange(N) / RATE)
    told = learning_law.forecast(law, error, np.zeros(N + 1), trials=12)
    rng = np.random.default_rng(4)
    moved = []
    for _ in range(400):
        off = law.plant_u * (rng.normal(size=N + 1) + 1j * rng.normal(size=N + 1))
        moved.append(learning_law.forecast(replace(law, plant=law.plant + off), error, np.zeros(N + 1), trials=12).distance[1:5])
    # The standard deviation of 400 is known to 3.5 %: four times that, and the twentieth of the trial in which learning fades out.
    np.testing.assert_allclose(told.distance_u[1:5], np.std(moved, axis=0), rtol=0.19)


def test_the_forecast_is_what_the_plant_does_sample_by_sample() -> None:
    """The first-order plant of 5.8 under the law: simulated by its difference equation, forecast from its response alone. The two differ by the
    line 0, which was not measured."""
    n = np.arange(N)
    error = np.where((n > 60) & (n < 300), np.sin(2 * math.pi * (n - 60) / 120) * (1 - np.cos(2 * math.pi * (n - 60) / 240)), 0.0)
    law = learning_law.design(measured(), samples=N, rate_hz=RATE, cutoff_hz=120.0, order=3, gain=0.5)
    told = learning_law.forecast(law, error, np.zeros(N + 1), trials=6)
    signal, e, found = np.zeros(N), error, [error]
    for _ in range(6):
        signal = law.next_signal(signal, e)
        e = error - plant(signal)
        found.append(e)
    rms = [math.sqrt(float(np.mean(one[: law.judged] ** 2))) for one in found]
    # J(0) is taken as 0: of the signal's mean, which the error's symmetry keeps small, the response says nothing
    np.testing.assert_allclose(told.rms, rms, rtol=0.02)
    assert told.distance[-1] == 0
    assert told.distance[1] / told.distance[0] == pytest.approx(0.5, abs=0.02)


def test_lifted_and_line_by_line_agree_on_what_converges() -> None:
    """ρ and σ_max of the lifted law with L = 2 I (0.8 and 0.974035, 5.8) against |1 − L J| of the response: the largest over the lines bounds
    what a trial can do."""
    h = 0.1 * POLE ** np.arange(50)
    lifted = learning.convergence(learning.lifted(h, 50), 2 * np.eye(50))
    assert (lifted.spectral_radius, lifted.error_gain) == pytest.approx((0.8, 0.974035), abs=5e-7)
    law = learning_law.design(measured(), samples=N, rate_hz=RATE, cutoff_hz=498.75, order=10, pd=(2.0, 0.0, 0.0))
    inside = law.measured & (law.filter > 0)
    direct = np.abs(1 - 2 * law.plant[inside])
    # 1 − 2·0.1/(1 − 0.9 z⁻¹) = (0.8 − 0.9 z⁻¹)/(1 − 0.9 z⁻¹): 1 at 0, where J is 1, and less at all lines
    z = np.exp(-2j * math.pi * law.frequency_hz[inside] / RATE)
    np.testing.assert_allclose(direct, np.abs((0.8 - 0.9 * z) / (1 - 0.9 * z)), rtol=1e-12)
    assert lifted.error_gain is not None and lifted.error_gain < direct.max() < 1.0  # a trial of 50 samples cannot do worse than all lines together


def test_the_noise_that_is_learned_is_as_large_as_foretold() -> None:
    """White noise of 1: trials of an inverse of gain 0.8 without Q gather 1 + 0.64 (1 + 0.04 + …) → 1.667 of its variance; here with a filter of
    a quarter of the band."""
    rng = np.random.default_rng(5)
    law = learning_law.design(measured(), samples=N, rate_hz=RATE, cutoff_hz=125.0, order=10, gain=0.8)
    told = learning_law.forecast(law, np.zeros(N), learning_law.noise_by_line(rng.normal(size=(200, N))), trials=5)
    found = np.zeros(6)
    for _ in range(60):
        signal, e = np.zeros(N), rng.normal(size=N)
        for j in range(6):
            found[j] += float(np.mean(e[: law.judged] ** 2)) / 60
            signal = law.next_signal(signal, e)
            e = -plant(signal) + rng.normal(size=N)
    # 60·380 samples: their mean square is known to 1 %; what is cut off at the ends of a trial is missing from the learned part
    np.testing.assert_allclose(np.sqrt(found), told.rms, rtol=0.015)
    assert told.rms[0] == pytest.approx(1.0, rel=0.01)
    assert told.rms[-1] ** 2 == pytest.approx(1 + 0.25 * 0.64 / (1 - 0.04), rel=0.03)


def test_noise_by_line_adds_up_to_the_variance() -> None:
    errors = np.random.default_rng(1).normal(size=(7, 100)) + np.arange(100)
    assert np.sum(learning_law.noise_by_line(errors)) == pytest.approx(float(np.mean(errors.var(axis=0, ddof=1))), rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cutoff_hz": 700.0}, "where the response was measured"),
        ({"order": 0}, "order of the filter"),
        ({"gain": None}, "give either a gain"),
        ({"gain": 0.5, "pd": (1.0, 0.0, 0.0)}, "give either a gain"),
        ({"samples": 300}, "excite with a period of two trials"),
    ],
)
def test_a_law_that_cannot_be_is_refused(changes: dict[str, object], words: str) -> None:
    given: dict[str, object] = {"samples": N, "rate_hz": RATE, "cutoff_hz": 100.0, "gain": 0.5} | changes
    with pytest.raises(DataError, match=words):
        learning_law.design(measured(), **given)  # type: ignore[arg-type]
