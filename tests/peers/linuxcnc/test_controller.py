"""The driver on a real LinuxCNC: what it says has happened has happened in the servo cycles."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from precision.drivers import open_controller, open_environment, open_interferometer
from precision.drivers.caps import Caps
from precision.drivers.linuxcnc.cell import launch, mechanics
from precision.drivers.linuxcnc.driver import LinuxCnc, connect
from precision.drivers.roles import EnvironmentSensor, Interferometer, MotionController
from precision.drivers.supervisor import Supervisable
from precision.errors import DeviceError, DeviceFault, LinkLost, PlanError, SafetyStop

FEED = 0.1


def test_a_controller_that_is_not_homed_is_not_moved(cell: launch.Cell) -> None:
    controller = connect(cell.address)
    try:
        if controller.homed:
            pytest.skip("another test came first")
        with pytest.raises(SafetyStop, match="nothing was sent"):
            controller.move_to({"X": 0.01}, feed_m_per_s=FEED)
        assert controller.position()["X"] == 0.0
    finally:
        controller.close()


def test_it_has_the_roles_of_a_plan(cell: launch.Cell, controller: LinuxCnc) -> None:
    assert isinstance(controller, MotionController) and isinstance(controller, Supervisable)
    assert controller.identity.startswith("LinuxCNC 2.") and controller.simulated and controller.homed
    for opener, role in ((open_interferometer, Interferometer), (open_environment, EnvironmentSensor), (open_controller, MotionController)):
        device = opener("linuxcnc", cell.address)
        assert isinstance(device, role)
        device.close()


def test_limits_are_read_back_from_the_controller(controller: LinuxCnc) -> None:
    axes = mechanics.RIGS["router"]
    assert {axis: pytest.approx(limits) for axis, limits in controller.soft_limits().items()} == {name: axis.travel_m for name, axis in axes.items()}
    assert controller.max_feed() == dict.fromkeys(axes, pytest.approx(mechanics.MAX_FEED_M_PER_S))


def test_the_tool_stands_where_the_planted_errors_put_it(cell: launch.Cell, controller: LinuxCnc) -> None:
    """tool − command = planted screw error ∓ half of the lost motion, from both sides.

    Left: the encoder (0.1 µm, half up and half down by the servo that stops within a count), drift (0.05 µm) and the rest of the vibration after averaging.
    """
    axis = mechanics.RIGS["router"]["X"]
    tool = open_interferometer("linuxcnc", cell.address)
    tool.set_averaging(0.2)
    try:
        for position in (-0.10, 0.045, 0.10):
            for direction, beyond in ((0, -0.005), (1, 0.005)):
                controller.move_to({"X": position + beyond}, feed_m_per_s=FEED)
                controller.move_to({"X": position}, feed_m_per_s=FEED)
                controller.dwell(0.4)
                planted = axis.deviation_m(np.array([position]), direction)[0]
                assert tool.displacement().value - position == pytest.approx(planted, abs=0.1e-6 + axis.drift_m + axis.vibration_m)
                assert controller.position()["X"] == pytest.approx(position, abs=0.11e-6)
    finally:
        tool.close()


def test_a_dwell_is_so_many_servo_cycles(controller: LinuxCnc) -> None:
    before = controller.beside._ask("row")["cycle"]
    controller.dwell(0.5)
    assert 500 <= controller.beside._ask("row")["cycle"] - before < 1500  # not 5000, as half a second on the wall would be


def test_what_is_out_of_bounds_is_refused_before_anything_moves(controller: LinuxCnc) -> None:
    controller.move_to({"X": 0.01}, feed_m_per_s=FEED)
    for target, feed, said in (({"X": 0.3}, FEED, "soft limits"), ({"X": 0.02}, 0.2, "faster"), ({"W": 0.0}, FEED, "no linear axis"), ({"X": float("nan")}, FEED, "soft limits"), ({}, FEED, "expected")):
        with pytest.raises(SafetyStop, match=said):
            controller.move_to(target, feed_m_per_s=feed)
    assert controller.beside.row()["x_cmd"] == pytest.approx(0.01, abs=1e-9)
    assert controller.fault == ""


def test_feed_and_acceleration_are_capped_below_the_controllers_own(controller: LinuxCnc, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = controller.beside.limits()["X"]
    assert (kept.feed_m_per_s, kept.acceleration_m_per_s2) == pytest.approx((mechanics.MAX_FEED_M_PER_S, mechanics.MAX_ACCELERATION_M_PER_S2))
    before = controller.beside.row()["x_cmd"]
    monkeypatch.setattr(controller, "_caps", Caps(feed_m_per_s=FEED / 2))
    assert controller.max_feed()["X"] == FEED / 2
    with pytest.raises(SafetyStop, match="faster than X may go"):
        controller.move_to({"X": before + 1e-3}, feed_m_per_s=FEED)
    monkeypatch.setattr(controller, "_caps", Caps(acceleration_m_per_s2=0.99 * kept.acceleration_m_per_s2))
    for motion in (controller.home, lambda: controller.move_to({"X": before + 1e-3}, feed_m_per_s=FEED)):
        with pytest.raises(SafetyStop, match="max_acceleration_m_per_s2"):
            motion()
    assert controller.beside.row()["x_cmd"] == before


def test_a_program_past_a_limit_faults_and_nothing_moves_until_a_person_has_looked(controller: LinuxCnc) -> None:
    with pytest.raises(DeviceFault, match="exceed X's positive limit"):
        controller.run_program("G21 G90\nG1 X10 F6000\nG1 X900\nM2\n")
    assert "positive limit" in controller.fault and not controller.homed
    with pytest.raises(SafetyStop, match="FAULTED"):
        controller.move_to({"X": 0.0}, feed_m_per_s=FEED)
    controller.acknowledge_fault()
    controller.home()
    controller.move_to({"X": 0.0}, feed_m_per_s=FEED)


def test_a_stop_from_elsewhere_in_the_middle_of_a_move_is_a_standstill(cell: launch.Cell, controller: LinuxCnc) -> None:
    controller.move_to({"X": -0.15}, feed_m_per_s=FEED)
    caught: list[BaseException] = []

    def move() -> None:
        try:
            controller.move_to({"X": 0.15}, feed_m_per_s=FEED)
        except (DeviceError, SafetyStop) as fault:
            caught.append(fault)

    mover = threading.Thread(target=move)
    mover.start()
    watcher = controller.another_beside()
    while watcher.row()["x_cmd"] < -0.14 and mover.is_alive():
        time.sleep(0.002)
    other = connect(cell.address)
    other.stop()
    where = other.beside.row()["x_cmd"]
    other.dwell(0.3)
    assert other.beside.row()["x_cmd"] == where < 0.1
    assert "stopped" in other.fault
    controller._shell.close()  # ends the wait of the first
    mover.join(20)
    assert not mover.is_alive() and len(caught) == 1
    for one in (other, watcher):
        one.close()


def test_of_two_programs_only_the_last_is_obeyed_and_the_first_is_told(cell: launch.Cell, controller: LinuxCnc) -> None:
    second = connect(cell.address)
    try:
        with pytest.raises(SafetyStop, match="another program"):
            controller.move_to({"X": 0.01}, feed_m_per_s=FEED)
        second.move_to({"X": 0.0}, feed_m_per_s=FEED)
        controller.home()  # takes the controls again
        controller.move_to({"X": 0.01}, feed_m_per_s=FEED)
    finally:
        second.close()


def test_a_measuring_program_shakes_hands_in_servo_cycles(controller: LinuxCnc) -> None:
    """Ten stops: each settled for at least SETTLE_S before its window, each window WINDOW_S long; counted in the stream."""
    stops = [f"G1 X{x} F6000\nM66 P0 L3 Q60\nM64 P0\nM66 P1 L3 Q60\nM65 P0\n" for x in (-20, -10, 0, 10, 20, 20.5, 10, 0, -10, -20)]
    stream = controller.another_beside()
    blocks = []
    stream.frames.start()
    controller.run_program("G21 G90 G61\n" + "".join(stops) + "M2\n", look=lambda: blocks.append(stream.frames.read(5.0)))
    end = controller.beside.row()["x_cmd"]
    for _ in range(2000):
        blocks.append(stream.frames.read(5.0))
        rows = np.concatenate([block.values for block in blocks])
        edges = np.diff(rows[:, stream.names.index("trig")])
        if (edges < 0).sum() == 10:
            break
    stream.close()
    assert end == pytest.approx(-0.02, abs=1e-9) and all(block.lost == 0 for block in blocks)
    up, down = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
    command = rows[:, stream.names.index("x_cmd")]
    assert len(up) == 10
    for first, last in zip(up, down, strict=True):
        assert last - first >= mechanics.WINDOW_S * 1000
        still = command[first - int(mechanics.SETTLE_S * 1000) + 5 : last]
        assert still.min() == still.max()


def test_nobody_there_and_a_real_machine_without_a_tool_position_are_told(cell: launch.Cell) -> None:
    with pytest.raises(LinkLost, match=r"stream\.py"):
        connect("linuxcnc://127.0.0.1:1?stream=2")
    with pytest.raises(PlanError, match="axis 3"):
        open_interferometer("linuxcnc", cell.address, axis=3)
    with pytest.raises(PlanError, match="no simulated machine"):
        connect("linuxcnc://cell?rig=perfect")
