"""Files of other people's instruments: what is in them comes out, what is missing is refused with its line, and what is hostile does nothing.

`.dat` of ecmc from the real recordings; `.rtl`, `.rtx`, `.b5r`, Klipper and NMM after their documentation, since no genuine file is at hand.
"""

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precision.drivers.files import (
    ballbar_b5r,
    iso230_dat,
    klipper_accelerometer,
    klipper_planned,
    linuxcnc_log,
    nmm,
    overlay_csv,
    positioning_csv,
    recognise,
    renishaw_rtl,
    renishaw_rtx,
)
from precision.drivers.files.outside import MAX_BYTES, read_bytes
from precision.errors import DataError, PlanError
from precision.recording import DOWN, UP, Positioning
from precision.standards import iso230_2

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

RTL = """HEADER::
File type  : rtl
Owner : LaserXL
Version no : 20.02.01

TARGET DATA::
Filetype : ISO
Target-count: 3
Targets :
  0.0000  100.0000
  200.0000
Flags: 0 0 2 0

USER-TEXT::
Machine: mill 7
Serial No:4711
Date:2026-11-23
By: A. Metrologist
Axis:Y
Location:
TITLE:after repair

RUNS::
Run-count: 4

DEVIATIONS::
Run Target Data:
   1    1    0.1
   1    2    3.2
   1    3   -2.1
   2    3   -5.1
   2    2    1.1
   2    1   -0.1
   3    1   -0.1
   3    2    2.8
   3    3   -1.9
   4    3   -4.9
   4    2    0.9
   4    1    0.1

ENVIRONMENT::
Air temp : 20.1
EOF::
"""


def _file(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# -- .rtl --------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rtl_odd_runs_ascend_and_even_ones_descend(tmp_path: Path, end: str) -> None:
    test = renishaw_rtl.read(_file(tmp_path, "a.rtl", RTL.replace("\n", end)))
    assert (test.axis, test.kind) == ("Y", "linear")
    assert test.header == {"machine": "mill 7", "serial number": "4711", "date": "2026-11-23", "operator": "A. Metrologist", "remarks": "after repair"}
    result = iso230_2.evaluate(Positioning.from_rows(axis="Y", target=test.target, run=test.run, direction=test.direction, actual=test.actual))
    np.testing.assert_allclose(result.mean, [[0, 3e-6, -2e-6], [0, 1e-6, -5e-6]], atol=1e-15)
    assert result.count.tolist() == [[2, 2, 2], [2, 2, 2]]


def test_rtl_of_one_direction_has_one_direction(tmp_path: Path) -> None:
    rows = "".join(f"{run} {target} {run}.0\n" for run in (1, 2, 3) for target in (1, 2, 3))
    text = RTL[: RTL.index("   1    1")].replace("0 0 2 0", "0 1 2 0").replace("Run-count: 4", "Run-count: 3") + rows + "EOF::\n"
    test = renishaw_rtl.read(_file(tmp_path, "a.rtl", text))
    assert set(test.direction) == {UP}
    assert test.run.max() == 3


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("   4    1    0.1\n", "", "line 38: 11 deviations; 4 runs over 3 targets are 12"),
        ("   3    2    2.8\n", "", "run 3, target 3; run 3, target 2 of 4 runs"),
        ("   2    3   -5.1\n   2    2    1.1\n   2    1   -0.1\n", "", "run 3, target 1; run 2, target 3"),
        ("   1    2    3.2", "   1    2    nan", "line 29: the deviation is 'nan'"),
        ("   1    2    3.2", "   1    2", "line 29:"),
        ("Run-count: 4", "Run-count: 3", "one is missing"),
        ("Run-count: 4", "Run-count: four", "line 24: Run-count"),
        ("Run-count: 4\n", "", "no Run-count:"),
        ("Target-count: 3", "Target-count: 4", "3 targets; Target-count says 4"),
        ("0.0000  100.0000", "100.0  0.0", "do not ascend"),
        ("Flags: 0 0 2 0", "Flags: 0 7 2 0", "Flags"),
        ("File type  : rtl", "File type  : rta", "line 2: file type 'rta'"),
        ("EOF::\n", "", "no section EOF"),
        ("Axis:Y", "Axis:../../x", "axis"),
        ("RUNS::", "DEVIATIONS::", "section DEVIATIONS a second time"),
    ],
)
def test_rtl_what_is_missing_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in RTL
    with pytest.raises(DataError) as error:
        renishaw_rtl.read(_file(tmp_path, "a.rtl", RTL.replace(old, new)))
    assert said in str(error.value)


def test_rtl_cut_anywhere_is_refused(tmp_path: Path) -> None:
    lines = RTL.splitlines()
    for kept in range(len(lines)):
        with pytest.raises(DataError):
            renishaw_rtl.read(_file(tmp_path, "a.rtl", "\n".join(lines[:kept])))


# -- .rtx --------------------------------------------------------------------------------------------------------------------------------------------


def _rtx(samples: bytes, count: int, *, rate: str = "50000", end: bytes = b"EOF::\r\n") -> bytes:
    head = ["HEADER::", "Owner: CARTO-Dynamic", "Version no: 4.13.9237.28405", "File Type: csv", "Velocity: 0", "Sample rate: 50000", f"Sample no: {count}", "Trigger point: 0",
            "Trigger interval: 2e-05", f"Actual sample rate: {rate}", "Flags: 0 1 2 0 2", "USER-TEXT::", "Machine: ", "Date: 10/02/2025 12:58:22", "By: User", "Data:", ""]  # fmt: skip
    return "\r\n".join(head).encode() + samples + end


def test_rtx_the_samples_are_everything_between_data_and_eof(tmp_path: Path) -> None:
    # Samples whose bytes read "EOF::", "Data:" and line ends must not end the record.
    values = np.array([0.0, 1.5e-3, -2.25, *np.frombuffer(b"EOF::\r\n\0Data:\r\n\0", dtype="<f8"), 7.0])
    for end in (b"EOF::\r\n", b"EOF::", b"\r\nEOF::\r\n"):
        record = renishaw_rtx.read(_file(tmp_path, "a.rtx", _rtx(values.tobytes(), values.size, end=end)))
        np.testing.assert_array_equal(record.value, values)
        assert record.sample_rate_hz == 50_000
        assert record.duration_s == pytest.approx(5 / 50_000)
        assert record.header["by"] == "User"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_rtx(b"\0" * 80, 11), "80 bytes of samples, 10 of 8 bytes each; 11 are expected"),
        (_rtx(b"\0" * 83, 10), "83 bytes"),
        (_rtx(b"\0" * 80, 10)[:-7], "cut off"),
        (_rtx(b"\0" * 80, 10)[:100], "line 1"),
        (_rtx(struct.pack("<2d", 1.0, float("nan")), 2), "sample 2 is nan"),
        (_rtx(b"\0" * 80, 10, rate="fast"), "line 10: Actual sample rate is 'fast'"),
        (_rtx(b"\0" * 80, 10, rate="-1"), "sample rate"),
        (b"", "line 1"),
    ],
)
def test_rtx_a_damaged_record_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(DataError) as error:
        renishaw_rtx.read(_file(tmp_path, "a.rtx", content))
    assert said in str(error.value)


# -- .b5r --------------------------------------------------------------------------------------------------------------------------------------------

B5R = """<?xml version="1.0" encoding="utf-8"?>
<BALLBAR><MACHINE>mill 7</MACHINE><RADIUS>150</RADIUS>
 <RUN><RUN_DIRECTION>CCW</RUN_DIRECTION><READINGS>0.001 0.002 -0.003 0.004</READINGS></RUN>
 <RUN><RUN_DIRECTION>CW</RUN_DIRECTION>
  <READINGS>0.1 0.2 0.3</READINGS></RUN>
</BALLBAR>
"""


def test_b5r_runs_come_with_their_direction(tmp_path: Path) -> None:
    test = ballbar_b5r.read(_file(tmp_path, "a.b5r", B5R))
    assert [(arc.direction, arc.reading.tolist(), arc.line) for arc in test.arcs] == [("CCW", [0.001, 0.002, -0.003, 0.004], 3), ("CW", [0.1, 0.2, 0.3], 5)]
    assert test.fields == {"MACHINE": "mill 7", "RADIUS": "150"}


BILLION = '<!DOCTYPE a [<!ENTITY b "xxxxxxxxxx"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (B5R.replace("<BALLBAR>", BILLION + "<BALLBAR>"), "line 2: declares a document type"),
        (B5R.replace("<BALLBAR>", '<!DOCTYPE a SYSTEM "file:///etc/passwd"><BALLBAR>'), "document type"),
        (B5R.replace("utf-8", "utf-16").replace("<BALLBAR>", BILLION + "<BALLBAR>").encode("utf-16"), "document type"),
        (B5R.replace("</BALLBAR>", ""), "not well-formed"),
        (B5R.replace("CCW", "ANTI"), "line 3: RUN_DIRECTION is 'ANTI'"),
        (B5R.replace("<RUN_DIRECTION>CW</RUN_DIRECTION>", ""), "line 5: READINGS without"),
        (B5R.replace("0.2", "zero"), "line 5: reading 2 is 'zero'"),
        (B5R.replace("0.1 0.2 0.3", "0.1"), "1 readings"),
        ("<a>" * 60 + "</a>" * 60, "nested"),
        ("<a/>", "no READINGS"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "line 1"),
        ("", "line 1: not XML"),
        ("angle_deg,extension_um\n0,1\n", "not XML; circles are read from"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else None,
)
def test_b5r_hostile_or_broken_xml_is_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(DataError) as error:
        ballbar_b5r.read(_file(tmp_path, "a.b5r", content))
    assert said in str(error.value)


# -- ecmc .dat ---------------------------------------------------------------------------------------------------------------------------------------


def _dat(test: positioning_csv.Imported) -> str:
    """A file as the ecmc tools write it: FWD is the positive approach."""
    targets = sorted(set(test.target))
    lines = ["TEST_DATA=# Input data file for ISO230-2 calcs derived from: data.log", "# Mandatory variable definitions:", "#     TGT_DATA[<pos_id>]    : Target", "REF_PV=IOC:Enc01-PosAct",
             "UNIT=mm", f"CYCLES={test.run.max()}", f"POSITIONS={len(targets)}", "DEC=5"]  # fmt: skip
    lines += [f"TGT_DATA[{place}]={float(target) * 1e3!r}" for place, target in enumerate(targets, 1)]
    lines += [
        f"REF_DATA_{'FWD' if way == UP else 'BWD'}[{targets.index(target) + 1},{run}]={actual * 1e3!r}"
        for run, way, target, actual in zip(test.run, test.direction, test.target.tolist(), test.actual.tolist(), strict=True)
    ]
    return "\n".join([*lines, "  ", ""])


@pytest.mark.parametrize("name", ["psi_stage", "ess_target_x"])
def test_dat_forward_is_the_positive_approach_whatever_the_reports_call_it(tmp_path: Path, name: str) -> None:
    folder = SHARED / "iso230_2"
    if not folder.is_dir():
        pytest.skip("the folder of real recordings is not beside this checkout")
    test = iso230_dat.read(_file(tmp_path, "report.md_ISO230.dat", _dat(positioning_csv.read(folder / f"{name}.csv"))))
    expected = json.loads((folder / f"{name}.expected.json").read_text(encoding="utf-8"))["expected"]
    result = iso230_2.evaluate(Positioning.from_rows(axis="X", target=test.target, run=test.run, direction=test.direction, actual=test.actual))
    np.testing.assert_allclose(result.mean[UP] * 1e3, expected["xu"], atol=1e-9)
    np.testing.assert_allclose(result.mean[DOWN] * 1e3, expected["xd"], atol=1e-9)
    assert result.B_mean == pytest.approx(expected["Bmean"] * 1e-3, abs=1e-12)


DAT = "UNIT=mm\nCYCLES=2\nPOSITIONS=2\nTGT_DATA[1]=0\nTGT_DATA[2]=.5\n" + "".join(
    f"REF_DATA_{way}[{i},{j}]={0.5 * (i - 1) + 1e-3 * j}\n" for way in ("FWD", "BWD") for i in (1, 2) for j in (1, 2)
)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("REF_DATA_BWD[2,2]=0.502\n", "", "line 12: REF_DATA_BWD[2,2] is missing"),
        ("TGT_DATA[2]=.5\n", "", "TGT_DATA[2] is missing"),
        ("CYCLES=2", "CYCLES=5", "and 11 more are missing"),
        ("CYCLES=2", "CYCLES=1", "more than POSITIONS=2 and CYCLES=1"),
        ("REF_DATA_BWD[2,2]=0.502\n", "REF_DATA_BWD[2,2]=0.5", "line 13: the last line, 'REF_DATA_BWD[2,2]=0.5', has no end"),
        ("UNIT=mm", "UNIT=parsec", "line 1: UNIT='parsec'"),
        ("REF_DATA_BWD[2,2]", "REF_DATA_BWD[2,1]", "line 13: REF_DATA_BWD[2,1] a second time"),
        ("REF_DATA_FWD[1,1]=0.001", "REF_DATA_FWD[1,1]=`reboot`", "line 6: REF_DATA_FWD[1,1] is '`reboot`'"),
        ("REF_DATA_FWD[1,1]=0.001", "REF_DATA_UP[1,1]=0.001", "line 6:"),
        ("POSITIONS=2", "POSITIONS=99999999", "line 3: POSITIONS"),
    ],
)
def test_dat_what_is_missing_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in DAT
    with pytest.raises(DataError) as error:
        iso230_dat.read(_file(tmp_path, "a.dat", DAT.replace(old, new)))
    assert said in str(error.value)


# -- LinuxCNC ----------------------------------------------------------------------------------------------------------------------------------------


def _servo(*, gap: bool = False, window: int = 8) -> str:
    """Up to 1 and 2 mm and back to 1 and 0: windows of `window` cycles; the tool reads 1 µm more upwards and 2 µm less downwards."""
    rows, sample, position = [], 0, 0.0
    for target, shift in ((1.0, 0.001), (2.0, 0.001), (3.0, None), (2.0, -0.002), (1.0, -0.002), (0.0, None)):
        for step in np.linspace(position, target, 6)[1:]:
            sample += 1
            rows.append(f"{sample},{step:.4f},{step:.7f},0")
        for _ in range(window if shift is not None else 0):
            sample += 1
            rows.append(f"{sample},{target:.4f},{target + (shift or 0):.7f},1")
        position = target
    if gap:
        del rows[10]
    return "sample,x_cmd,x_tool,trig\n" + "\n".join(rows) + "\n"


def test_windows_of_a_servo_recording_become_stops(tmp_path: Path) -> None:
    plain = _file(tmp_path, "a.csv", _servo())
    packed = _file(tmp_path, "a.csv.gz", gzip.compress(_servo().encode()))
    for path in (plain, packed):
        test = recognise.read_positioning(path)
        assert test.direction.tolist() == [UP, UP, DOWN, DOWN]
        np.testing.assert_allclose(test.target, [1e-3, 2e-3, 2e-3, 1e-3])
        np.testing.assert_allclose(test.actual - test.target, [1e-6, 1e-6, -2e-6, -2e-6], atol=1e-15)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_servo(gap=True), "line 12: sample 12 after 10; rows are missing"),
        (_servo(window=3), "a measuring window of 3 cycles"),
        (_servo()[:-3], "has no end; the file is cut off"),
        ("\n".join(_servo().splitlines()[:10]) + "\n", "begins or ends inside a measuring window"),
        (_servo().replace("1.0010000", "nan", 1), "line 7"),
        (_servo().replace(",1\n", ",0\n"), "trig is never 1"),
        (_servo().replace("x_tool", "x_fb"), "no column x_tool"),
    ],
)
def test_a_servo_recording_with_a_hole_is_refused(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError) as error:
        recognise.read_positioning(_file(tmp_path, "a.csv", content))
    assert said in str(error.value)


def test_a_halsampler_text_has_the_callers_names_and_no_overrun(tmp_path: Path) -> None:
    path = _file(tmp_path, "log.txt", "1 0.5 0.25 \n2 0.6 0.35 \n")
    assert linuxcnc_log.read(path, columns=("sample", "x_cmd", "x_fb")).columns["x_fb"].tolist() == [0.25, 0.35]
    with pytest.raises(DataError, match="line 2: overrun"):
        linuxcnc_log.read(_file(tmp_path, "log.txt", "1 0.5 0.25\noverrun\n2 0.6 0.35\n"), columns=("sample", "x_cmd", "x_fb"))


# -- Klipper, NMM ------------------------------------------------------------------------------------------------------------------------------------


def test_klipper_accelerations_are_in_si_and_gaps_are_seen(tmp_path: Path) -> None:
    text = "#time,accel_x,accel_y,accel_z\n" + "".join(f"{5.0 + 0.0003125 * n:.6f},{n},0,9806.65\n" for n in range(8) if n != 5)
    record = klipper_accelerometer.read(_file(tmp_path, "raw_data.csv", text))
    assert record.sample_rate_hz == pytest.approx(3200, rel=2e-3)
    assert record.acceleration_m_per_s2[2, 0] == pytest.approx(9.80665)
    assert record.gaps == (4,)
    for broken in (text[:-5], text.replace("5.000000", "5.100000"), text.replace("#time", "time"), text.replace(",9806.65", ""), text.replace("9806.65", "1e999")):
        with pytest.raises(DataError):
            klipper_accelerometer.read(_file(tmp_path, "raw_data.csv", broken))


DSC = """------------------------------------------
 Scan procedure description file
------------------------------------------
1. Save procedure
 Current data mask       : 12345
------------------------------------------
3. Scan field
 Scan line length : 100.0 [um]
 Scan field width : 10.0 [um]
 Scan angle  : 0.5 rad
 Scan speed  : 25 [um/s]
 Distance beetween points  : 0.05 [um]
 Number of lines  : 11
------------------------------------------
5. Additional comments
 step height 7
------------------------------------------
"""


def test_nmm_description_and_environment(tmp_path: Path) -> None:
    scan = nmm.read_description(_file(tmp_path, "a.dsc", DSC))
    assert scan.procedure == "scan"
    assert scan.lengths == pytest.approx({"length_m": 100e-6, "width_m": 10e-6, "speed_m_per_s": 25e-6, "point_distance_m": 0.05e-6})
    assert (scan.angle_rad, scan.counts, scan.comments) == (0.5, {"data_mask": 12345, "lines": 11}, ("step height 7",))
    air = nmm.read_environment(_file(tmp_path, "a.pos", "1 2 3 20.1 20.2 20.3 101325 45 20.5\n1 2 3 20.1 20.2 20.4 101320 46 20.6\n"))
    assert air.air_temperature_k[2].tolist() == pytest.approx([293.45, 293.55])
    assert air.sample_temperature_k is not None
    assert air.relative_humidity[1] == pytest.approx(0.46)
    with pytest.raises(DataError, match="line 2: 4 numbers; 5"):
        nmm.read_environment(_file(tmp_path, "a.pos", "20 20 20 101325 45\n20 20 20 101325\n"))
    with pytest.raises(DataError, match="pressure"):
        nmm.read_environment(_file(tmp_path, "a.pos", "20 20 20 1013 45\n"))
    with pytest.raises(DataError, match="line 8"):
        nmm.read_description(_file(tmp_path, "a.dsc", DSC.replace("100.0 [um]", "long [um]")))
    with pytest.raises(DataError, match="cut off"):
        nmm.read_description(_file(tmp_path, "a.dsc", DSC[: DSC.index(" Distance")]))


# -- all of them -------------------------------------------------------------------------------------------------------------------------------------

EXAMPLES: dict[str, str | bytes] = {
    "Renishaw linear recording (.rtl), experimental": RTL,
    "Renishaw dynamic capture (.rtx)": _rtx(b"\0" * 80, 10),
    "Renishaw ball bar (.b5r)": B5R,
    "ISO 230-2 readings of ecmc (.dat)": DAT,
    "Klipper accelerometer": "#time,accel_x,accel_y,accel_z\n0,0,0,0\n1,0,0,0\n2,0,0,0\n",
    "Klipper step stream": bytes.fromhex("07100202c1377e1110030000010000030102030000bf407e11100500010600000400837403007dbd7e"),
    "planned motion of Kalico": f"# planned motion 1; kalico 1; steps sha256 {'0' * 64}\n{klipper_planned.COLUMNS}\n0.7,0.05,0.35,0.05,0,0,0,1,0,0,0,100,2000\n# end, 1 rows\n",
    "LinuxCNC stops": "run,dir,target_mm,motor_cmd_mm,fb_mm,tool_mm,first_sample,window_samples\n1,+,0,0,0,0.001,5,100\n1,-,0,0,0,-0.001,9,100\n",
    "LinuxCNC servo recording": _servo(),
    "SIOS NMM description (.dsc)": DSC,
    "log of signals (CSV)": "time [s],reading [nm]\n0.0,1.0\n0.1,2.0\n0.2,1.5\n",
    "overlay readings (CSV)": "# machine: m\nfield_x_mm,field_y_mm,mark_x_mm,mark_y_mm,dx_nm,dy_nm\n0,0,1,2,3,4\n",
}


def test_every_kind_is_recognised_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    assert [kind.name for kind in recognise.RECORDINGS if kind.name not in EXAMPLES] == []
    for name, content in EXAMPLES.items():
        for file in ("file.txt", "file"):
            kind = recognise.recognised(_file(tmp_path, file, content))
            assert kind is not None
            assert kind.name == name
    assert recognise.recognised(_file(tmp_path, "a.csv", "run,direction,target_mm,actual_mm\n1,+,0,0\n")) is None
    assert recognise.recognised(tmp_path / "not there") is None


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_holds_no_positioning_test_says_what_it_holds(tmp_path: Path, name: str) -> None:
    path = _file(tmp_path, "file.txt", EXAMPLES[name])
    kind = recognise.recognised(path)
    assert kind is not None
    if kind.positioning is not None:
        assert recognise.read_positioning(path).target.size >= 2
        with pytest.raises(PlanError, match="--unit"):
            recognise.read_positioning(path, unit="mm")
        return
    with pytest.raises(DataError, match=r"holds no positioning test.*precision(\.drivers\.files| analyze FILE)"):
        recognise.read_positioning(path)


READERS: dict[str, Callable[[Path], object]] = {
    "rtl": renishaw_rtl.read, "rtx": renishaw_rtx.read, "b5r": ballbar_b5r.read, "dat": iso230_dat.read, "log": linuxcnc_log.positioning, "csv": klipper_accelerometer.read,
    "dsc": nmm.read_description, "pos": nmm.read_environment, "txt": overlay_csv.read,
}  # fmt: skip


@pytest.mark.parametrize("suffix", READERS)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_and_any_damage_give_a_recording_or_a_data_error(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    examples = [content.encode() if isinstance(content, str) else content for content in EXAMPLES.values()] + [b"20 20 20 101325 45\n"]
    whole = data.draw(st.sampled_from(examples))
    start = data.draw(st.integers(0, len(whole)))
    damaged = whole[:start] + data.draw(st.binary(max_size=12)) + whole[start + data.draw(st.integers(0, 40)) :]
    path = _file(tmp_path, f"a.{suffix}", data.draw(st.one_of(st.just(damaged), st.binary(max_size=200))))
    try:
        READERS[suffix](path)
    except DataError as error:
        assert "a." in str(error)


def test_a_packed_file_that_grows_without_end_is_stopped(tmp_path: Path) -> None:
    bomb = _file(tmp_path, "a.csv.gz", gzip.compress(b"0" * 3_000_000))
    with pytest.raises(DataError, match="more than 1 MB"):
        read_bytes(bomb, most=1_000_000)
    assert MAX_BYTES < 2**30
    with pytest.raises(DataError, match="damaged or end early"):
        read_bytes(_file(tmp_path, "b.gz", gzip.compress(b"0" * 1000)[:-12]))
    with pytest.raises(DataError, match="cannot be read"):
        read_bytes(tmp_path / "none")
