"""The stated U of ranges, extremes and means covers what errors of the readings do to circles, lines and spindle motions.

Each trial draws a true shape, a bounded error of the gauge (a slow wave, a step or a ramp, anywhere in its range) and noise, and compares the figure from the
readings with the figure from the truth. Nominal coverage is 95.45 %; the bounds are made to be safe, so that nearly all trials are covered.
"""

import numpy as np
import pytest

from precision.standards import roundness, straightness
from precision.standards.iso230_4 import Centring, Path, Sense, Zone, evaluate
from precision.standards.iso230_7 import axial, radial_fixed
from precision.standards.straightness import ReferenceLine, from_angles, readings_from_angles
from precision.uncertainty.readings import Readings

N, TRIALS = 180, 120
ANGLE = np.arange(N) * 2 * np.pi / N
READINGS = Readings(device=0.4e-6, noise=0.05e-6, drift_range=0.2e-6)
LEAST = 0.95


def bounded(rng: np.random.Generator, n: int, width: float) -> np.ndarray:  # type: ignore[type-arg]
    """An error anywhere in a range of this width: wave, step or ramp."""
    t = np.linspace(0, 1, n)
    shape = (np.sin(2 * np.pi * (rng.integers(1, 5) * t + rng.uniform())), np.sign(t - rng.uniform(0.1, 0.9)), 2 * t - 1)[rng.integers(3)]
    return np.asarray(width / 2 * shape)


def errors(rng: np.random.Generator, n: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(bounded(rng, n, READINGS.device) + bounded(rng, n, READINGS.drift_range) + rng.normal(0, READINGS.noise, n))


def shape(rng: np.random.Generator) -> np.ndarray:  # type: ignore[type-arg]
    orders = np.arange(2, 7)
    return np.asarray((rng.normal(0, 2e-6 / orders)[:, None] * np.cos(np.outer(orders, ANGLE) + rng.uniform(0, 7, 5)[:, None])).sum(axis=0))


@pytest.mark.parametrize("zone", Zone)
def test_u_of_circular_figures_covers(zone: Zone) -> None:
    inside = {"G_XY": 0, "F_max_XY": 0, "F_min_XY": 0, "G_b": 0, "D": 0}
    for seed in range(TRIALS):
        rng = np.random.default_rng(seed)
        shapes = [shape(rng), shape(rng)]
        off = [errors(rng, N), errors(rng, N)]

        def figures(scale: float, shapes=shapes, off=off, **more):  # type: ignore[no-untyped-def]
            paths = [Path(sense=sense, angle_rad=ANGLE, deviation_m=s + scale * e) for sense, s, e in zip(Sense, shapes, off, strict=True)]
            return evaluate(paths, radius_m=0.15, zone=zone, centring=Centring.LEAST_SQUARES, **more)

        true, read = figures(0.0), figures(1.0, readings=READINGS, length_uncertainty_m=0.0)
        for key in inside:
            inside[key] += abs(read[key] - true[key]) <= read.figures[key].uncertainty
    assert min(inside.values()) >= LEAST * TRIALS, inside


def test_u_of_roundness_covers() -> None:
    keys = [f"RON{what}_{name}" for what in "tpvq" for name in ("LSC", "MZC")]
    inside = dict.fromkeys(keys, 0)
    for seed in range(TRIALS):
        rng = np.random.default_rng(seed)
        form = shape(rng)
        true, read = roundness.evaluate(form, base_radius_m=0.02), roundness.evaluate(form + errors(rng, N), base_radius_m=0.02, readings=READINGS)
        for key in keys:
            inside[key] += abs(read[key] - true[key]) <= read.figures[key].uncertainty  # type: ignore[operator]
    assert min(inside.values()) >= LEAST * TRIALS, inside


@pytest.mark.parametrize("reference", ReferenceLine)
def test_u_of_straightness_and_slope_covers(reference: ReferenceLine) -> None:
    inside = slopes = 0
    position = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.1, 21))
    for seed in range(TRIALS):
        rng = np.random.default_rng(seed)
        true = np.cumsum(rng.normal(0, 1e-6, 21))
        result = straightness.evaluate(position, true + errors(rng, 21), reference=reference, readings=READINGS)
        wanted = straightness.evaluate(position, true, reference=reference)
        inside += abs(result["E"] - wanted["E"]) <= result.figures["E"].uncertainty  # type: ignore[operator]
        slope_u = result.figures["slope"].uncertainty
        slopes += slope_u is None or abs(result["slope"] - wanted["slope"]) <= slope_u  # type: ignore[operator]
    assert min(inside, slopes) >= LEAST * TRIALS, (inside, slopes)


@pytest.mark.parametrize("reference", ReferenceLine)
def test_u_of_straightness_from_angles_covers(reference: ReferenceLine) -> None:
    inside = 0
    known = Readings(device=2e-6, noise=0.5e-6)
    for seed in range(TRIALS):
        rng = np.random.default_rng(seed)
        angle = rng.normal(0, 5e-6, 20)
        off = bounded(rng, 20, known.device) + rng.normal(0, known.noise, 20)
        position, true = from_angles(angle, foot_spacing_m=0.1)
        _, read = from_angles(angle + off, foot_spacing_m=0.1)
        result = straightness.evaluate(position, read, reference=reference, readings=readings_from_angles(known, 20, foot_spacing_m=0.1))
        inside += abs(result["E"] - straightness.evaluate(position, true, reference=reference)["E"]) <= result.figures["E"].uncertainty  # type: ignore[operator]
    assert inside >= LEAST * TRIALS, inside


def test_u_of_spindle_motions_covers() -> None:
    inside = dict.fromkeys(("total", "synchronous", "asynchronous", "fundamental", "axial fundamental", "residual_synchronous"), 0)
    for seed in range(TRIALS):
        rng = np.random.default_rng(seed)
        motion = shape(rng) + 3e-6 * np.cos(ANGLE) + rng.normal(0, 0.3e-6, (20, N))
        # The gauge's error depends on the reading's place in the revolution; drift goes on from one revolution to the next.
        off = bounded(rng, N, READINGS.device) + bounded(rng, 20 * N, READINGS.drift_range).reshape(20, N) + rng.normal(0, READINGS.noise, (20, N))
        for evaluated, true, prefix in (
            (radial_fixed(motion + off, readings=READINGS), radial_fixed(motion), ""),
            (axial(motion + off, readings=READINGS), axial(motion), "axial "),
        ):
            for key in ("total", "synchronous", "asynchronous", "fundamental", "residual_synchronous"):
                name = prefix + key if prefix + key in inside else key
                if key in true.figures and (not prefix or key in ("fundamental", "residual_synchronous")):
                    inside[name] += abs(evaluated[key] - true[key]) <= evaluated.figures[key].uncertainty  # type: ignore[operator]
    assert min(inside.values()) >= LEAST * TRIALS, inside
