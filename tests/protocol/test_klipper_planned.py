"""The planned motion of a Klipper in batch mode: files made by hand, evaluated by hand, damaged; and held against step streams made by hand."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precision.benchmarks import tracking_import
from precision.drivers import kalico
from precision.drivers.files import klipper_planned
from precision.errors import DataError, PrecisionError

PROGRAM = Path(kalico.__path__[0]) / "planned_motion.py"
SET = (0.25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
MOVE = (0.75, 0.05, 0.35, 0.05, 0, 0, 0, 1, 0, 0, 0, 100, 2000)
"""40 mm along X: 2.5 mm up to 100 mm/s, 35 mm, 2.5 mm."""
BACK = (1.5, 0.05, 0.35, 0.05, 40, 0, 0, -1, 0, 0, 0, 100, 2000)
TICKS = 1_000_000


def planned(folder: Path, *rows: Sequence[float], digest: str = "0" * 64, said: int | None = None) -> Path:
    path = folder / "planned.csv"
    text = [f"# planned motion 1; kalico 1.0; steps sha256 {digest}", klipper_planned.COLUMNS, *(",".join(repr(float(one)) for one in row) for row in rows)]
    path.write_text("\n".join([*text, f"# end, {len(rows) if said is None else said} rows\n"]), encoding="ascii")
    return path


def test_the_position_within_each_piece_is_that_worked_out_by_hand(tmp_path: Path) -> None:
    found = klipper_planned.read(planned(tmp_path, SET, MOVE, BACK))
    at = np.array([0.0, 0.75, 0.775, 0.80, 0.975, 1.15, 1.175, 1.2, 1.35, 1.525, 1.95, 99.0])
    # mm: ½·2000·0.025² = 0.625, ½·2000·0.05² = 2.5, + 100·0.175, + 100·0.35, + 100·0.025 − 0.625, …
    by_hand = np.array([0, 0, 0.625, 2.5, 20.0, 37.5, 39.375, 40, 40, 39.375, 0, 0])
    assert found.position_m(at)["x"] == pytest.approx(by_hand * 1e-3, abs=1e-17)
    assert not found.position_m(at)["y"].any()
    assert (found.moves, found.left_out, found.begin_s, found.end_s) == (2, 0, 0.75, 1.95)
    assert found.moving_s("x") == pytest.approx((0.75, 1.95)) and found.moving_s("z") is None
    assert found.fastest_m_per_s("x") == pytest.approx(0.1)


def test_a_cruise_of_less_than_nothing_by_rounding_is_none(tmp_path: Path) -> None:
    """As of a short move of an arc behind which the machine stops: deceleration takes all of its way."""
    up, down = (*MOVE[:2], -7e-19, *MOVE[3:]), (0.85, 0.05, -1e-15, 0.05, 5, *BACK[5:])
    found = klipper_planned.read(planned(tmp_path, SET, up, down))
    assert (found.moves, found.left_out, found.end_s) == (2, 0, pytest.approx(0.95))
    assert found.position_m(np.array([0.775, 0.8, 0.85, 0.9, 0.95]))["x"] == pytest.approx(np.array([0.625, 2.5, 5.0, 2.5, 0.0]) * 1e-3, abs=1e-12)


def test_the_most_moves_without_a_setting_of_the_position_are_taken(tmp_path: Path) -> None:
    homing = (0.3, 0.1, 0, 0.1, 200, 0, 0, -1, 0, 0, 0, 20, 200)
    anew = (0.6, *SET[1:])
    found = klipper_planned.read(planned(tmp_path, homing, anew, MOVE, BACK, (2.0, *SET[1:4], 5, *SET[5:]), (2.5, *MOVE[1:4], 5, *MOVE[5:])))
    assert (found.moves, found.left_out) == (2, 2)
    assert found.not_before_s == pytest.approx((0.5 + 0.75) / 2) and found.not_after_s == pytest.approx((1.95 + 2.5) / 2)


@given(
    moves=st.lists(
        st.tuples(st.floats(0, 0.2), st.floats(0, 0.5), st.floats(0.001, 1), st.floats(0, 2 * math.pi), st.floats(1, 5000), st.floats(0, 3)), min_size=1, max_size=20
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_plan_is_continuous_and_no_faster_than_it_says(tmp_path: Path, moves: list[tuple[float, ...]]) -> None:
    rows, time_s, place = [], 1.0, np.zeros(3)
    for pause, cruise, up, angle, accel, start in moves:
        time_s += pause
        way = np.array([math.cos(angle), math.sin(angle), 0.0])
        top = start + accel * up
        rows.append((time_s, up, cruise, up, *place, *way, start, top, accel))
        length = 2 * (start * up + accel * up**2 / 2) + top * cruise
        time_s, place = time_s + 2 * up + cruise, place + way * length
    found = klipper_planned.read(planned(tmp_path, *rows))
    at = np.linspace(0.9, time_s + 0.1, 4001)
    for k, axis in enumerate("xyz"):
        where = found.position_m(at)[axis]
        assert where[-1] == pytest.approx(place[k] * 1e-3, abs=1e-9)
        assert np.abs(np.diff(where)).max() <= found.fastest_m_per_s(axis) * (at[1] - at[0]) * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((SET, (0.75, math.nan, *MOVE[2:])), "line 4: accel_t .s. is 'nan'; a number is expected"),
        ((SET, (0.75, math.inf, *MOVE[2:])), "line 4: accel_t .s. is 'inf'"),
        ((SET, (-0.75, *MOVE[1:])), "line 4: a time below 0"),
        ((SET, (*MOVE[:2], -2e-9, *MOVE[3:])), "line 4: a time below 0"),
        ((SET, (0.75, 0, -1e-19, 0, *MOVE[4:])), "line 4: a time below 0"),
        ((SET, (0.75, -1e-19, *MOVE[2:])), "line 4: a time below 0"),
        ((SET, (*MOVE[:10], -1, *MOVE[11:])), "line 4: a speed or an acceleration below 0"),
        ((SET, (*MOVE[:7], 2, *MOVE[8:])), "line 4: axes_r is no direction"),
        ((SET, (*MOVE[:11], 200, 2000)), "line 4: start_v, accel and accel_t do not come to cruise_v"),
        ((SET, (*MOVE[:3], 0.06, *MOVE[4:])), "line 4: the move turns round"),
        ((SET, MOVE, (1.1999, *BACK[1:])), "line 5: begins at 1.1999 s, before the row before it has ended at 1.2 s"),
        ((SET, (*MOVE[:5], 40, *MOVE[6:])), "line 4: begins 40 mm from where"),
        ((SET, MOVE, (*BACK[:4], 40.00001, *BACK[5:])), "line 5: begins 1e-05 mm from where"),
        ((SET, MOVE, (*BACK[:12],)), "line 5: 12 values where 13 are expected"),
        ((SET, (*MOVE, 1)), "line 4: 14 values|13 are expected"),
        ((SET,), "holds no move"),
        ((), "holds no move"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_its_line(tmp_path: Path, rows: Sequence[Sequence[float]], said: str) -> None:
    with pytest.raises(DataError, match=rf"planned\.csv.*({said})"):
        klipper_planned.read(planned(tmp_path, *rows))


def test_another_file_a_part_of_one_and_another_format_are_refused(tmp_path: Path) -> None:
    path = planned(tmp_path, SET, MOVE, BACK)
    whole = path.read_text(encoding="ascii")
    lines = whole.splitlines(keepends=True)
    for text, said in (
        ("", "does not begin like a planned motion"), ("time,x\n1,2\n", "does not begin like"), (whole[: -len(whole) // 5], "cut off"), ("".join([*lines[:3], *lines[4:]]), "cut off"),
        (lines[0], "line 2: the columns are ''"), (lines[0] + lines[1], "cut off"), (whole.replace("[mm/s^2]", "[m/s^2]"), "line 2: the columns are"),
        (whole.replace("planned motion 1", "planned motion 2"), "format 2"), (whole.replace("0.35", "0,35", 1), "line 4: 14 values|line 4: 13"), (whole.replace("100.0", "1e400"), "line 4"),
    ):  # fmt: skip
        path.write_text(text, encoding="ascii")
        with pytest.raises(DataError, match=said):
            klipper_planned.read(path)
    with pytest.raises(DataError, match="cannot be read"):
        klipper_planned.read(tmp_path / "absent.csv")
    path.write_text(whole.replace("\n", "\r\n"), encoding="ascii", newline="")
    assert klipper_planned.read(path).moves == 2


@given(data=st.binary(max_size=200), at=st.integers(0, 2000), cut=st.integers(0, 2000))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_gives_a_plan_or_a_data_error(tmp_path: Path, data: bytes, at: int, cut: int) -> None:
    path = planned(tmp_path, SET, MOVE, BACK)
    good = path.read_bytes()
    k = at % len(good)
    for bytes_ in (data, good[: cut % len(good)], good[:k] + data + good[k + len(data) :], good[:k] + bytes([good[k] ^ 1 << cut % 8]) + good[k + 1 :]):
        path.write_bytes(bytes_)
        try:
            found = klipper_planned.read(path)
        except DataError:
            continue
        assert np.isfinite(found.position_m(np.linspace(0, 3, 50))["x"]).all()


# ---- with the steps of its motor ------------------------------------------------------------------------------------------------------------

DICTIONARY = """{"commands": {"allocate_oids count=%c": 2, "config_stepper oid=%c step_pin=%c dir_pin=%c invert_step=%c step_pulse_ticks=%u": 3,
"queue_step oid=%c interval=%u count=%hu add=%hi": 4, "set_next_step_dir oid=%c dir=%c": 5, "reset_step_clock oid=%c clock=%u": 6},
"responses": {}, "config": {"CLOCK_FREQ": 1000000}, "enumerations": {"pin": {"PA0": [0, 8]}}}"""
CONFIG = "[printer]\nkinematics: cartesian\n" + "".join(
    f"[stepper_{axis}]\nstep_pin: PA{2 * k}\ndir_pin: PA{2 * k + 1}\nmicrosteps: 16\nrotation_distance: 32\n" for k, axis in enumerate("xy")
)
"""Steps of 10 µm."""


def quantity(value: int) -> bytes:
    """An integer of 32 bits as the protocol has it, in five bytes."""
    return bytes([value % (1 << 35) >> 7 * k & 0x7F | (0x80 if k else 0) for k in reversed(range(5))])


def block(*values: int) -> bytes:
    """A message block; its CRC bit by bit, as the protocol's description tells it."""
    content = b"".join(quantity(value) for value in values)
    head = bytes([len(content) + 5, 0x10]) + content
    crc = 0xFFFF
    for byte in head:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return head + bytes([crc >> 8, crc & 0xFF, 0x7E])


def to_the_tick(oid: int, times_s: Sequence[float], forward: bool, at: int = 0) -> bytes:
    """A block for each step, at its time to a tick; `at` is the clock of the step before."""
    stream = block(5, oid, int(forward))
    for when in times_s:
        tick = round(when * TICKS)
        stream += block(4, oid, tick - at, 1, 0)
        at = tick
    return stream


def crossing_s(row: Sequence[float], steps: int, step_mm: float = 0.01) -> list[float]:
    """When a symmetric move from rest passes the middles between its steps: the square root by hand."""
    begin, up, cruise, _ = row[:4]
    top, accel = row[11:]
    end, found = begin + 2 * up + cruise, []
    for k in range(steps):
        s = (k + 0.5) * step_mm
        rest = steps * step_mm - s
        if s < accel * up**2 / 2:
            found.append(begin + math.sqrt(2 * s / accel))
        elif rest < accel * up**2 / 2:
            found.append(end - math.sqrt(2 * rest / accel))
        else:
            found.append(begin + up + (s - accel * up**2 / 2) / top)
    return found


SLOW = (1.0, 0.1, 0.9, 0.1, 0, 0, 0, 1, 0, 0, 0, 10, 100)
"""10 mm at 10 mm/s: 1000 steps of 10 µm."""
SLOW_BACK = (3.0, 0.1, 0.9, 0.1, 10, 0, 0, -1, 0, 0, 0, 10, 100)
SET_UP = block(2, 2) + block(3, 0, 0, 1, 0, 0) + block(3, 1, 2, 3, 0, 0) + block(6, 0, 0) + block(6, 1, 0)


def run_of(folder: Path, stream: bytes, *rows: Sequence[float], digest: str | None = None) -> tuple[Path, list[str]]:
    """Stream and settings."""
    (folder / "klipper.dict").write_text(DICTIONARY, encoding="utf-8")
    (folder / "printer.cfg").write_text(CONFIG, encoding="utf-8")
    (folder / "part.serial").write_bytes(stream)
    plan = planned(folder, *rows, digest=digest or hashlib.sha256(stream).hexdigest())
    return folder / "part.serial", [f"steps.dictionary={folder / 'klipper.dict'}", f"steps.config={folder / 'printer.cfg'}", f"steps.planned={plan}"]


def to_and_fro(late_s: float = 0.0) -> bytes:
    """The steps of SLOW and SLOW_BACK, all of them later."""
    there = [when + late_s for when in crossing_s(SLOW, 1000)]
    back = [when + late_s for when in crossing_s(SLOW_BACK, 1000)]
    return SET_UP + to_the_tick(0, there, True) + to_the_tick(0, back, False, round(there[-1] * TICKS))


@pytest.mark.parametrize("late_s", [0.0, 0.5e-3, -0.2e-3])
def test_steps_that_come_late_are_a_lag_of_that_time(tmp_path: Path, late_s: float) -> None:
    from precision.benchmarks.tracking_evaluation import analyse
    from precision.benchmarks.tracking_plan import Recorded
    from precision.plan import check

    file, words = run_of(tmp_path, to_and_fro(late_s), SET, SLOW, SLOW_BACK)
    run = tracking_import.read_file(file, tmp_path / "runs", settings=words)
    analysis = analyse(check(Recorded, run.manifest.plan, name="plan"), run.readings().columns)
    (one,) = analysis.judged
    assert one.name == "X"
    # a tick of 1 µs at 10 mm/s is 10 nm; between the middles of two steps the place is a straight line, at rest a whole step
    middle = np.abs(np.gradient(one.command)) * one.rate_hz > 9.9e-3
    assert np.abs(one.result.error[middle] - np.sign(np.gradient(one.command)[middle]) * 0.01 * late_s).max() < 60e-9
    assert np.abs(one.result.error).max() <= 5e-6 + 0.01 * abs(late_s) + 10e-9
    lag = one.figures["velocity_lag"]
    assert lag.value == pytest.approx(late_s, abs=2e-6)
    # half a step, rectangular, with k = 2; synchronous to the clock's tick, 1 µs
    assert one.figures["e_max"].uncertainty == pytest.approx(2 * math.hypot(10e-6 / math.sqrt(12), 0.01 * 1e-6 / math.sqrt(3)), rel=1e-3)


def test_a_plan_and_steps_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    good, late = to_and_fro(), to_and_fro(0.4)
    short = SET_UP + to_the_tick(0, crossing_s(SLOW, 1000), True)
    beyond = good + to_the_tick(0, [5.0, 5.1, 5.2], True, round(crossing_s(SLOW_BACK, 1000)[-1] * TICKS))
    on_y = (*SLOW[:7], 0, 1, 0, *SLOW[10:])
    on_both = good + to_the_tick(1, [1.5, 1.6, 1.7], True)
    for stream, rows, said in (
        (short, (SET, SLOW, SLOW_BACK), r"part\.serial: at the end X stands 10\S* mm from its planned position"), (late, (SET, SLOW, SLOW_BACK), "the motor of X moves from"),
        (beyond, (SET, SLOW, SLOW_BACK), r"at the end X stands 30\S* µm"), (good, (SET, on_y), r"Y is planned to move by 10\S* mm, but the stream has no step of its motor"),
        (on_both, (SET, SLOW, SLOW_BACK), r"the motor of Y goes 30\S* µm from where it was, Y is planned to stand"),
    ):  # fmt: skip
        file, words = run_of(tmp_path, stream, *rows)
        with pytest.raises(DataError, match=said):
            tracking_import.read_file(file, tmp_path / "runs", settings=words)
    file, words = run_of(tmp_path, good, SET, SLOW, SLOW_BACK, digest="1" * 64)
    with pytest.raises(DataError, match="is the plan of other steps"):
        tracking_import.read_file(file, tmp_path / "runs", settings=words)
    with pytest.raises(DataError, match=r"no following error.*planned_motion\.py.*steps\.planned=.*--as contour"):
        tracking_import.read_file(file, tmp_path / "runs", settings=words[:2])
    with pytest.raises(DataError, match=r"planned\.csv: is the motion that Kalico planned.*analyze part\.serial"):
        tracking_import.read_file(tmp_path / "planned.csv", tmp_path / "runs")
    with pytest.raises(PrecisionError, match="missing: config"):
        tracking_import.read_file(file, tmp_path / "runs", settings=[words[0], words[2]])
    assert not (tmp_path / "runs").exists()


def test_what_rounding_leaves_of_a_motion_is_none(tmp_path: Path) -> None:
    there = (*SLOW[:8], 1e-12, 0, *SLOW[10:])
    back = (*SLOW_BACK[:5], 1e-11, 0, -1, -1e-12, 0, *SLOW_BACK[10:])
    file, words = run_of(tmp_path, to_and_fro(), SET, there, back)
    run = tracking_import.read_file(file, tmp_path / "runs", settings=words)
    assert run.manifest.plan["recording"]["axes"] == ["X"]


def test_the_uncertainty_that_somebody_states_goes_before_the_tick_of_the_clock(tmp_path: Path) -> None:
    file, words = run_of(tmp_path, to_and_fro(), SET, SLOW, SLOW_BACK)
    run = tracking_import.read_file(file, tmp_path / "runs", settings=[*words, 'uncertainty.synchronisation="25 µs"'])
    assert run.manifest.plan["uncertainty"]["synchronisation"] == "2.5e-05 s"
    assert run.manifest.plan["recording"]["counts"] == ["1e-05 m"]
    assert "There is no encoder" in run.manifest.plan["recording"]["about"][0]


# ---- the program beside the controller, with a controller that does nothing -----------------------------------------------------------------------

TOOLHEAD = """
class Serial:
    waits = 3
    def stats(self, eventtime):
        self.waits -= 1
        return f"bytes_write={100 - self.waits} srtt=0.000 ready_bytes={10 * self.waits} upcoming_bytes=0"
class Mcu:
    def __init__(self):
        self._serial = Serial()
class Printer:
    def request_exit(self, result):
        print("exit", result)
class ToolHead:
    def __init__(self, config):
        self.trapq, self.print_time, self.seen = object(), 0.25, []
        self.printer, self.all_mcus = Printer(), [Mcu()]
        self.trapq_append = lambda *values: self.seen.append(values)
    def set_position(self, newpos, homing_axes=""):
        pass
"""
PRINTER = """
import sys
from klippy.toolhead import ToolHead
def main():
    print("arguments", sys.argv)
    head = ToolHead(None)
    head.set_position([0.0, 0.0, 0.0, 0.0])
    head.trapq_append(head.trapq, 0.75, 0.05, 0.35, 0.05, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 100.0, 2000.0)
    head.trapq_append(object(), *range(13))
    assert len(head.seen) == 2
    head.printer.request_exit("exit")
    assert head.all_mcus[0]._serial.waits == 0
    open("part.serial", "wb").write(b"steps")
"""


def beside(folder: Path, toolhead: str = TOOLHEAD, printer: str = PRINTER, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program, where `klippy` is ours."""
    (folder / "klippy").mkdir(exist_ok=True)
    for name, text in (("__init__", ""), ("toolhead", toolhead), ("printer", printer)):
        (folder / "klippy" / f"{name}.py").write_text(text, encoding="utf-8")
    words = arguments or ("planned.csv", "printer.cfg", "-i", "part.gcode", "-o", "part.serial", "-d", "klipper.dict", "-l", "log.txt")
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, str(PROGRAM), *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_program_writes_what_the_tool_head_plans_with_the_sum_of_its_steps(tmp_path: Path) -> None:
    done = beside(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "exit exit" in done.stdout  # after all has been written
    assert "arguments ['kalico', 'printer.cfg', '-i', 'part.gcode', '-o', 'part.serial', '-d', 'klipper.dict', '-l', 'log.txt']" in done.stdout
    found = klipper_planned.read(tmp_path / "planned.csv")
    assert (found.moves, found.begin_s) == (1, 0.75)
    assert found.steps_sha256 == hashlib.sha256(b"steps").hexdigest()


@pytest.mark.parametrize(
    ("toolhead", "printer", "said"),
    [
        ("class Head: pass", PRINTER, "cannot import name 'ToolHead'"),
        (TOOLHEAD, "", "klippy.printer has no main"),
        (TOOLHEAD.replace("self.trapq_append", "self.append"), PRINTER.replace("head.trapq_append(", "(lambda *values: None)(").replace("== 2", "== 0").replace("    assert head.all", "    # "), "its tool head has no trapq_append"),
        (TOOLHEAD.replace("ready_bytes", "ready"), PRINTER.replace("    assert head.all", "    # "), "do not say how much is still to be written"),
        (TOOLHEAD.replace("def request_exit", "def leave"), PRINTER.replace("    head.printer", "    # ").replace("    assert head.all", "    # "), "has no printer.request_exit"),
        (TOOLHEAD, PRINTER.replace("100.0, 2000.0)", "100.0)"), "trapq_append or set_position was called with"),
        (TOOLHEAD, PRINTER.replace("    head.set_position", "    ToolHead(None)\n    head.set_position"), "started again within the run"),
        (TOOLHEAD, PRINTER.replace('    open("part', '    sys.exit(255)\n    open("part'), "ended with a fault (255)"),
        (TOOLHEAD, "import sys\ndef main():\n    open('part.serial', 'wb').close()\n", "planned no motion"),
    ],
)  # fmt: skip
def test_the_program_fails_loudly_and_writes_nothing_for_a_controller_that_it_does_not_know(tmp_path: Path, toolhead: str, printer: str, said: str) -> None:
    done = beside(tmp_path, toolhead, printer)
    assert done.returncode != 0
    assert said in done.stderr
    assert not (tmp_path / "planned.csv").exists() and not list(tmp_path.glob(".planned*"))


def test_the_program_wants_to_know_where_the_steps_go(tmp_path: Path) -> None:
    done = beside(tmp_path, TOOLHEAD, PRINTER, "planned.csv", "printer.cfg")
    assert done.returncode != 0 and "-o part.serial" in done.stderr
    assert beside(tmp_path, TOOLHEAD, PRINTER, "--help").returncode == 2
