"""The Grbl driver, against recorded words and against the simulator: the same turns for both.

The words of `CONNECT` are those of the recorded Grbl 1.1h, with homing and soft limits switched on.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from precision.drivers.caps import Caps
from precision.drivers.grbl.driver import Grbl
from precision.drivers.grbl.simulator import GrblSimulator
from precision.drivers.roles import MotionController
from precision.drivers.testing import (
    ExpectedDialogue,
    Late,
    SimulatedTransport,
    Turn,
    UniformMachine,
    expected_dialogue,
)
from precision.errors import DeviceError, DeviceFault, LinkLost, PlanError, ProtocolError, SafetyStop

SETTINGS = (
    b"$0=10|$1=25|$2=0|$3=0|$4=0|$5=0|$6=0|$10=1|$11=0.010|$12=0.002|$13=0|$20=1|$21=0|$22=1|$23=0|$24=25.000|$25=500.000|$26=250|$27=1.000|"
    b"$30=1000|$31=0|$32=0|$100=250.000|$101=250.000|$102=250.000|$110=500.000|$111=500.000|$112=500.000|$120=10.000|$121=10.000|$122=10.000|"
    b"$130=200.000|$131=200.000|$132=200.000|ok|"
).replace(b"|", b"\r\n")
POINTS = b"".join(b"[%s:0.000,0.000,0.000]\r\n" % name for name in b"G54 G55 G56 G57 G58 G59 G28 G30 G92".split()) + (
    b"[TLO:0.000]\r\n[PRB:0.000,0.000,0.000:0]\r\nok\r\n"
)
MODAL = b"[GC:G0 G54 G17 G21 G90 G94 M5 M9 T0 F0 S0]\r\nok\r\n"
INFO = b"[VER:1.1h.20190830:]\r\n[OPT:V,15,128]\r\nok\r\n"
READ: list[Turn] = [(b"$I\n", INFO), (b"$$\n", SETTINGS), (b"$#\n", POINTS), (b"$G\n", MODAL)]
CONNECT: list[Turn] = [(b"?", b"<Alarm|MPos:0.000,0.000,0.000|FS:0,0|WCO:0.000,0.000,0.000>\r\n"), (b"$G\n", MODAL), *READ]
AT_HOME = b"MPos:-1.000,-1.000,-1.000|FS:0,0"
HOME: list[Turn] = [*READ, (b"$H\n", b"ok\r\n"), (b"?", b"<Idle|%s|Ov:100,100,100>\r\n" % AT_HOME), *READ]
MOVE: list[Turn] = [
    (b"?", b"<Idle|%s>\r\n" % AT_HOME),
    (b"G90G21G94G1X-10F300\n", b"ok\r\n"),
    (b"?", b"<Idle|MPos:-10.000,-1.000,-1.000|FS:0,0>\r\n"),
]
DWELL: list[Turn] = [(b"G4P0.5\n", b"ok\r\n")]
CONVERSATION = [*CONNECT, *HOME, *MOVE]


def connected(link: ExpectedDialogue | SimulatedTransport, **options: float) -> Grbl:
    return Grbl(link, clock=link.clock, sleep=link.sleep, **options)  # type: ignore[arg-type]


def simulated(time_scale: float = 1.0, **settings: float) -> tuple[UniformMachine, SimulatedTransport, Grbl]:
    machine = UniformMachine()
    numbers = {int(name[1:]): value for name, value in settings.items()}
    link = SimulatedTransport(GrblSimulator(machine, settings=numbers, time_scale=time_scale))
    return machine, link, connected(link)


def test_the_driver_has_this_conversation() -> None:
    with expected_dialogue([*CONVERSATION, *DWELL]) as link:
        grbl = connected(link)
        assert isinstance(grbl, MotionController)
        assert not grbl.homed
        grbl.home()
        assert grbl.homed
        grbl.move_to({"X": -10e-3}, feed_m_per_s=5e-3)
        grbl.dwell(0.5)
        assert grbl.identity == "Grbl [VER:1.1h.20190830:] [OPT:V,15,128]"


def test_the_simulator_has_the_same_conversation() -> None:
    grbl = GrblSimulator(UniformMachine(), time_scale=math.inf)
    grbl.poll(0.0)
    for sent, answer in [*CONVERSATION, *DWELL]:
        assert isinstance(answer, bytes)
        said = grbl.receive(sent, 0.0)
        # WCO and Ov come every so many reports and at changes: the rest is the same, word for word.
        assert _without_rotating(said) == _without_rotating(answer), sent


def _without_rotating(said: bytes) -> bytes:
    head, *fields = said.split(b"|")
    if not head.startswith(b"<"):
        return said
    return b"|".join([head, *(field.removesuffix(b">\r\n") for field in fields if not field.startswith((b"WCO", b"Ov")))])


@pytest.mark.parametrize(
    ("address", "waits_s"), [("serial:///dev/ttyUSB0?baud=115200", 2.0), ("serial://COM3", 2.0), ("serial:///dev/pts/3", 0.0), ("tcp://cnc:23", 0.0)],
)
def test_a_board_that_opening_resets_is_given_time_to_start(address: str, waits_s: float) -> None:
    """Without a banner the whole time is waited; what a boot loader says in between is thrown away."""
    with expected_dialogue([(b"", Late(b"\xff\xfenoise")), *CONNECT] if waits_s else CONNECT) as link:
        link.address = address
        connected(link)
        assert link.clock() == waits_s


def test_limits_and_feeds_are_read_back_in_si_units() -> None:
    _, _, grbl = simulated(_130=300.0, _27=2.0, _111=120.0)
    assert grbl.soft_limits()["X"] == pytest.approx((-0.298, -0.002))
    assert grbl.soft_limits()["Y"] == pytest.approx((-0.198, -0.002))
    assert grbl.max_feed() == pytest.approx({"X": 500 / 60e3, "Y": 2e-3, "Z": 500 / 60e3})


@pytest.mark.parametrize(("direction", "limits"), [(0, (-0.199, 0.0)), (1, (0.0, 0.199))])
def test_an_origin_at_home_turns_the_limits_by_the_homing_direction(direction: int, limits: tuple[float, float]) -> None:
    for options, homing in (("VZ", 1), ("V", 1 + 8)):  # Grbl says it in [OPT:], grblHAL in $22
        machine = UniformMachine(home_m=0.0)
        link = SimulatedTransport(GrblSimulator(machine, settings={22: homing, 23: direction}, options=options))
        assert connected(link).soft_limits()["X"] == pytest.approx(limits)


def test_work_offsets_move_the_limits_and_the_positions_together() -> None:
    machine, link, grbl = simulated(math.inf)
    grbl.home()
    link.write(b"G10L2P1X-200Y-150\n", timeout_s=1.0)
    link.drain()
    assert grbl.soft_limits()["X"] == pytest.approx((0.001, 0.199))
    assert grbl.soft_limits()["Y"] == pytest.approx((-0.049, 0.149))
    assert grbl.position() == pytest.approx({"X": 0.199, "Y": 0.149, "Z": -0.001})
    grbl.move_to({"X": 0.1}, feed_m_per_s=5e-3)
    assert machine.position_m["X"] == pytest.approx(-0.1)
    assert grbl.position()["X"] == pytest.approx(0.1)


def test_reports_in_inches_and_work_positions_read_the_same() -> None:
    for inches, mask in ((1, 1), (0, 0), (1, 0)):
        _, _, grbl = simulated(math.inf, _13=inches, _10=mask)
        grbl.home()
        grbl.move_to({"X": -50e-3, "Y": -12.7e-3}, feed_m_per_s=5e-3)
        # Half of the fourth decimal of an inch.
        assert grbl.position() == pytest.approx({"X": -50e-3, "Y": -12.7e-3, "Z": -1e-3}, abs=1.3e-6)


def test_a_move_waits_until_the_machine_stands() -> None:
    machine, link, grbl = simulated()
    grbl.home()
    began = link.clock()
    grbl.move_to({"X": -11e-3}, feed_m_per_s=5e-3)
    assert 2.0 <= link.clock() - began < 2.2  # 10 mm at 5 mm/s, and one poll
    assert machine.lab_s == pytest.approx(5.0 + 2.0)
    assert machine.position_m["X"] == pytest.approx(-11e-3)
    began = link.clock()
    grbl.dwell(1.5)
    assert link.clock() - began == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("position_m", "feed_m_per_s", "error", "says"),
    [
        ({"X": -0.1995}, 1e-3, SafetyStop, "outside the soft limits -199 ... -1 mm"),
        ({"X": 0.0}, 1e-3, SafetyStop, "outside"),
        ({"X": -0.1, "Y": math.nan}, 1e-3, SafetyStop, "outside"),
        ({"X": -0.1}, 0.01, SafetyStop, "allowed are 0.001 ... 500 mm/min"),
        ({"X": -0.1}, 0.0, SafetyStop, "allowed"),
        ({"X": -0.1}, math.inf, SafetyStop, "allowed"),
        ({"X": -0.1}, math.nan, SafetyStop, "allowed"),
        ({"A": 0.1}, 1e-3, PlanError, "the controller has X, Y, Z"),
        ({}, 1e-3, PlanError, "axes"),
    ],
)
def test_a_forbidden_target_is_refused_and_not_a_byte_is_sent(
    position_m: dict[str, float], feed_m_per_s: float, error: type[Exception], says: str,
) -> None:
    with expected_dialogue([*CONNECT, *HOME]) as link:
        grbl = connected(link)
        grbl.home()
        with pytest.raises(error, match=says):
            grbl.move_to(position_m, feed_m_per_s=feed_m_per_s)


def test_a_cap_on_the_feed_is_kept_below_the_controllers_own() -> None:
    with expected_dialogue([*CONNECT, *HOME, *READ]) as link:
        grbl = connected(link, max_feed_m_per_s=5e-3)
        grbl.home()
        assert grbl.max_feed() == pytest.approx({"X": 5e-3, "Y": 5e-3, "Z": 5e-3})
        with pytest.raises(SafetyStop, match=r"allowed are 0\.001 \.\.\. 300 mm/min"):
            grbl.move_to({"X": -0.1}, feed_m_per_s=5.01e-3)
    with expected_dialogue([*CONNECT, *HOME, *READ]) as link:
        grbl = connected(link, max_feed_m_per_s=1.0)
        grbl.home()
        assert grbl.max_feed()["X"] == pytest.approx(500e-3 / 60)
    with expected_dialogue([*CONNECT, *HOME, *MOVE]) as link:
        grbl = connected(link, max_feed_m_per_s=5e-3)
        grbl.home()
        grbl.move_to({"X": -10e-3}, feed_m_per_s=5e-3)


def test_a_controller_that_accelerates_faster_than_allowed_moves_nothing() -> None:
    """All axes are set to 10 mm/s²; homing drives all of them, a move the ones it names."""
    with expected_dialogue([*CONNECT, *READ]) as link, pytest.raises(SafetyStop, match=r"X is set to 10 mm/s², more than max_acceleration_m_per_s2 = 0\.0099"):
        connected(link, max_acceleration_m_per_s2=9.9e-3).home()
    with expected_dialogue([*CONNECT, *HOME, *MOVE]) as link:
        grbl = connected(link, max_acceleration_m_per_s2=10e-3)
        grbl.home()
        grbl.move_to({"X": -10e-3}, feed_m_per_s=5e-3)
    _, _, grbl = simulated(_121=20.0)
    grbl.home()
    grbl._caps = Caps(acceleration_m_per_s2=grbl._known.acceleration_m_per_s2["X"])
    with pytest.raises(SafetyStop, match="Y is set to 20 mm/s²"):
        grbl.move_to({"X": -20e-3, "Y": -12e-3}, feed_m_per_s=5e-3)


@pytest.mark.parametrize("cap", [0.0, -1.0, math.nan])
def test_a_cap_that_allows_nothing_is_refused(cap: float) -> None:
    for options in ({"max_feed_m_per_s": cap}, {"max_acceleration_m_per_s2": cap}):
        with pytest.raises(PlanError, match="more than 0"):
            connected(SimulatedTransport(GrblSimulator(UniformMachine())), **options)


def test_nothing_moves_before_homing() -> None:
    with expected_dialogue(CONNECT) as link, pytest.raises(SafetyStop, match="not homed"):
        connected(link).move_to({"X": -0.1}, feed_m_per_s=1e-3)


def test_soft_limits_or_homing_switched_off_is_refused() -> None:
    _, _, grbl = simulated(_20=0)
    with pytest.raises(SafetyStop, match=r"\$20=0"):
        grbl.soft_limits()
    grbl.home()
    with pytest.raises(SafetyStop, match=r"\$20=0"):
        grbl.move_to({"X": -0.1}, feed_m_per_s=1e-3)
    _, _, grbl = simulated(_20=0, _22=0)
    with pytest.raises(SafetyStop, match=r"\$22=0"):
        grbl.home()


def test_standing_still_beside_the_target_is_a_fault() -> None:
    """The report may differ from the target by half a step (2 µm) and half a digit (0.5 µm); 4 µm is another position."""
    for reported, arrives in ((b"-10.002", True), (b"-9.998", True), (b"-10.004", False), (b"-9.996", False)):
        report = b"<Idle|MPos:%s,-1.000,-1.000|FS:0,0>\r\n" % reported
        turns: list[Turn] = [*CONNECT, *HOME, *MOVE[:2], *[(b"?", report)] * (1 if arrives else 5)]
        with expected_dialogue(turns) as link:
            grbl = connected(link)
            grbl.home()
            if arrives:
                grbl.move_to({"X": -10e-3}, feed_m_per_s=5e-3)
            else:
                with pytest.raises(DeviceFault, match="away from its target"):
                    grbl.move_to({"X": -10e-3}, feed_m_per_s=5e-3)


def test_a_motion_that_does_not_end_is_a_fault_after_its_deadline() -> None:
    machine = UniformMachine(homing_s=1.0)
    link = SimulatedTransport(GrblSimulator(machine, time_scale=0.01))
    grbl = connected(link)
    grbl.home()
    began = link.clock()
    with pytest.raises(DeviceFault, match="has not arrived"):
        grbl.move_to({"X": -11e-3}, feed_m_per_s=5e-3)
    assert link.clock() - began < 10.0  # 2 s expected, ramps of 0.5 s, half as much again, 3 s for the answer
    assert machine.lab_s == 1.0


def test_an_alarm_in_mid_run_latches_in_words() -> None:
    machine = UniformMachine()
    simulator = GrblSimulator(machine, time_scale=1.0)
    link = SimulatedTransport(simulator)
    tripped: list[bool] = []

    def sleep(duration_s: float) -> None:
        link.sleep(duration_s)
        if not tripped and simulator.state == "Run":
            tripped.append(True)
            simulator.alarm(1, link.clock())

    grbl = Grbl(link, clock=link.clock, sleep=sleep)
    grbl.home()
    with pytest.raises(DeviceFault, match="a limit switch was hit"):
        grbl.move_to({"X": -0.1}, feed_m_per_s=5e-3)
    assert not grbl.homed
    for act in (lambda: grbl.move_to({"X": -0.1}, feed_m_per_s=5e-3), grbl.home, lambda: grbl.dwell(1.0)):
        with pytest.raises(SafetyStop, match="FAULTED"):
            act()
    grbl.stop()  # brings it out of the alarm that answers nothing
    grbl.acknowledge_fault()
    assert not grbl.homed
    grbl.home()
    grbl.move_to({"X": -2e-3}, feed_m_per_s=5e-3)


def test_a_banner_in_mid_run_latches() -> None:
    banner = b"\r\nGrbl 1.1h ['$' for help]\r\n[MSG:'$H'|'$X' to unlock]\r\n"
    turns: list[Turn] = [*CONNECT, *HOME, *MOVE[:2], (b"?", banner)]
    link = ExpectedDialogue(turns)
    grbl = connected(link)
    grbl.home()
    with pytest.raises(DeviceFault, match="was reset"):
        grbl.move_to({"X": -10e-3}, feed_m_per_s=5e-3)
    assert not grbl.homed and "banner" in grbl.fault


def test_a_refusal_is_told_in_words_and_keeps_the_answers_in_step() -> None:
    turns: list[Turn] = [*CONNECT, (b"G4P1\n", b"error:9\r\n"), (b"G4P2\n", b"ok\r\n")]
    with expected_dialogue(turns) as link:
        grbl = connected(link)
        with pytest.raises(DeviceFault, match="locked by an alarm"):
            grbl.dwell(1.0)
        grbl.dwell(2.0)


def test_a_late_answer_never_answers_the_next_line() -> None:
    """The `ok` of the first dwell comes after its deadline; the driver asks `$G`, and counts from its `[GC:` on."""
    turns: list[Turn] = [*CONNECT, (b"G4P1\n", Late(b"ok\r\n")), (b"$G\n", b"ok\r\n" + MODAL), (b"G4P2\n", b"error:9\r\n")]
    with expected_dialogue(turns) as link:
        grbl = connected(link)
        with pytest.raises(LinkLost):
            grbl.dwell(1.0)
        with pytest.raises(DeviceFault, match=r"refuses 'G4P2'"):
            grbl.dwell(2.0)


def test_two_unanswered_questions_end_the_conversation() -> None:
    turns: list[Turn] = [*CONNECT, (b"G4P1\n", b""), (b"$G\n", Late(MODAL)), (b"$I\n", b"")]
    link = ExpectedDialogue(turns)
    grbl = connected(link)
    for says in ("no answer", "out of step"):
        with pytest.raises(LinkLost, match=says):
            grbl.dwell(1.0)


def test_the_machine_that_is_already_moving_is_not_touched() -> None:
    turns: list[Turn] = [(b"?", b"<Run|MPos:0.184,0.000,0.000|FS:120,0>\r\n")]
    with expected_dialogue(turns) as link, pytest.raises(DeviceFault, match="another program"):
        connected(link)


def test_an_odd_set_of_settings_is_refused() -> None:
    for settings, says in ((SETTINGS.replace(b"$130=200.000\r\n", b""), "lacks"), (SETTINGS.replace(b"$100=250", b"$100=0"), "not more than 0")):
        turns: list[Turn] = [*CONNECT[:3], (b"$$\n", settings), *READ[2:]]
        with expected_dialogue(turns) as link, pytest.raises(ProtocolError, match=says):
            connected(link)


STOP: list[Turn] = [
    (b"!", b""),
    (b"?", b"<Hold:1|MPos:-3.000,-1.000,-1.000|FS:80,0>\r\n"),
    (b"?", b"<Hold:0|MPos:-3.100,-1.000,-1.000|FS:0,0>\r\n"),
    (b"\x18", b"\r\nGrbl 1.1h ['$' for help]\r\n"),
    (b"?", b"<Idle|MPos:-3.100,-1.000,-1.000|FS:0,0|WCO:0.000,0.000,0.000>\r\n"),
]


def test_stop_holds_waits_for_standstill_and_resets() -> None:
    with expected_dialogue([*CONNECT, *HOME, *STOP, *STOP]) as link:
        grbl = connected(link)
        grbl.home()
        grbl.stop()
        assert not grbl.homed and grbl.fault == "it was stopped"
        grbl.stop()


def test_stop_on_the_way_stops_the_machine_where_it_is() -> None:
    machine, link, grbl = simulated()
    grbl.home()
    link.write(b"G90G1X-100F300\n", timeout_s=1.0)
    link.sleep(4.0)
    grbl.stop()
    assert machine.position_m["X"] == pytest.approx(-1e-3 - 4.0 * 5e-3, abs=1e-6)
    link.sleep(100.0)
    assert grbl.position()["X"] == pytest.approx(machine.position_m["X"], abs=2.5e-6)


def test_stop_while_homing_resets_though_no_question_is_answered() -> None:
    _, link, grbl = simulated()
    link.write(b"$H\n", timeout_s=1.0)
    link.sleep(0.5)
    grbl.stop()
    assert not grbl.homed


def test_stop_tries_everything_before_it_complains() -> None:
    turns: list[Turn] = [*CONNECT, (b"!", b""), (b"?", b""), (b"?", b""), (b"\x18", b""), (b"?", b""), (b"?", b"")]
    link = ExpectedDialogue(turns)
    grbl = connected(link)
    with pytest.raises(DeviceError, match="Use the emergency stop"):
        grbl.stop()
    link.finish()
    link.close()
    with pytest.raises(DeviceError, match="emergency stop"):
        grbl.stop()


def test_what_a_stop_left_in_hold_is_reset_on_connecting() -> None:
    machine = UniformMachine()
    simulator = GrblSimulator(machine, settings={20: 0, 22: 0}, time_scale=1.0)
    simulator.receive(b"G91G1X10F60\n", 0.0)
    simulator.receive(b"!", 2.0)
    link = SimulatedTransport(simulator)
    link.sleep(3.0)
    grbl = connected(link)
    assert not grbl.homed
    link.sleep(100.0)
    assert machine.position_m["X"] == pytest.approx(2e-3)


def test_after_a_stop_positions_are_not_trusted_even_when_the_fault_is_acknowledged() -> None:
    _, _, grbl = simulated(math.inf)
    grbl.home()
    grbl.stop()
    grbl.acknowledge_fault()
    assert not grbl.homed
    with pytest.raises(SafetyStop, match="not homed"):
        grbl.move_to({"X": -0.1}, feed_m_per_s=1e-3)


def test_a_hold_that_no_reset_confirms_is_no_stop() -> None:
    turns: list[Turn] = [*CONNECT, *STOP[:3], (b"\x18", b""), (b"?", b""), (b"?", b"")]
    with expected_dialogue(turns) as link, pytest.raises(DeviceError, match="no banner came after the reset"):
        connected(link).stop()


@pytest.mark.parametrize("state", [b"Run", b"Hold:0", b"Jog", b"Alarm", b"Check", b"Door:1", b"Sleep"])
def test_a_machine_that_does_not_stand_idle_is_not_sent_a_target(state: bytes) -> None:
    report = b"<%s|%s>\r\n" % (state, AT_HOME)
    with expected_dialogue([*CONNECT, *HOME, (b"?", report)]) as link:
        grbl = connected(link)
        grbl.home()
        with pytest.raises(SafetyStop, match="nothing was sent"):
            grbl.move_to({"X": -10e-3}, feed_m_per_s=5e-3)


@pytest.mark.parametrize(("state", "says"), [(b"Hold:0", "somebody held it"), (b"Door:0", "somebody held it"), (b"Alarm", "reports Alarm")])
def test_a_motion_that_is_held_on_its_way_is_a_fault(state: bytes, says: str) -> None:
    report = b"<%s|MPos:-3.000,-1.000,-1.000|FS:0,0>\r\n" % state
    with expected_dialogue([*CONNECT, *HOME, *MOVE[:2], (b"?", report)]) as link:
        grbl = connected(link)
        grbl.home()
        with pytest.raises(DeviceFault, match=says):
            grbl.move_to({"X": -10e-3}, feed_m_per_s=5e-3)


def test_a_work_offset_in_a_report_counts_from_that_report_on() -> None:
    turns: list[Turn] = [
        *CONNECT,
        (b"?", b"<Idle|%s|WCO:-5.000,2.000,0.000>\r\n" % AT_HOME),
        (b"?", b"<Idle|%s>\r\n" % AT_HOME),
    ]
    with expected_dialogue(turns) as link:
        grbl = connected(link)
        for _ in range(2):
            assert grbl.position() == pytest.approx({"X": 4e-3, "Y": -3e-3, "Z": -1e-3})


def test_homing_that_fails_leaves_nothing_trusted() -> None:
    with expected_dialogue([*CONNECT, *HOME, *READ, (b"$H\n", b"ALARM:9\r\n")]) as link:
        grbl = connected(link)
        grbl.home()
        with pytest.raises(DeviceFault, match="homing did not find the limit switch"):
            grbl.home()
        assert not grbl.homed
    with expected_dialogue([*CONNECT, *HOME, *READ, (b"$H\n", b"error:5\r\n")]) as link:
        grbl = connected(link)
        grbl.home()
        with pytest.raises(DeviceFault, match="homing is off"):
            grbl.home()
        assert not grbl.homed


def test_an_interrupted_question_does_not_leave_its_answer_to_the_next_one() -> None:
    class Interrupted(ExpectedDialogue):
        armed = False

        def read_until(self, terminator: bytes, *, timeout_s: float, limit: int = 65536) -> bytes:
            if self.armed:
                self.armed = False
                raise KeyboardInterrupt
            return super().read_until(terminator, timeout_s=timeout_s, limit=limit)

        def drain(self) -> None:
            """The answer is slower than the emptying."""

    link = Interrupted([*CONNECT, (b"G4P1\n", b"ok\r\n"), (b"$G\n", MODAL), (b"G4P2\n", b"error:9\r\n")])
    grbl = connected(link)
    link.armed = True
    with pytest.raises(KeyboardInterrupt):
        grbl.dwell(1.0)
    with pytest.raises(DeviceFault, match=r"refuses 'G4P2'"):
        grbl.dwell(2.0)
    link.finish()


def test_the_recorded_grblhal_settings_are_a_machine() -> None:
    path = Path(__file__).parents[3] / "shared" / "data" / "grbl" / "grblhal_transcript.txt"
    if not path.exists():
        pytest.skip(f"no recorded conversation {path}")
    text = path.read_text(encoding="ascii").replace("<< ", "")

    def answer(question: str) -> bytes:
        start = text.index(f">> b'{question}\\n'\n") + len(f">> b'{question}\\n'\n")
        return text[start : text.index("\nok\n", start) + 4].replace("\n", "\r\n").encode("ascii")

    modal = answer("$G")
    turns: list[Turn] = [
        (b"?", b"<Idle|MPos:0.000,0.000,0.000|Bf:100,1023|FS:0,0|Ov:100,100,100|A:|TLR:0>\r\n"), (b"$G\n", modal),
        (b"$I\n", answer("$I")), (b"$$\n", answer("$$")), (b"$#\n", answer("$#")), (b"$G\n", modal),
    ]
    with expected_dialogue(turns) as link:
        grbl = connected(link)
        assert grbl.identity.startswith("grblHAL [VER:1.1f.20260817:]")
