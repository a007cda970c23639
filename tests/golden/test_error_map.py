"""The error map that LinuxCNC's correction reads: written, read by both of its readers, refused where it is not one."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precision.compensation import error_map
from precision.compensation.error_map import ErrorMap
from precision.errors import DataError
from precision.kernels import compiled
from precision.models.rigid_body import FUNCTIONS, RigidBody

PROGRAM = Path(__file__).resolve().parents[2] / "drivers" / "linuxcnc" / "correction.py"

HAND = """\
precision-error-map 1
# a comment
errors actual-minus-nominal
unit mm um urad
chain XFYZ
tool 0 0 -100

x 0 100
y 0 200
z -50 50
points 8
0 0 0 0 0 0
0 0 4 0 0 0
0 2 0 0 0 0
0 2 4 0 0 0
10 0 0 20 0 0
10 0 4 20 0 0
10 2 0 20 0 0
10 2 4 20 0 0
end
"""
"""Δx = 10 µm · x/100, Δy = 2 µm · y/200, Δz = 4 µm · (z + 50)/100, A = 20 µrad · x/100."""


@pytest.fixture(autouse=True, scope="module")
def without_numba() -> Iterator[None]:
    """Numba compiles a kernel for each chain; the tiers are compared in tests/backends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(compiled.SWITCH, "0")
        yield


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """correction.py, loaded without the controller's modules: it imports them when it needs them."""
    spec = importlib.util.spec_from_file_location("correction", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def machine(seed: int = 7) -> RigidBody:
    rng = np.random.default_rng(seed)
    nodes = {"X": np.linspace(0.0, 0.5, 6), "Y": np.linspace(-0.2, 0.2, 5), "Z": np.linspace(-0.3, 0.0, 4)}
    curves = {name: (nodes[name[2]], rng.normal(0, 10e-6, nodes[name[2]].size)) for name in FUNCTIONS}
    return RigidBody.from_curves("XYFZ", curves, {"C0Y": 50e-6, "B0Z": -30e-6, "A0Z": 20e-6})


def test_a_map_by_hand_means_what_it_says() -> None:
    one = error_map.read(HAND)
    assert one.lines_m[1].tolist() == [0.0, 0.2] and one.tool_m == (0.0, 0.0, -0.1) and one.chain == "XFYZ"
    assert one.error([0.025, 0.15, 0.0]) == pytest.approx([2.5e-6, 1.5e-6, 2e-6], abs=1e-15)
    # The controller adds the opposite; beyond the grid the edge holds.
    assert one.correction([0.3, -1.0, 0.05]) == pytest.approx([-10e-6, 0.0, -4e-6], abs=1e-15)
    # A tool 60 mm longer, 30 mm beside: ε × (0, 30, −60 mm) with A = 20 µrad is (0, +1.2 µm, +0.6 µm).
    assert one.error([0.1, 0.0, -0.05], (0.0, 0.03, -0.16)) == pytest.approx([10e-6, 1.2e-6, 0.6e-6], abs=1e-15)


def test_a_machine_comes_back_from_its_file_within_the_last_digit() -> None:
    original = machine()
    tool = (0.01, 0.0, -0.12)
    written = error_map.write(error_map.map_of(original, tool))
    again = error_map.read(written)
    at = np.stack(np.meshgrid(*again.lines_m, indexing="ij"))
    assert np.abs(again.error(at) - original.error(at, tool)).max() <= 0.51e-9
    # Another tool: angles have 1 nrad, and 0.3 m of difference.
    assert np.abs(again.error(at, (0.2, -0.1, -0.3)) - original.error(at, (0.2, -0.1, -0.3))).max() <= 0.51e-9 + 0.51e-9 * 0.4
    assert error_map.write(again) == written
    # Between the nodes only angles times their own position bend: at most a quarter of an angle's step (up to 40 µrad) times the node's distance, 0.1 m.
    rng = np.random.default_rng(1)
    between = np.stack([rng.uniform(line[0], line[-1], 400) for line in again.lines_m])
    assert np.abs(again.error(between) - original.error(between, tool)).max() < 40e-6 / 4 * 0.1


def test_two_maps_add_up() -> None:
    one, other = error_map.map_of(machine(1), (0.0, 0.0, -0.1)), error_map.map_of(machine(2))
    at = np.stack(np.meshgrid(*one.lines_m, indexing="ij"))
    assert one.plus(other).error(at, (0.0, 0.0, -0.2)) == pytest.approx(one.error(at, (0.0, 0.0, -0.2)) + other.error(at, (0.0, 0.0, -0.2)), abs=1e-15)


def test_an_axis_with_many_nodes_is_thinned() -> None:
    at = np.linspace(0, 1, 101)
    fine = RigidBody.from_curves("XFYZ", {"EXX": (at, 5e-6 * np.sin(3 * at)), "EYY": ([0.0, 1.0], [0.0, 1e-6]), "EZZ": ([0.0, 1.0], [0.0, 1e-6])})
    thin = error_map.map_of(fine)
    assert thin.x_m.size == error_map.MOST_NODES
    assert np.abs(thin.error([0.507, 0.3, 0.2]) - fine.error([0.507, 0.3, 0.2])).max() < 0.02e-6


def test_both_readers_read_the_same(program: ModuleType) -> None:
    for text in (HAND, error_map.write(error_map.map_of(machine(), (0.0, 0.0, -0.12)))):
        ours, theirs = error_map.read(text), program.Map(text)
        rng = np.random.default_rng(3)
        for tool_m in (None, (0.02, -0.03, -0.2)):
            for _ in range(50):
                at = np.array([rng.uniform(line[0] - 0.05, line[-1] + 0.05) for line in ours.lines_m])
                tool = None if tool_m is None else tuple(1e3 * value for value in tool_m)
                assert np.array(theirs.error(tuple(1e3 * at), tool)) * 1e-3 == pytest.approx(ours.error(at, tool_m), abs=1e-15)


WRONG = {
    "another head": HAND.replace("map 1", "map 2"),
    "the other sign": HAND.replace("actual-minus-nominal", "nominal-minus-actual"),
    "no sign": HAND.replace("errors actual-minus-nominal\n", ""),
    "other units": HAND.replace("mm um urad", "mm mm rad"),
    "a chain that is none": HAND.replace("XFYZ", "XFYY"),
    "positions that descend": HAND.replace("x 0 100", "x 100 0"),
    "positions twice": HAND.replace("x 0 100", "x 0 0"),
    "one position": HAND.replace("x 0 100", "x 0").replace("points 8", "points 4"),
    "too many nodes": HAND.replace("x 0 100", "x " + " ".join(map(str, range(26)))),
    "another count": HAND.replace("points 8", "points 9"),
    "a row too few": HAND.replace("10 2 4 20 0 0\n", ""),
    "a row too many": HAND.replace("end", "0 0 0 0 0 0\nend"),
    "a number too few": HAND.replace("0 0 4 0 0 0", "0 0 4 0 0", 1),
    "nan": HAND.replace("0 0 4", "nan 0 4", 1),
    "infinite": HAND.replace("0 0 4", "1e999 0 4", 1),
    "hexadecimal": HAND.replace("0 0 4", "0x1 0 4", 1),
    "other digits": HAND.replace("0 0 4", "\u0661 0 4", 1),
    "a comma": HAND.replace("0 0 4", "0,5 0 4", 1),
    "a comment among the rows": HAND.replace("0 0 4", "# no\n0 0 4", 1),
    "cut off": HAND.removesuffix("end\n"),
    "cut in a row": HAND[: HAND.index("10 2 4")],
    "more after its end": HAND + "0 0 0 0 0 0\n",
    "a NUL": HAND.replace("# a", "# \0"),
    "a line without end": HAND.replace("# a comment", "#" + "x" * 2000),
    "nothing": "",
    "something else": "[EXX]\nGridpoints = {\n",
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_map_is_refused_by_both(program: ModuleType, what: str) -> None:
    with pytest.raises(DataError, match="error map"):
        error_map.read(WRONG[what])
    with pytest.raises(program.Refused):
        program.Map(WRONG[what])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(HAND) - 1), st.characters(codec="utf-8"))
def test_one_character_changed_is_another_map_or_a_refusal(program: ModuleType, at: int, character: str) -> None:
    text = HAND[:at] + character + HAND[at + 1 :]
    try:
        ours = error_map.read(text)
    except DataError:
        ours = None
    try:
        theirs = program.Map(text)
    except program.Refused:
        theirs = None
    if ours is not None and theirs is not None:
        assert np.array(theirs.error((30.0, 20.0, 10.0))) * 1e-3 == pytest.approx(ours.error([0.03, 0.02, 0.01]), abs=1e-12)
    # Ours also refuses sizes that no machine errs by; the program has limits of its own for them.
    assert ours is None or theirs is not None


def test_errors_of_no_machine_are_refused(program: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Is the unit right"):
        error_map.read(HAND.replace("10 0 0 20", "1100 0 0 20", 1))
    file = tmp_path / "m.map"
    file.write_text(HAND.replace("10 0 0 20", "300 0 0 20", 1), encoding="utf-8")
    with pytest.raises(program.Refused, match="at most 200 um"):
        program.read(str(file), 0.2, 1e-3)
    with pytest.raises(program.Refused, match="between neighbours"):
        program.read(str(file), 0.4, 1e-3)
    assert program.read(str(file), 0.4, 4e-3).largest() == pytest.approx(0.3)
    with pytest.raises(program.Refused, match="cannot be read"):
        program.read(str(tmp_path / "absent"), 0.2, 1e-3)
    with pytest.raises(DataError, match="shape"):
        ErrorMap(x_m=np.zeros(2), y_m=np.array([0.0, 1.0]), z_m=np.array([0.0, 1.0]), delta_m=np.zeros((3, 2, 2, 2)), turn_rad=np.zeros((3, 2, 2, 2)))


def test_the_correction_is_the_opposite_and_fades_before_a_soft_limit(program: ModuleType) -> None:
    one = program.Map(HAND)
    limits = [(-10.0, 210.0), (-10.0, 210.0), (-60.0, 60.0)]
    offsets, error = program.wanted(one, (100.0, 200.0, 50.0), None, limits)
    assert error == pytest.approx((0.01, 0.002, 0.004)) and offsets == pytest.approx([-0.01, -0.002, -0.004])
    # 0.02 mm before the limit a tenth of it is left, at the limit nothing; and it never points beyond.
    near, _ = program.wanted(one, (209.98, 0.0, 0.0), None, limits)
    assert near[0] == pytest.approx(-0.002)
    assert program.wanted(one, (210.0, 0.0, 0.0), None, limits)[0][0] == 0.0
    assert program.wanted(one, (215.0, 0.0, 0.0), None, limits)[0][0] == 0.0


def test_a_second_correction_is_refused_and_one_that_was_killed_leaves_its_name(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "   162  User  precision-correction                            {} ready\n     7  RT    motmod                                            ready\n"
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()", "correction.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None and running.stdout.readline()  # it is up
            monkeypatch.setattr(program.subprocess, "run", lambda *words, **options: subprocess.CompletedProcess(words, 0, said.format(running.pid), ""))
            with pytest.raises(program.Refused, match="corrects this machine already"):
                program.free_name()
        finally:
            running.kill()
    assert program.free_name() == "precision-correction-2"
    said = ""
    assert program.free_name() == "precision-correction"


class _Controller:
    """LinuxCNC as the program sees it: what is sent is taken over at once."""

    def __init__(self) -> None:
        self.on, self.begun, self.forgotten, self.at = False, 0, 0, (100.0, 0.0, 0.0)
        self.component: dict[str, object] = {}
        self.limits = [(-1000.0, 1000.0)] * 3
        self.offsets = [0.0, 0.0, 0.0]
        self.heard = True

    def ready(self) -> bool:
        return self.on

    def begin(self) -> None:
        self.begun, self.offsets = self.begun + 1, [0.0, 0.0, 0.0]

    def forget(self) -> None:
        self.forgotten, self.offsets = self.forgotten + 1, [0.0, 0.0, 0.0]

    def position(self) -> tuple[float, ...]:
        return self.at

    def agrees(self) -> bool:
        return self.heard

    def requested(self) -> list[float]:
        return [0.0] * 3

    sent = (0, 0, 0)

    def send(self, offsets: list[float], error: object) -> None:
        self.offsets = offsets


@pytest.fixture
def running(program: ModuleType, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """(controller, step): a step is 1 ms."""
    now = [0.0]
    monkeypatch.setattr(program.time, "monotonic", lambda: now[0])
    controller = _Controller()
    correction = program.Correction(program.Map(HAND), controller, program.arguments_of(["file", "--rate", "1"]))

    def step(count: int = 1) -> None:
        for _ in range(count):
            now[0] += 1e-3
            correction.step()

    return controller, step


def test_it_corrects_while_the_machine_is_on_and_homed_and_begins_at_zero(running) -> None:  # type: ignore[no-untyped-def]
    controller, step = running
    step(3)
    assert controller.offsets == [0.0, 0.0, 0.0] and controller.begun == 0
    controller.on = True
    step(5)
    # 1 mm/s: a micrometre a step, from zero; the first step begins.
    assert controller.offsets[0] == pytest.approx(-4e-3)
    step(20)
    assert controller.offsets == pytest.approx([-10e-3, 0.0, -2e-3])
    controller.on = False
    step(2)
    assert controller.offsets == [0.0, 0.0, 0.0] and controller.component["active"] is False
    controller.on = True
    step(2)
    assert controller.begun == 2 and abs(controller.offsets[0]) <= 1e-3 + 1e-12


@pytest.mark.parametrize(("what", "said"), [("at", "commanded position"), ("heard", "something else moves them")])
def test_a_fault_ends_it(program: ModuleType, running, what: str, said: str) -> None:  # type: ignore[no-untyped-def]
    controller, step = running
    controller.on = True
    step(30)
    setattr(controller, what, {"at": (math.nan, 0.0, 0.0), "heard": False}[what])
    with pytest.raises(program.Refused, match=said):
        step(1000)
