"""Step streams of Klipper's batch mode, made by hand from the description of the protocol (docs/Protocol.md, docs/MCU_Commands.md of Klipper)."""

from __future__ import annotations

import binascii
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precision.benchmarks import tracking_import
from precision.drivers.files import klipper_steps
from precision.drivers.files.recognise import recognised
from precision.errors import DataError

TICKS = 1_000_000
COMMANDS = {
    "allocate_oids count=%c": 2, "config_stepper oid=%c step_pin=%c dir_pin=%c invert_step=%c step_pulse_ticks=%u": 3, "queue_step oid=%c interval=%u count=%hu add=%hi": 4,
    "set_next_step_dir oid=%c dir=%c": 5, "reset_step_clock oid=%c clock=%u": 6, "debug_text data=%*s": 100,
}  # fmt: skip
CONFIG = """
[printer]
kinematics: cartesian
[stepper_x]
step_pin: PA0   # a comment
dir_pin: PA1
microsteps: 16
rotation_distance: 32
[stepper_y]
step_pin: !PA2
dir_pin: !PA3
microsteps: 16
full_steps_per_rotation: 400
gear_ratio: 2:1
rotation_distance: 64
"""


def quantity(value: int) -> bytes:
    """An integer as the protocol's table has it: −32 … 95 in one byte, −4096 … 12287 in two, …"""
    for count, (low, high) in enumerate([(-32, 95), (-4096, 12287), (-524288, 1572863), (-67108864, 201326591), (-2147483648, 4294967295)], 1):
        if low <= value <= high:
            bits = value % (1 << 7 * count)
            parts = [bits >> 7 * k & 0x7F for k in reversed(range(count))]
            return bytes([part | 0x80 for part in parts[:-1]] + parts[-1:])
    raise AssertionError(value)


def block(*values: int, sequence: int = 0) -> bytes:
    """A message block; its sum by the standard library's CRC of the other bit order."""
    content = b"".join(quantity(value) for value in values)
    head = bytes([len(content) + 5, 0x10 | sequence % 16]) + content
    turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in head)
    crc = int(f"{binascii.crc_hqx(turned, 0xFFFF):016b}"[::-1], 2)
    return head + bytes([crc >> 8, crc & 0xFF, 0x7E])


def files(folder: Path, stream: bytes) -> dict[str, Path]:
    """The three files of a run."""
    dictionary = {"commands": COMMANDS, "responses": {}, "config": {"CLOCK_FREQ": TICKS}, "enumerations": {"pin": {"PA0": [0, 8], "PB0": 8}}}
    (folder / "machine.dict").write_text(json.dumps(dictionary), encoding="utf-8")
    (folder / "printer.cfg").write_text(CONFIG, encoding="utf-8")
    (folder / "part.serial").write_bytes(stream)
    return {"path": folder / "part.serial", "dictionary": folder / "machine.dict", "config": folder / "printer.cfg"}


SET_UP = block(2, 2) + block(3, 0, 0, 1, 0, 0, 3, 1, 2, 3, 0, 0)


def test_a_run_at_constant_speed_is_a_straight_line(tmp_path: Path) -> None:
    # 2000 steps of 10 µm, one each 500 ticks = 0.5 ms: 20 mm/s, from 1 s on
    stream = SET_UP + block(5, 0, 1, 6, 0, TICKS, 4, 0, 500, 2000, 0)
    found = klipper_steps.read(**files(tmp_path, stream), rate_hz=1000.0, margin_s=0.05)
    assert found.steps == {"x": 2000}
    assert found.resolution_m["x"] == pytest.approx(10e-6)
    x = found.position_m["x"]
    assert x[0] == 0.0
    assert x[-1] == pytest.approx(20e-3, abs=1e-15)
    moving = (found.time_s > 0.06) & (found.time_s < 1.04)
    # the first step comes 0.5 ms after the clock of the reset and is half a step of way: the line is x = v·(t − t₀)
    slope, offset = np.polyfit(found.time_s[moving], x[moving], 1)
    assert slope == pytest.approx(0.02, rel=1e-9)
    assert np.abs(x[moving] - (slope * found.time_s[moving] + offset)).max() < 1e-12


def test_an_interval_that_shrinks_is_an_acceleration(tmp_path: Path) -> None:
    # times t_k = Σ (1000 − 2 j): by hand 1000, 1998, 2994, … ticks
    stream = SET_UP + block(5, 0, 1, 6, 0, 0, 4, 0, 1000, 200, -2)
    found = klipper_steps.read(**files(tmp_path, stream), rate_hz=100_000.0, margin_s=0.0)
    k = np.arange(1, 201)
    t = (1000 * k - 2 * k * (k - 1) / 2) / TICKS
    lead = t[1] - t[0]  # what is put before the first step: the interval that follows it
    places = np.interp(t - (t[0] - lead), found.time_s, found.position_m["x"])
    assert places[1:-1] == pytest.approx((k[1:-1] - 0.5) * 10e-6, abs=0.02e-6)  # 10 µs of sampling at 10 mm/s and its curvature


def test_directions_inverted_pins_and_gears(tmp_path: Path) -> None:
    # Y: dir pin inverted, so dir=1 is negative; 64 mm / (400 · 16 · 2) = 5 µm a step
    stream = SET_UP + block(5, 1, 1, 6, 1, 0, 4, 1, 500, 100, 0) + block(5, 1, 0, 4, 1, 500, 300, 0)
    found = klipper_steps.read(**files(tmp_path, stream))
    y = found.position_m["y"]
    assert found.resolution_m["y"] == pytest.approx(5e-6)
    assert y.min() == pytest.approx(-100 * 5e-6, abs=5e-6)
    assert y[-1] == pytest.approx(200 * 5e-6, abs=1e-15)


def test_a_motor_that_stands_rests_at_its_step(tmp_path: Path) -> None:
    stream = SET_UP + block(5, 0, 1, 6, 0, 0, 4, 0, 1000, 10, 0) + block(6, 0, 500_000, 4, 0, 1000, 10, 0)
    found = klipper_steps.read(**files(tmp_path, stream), margin_s=0.0)
    resting = (found.time_s > 0.1) & (found.time_s < 0.4)
    assert found.position_m["x"][resting] == pytest.approx(10 * 10e-6, abs=1e-15)


def test_a_clock_of_32_bits_that_wraps_goes_on(tmp_path: Path) -> None:
    near_end = 2**32 - 5000
    stream = SET_UP + block(5, 0, 1, 6, 0, 2**31, 4, 0, 500, 2, 0) + block(6, 0, near_end, 4, 0, 1000, 4, 0) + block(6, 0, 10_000, 4, 0, 1000, 4, 0)
    found = klipper_steps.read(**files(tmp_path, stream), rate_hz=10.0, margin_s=0.0)
    assert found.time_s[-1] == pytest.approx((2**31 + 10_000 + 4000) / TICKS, abs=0.11)  # sampled at 10 Hz
    assert found.position_m["x"][-1] == pytest.approx(10 * 10e-6, abs=1e-6)


@pytest.mark.parametrize("interval", [1000, 60_000], ids=["turning", "resting between"])
def test_a_motor_that_turns_round_has_been_at_a_whole_step(tmp_path: Path, interval: int) -> None:
    # ten steps up, and down again: the last step up and the first one down pass the same middle, and in between it was at the tenth step, but for half of one
    stream = SET_UP + block(5, 0, 1, 6, 0, 0, 4, 0, 1000, 10, 0) + block(5, 0, 0, 4, 0, interval, 1, 0, 4, 0, 1000, 9, 0)
    found = klipper_steps.read(**files(tmp_path, stream), rate_hz=10_000.0, margin_s=0.0)
    x = found.position_m["x"] / found.resolution_m["x"]
    assert x.max() == pytest.approx(10.0, abs=1e-9)
    assert x[round((10_000 + interval / 2) * 1e-6 * 10_000 - found.begin_s * 10_000)] == pytest.approx(10.0, abs=0.11)  # 0.1 ms of sampling


def test_a_motor_that_rests_for_longer_than_32_bits_of_the_clock_steps_on_time(tmp_path: Path) -> None:
    # X steps on every 1000 s; Y rests from 1000 s to 8000 s, 1.6 times round, and the one step that ends its rest has 32 bits for the interval
    rest = 7_000_000_000 - 1000
    stream = SET_UP + block(5, 0, 1, 6, 0, 0, 5, 1, 0, 6, 1, 0) + block(4, 0, 1_000_000_000, 1, 0) + block(4, 1, 1_000_000_000, 1, 0, 4, 1, 1000, 1, 0)
    for _ in range(7):
        stream += block(4, 0, 1_000_000_000, 1, 0)
    found = klipper_steps.read(**files(tmp_path, stream + block(4, 1, rest % 2**32, 1, 0)), rate_hz=1.0, margin_s=0.0)
    assert found.begin_s + found.time_s[-1] == pytest.approx(8000, abs=1)
    y = found.position_m["y"] / found.resolution_m["y"]
    assert y[int(7900 - found.begin_s)] == pytest.approx(2.0, abs=1e-9) and y[0] == 0
    assert found.made_m("y", 7999.0) == pytest.approx(10e-6) and found.made_m("y", 8000.1) == pytest.approx(15e-6)


def test_an_interval_of_more_than_31_bits_is_no_negative_one(tmp_path: Path) -> None:
    # 2³² − 5 ticks: the protocol writes it as −5
    found = klipper_steps.read(**files(tmp_path, SET_UP + block(5, 0, 1, 6, 0, 0, 4, 0, -5, 1, 0)), rate_hz=10.0, margin_s=0.0)
    assert found.begin_s == pytest.approx((2**32 - 5) / TICKS, abs=0.02)


def test_the_sum_has_the_published_check_value() -> None:
    assert klipper_steps._crc(b"123456789") == 0x6F91  # CRC-16/MCRF4XX of the catalogue of parametrised CRC algorithms


@pytest.mark.parametrize("value", [-2147483648, -67108865, -4097, -4096, -33, -32, -1, 0, 95, 96, 12287, 12288, 1572864, 201326592, 4294967295])
def test_integers_of_every_length_are_read(value: int) -> None:
    data = quantity(value)
    assert klipper_steps._integer(Path("x"), 0, data, 0) == (value, len(data))


def test_texts_in_commands_are_passed_over(tmp_path: Path) -> None:
    content = b"".join([quantity(100), quantity(3), b"abc", quantity(5), quantity(0), quantity(1), quantity(4), quantity(0), quantity(500), quantity(3), quantity(0)])
    head = bytes([len(content) + 5, 0x10]) + content
    crc = klipper_steps._crc(head)
    found = klipper_steps.read(**files(tmp_path, SET_UP + head + bytes([crc >> 8, crc & 0xFF, 0x7E])))
    assert found.steps == {"x": 3}


def test_it_is_recognised_and_a_text_is_not(tmp_path: Path) -> None:
    paths = files(tmp_path, SET_UP + block(5, 0, 1, 4, 0, 500, 3, 0))
    kind = recognised(paths["path"])
    assert kind is not None and (kind.name, kind.procedure) == ("Klipper step stream", "contour")
    assert not klipper_steps.begins(b"time,x\n1,2\n")
    assert not klipper_steps.begins(b"")


@given(data=st.binary(max_size=300), cut=st.integers(0, 200), flip=st.integers(0, 400))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_and_any_damage_give_steps_or_a_data_error(tmp_path: Path, data: bytes, cut: int, flip: int) -> None:
    good = bytearray(SET_UP + block(5, 0, 1, 6, 0, 0, 4, 0, 500, 300, -1) + block(5, 0, 0, 4, 0, 700, 20, 3))
    good[flip // 8 % len(good)] ^= 1 << flip % 8
    for stream in (data, bytes(good), bytes(good[: cut % len(good)]), SET_UP + data):
        try:
            found = klipper_steps.read(**files(tmp_path, stream))
        except DataError:
            continue
        assert all(np.isfinite(place).all() for place in found.position_m.values())


def test_what_is_none_of_it_is_refused(tmp_path: Path) -> None:
    good = SET_UP + block(5, 0, 1, 4, 0, 500, 3, 0)
    for stream, said in (
        (b"", "is empty"), (b"\0" * 5000, "no block of the protocol"), (SET_UP, "holds no step"), (good[:-4] + bytes([good[-4] ^ 1]) + good[-3:], "damaged"),
        (SET_UP + block(99, 1), "command 99 is not in the dictionary"), (SET_UP + block(4, 0, 500), "ends before its parameters do"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=said):
            klipper_steps.read(**files(tmp_path, stream))
    paths = files(tmp_path, good)
    for broken, text, said in (
        ("dictionary", "{", "is no dictionary"), ("dictionary", '{"commands": {}, "config": {"CLOCK_FREQ": 1}, "enumerations": {"pin": {}}}', "lacks queue_step"),
        ("config", "[printer]\nkinematics: delta\n", "cartesian ones are read"), ("config", "kinematics", "is no printer.cfg"),
        ("config", "[printer]\nkinematics: cartesian\n[stepper_x]\nstep_pin: PA0\ndir_pin: PA1\nmicrosteps: many\nrotation_distance: 40\n", "microsteps is 'many'"),
    ):  # fmt: skip
        kept = paths[broken].read_text(encoding="utf-8")
        paths[broken].write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=said):
            klipper_steps.read(**paths)
        paths[broken].write_text(kept, encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        klipper_steps.read(tmp_path / "absent", dictionary=paths["dictionary"], config=paths["config"])


def test_a_step_stream_has_no_following_error_and_says_so(tmp_path: Path) -> None:
    stream = SET_UP + block(5, 0, 1, 6, 0, TICKS, 4, 0, 500, 2000, 0)
    with pytest.raises(DataError, match=r"no following error.*--as contour"):
        tracking_import.read_file(files(tmp_path, stream)["path"], tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def _said(tmp_path: Path, stream: bytes, *, commands: dict[str, int] | None = None, dictionary: str | None = None, config: str = CONFIG) -> str:
    given = files(tmp_path, stream)
    if commands is not None or dictionary is not None:
        raw = json.loads(given["dictionary"].read_text())
        raw["commands"] = commands or raw["commands"]
        given["dictionary"].write_text(dictionary or json.dumps(raw))
    given["config"].write_text(config)
    with pytest.raises(DataError) as told:
        klipper_steps.read(given.pop("path"), **given)
    return str(told.value)


@pytest.mark.parametrize("length", [-2, -3, -32, 3, 95])
def test_a_text_that_leads_back_or_out_of_its_block_is_refused(tmp_path: Path, length: int) -> None:
    assert "a text of" in _said(tmp_path, block(100, length))


def test_an_integer_of_more_than_32_bits_is_refused(tmp_path: Path) -> None:
    content = bytes([6, 0]) + b"\xff" * 20 + b"\x01"
    head = bytes([len(content) + 5, 0x10]) + content
    crc = klipper_steps._crc(head)
    assert "an integer of more than 5 bytes" in _said(tmp_path, head + bytes([crc >> 8, crc & 0xFF, 0x7E]))


@pytest.mark.parametrize("ratio", ["0:1", "1:0", "1.2.3:1", "abc", "1:2:3", "9e99:1"])
def test_gears_that_are_none_are_refused(tmp_path: Path, ratio: str) -> None:
    assert "gear_ratio" in _said(tmp_path, block(3, 0, 0, 1, 0, 0), config=CONFIG.replace("2:1", ratio))


def test_a_dictionary_whose_commands_lack_parameters_is_refused(tmp_path: Path) -> None:
    lacking = {**COMMANDS, "set_next_step_dir oid=%c": 5}
    del lacking["set_next_step_dir oid=%c dir=%c"]
    assert "set_next_step_dir oid dir" in _said(tmp_path, block(5, 0), commands=lacking)


def test_a_clock_beyond_all_numbers_is_refused(tmp_path: Path) -> None:
    text = json.dumps({"commands": COMMANDS, "config": {"CLOCK_FREQ": 10**400}, "enumerations": {"pin": {}}})
    assert "no dictionary" in _said(tmp_path, block(5, 0, 1), dictionary=text)
