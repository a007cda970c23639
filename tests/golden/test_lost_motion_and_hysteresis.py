"""Lost motion, hysteresis and quadrant glitches against closed forms (stages_and_control.md §5.5): backlash is no matter
of force, windup is 2F/k."""

import math

import numpy as np
import pytest

from precision.errors import DataError
from precision.standards import hysteresis, lost_motion, quadrant_glitch

STIFFNESS, BACKLASH, GUIDE, DRIVE, OFFSET = 4e6, 12e-6, 10.0, 8.0, -3.0


def reversals(
    *,
    backlash: float = BACKLASH,
    guide: float = GUIDE,
    stiffness: float = STIFFNESS,
    noise_m: float = 0.0,
    noise_n: float = 0.0,
    seed: int = 1,
    cycles: int = 3,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A triangle of ±30 µm, the load a play of half the lost motion, the force that of the spring and of the drive's own
    friction."""
    phase = np.linspace(0, cycles, 3000 * cycles, endpoint=False)
    q = 30e-6 * (4 * np.abs(np.mod(phase - 0.25, 1) - 0.5) - 1)
    sense = np.where((np.mod(phase, 1) < 0.25) | (np.mod(phase, 1) >= 0.75), 1.0, -1.0)
    half = guide / stiffness + backlash / 2
    y, load = np.empty_like(q), 0.0
    for i, at in enumerate(q):
        load = min(max(load, at - half), at + half)
        y[i] = load
    x = q - y
    spring = stiffness * np.sign(x) * np.maximum(np.abs(x) - backlash / 2, 0)
    rng = np.random.default_rng(seed)
    noisy = [values + noise_m * rng.normal(size=q.size) for values in (q, y)]
    return noisy[0], noisy[1], sense, OFFSET + DRIVE * sense + spring + noise_n * rng.normal(size=q.size)


@pytest.mark.parametrize(
    ("guide", "stiffness", "backlash"),
    [(10.0, 4e6, 12e-6), (20.0, 4e6, 12e-6), (10.0, 2e6, 12e-6), (10.0, 4e6, 0.0), (10.0, 4e8, 12e-6)],
)
def test_backlash_needs_no_force_and_windup_is_twice_friction_over_stiffness(
    guide: float, stiffness: float, backlash: float
) -> None:
    q, y, sense, f = reversals(backlash=backlash, guide=guide, stiffness=stiffness)
    found = lost_motion.evaluate(q, y, sense, f)
    # averages blur the corners by a fortieth of the lost motion
    scale = backlash + 2 * guide / stiffness
    assert found["lost_motion"] == pytest.approx(scale, rel=1e-9)
    if stiffness < 1e8:
        assert found["backlash"] == pytest.approx(backlash, abs=0.01 * scale)
        assert found["windup"] == pytest.approx(2 * guide / stiffness, abs=0.01 * scale)
        assert found["stiffness"] == pytest.approx(stiffness, rel=0.03)
        assert found["load_friction"] == pytest.approx(guide, rel=0.02)
        assert found["drive_friction"] == pytest.approx(DRIVE, rel=0.01)
        assert found["force_offset"] == pytest.approx(OFFSET, abs=0.05)
    else:  # a rectangle: all of it is backlash
        assert found["backlash"] == pytest.approx(backlash, rel=0.03)


def test_the_same_lost_motion_is_told_apart() -> None:
    """17 µm of backlash with hardly any windup, and 17 µm of windup with no backlash: a dial gauge shows the same."""
    gap = lost_motion.evaluate(*reversals(backlash=16.9e-6, guide=0.2, stiffness=4e6))
    wound = lost_motion.evaluate(*reversals(backlash=0.0, guide=34.0, stiffness=4e6))
    assert gap["lost_motion"] == pytest.approx(17e-6, rel=1e-6) and wound["lost_motion"] == pytest.approx(17e-6, rel=1e-6)
    assert gap["backlash"] == pytest.approx(16.9e-6, abs=0.3e-6)
    assert wound["backlash"] == pytest.approx(0.0, abs=0.3e-6)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    truth = {
        "lost_motion": 17e-6,
        "backlash": BACKLASH,
        "windup": 5e-6,
        "stiffness": STIFFNESS,
        "load_friction": GUIDE,
        "drive_friction": DRIVE,
        "force_offset": OFFSET,
    }
    inside = []
    for seed in range(20):
        found = lost_motion.evaluate(*reversals(noise_m=0.1e-6, noise_n=1.0, seed=seed))
        for key, true in truth.items():
            shown = found.figures[key]
            assert shown.value is not None and shown.uncertainty is not None
            inside.append(abs(shown.value - true) <= shown.uncertainty)
    # 95.4 % of 140, standard deviation 2.5 if independent: 4σ below
    assert sum(inside) >= 140 * 0.954 - 10


def test_without_force_the_jump_is_measured_but_not_explained() -> None:
    q, y, sense, _ = reversals()
    found = lost_motion.evaluate(q, y, sense)
    assert found["lost_motion"] == pytest.approx(17e-6, rel=1e-9)
    assert found["backlash"] is None and "no force was recorded" in str(found.figures["backlash"].reason)


def test_reversals_that_are_too_fast_are_not_told_apart() -> None:
    q, y, sense, f = (values[::300] for values in reversals(cycles=30))
    found = lost_motion.evaluate(q, y, sense, f)
    assert found["backlash"] is None and "more slowly" in str(found.figures["backlash"].reason)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"load": np.zeros(9000)}, "does not follow"),
        ({"direction": np.ones(9000)}, "both directions"),
        ({"motor": np.zeros(5)}, "shape"),
    ],
)
def test_a_record_without_a_reversal_is_refused(change: dict[str, np.ndarray], said: str) -> None:
    q, y, sense, f = reversals()
    given = {"motor": q, "load": y, "direction": sense, "force": f} | change
    with pytest.raises(DataError, match=said):
        lost_motion.evaluate(given["motor"], given["load"], given["direction"], given["force"])


def test_an_elastic_loop_has_the_stiffness_the_width_and_the_area_of_its_parallelogram() -> None:
    """F = k x ± F_h: width 2F_h, area 2F_h·2x_0, slope k."""
    phase = np.linspace(0, 3, 3000, endpoint=False)
    x = 1e-3 * (4 * np.abs(np.mod(phase - 0.25, 1) - 0.5) - 1)
    sense = np.where((np.mod(phase, 1) < 0.25) | (np.mod(phase, 1) >= 0.75), 1.0, -1.0)
    found = hysteresis.evaluate(x, 2e4 * x + 1.5 * sense, sense)
    assert found["slope"] == pytest.approx(2e4, rel=1e-6)
    assert found["width"] == pytest.approx(3.0, rel=1e-6)
    assert found["area"] == pytest.approx(3.0 * (found["range"] or 0), rel=1e-6)
    assert [found.figures[key].unit for key in ("slope", "width", "area")] == ["N/m", "N", "J"]


def test_the_hysteresis_of_a_play_is_its_lost_motion() -> None:
    q, y, sense, _ = reversals()
    found = hysteresis.evaluate(q, y, sense, x_unit="m", y_unit="m")
    assert found["width"] == pytest.approx(17e-6, rel=1e-3)
    assert found["slope"] == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("samples", [160, 320, 8000])  # of four cycles: fewer, and more, than the 101 places of a branch
def test_noise_of_a_loop_is_within_u(samples: int) -> None:
    inside = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        phase = np.linspace(0, 4, samples, endpoint=False)
        x = 1e-3 * (4 * np.abs(np.mod(phase - 0.25, 1) - 0.5) - 1)
        sense = np.where((np.mod(phase, 1) < 0.25) | (np.mod(phase, 1) >= 0.75), 1.0, -1.0)
        found = hysteresis.evaluate(x, 2e4 * x + 1.5 * sense + rng.normal(scale=0.3, size=x.size), sense)
        for key, true in (("slope", 2e4), ("width", 3.0)):
            shown = found.figures[key]
            assert shown.value is not None and shown.uncertainty is not None
            inside.append(abs(shown.value - true) <= shown.uncertainty)
    assert sum(inside) >= 25  # 95.4 % of 30, standard deviation 1.15: 3σ below


@pytest.mark.parametrize("samples", [40, 80, 1000])  # of a branch: fewer, and more, than its 101 places
def test_u_of_a_single_cycle_is_that_of_its_samples(samples: int) -> None:
    there = np.linspace(0, 1, samples)
    x, sense = np.concatenate([there, there[::-1]]), np.repeat([1.0, -1.0], samples)
    rng = np.random.default_rng(5)
    shown = [hysteresis.evaluate(x, 2 * x - 0.1 * sense + 0.01 * rng.normal(size=x.size), sense).figures for _ in range(100)]
    for key in ("width", "area", "slope"):
        values, u = np.array([(one[key].value, one[key].uncertainty) for one in shown], dtype=np.float64).T
        # the standard deviation of 100 is known to 7 %, four times that for the bound; values between samples have up to a third less variance
        # than samples, and count as if they were fewer than they are: up to √1.5 and √2 too much
        assert 1 / 1.28 <= u.mean() / 2 / values.std() <= 1.28 * math.sqrt(3)


def test_a_loop_needs_both_branches() -> None:
    x = np.linspace(0, 1, 500)
    with pytest.raises(DataError, match="0 go down"):
        hysteresis.evaluate(x, x, np.ones(500))


RATE_HZ = 2000.0


def circle(
    *,
    step: float = 0.0,
    stick_s: float = 0.0,
    lag_s: float = 0.0,
    noise: float = 0.0,
    period_s: float = 2.0,
    periods: int = 4,
) -> tuple[np.ndarray, np.ndarray]:
    """One axis of a circle of 10 mm; the axis lags, is off by ±step/2 against its direction, and takes on the new side a
    time `stick_s` late."""
    t = np.arange(round(periods * period_s * RATE_HZ)) / RATE_HZ
    omega = 2 * math.pi / period_s
    r = 10e-3 * np.cos(omega * t)

    def side(at: np.ndarray) -> np.ndarray:
        return np.where(np.sin(omega * at) < 0, 1.0, -1.0)

    y = (
        10e-3 * np.cos(omega * (t - lag_s))
        - step / 2 * side(t - stick_s)
        + noise * np.random.default_rng(3).normal(size=t.size)
    )
    return r, y


def test_lost_motion_is_the_step_between_directions_at_every_speed() -> None:
    for period_s in (1.0, 4.0):
        found = quadrant_glitch.evaluate(*circle(step=8e-6, period_s=period_s), rate_hz=RATE_HZ)
        assert found["step"] == pytest.approx(-8e-6, rel=1e-3)
        assert found["speed"] == pytest.approx(10e-3 * 2 * math.pi / period_s, rel=1e-6)


def test_an_axis_that_stays_on_the_old_side_shows_a_glitch_of_that_height_and_time() -> None:
    found = quadrant_glitch.evaluate(*circle(step=8e-6, stick_s=0.05, noise=1e-9), rate_hz=RATE_HZ)
    # for 50 ms it is 8 µm off its new side: outward at both reversals is beyond it, and this one lies inward going up
    # and outward … by its sign
    for side in ("upper", "lower"):
        assert abs(found[f"height_{side}"] or 0) == pytest.approx(8e-6, rel=0.01)
        assert found[f"width_{side}"] == pytest.approx(0.05, abs=0.003)
    assert found["height_upper"] == pytest.approx(found["height_lower"], rel=0.02)


def test_the_lag_of_the_axis_comes_back() -> None:
    found = quadrant_glitch.evaluate(*circle(lag_s=2e-3, noise=1e-9), rate_hz=RATE_HZ)
    assert found["lag"] == pytest.approx(2e-3, rel=1e-3)
    assert found["width_upper"] is None and "not larger than its U" in str(found.figures["width_upper"].reason)


def test_noise_moves_step_and_lag_as_far_as_their_u_says() -> None:
    """Sine and sign of the speed go together (0.9 over a whole circle): each is known several times worse than by itself."""
    rng, shown = np.random.default_rng(6), []
    for _ in range(100):
        r, y = circle(step=2e-6, lag_s=1e-3, periods=2)
        shown.append(quadrant_glitch.evaluate(r, y + 1e-6 * rng.normal(size=y.size), rate_hz=RATE_HZ).figures)
    for key in ("step", "lag"):
        values, u = np.array([(one[key].value, one[key].uncertainty) for one in shown], dtype=np.float64).T
        assert u.mean() / 2 == pytest.approx(values.std(), rel=0.28)  # the standard deviation of 100 is known to 7 %: four times that


def test_what_is_no_sine_is_refused() -> None:
    r, y = circle()
    with pytest.raises(DataError, match="no sine"):
        quadrant_glitch.evaluate(np.abs(r), y, rate_hz=RATE_HZ)
    with pytest.raises(DataError, match="periods"):
        quadrant_glitch.evaluate(r[:4800], y[:4800], rate_hz=RATE_HZ)
