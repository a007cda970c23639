"""The angles of a ball bar's readings follow from when it was driven in and out, whatever the host was late by; and a feed that was not kept is said."""

from __future__ import annotations

import itertools
import math
import re
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precision.benchmarks.circular import Rig, acquire, circles, envelope, preview
from precision.benchmarks.circular_evaluation import analyse, angles
from precision.benchmarks.circular_plan import Parameters
from precision.drivers.roles import Block, Channel
from precision.errors import DataError, DeviceFault, PlanError
from precision.plan import check

RATE_HZ, RADIUS_M, FEED = 1000.0, 0.15, 0.05
PLAN = check(Parameters, {"circle": {"radius": "150 mm", "feeds": ["3000 mm/min"], "feed_in": "1 mm"}}, name="test")


def _recording(direction: int, *, before_s: float, ramp_s: float, after_s: float, feed: float = FEED) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time, extension and true angle: out, in over 1 mm, arc with equal ramps, out over 1 mm."""
    way, radial_s = RADIUS_M * math.radians(450), 1e-3 / feed
    arc_s = way / feed + ramp_s
    t = np.arange(round((before_s + 2 * radial_s + arc_s + after_s) * RATE_HZ)) / RATE_HZ
    into = np.clip((t - before_s) / radial_s, 0, 1)
    out_of = np.clip((t - before_s - radial_s - arc_s) / radial_s, 0, 1)
    s = np.clip(t - before_s - radial_s, 0, arc_s)
    along = np.where(s < ramp_s, feed * s**2 / (2 * ramp_s), np.where(s > arc_s - ramp_s, way - feed * (arc_s - s) ** 2 / (2 * ramp_s), feed * (s - ramp_s / 2)))
    angle = PLAN.circle.start - direction * PLAN.circle.overshoot + direction * along / RADIUS_M
    return t, 1e-3 * (1 - into + out_of), angle


@given(st.sampled_from([1, -1]), st.floats(0.1, 3.0), st.floats(0.01, 0.2), st.floats(0.1, 3.0))
@settings(max_examples=30, deadline=None)
def test_the_middle_of_the_recording_is_the_middle_of_the_arc(direction: int, before_s: float, ramp_s: float, after_s: float) -> None:
    t, extension, true = _recording(direction, before_s=before_s, ramp_s=ramp_s, after_s=after_s)
    angle, calculated, flag = angles(PLAN, direction, FEED, t, extension)
    inside = np.abs(true - (PLAN.circle.start + direction * math.pi)) < math.pi
    # In and out are found between samples, linear there: what is left is rounding of the samples' times.
    np.testing.assert_allclose(angle[inside], true[inside], rtol=0, atol=1e-9)
    assert flag == "" and calculated == pytest.approx(FEED, rel=0.2 / 23)


def test_an_override_is_said_and_the_angles_are_those_of_the_mean_feed() -> None:
    t, extension, true = _recording(1, before_s=0.5, ramp_s=0.02, after_s=0.5, feed=FEED / 2)
    angle, calculated, flag = angles(PLAN, 1, FEED, t, extension)
    assert "an override" in flag and re.search(r"mean feed, 1(50\d|49\d) mm/min", flag)
    assert calculated == pytest.approx(FEED / 2, rel=2e-3)
    inside = np.abs(true - math.pi) < math.pi
    np.testing.assert_allclose(angle[inside], true[inside], rtol=0, atol=5e-3)


def test_a_recording_without_end_is_refused() -> None:
    t, extension, _ = _recording(1, before_s=0.5, ramp_s=0.02, after_s=0.5)
    with pytest.raises(DataError, match="no beginning or no end"):
        angles(PLAN, 1, FEED, t[:-1500], extension[:-1500])


def test_a_run_without_a_circle_is_refused() -> None:
    nothing = {name: np.empty(0) for name in ("circle", "direction", "feed_m_per_s", "sample", "t_s", "extension_m")}
    with pytest.raises(DataError, match="holds no circle"):
        analyse(PLAN, nothing)


def test_each_feed_goes_there_and_back_over_the_same_way() -> None:
    plan = check(Parameters, {"circle": {"feeds": ["1000 mm/min", "3000 mm/min"]}}, name="test")
    driven = circles(plan)
    assert [(one.direction, round(one.feed_m_per_s * 60e3)) for one in driven] == [(1, 1000), (-1, 1000), (1, 3000), (-1, 3000)]
    for one, after in itertools.pairwise(driven):
        turns = (one.begin_rad + one.sweep_rad - after.begin_rad) / (2 * math.pi)
        assert turns == pytest.approx(round(turns), abs=1e-12)
    assert envelope(plan) == {"X": (pytest.approx(0.349), pytest.approx(0.651)), "Y": (pytest.approx(0.149), pytest.approx(0.451)), "Z": (-0.25, -0.25)}
    assert preview(plan).points == 4


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"circle": {"feeds": ["3000 mm/min", "1000 mm/min"]}}, "feeds must be ascending"), ({"circle": {"feeds": []}}, "circle.feeds"), ({"circle": {"overshoot": "0 deg"}}, "overshoot"),
        ({"circle": {"centre": ["1 mm"]}}, "circle.centre"), ({"evaluation": {"fix": ["backlash_z"]}}, "no error of a circle in XY"), ({"evaluation": {"fix": ["__import__"]}}, "fix"),
        ({"devices": {"controller": {"driver": "grbl", "address": "tcp://127.0.0.1:9"}}}, "never mixes"), ({"circle": {"radius": "150"}}, "is not a length"),
    ],
)  # fmt: skip
def test_plans_that_make_no_sense_are_refused_with_their_place(section: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError, match=said) as refused:
        check(Parameters, section, name="test")
    assert "nothing was moved" in str(refused.value)


class Bar:
    """Streams nothing, for ever."""

    channels = (Channel("extension", "m"),)
    rate_hz = RATE_HZ

    def __init__(self) -> None:
        self.asked = threading.Event()

    def start(self) -> None:
        return None

    def read(self, timeout_s: float) -> Block | None:
        return None if self.asked.wait(timeout_s) else Block(first_sample=0, t_ns=0, values=np.empty((0, 1)))

    def stop(self) -> None:
        return None


def test_what_fails_within_a_circle_reaches_the_guard_without_waiting_for_the_bar() -> None:
    bar = Bar()
    held_up: list[bool] = []

    def follow(path: object, *, feed_m_per_s: float) -> None:
        raise DeviceFault("an axis stands")

    controller = SimpleNamespace(
        homed=True, soft_limits=lambda: {axis: (-1.0, 1.0) for axis in "XYZ"}, max_feed=dict, move_to=lambda *_, **__: None, dwell=lambda s: None, follow=follow
    )
    rig = Rig(controller, bar, lambda what, position_m, length_m: None)  # type: ignore[arg-type]
    try:
        acquire(PLAN, rig, SimpleNamespace(), log=lambda event, **details: None, progress=lambda done, total: None)
    except DeviceFault:
        held_up.append(bar.asked.is_set())
        threads = [thread for thread in threading.enumerate() if thread.name == "ball bar"]
        # The error is here while the bar's thread still waits for its first block: nobody joined it.
        assert threads and all(thread.daemon for thread in threads)
    finally:
        bar.asked.set()
    assert held_up == [False]
