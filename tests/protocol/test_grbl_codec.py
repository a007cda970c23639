"""Lines of Grbl 1.1h and grblHAL controllers mean what they say.

Source: conversations recorded with the real firmwares (`grbl/*.txt` of the shared data), and lines of the firmware's interface description.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from precision.drivers.grbl import codec
from precision.errors import ProtocolError

DATA = Path(__file__).parents[3] / "shared" / "data" / "grbl"
TRANSCRIPTS = ("grbl11_transcript.txt", "grblhal_transcript.txt")


def said(name: str) -> list[str]:
    """Every line that the firmware said in a transcript."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no recorded conversation {path}")
    lines: list[str] = []
    for line in path.read_text(encoding="ascii").splitlines():
        startup = re.match(r"<< ?\(?startup\)? b([\"'])(.*)", line)
        if startup:
            # A bytes literal, cut off in one of the files: its last piece may be half a line.
            pieces = startup[2].removesuffix(startup[1]).replace("\\r", "").split("\\n")
            lines += pieces[:-1]
        elif not line.startswith((">>", "status latency")):
            lines.append(line.removeprefix("<< "))
    return [line for line in lines if line.strip() and line != "<<"]


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_every_line_of_a_real_conversation_is_understood(name: str) -> None:
    kinds = {type(codec.decode(line.encode("ascii"))).__name__ for line in said(name)}
    assert {"Ok", "Refused", "Status", "Setting", "Point", "Bracket", "Banner"} <= kinds
    assert "NoneType" not in kinds


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_every_status_report_of_a_real_conversation_reads_as_written(name: str) -> None:
    reports = [line for line in said(name) if line.startswith("<")]
    assert len(reports) > 10
    for line in reports:
        status = codec.decode(line.encode("ascii"))
        assert isinstance(status, codec.Status)
        position = status.machine if status.machine is not None else status.work
        assert position is not None
        # Written back from the numbers, each field is found in the line again.
        decimals = 4 if "0.0000" in line else 3
        name_ = "MPos" if status.machine is not None else "WPos"
        assert f"|{name_}:" + ",".join(f"{value:.{decimals}f}" for value in position) + "|" in line
        assert (status.offset is not None) == ("|WCO:" in line)
        assert status.state + ("" if status.substate is None else f":{status.substate}") == line[1 : line.index("|")]
        assert status.feed is not None and f"|FS:{status.feed:.0f},0" in line
        assert status.pins == ("PXYZRHS" if "Pn:" in line else "")


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_every_setting_and_offset_of_a_real_conversation_reads_as_written(name: str) -> None:
    settings = [line for line in said(name) if re.match(r"\$[0-9]", line)]
    assert len(settings) > 30
    for line in settings:
        setting = codec.decode(line.encode("ascii"))
        assert isinstance(setting, codec.Setting)
        assert f"${setting.number}={setting.text}" == line
        assert setting.value == float(line.partition("=")[2])
    points = {point.name: point for line in said(name) if isinstance(point := codec.decode(line.encode("ascii")), codec.Point)}
    assert {"G54", "G59", "G28", "G30", "G92", "TLO"} <= set(points)
    assert codec.work_offset({name: point.values for name, point in points.items()}, "G54", 3) == (0.0, 0.0, 0.0)


def test_states_with_substates() -> None:
    status = codec.decode(b"<Hold:1|MPos:1.996,0.000,0.000|FS:0,0|Pn:PXYZRHS|Ov:100,100,100>\r")
    assert status == codec.Status("Hold", 1, (1.996, 0.0, 0.0), None, None, 0.0, "PXYZRHS")


def test_unknown_fields_are_skipped_and_order_does_not_matter() -> None:
    line = b"<Run|FW:grblHAL|WCO:1.000,2.000,3.000|New|FS:218,0|MPos:3.968,-0.001,0.000|T:0|TLR:0>"
    assert codec.decode(line) == codec.Status("Run", None, (3.968, -0.001, 0.0), None, (1.0, 2.0, 3.0), 218.0, "")


@pytest.mark.parametrize(
    "line",
    [
        b"<Idle|MPos:0.000,0.000|WPos:0.000,0.000>", b"<Idle|FS:0,0>", b"<Idle|MPos:1_000,0,0>", b"<Idle|MPos:nan,0,0>", b"<Idle|MPos:1e3,0,0>",
        b"<Idle|MPos:0.000,0.000,>", b"<Idle|MPos:1,2,3|MPos:1,2,4>", b"<Idle|MPos:1,2,3|WCO:1,2>", b"<Jogging|MPos:0,0,0>", b"<Idle|MPos:0,0,0", b"<>",
        b"Idle|MPos:0,0,0>", b"\xff\xfe", b"okay", b"ok ok", b"error:", b"error:x", b"ALARM:1000", b"123.4", b"[G54:1,2,x]", b"[lower:1]",
        "<Idle|MPos:١,0,0>".encode(), b"\x1b[2Jok", b"x" * 5000, b"<Idle|MPos:9999999999,0,0>",
    ],
)
def test_what_no_controller_says_is_a_protocol_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        codec.decode(line)


def test_a_setting_that_is_no_number_is_kept_as_text() -> None:
    assert codec.decode(b"$302=192.168.5.1") == codec.Setting(302, None, "192.168.5.1")
    assert codec.decode(b"$100=1e3") == codec.Setting(100, None, "1e3")


def test_codes_are_explained_in_words() -> None:
    assert "limit switch was hit" in str(codec.decode(b"ALARM:1"))
    assert "locked by an alarm" in str(codec.decode(b"error:9"))
    assert "not explained" in str(codec.decode(b"ALARM:99"))


def test_the_work_offset_is_the_sum_of_system_g92_and_tool_length() -> None:
    points = {"G54": (1.0, 2.0, 3.0), "G55": (9.0, 9.0, 9.0), "G92": (0.5, 0.0, 0.0), "TLO": (0.25,)}
    assert codec.work_offset(points, "G54", 3) == (1.5, 2.0, 3.25)
    with pytest.raises(ProtocolError, match="G58"):
        codec.work_offset(points, "G58", 3)


def test_a_move_is_written_with_enough_decimals_and_short_enough() -> None:
    assert codec.move({"X": -123.456789, "Y": 0.0}, 500.0) == "G90G21G94G1X-123.45679Y0F500"
    assert codec.decimals(-1e-9, 5) == "0"
    longest = codec.move(dict.fromkeys("XYZ", -1234.56789), 99999.999)
    assert len(codec.encode_line(longest)) <= 80
    for bad in ("G1X1\nG1X2", "G1Xµ", "X" * 80):
        with pytest.raises(ValueError, match="line"):
            codec.encode_line(bad)
