"""What the volumetric test does when the beam, the station or the machine is not what the plan says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from precision.benchmarks import volumetric
from precision.benchmarks.plan_files import checked
from precision.benchmarks.volumetric import NOT_READ, POINT, READ, ZERO, Person, Rig, acquire
from precision.benchmarks.volumetric_evaluation import analyse
from precision.benchmarks.volumetric_plan import Parameters
from precision.drivers.roles import Environment, Reading
from precision.errors import BeamLost, DeviceFault, PlanError, SafetyStop
from precision.kernels import compiled
from precision.models.rigid_body import AXES, RigidBody

SETTINGS = ("volume.points=80", "evaluation.nodes=[4,4,4]", "evaluation.refractive_index=off", "evaluation.normalise_to_20_degrees=false")
MACHINE = RigidBody.from_curves("XYFZ", {"EXX": ([0.02, 0.98], [0, 20e-6]), "EAY": ([0.02, 0.58], [0, 15e-6])}, {"C0Y": 30e-6, "A0Z": -20e-6})


@pytest.fixture(autouse=True)
def without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba compiles a kernel for the chain; the tiers are compared in tests/backends."""
    monkeypatch.setenv(compiled.SWITCH, "0")


class Bench:
    """Controller, tracking interferometer, sensors and operator in one: exact but for the machine's own errors. lost : points (counted) where the beam is lost."""

    identity, homed, compensates_air = "bench", True, True

    def __init__(
        self, *, lost: Sequence[int] = (), for_good: bool = False, offset_m: float = 0.0, limits: Mapping[str, tuple[float, float]] | None = None
    ) -> None:
        self.at = np.zeros(3)
        self.place, self.reflector = np.zeros(3), np.zeros(3)
        self.zero, self.read, self.lost_at, self.is_lost, self.for_good, self.offset_m = 0.0, 0, set(lost), False, for_good, offset_m
        self.limits = dict(limits or {"X": (0.0, 1.0), "Y": (0.0, 0.6), "Z": (-0.5, 0.0)})
        self.moves = 0

    def close(self) -> None: ...
    def home(self) -> None: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...
    def dwell(self, duration_s: float) -> None: ...
    def set_averaging(self, duration_s: float) -> float:
        return duration_s

    def soft_limits(self) -> Mapping[str, tuple[float, float]]:
        return self.limits

    def max_feed(self) -> Mapping[str, float]:
        return dict.fromkeys(AXES, 1.0)

    def position(self) -> Mapping[str, float]:
        return dict(zip(AXES, self.at, strict=True))

    def move_to(self, position_m: Mapping[str, float], *, feed_m_per_s: float) -> None:
        self.at = np.array([position_m[axis] for axis in AXES])
        self.moves += 1

    def station(self, place_m: Sequence[float], reflector_m: Sequence[float]) -> None:
        # 12 mm from where it should stand, as a hand puts it.
        self.place, self.reflector, self.is_lost = np.array(place_m) + np.array((12e-3, -7e-3, 4e-3)), np.array(reflector_m), False

    def length(self) -> float:
        return float(np.linalg.norm(self.at + self.reflector + MACHINE.error(self.at, tuple(self.reflector)) - self.place))

    def reset(self) -> None:
        if self.for_good and self.is_lost:
            raise BeamLost("no signal")
        self.zero, self.is_lost = self.length(), False

    def displacement(self) -> Reading:
        self.read += 1
        self.is_lost |= self.read in self.lost_at
        if self.is_lost:
            return Reading(value=float("nan"), t_mono_ns=self.read, valid=False, reason="beam lost")
        return Reading(value=self.length() - self.zero + (self.offset_m if self.read > 5 else 0.0), t_mono_ns=self.read)

    def environment(self) -> Environment:
        return Environment(air_temperature_k=293.15, air_pressure_pa=101_325.0, relative_humidity=0.5, material_temperature_k=293.15, t_mono_ns=0)


class Sensors:
    def __init__(self, bench: Bench) -> None:
        self.identity, self.read = "sensors", bench.environment

    def close(self) -> None: ...


class Rows:
    """A capture in memory."""

    def __init__(self) -> None:
        self.blocks: list[Mapping[str, Any]] = []

    def append_and_wait(self, block: Mapping[str, Any]) -> int:
        self.blocks.append(block)
        return len(self.blocks)

    def gap(self, reason: str, samples: int) -> int:
        raise AssertionError("points are no stream")

    @property
    def columns(self) -> dict[str, Any]:
        return {name: np.concatenate([block[name] for block in self.blocks]) for name in self.blocks[0]}


def plan(*settings: str) -> Parameters:
    made = checked("volumetric", [*SETTINGS, *settings])
    assert isinstance(made, Parameters)
    return made


def measured(bench: Bench, made: Parameters) -> tuple[Rows, list[str]]:
    rows, said = Rows(), []
    rig = Rig(controller=bench, tracker=bench, environments=(Sensors(bench),), operator=bench)  # type: ignore[arg-type]
    acquire(made, rig, rows, log=lambda event, **details: said.append(event), progress=lambda done, total: None)
    return rows, said


def test_after_a_lost_beam_the_count_begins_anew_and_nothing_is_lost_of_the_errors() -> None:
    made = plan()
    rows, said = measured(Bench(lost=[7, 300]), made)
    columns = rows.columns
    assert said.count("beam lost") == 2
    assert ((columns["phase"] == ZERO).sum(), (columns["outcome"] == READ).sum()) == (6 + 2, 480)
    assert ((columns["phase"] == POINT) & (columns["outcome"] == NOT_READ)).sum() == 2
    found = analyse(made, columns).found
    # Exact readings; the node errors are of an exact model but for second order: products of 30 µrad and 20 µm.
    assert float(found.machine.constants["C0Y"]) == pytest.approx(30e-6, abs=1e-8)
    assert float(np.ptp(found.machine.curve("EXX")[1])) == pytest.approx(20e-6, abs=1e-8)
    assert [len(found.stations[station.name].dead_m) for station in made.stations] == [2, 1, 1, 2, 1, 1]


def test_a_beam_that_stays_away_ends_the_test() -> None:
    with pytest.raises(BeamLost, match=r"front left, point 9: no valid reading in 3 attempts"):
        measured(Bench(lost=[9, 10, 11], for_good=True), plan())


def test_a_station_elsewhere_is_noticed_at_the_first_points() -> None:
    bench = Bench(offset_m=0.3)
    with pytest.raises(DeviceFault, match="Is the station where the plan says"):
        measured(bench, plan())
    assert bench.read < 10


def test_a_machine_that_is_too_small_is_not_moved() -> None:
    bench = Bench(limits={"X": (0.0, 0.9), "Y": (0.0, 0.6), "Z": (-0.5, 0.0)})
    with pytest.raises(SafetyStop, match=r"needs X from 15.000 mm to 980.000 mm"):
        measured(bench, plan())
    with pytest.raises(SafetyStop, match="no axis Z"):
        measured(Bench(limits={"X": (0.0, 1.0), "Y": (0.0, 0.6)}), plan())
    assert bench.moves == 0


def test_an_instrument_that_corrects_for_air_is_not_corrected_twice() -> None:
    with pytest.raises(PlanError, match="applied twice"):
        measured(Bench(), checked("volumetric", ["volume.points=80", "evaluation.nodes=[4,4,4]"]))  # type: ignore[arg-type]


def test_nobody_at_the_terminal_is_asked() -> None:
    with pytest.raises(PlanError, match="nobody to ask"):
        Person().station((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


def test_points_are_spread_without_long_ways_and_every_coordinate_once() -> None:
    points = volumetric.points_m(plan("volume.points=200"))
    inner = points[:, 8:]
    assert points.shape == (3, 200)
    assert all(np.unique(row[(row > row.min()) & (row < row.max())]).size > 180 for row in points)
    assert np.linalg.norm(np.diff(points, axis=1), axis=0).mean() < 0.15
    assert np.array_equal(points, volumetric.points_m(plan("volume.points=200")))
    assert inner.size
