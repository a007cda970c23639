"""The simulated Grbl answers as the real one did, and its lab clock moves by events only.

Source: the recorded conversation with Grbl 1.1h; answers there come one exchange late, so they are given here beside their question.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from precision.drivers.grbl.simulator import GrblSimulator
from precision.drivers.testing import UniformMachine

TRANSCRIPT = Path(__file__).parents[3] / "shared" / "data" / "grbl" / "grbl11_transcript.txt"
ZEROS = {20: 0, 22: 0}
RECORDED = [
    (b"?", "<Idle|MPos:0.000,0.000,0.000|FS:0,0|Pn:PXYZRHS|WCO:0.000,0.000,0.000>"),
    (b"$I\n", "[VER:1.1h.20190830:]\n[OPT:V,15,128]\nok"),
    (b"$G\n", "[GC:G0 G54 G17 G21 G90 G94 M5 M9 T0 F0 S0]\nok"),
    (b"?", "<Idle|MPos:0.000,0.000,0.000|FS:0,0|Pn:PXYZRHS|Ov:100,100,100>"),
    (b"$10=0\n", "ok"),
    (b"?", "<Idle|WPos:0.000,0.000,0.000|FS:0,0|Pn:PXYZRHS>"),
    (b"$10=1\n", "ok"),
    (b"$X\n", "ok"),
    (b"G92X1.5\n", "ok"),
    (b"G92.1\n", "ok"),
    (b"?", "<Idle|MPos:0.000,0.000,0.000|FS:0,0|Pn:PXYZRHS|WCO:0.000,0.000,0.000>"),
    (b"G1X1\n", "error:22"),
    (b"G0 X\n", "error:2"),
]
LOCKED = [
    (b"?", "<Alarm|MPos:2.044,0.000,0.000|FS:0,0|Pn:PXYZRHS|WCO:0.000,0.000,0.000>"),
    (b"G0X1\n", "error:9"),
    (b"$C\n", "error:8"),
    (b"G999\n", "error:9"),
    (b"$C\n", "error:8"),
]


def lines(answer: bytes) -> list[str]:
    return answer.decode("ascii").replace("\r\n", "\n").strip("\n").split("\n")


def simulator(**options: object) -> tuple[UniformMachine, GrblSimulator]:
    machine = UniformMachine()
    grbl = GrblSimulator(machine, **options)  # type: ignore[arg-type]
    grbl.poll(0.0)
    return machine, grbl


def test_it_answers_as_the_real_controller_did() -> None:
    _, grbl = simulator(settings=ZEROS, time_scale=1.0, pins="PXYZRHS")
    recorded = TRANSCRIPT.read_text(encoding="ascii") if TRANSCRIPT.exists() else None
    for question, answer in RECORDED:
        assert lines(grbl.receive(question, 0.0)) == answer.split("\n"), question
        if recorded is not None:
            assert all(f"{line}\n" in recorded for line in answer.split("\n"))


def test_its_settings_and_offsets_are_those_of_the_real_controller() -> None:
    if not TRANSCRIPT.exists():
        pytest.skip(f"no recorded conversation {TRANSCRIPT}")
    recorded = TRANSCRIPT.read_text(encoding="ascii").replace("<< ", "")
    _, grbl = simulator(settings=ZEROS)
    for question in (b"$$\n", b"$#\n"):
        assert "\n".join(lines(grbl.receive(question, 0.0))) in recorded


def test_a_reset_while_jogging_is_alarm_3_and_locks() -> None:
    """Recorded: jog, reset, `ALARM:3`, banner, unlock message, then every line is error:9."""
    _, grbl = simulator(settings=ZEROS, time_scale=1.0, pins="PXYZRHS")
    grbl.receive(b"G21G91G1X2F120\n", 0.0)
    assert lines(grbl.receive(b"$J=G91X1F100\n", 5.0)) == ["ok"]
    answer = grbl.receive(b"\x18", 5.0 + 0.044 / (100 / 60))  # 0.044 mm into the jog, as recorded
    assert answer == b"ALARM:3\r\n\r\nGrbl 1.1h ['$' for help]\r\n[MSG:'$H'|'$X' to unlock]\r\n"
    for question, expected in LOCKED:
        assert lines(grbl.receive(question, 6.0)) == expected.split("\n")


def test_an_empty_line_is_answered_even_in_alarm() -> None:
    _, grbl = simulator(settings={20: 0, 22: 1})
    assert grbl.state == "Alarm"
    for line in (b"\n", b"\r", b"  \n", b"(a comment)\n", b";\n"):
        assert lines(grbl.receive(line, 0.0)) == ["ok"], line
    assert lines(grbl.receive(b"G0X1\n", 0.0)) == ["error:9"]
    assert lines(grbl.receive(b"$J=\n", 0.0)) == ["error:8"], "an empty jog is no empty line"


def test_positions_on_the_way_are_whole_steps_and_hold_keeps_them() -> None:
    machine, grbl = simulator(settings=ZEROS, time_scale=1.0)
    grbl.receive(b"G21G91G1X2F120\n", 0.0)
    seen = []
    for at in (0.0923, 0.2561, 0.424):
        (report,) = lines(grbl.receive(b"?", at))
        assert report.startswith("<Run|MPos:") and "FS:120,0" in report
        seen.append(float(report.split(":")[1].split(",")[0]))
    assert seen == [0.184, 0.512, 0.848]  # 4 µm steps, as recorded
    grbl.receive(b"!", 0.5)
    assert [lines(grbl.receive(b"?", t))[0].split("|")[0] for t in (0.5, 0.6)] == ["<Hold:1", "<Hold:0"]
    assert machine.lab_s == 0.5
    assert grbl.receive(b"G1X1F100\n", 5.0) == b""  # nothing is executed while held
    grbl.receive(b"~", 10.0)
    assert lines(grbl.receive(b"?", 20.0))[-1].startswith("<Idle|MPos:3.000")
    assert machine.lab_s == pytest.approx(1.0 + 0.6, abs=1e-9)  # 1 s for 2 mm at 120 mm/min, 0.6 s for 1 mm at 100 mm/min


def test_polling_does_not_advance_the_lab_clock_and_faster_wall_time_changes_nothing() -> None:
    ends = []
    for scale, polls in ((1.0, 0), (1.0, 50), (100.0, 7), (math.inf, 3)):
        machine, grbl = simulator(settings=ZEROS, time_scale=scale)
        grbl.receive(b"G21G90G1X10F300\nG4P1.5\n", 0.0)
        for k in range(polls):
            grbl.receive(b"?", 0.03 * k)
        grbl.poll(100.0)
        ends.append(machine.lab_s)
        assert grbl.next_event_wall_s() is None
    assert set(ends) == {2.0 + 1.5}


def test_a_dwell_is_answered_when_it_is_over_and_after_the_motion_before_it() -> None:
    _, grbl = simulator(settings=ZEROS, time_scale=2.0)
    assert lines(grbl.receive(b"G21G90G1X2F120\nG4P3\nG1X3\n", 0.0)) == ["ok"]
    assert grbl.next_event_wall_s() == 0.5
    assert grbl.poll(0.6) == b""
    assert grbl.next_event_wall_s() == 2.0
    assert lines(grbl.poll(2.0)) == ["ok", "ok"]


def test_it_starts_locked_and_homing_frees_it_at_the_pull_off() -> None:
    machine = UniformMachine()
    grbl = GrblSimulator(machine, time_scale=1.0)
    assert grbl.poll(0.0) == b"\r\nGrbl 1.1h ['$' for help]\r\n[MSG:'$H'|'$X' to unlock]\r\n"
    assert lines(grbl.receive(b"G1X-5F100\n", 0.0)) == ["error:9"]
    assert grbl.receive(b"$H\n?", 0.0) == b""  # no report while homing
    assert lines(grbl.poll(5.0))[0] == "ok"
    assert "<Idle|MPos:-1.000,-1.000,-1.000" in lines(grbl.receive(b"?", 5.0))[-1]
    assert machine.lab_s == 5.0


def test_a_reset_while_homing_is_alarm_6() -> None:
    _, grbl = simulator(time_scale=1.0)
    grbl.receive(b"$H\n", 0.0)
    assert lines(grbl.receive(b"\x18", 1.0))[0] == "ALARM:6"


def test_a_target_outside_the_travel_is_alarm_2_and_only_a_reset_answers() -> None:
    machine, grbl = simulator()
    grbl.receive(b"$H\n", 0.0)
    grbl.poll(0.0)
    assert lines(grbl.receive(b"G90G1X0.5F100\n", 0.0)) == ["ALARM:2", "[MSG:Reset to continue]"]
    assert grbl.receive(b"?$$\n", 0.0) == b""
    assert lines(grbl.receive(b"\x18", 0.0))[-1] == "[MSG:'$H'|'$X' to unlock]"
    assert machine.position_m["X"] == -1e-3
    assert lines(grbl.receive(b"$X\n", 0.0)) == ["[MSG:Caution: Unlocked]", "ok"]
    assert lines(grbl.receive(b"$J=G90X1F100\n", 0.0)) == ["error:15"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"", "ok"), (b"(comment)", "ok"), (b"; all comment", "ok"), (b"g1 x 1 f 100", "ok"), (b"1X2", "error:1"), (b"G1X1e3F1", "error:20"),
        (b"G1XF100", "error:2"), (b"G1X1X2F100", "error:25"), (b"G20G21", "error:21"), (b"G2X1Y1I1F1", "ok"), (b"G2X1Y1I3F1", "error:33"), (b"G2X1F1", "error:35"), (b"G2Z1I1F1", "error:32"), (b"G3X9R1F1", "error:34"), (b"G2X2I1", "error:22"), (b"G2X2I1K1F1", "error:36"), (b"G2X2Z1I1F1", "error:20"), (b"G1X1F-5", "error:4"),
        (b"G4", "error:28"), (b"G92", "error:26"), (b"G10L2X1", "error:28"), (b"G10L3P1X1", "error:20"), (b"G10L2P9X1", "error:29"),
        (b"G1X1F100P5", "error:36"), (b"X" * 80, "error:11"), (b"$100", "error:3"), (b"$100=abc", "error:2"), (b"$999=1", "error:3"),
        (b"$100=-1", "error:4"), (b"$H", "error:5"), (b"$20=1", "error:10"), (b"$J=X1", "error:22"), (b"$J=G4P1F1X1", "error:16"), (b"$Q", "error:3"),
    ],
)
def test_error_numbers(line: bytes, answer: str) -> None:
    _, grbl = simulator(settings=ZEROS)
    assert lines(grbl.receive(line + b"\n", 0.0)) == [answer]


def test_offsets_move_work_positions_only() -> None:
    machine, grbl = simulator(settings=ZEROS)
    assert lines(grbl.receive(b"G10L20P1X5\nG1X7F100\n", 0.0)) == ["ok", "ok"]
    assert machine.position_m["X"] == pytest.approx(2e-3)
    assert "|WCO:-5.000,0.000,0.000" in lines(grbl.receive(b"?", 0.0))[-1]
    assert lines(grbl.receive(b"G53G0X1\n", 0.0)) == ["ok"]
    assert machine.position_m["X"] == pytest.approx(1e-3)
    grbl.receive(b"G20G91G1X1F10\n", 0.0)
    assert machine.position_m["X"] == pytest.approx(1e-3 + 25.4e-3, abs=2e-6)  # half of a 4 µm step
    grbl.receive(b"$13=1\n", 0.0)
    assert "MPos:1.0394," in lines(grbl.receive(b"?", 0.0))[-1] and "WCO:-0.1969," in lines(grbl.receive(b"$10=1\n\x18?", 0.0))[-1]


def test_the_planner_holds_15_blocks_and_the_receive_buffer_128_bytes() -> None:
    _, grbl = simulator(settings=ZEROS, time_scale=1.0)
    answer = grbl.receive(b"".join(b"G91G1X1F60\n" for _ in range(40)), 0.0)
    # One block runs, 15 wait; one more line has left the receive buffer and 128 bytes stay in it.
    assert answer.count(b"ok") == 16
    total = answer.count(b"ok") + grbl.poll(1000.0).count(b"ok")
    assert total == 16 + 1 + 128 // len(b"G91G1X1F60\n")


def test_feeds_are_capped_by_the_axis_and_targets_fall_on_steps() -> None:
    machine, grbl = simulator(settings=ZEROS)
    grbl.receive(b"G1X10.0015F99999\n", 0.0)
    assert machine.lab_s == pytest.approx(10 / 500 * 60)  # $110 = 500 mm/min
    assert machine.position_m["X"] == pytest.approx(10.0e-3, abs=1e-12)


def test_a_limit_switch_stops_the_motion_and_locks() -> None:
    machine, grbl = simulator(settings=ZEROS, time_scale=1.0)
    grbl.receive(b"G91G1X10F60\n", 0.0)
    grbl.alarm(1, 2.0)
    assert lines(grbl.poll(2.0)) == ["ALARM:1", "[MSG:Reset to continue]"]
    assert machine.position_m["X"] == pytest.approx(2e-3)
