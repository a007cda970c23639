"""Compensation tables and controllers' files against published examples and numbers worked by hand.

LinuxCNC: user manual, INI configuration, and the reader of 2.9. Sinumerik: function manual K3, leadscrew error compensation. SSFK: ISG and Beckhoff,
"Example - Non-equidistant bilateral SSFK". Etalon and ISG CSV: Beckhoff TF5280. Klipper: skew correction, vectors computed independently.
Fanuc: the row of data published in B-63980 (its numbering from memory).
"""

import math

import numpy as np
import pytest

from precision.compensation import (
    etalon,
    fanuc,
    grblhal,
    heidenhain,
    isg_csv,
    klipper,
    linuxcnc,
    pmac,
    sinumerik,
    twincat,
)
from precision.compensation.formats import FORMATS, format_named
from precision.compensation.table import Table, evenly, expected_range, fewest_even_points, fewest_points, from_means
from precision.errors import DataError, PlanError
from precision.recording import DOWN, UP


def _table(**changes: object) -> Table:
    """A machine that goes 3 µm too far at 100 mm moving up, 1 µm moving down; and 1 and 4 µm short at 200 mm."""
    values: dict = {"axis": "X", "kind": "linear", "target": [0.0, 0.1, 0.2], "mean": [[0.0, 3e-6, -1e-6], [0.0, 1e-6, -4e-6]]} | changes
    return from_means(**values)


def test_the_correction_is_the_deviation_with_its_sign_turned_and_is_added_to_the_command() -> None:
    table = _table()
    assert table.correction(0.1, UP) == -3e-6
    assert table.correction(0.1, DOWN) == -1e-6
    assert table.apply(0.1, UP) == 0.1 - 3e-6
    # Half way between the points, and beyond both ends.
    np.testing.assert_allclose(table.correction([0.05, 0.15, -1.0, 9.0], UP), [-1.5e-6, -1e-6, 0.0, 1e-6], atol=1e-18)
    np.testing.assert_array_equal(table.residual([0.0, 0.1, 0.2], [[0.0, 3e-6, -1e-6], [0.0, 1e-6, -4e-6]]), np.zeros((2, 3)))


def test_an_averaged_table_leaves_half_the_reversal_on_each_side() -> None:
    averaged = _table().as_averaged()
    assert averaged.averaged
    np.testing.assert_allclose(averaged.residual([0.1], [[3e-6], [1e-6]]), [[1e-6], [-1e-6]], atol=1e-18)


def test_the_correction_is_zero_at_the_reference_point_after_a_constant() -> None:
    table = _table().zero_at(0.1)
    np.testing.assert_allclose(table.forward, [2e-6, -1e-6, 3e-6], atol=1e-18)
    np.testing.assert_allclose(table.correction(0.1, [UP, DOWN]).sum(), 0.0, atol=1e-18)


def test_a_missing_mean_is_named_with_its_place_and_direction() -> None:
    with pytest.raises(DataError, match=r"no approach ↓ at target 2 \(100 mm\)"):
        _table(mean=[[0.0, 0.0, 0.0], [0.0, math.nan, 0.0]])


def test_thinning_keeps_the_fewest_points_within_the_tolerance() -> None:
    # A kink at 4 of a line through eleven points, ± 0.4 µm beside it: three points are enough within 0.5 µm, the kink itself and the ends.
    x = np.linspace(0, 1, 11)
    y = np.where(x < 0.41, 10e-6 * x, 4e-6 - 20e-6 * (x - 0.4)) + 0.4e-6 * np.array([0, 1, -1, 1, 0, 1, -1, 1, -1, 1, 0])
    table = Table(axis="X", nominal=x, forward=y, reverse=y)
    thin = fewest_points(table, 0.5e-6)
    np.testing.assert_allclose(thin.nominal, [0.0, 0.4, 1.0])
    assert thin.interpolation_error(table) <= 0.5e-6
    assert fewest_points(table, 0.1e-6).nominal.size == 11


def test_a_straight_line_needs_two_points_and_a_bent_one_its_bend() -> None:
    x = np.linspace(0, 1, 101)
    line = Table(axis="X", nominal=x, forward=15e-6 * x, reverse=15e-6 * x + 3e-6)
    assert fewest_points(line, 1e-9).nominal.size == 2
    bent = Table(axis="X", nominal=x, forward=15e-6 * x, reverse=np.abs(x - 0.5) * 1e-5)
    np.testing.assert_allclose(fewest_points(bent, 1e-9).nominal, [0, 0.5, 1.0])


def test_even_points_lie_on_multiples_and_reach_over_both_ends() -> None:
    even = evenly(Table(axis="X", nominal=[0.012, 0.047], forward=[1e-6, 2e-6], reverse=[1e-6, 2e-6]), 0.01)
    np.testing.assert_allclose(even.nominal, [0.01, 0.02, 0.03, 0.04, 0.05])
    assert even.forward[0] == 1e-6
    assert even.spacing == pytest.approx(0.01)


def test_the_widest_even_spacing_within_the_tolerance_is_found() -> None:
    bent = Table(axis="X", nominal=[0.0, 0.5, 1.0], forward=[0.0, 10e-6, 0.0], reverse=[0.0, 10e-6, 0.0])
    assert fewest_even_points(bent, 1e-9).nominal.tolist() == [0.0, 0.5, 1.0]
    # A kink at 333.1 mm: a spacing of 0.1 mm would meet it, but that is too many points; 25 mm stays within 20 µm/m · 12.5 mm of it.
    off_grid = Table(axis="X", nominal=[0.0, 0.3331, 1.0], forward=[0.0, 10e-6, 0.0], reverse=[0.0, 10e-6, 0.0])
    assert fewest_even_points(off_grid, 0.3e-6).spacing == pytest.approx(0.025)
    with pytest.raises(DataError, match="larger --tolerance"):
        fewest_even_points(off_grid, 1e-12)


def test_the_mean_range_of_normal_values_is_the_published_one() -> None:
    for number, published in ((2, 1.12838), (5, 2.32593), (10, 3.07751), (22, 3.81938)):
        assert expected_range(number) == pytest.approx(published, abs=1e-4)


# -- LinuxCNC ----------------------------------------------------------------------------------------------------------------------------------------


def test_linuxcnc_type_0_holds_actual_positions_and_type_1_the_trims() -> None:
    assert linuxcnc.write(_table(), file_type=0).splitlines()[1] == "100.000000000 100.003000000 100.001000000"
    assert linuxcnc.write(_table(), file_type=1).splitlines()[1] == "100.000000000 -0.003000000 -0.001000000"


@pytest.mark.parametrize("file_type", [0, 1])
def test_linuxcnc_keeps_256_points_and_no_more(file_type: int) -> None:
    x = np.linspace(0, 1, 257)
    table = Table(axis="X", nominal=x, forward=x * 1e-6, reverse=x * 1e-6)
    with pytest.raises(DataError, match="257 points, but LinuxCNC keeps 256"):
        linuxcnc.write(table, file_type=file_type)
    text = linuxcnc.write(table.resampled(x[:256]), file_type=file_type)
    assert linuxcnc.read(text, file_type=file_type).nominal.size == 256
    with pytest.raises(DataError, match="line 257: point 257"):
        linuxcnc.read(text + "2000 2000 2000\n", file_type=file_type)


@pytest.mark.parametrize("line", ["", "# a comment", "nominal forward reverse", "1,2,3", "1 2"])
def test_linuxcnc_would_stop_reading_at_this_line_without_a_word_so_it_is_refused(line: str) -> None:
    with pytest.raises(DataError, match=r"line 2"):
        linuxcnc.read(f"0 0 0\n{line}\n1 1 1\n")


def test_linuxcnc_trims_are_single_precision() -> None:
    trim_mm = 0.0123456789
    table = linuxcnc.read(f"0 {trim_mm} {trim_mm}\n", file_type=1)
    assert table.forward[0] == float(np.float32(trim_mm)) * 1e-3
    assert table.forward[0] != trim_mm * 1e-3


def test_linuxcnc_tolerates_text_after_the_third_number_as_the_controller_does() -> None:
    assert linuxcnc.read("0 0 0 here\n1 1 1\n").nominal.size == 2


# -- Sinumerik ---------------------------------------------------------------------------------------------------------------------------------------

MANUAL = """%_N_AX_EEC_INI
CHANDATA(1)
$AA_ENC_COMP[0,0,X1]=0.003  ; 1st compensation value (interpolation point 0)
$AA_ENC_COMP[0,1,X1]=0.01
$AA_ENC_COMP[0,2,X1]=0.012
{rest}
$AA_ENC_COMP[0,800,X1]=0.0
$AA_ENC_COMP_STEP[0,X1]=1.0
$AA_ENC_COMP_MIN[0,X1]=-200.0
$AA_ENC_COMP_MAX[0,X1]=600.0
$AA_ENC_COMP_IS_MODULO[0,X1]=0
M17
"""


def test_sinumerik_the_example_of_the_function_manual() -> None:
    table = sinumerik.read(MANUAL.format(rest="\n".join(f"$AA_ENC_COMP[0,{n},X1]=0.0" for n in range(3, 800))))
    assert table.nominal.size == 801
    np.testing.assert_allclose(table.nominal[[0, 1, 800]], [-0.2, -0.199, 0.6])
    # "A positive value moves the axis in the negative direction."
    np.testing.assert_allclose(table.forward[:3], [-3e-6, -10e-6, -12e-6], atol=1e-18)
    assert table.averaged


def test_sinumerik_writes_the_error_itself() -> None:
    table = _table().as_averaged()
    text = sinumerik.write(table)
    assert "$AA_ENC_COMP[0,1,X1]=0.002000" in text
    assert text.startswith("%_N_X1_EEC_INI\nCHANDATA(1)\n")
    assert text.endswith("M17\n")
    with pytest.raises(DataError, match="averaged"):
        sinumerik.write(_table())
    with pytest.raises(DataError, match="even distances"):
        sinumerik.write(Table(axis="X", nominal=[0.0, 0.1, 0.3], forward=[0, 0, 0], reverse=[0, 0, 0]))


def test_sinumerik_a_missing_point_would_count_as_zero_so_it_is_refused() -> None:
    text = sinumerik.write(_table().as_averaged())
    with pytest.raises(DataError, match=r"points missing: \[1\]"):
        sinumerik.read("\n".join(line for line in text.splitlines() if "[0,1," not in line))


def test_sinumerik_cec_has_one_table_for_each_direction_and_says_that_it_is_experimental() -> None:
    text = sinumerik.write_cec(_table(), first_table=4)
    assert "EXPERIMENTAL" in text
    assert "$AN_CEC_DIRECTION[4]=1" in text
    assert "$AN_CEC_DIRECTION[5]=-1" in text
    assert "$AN_CEC[5,2]=-0.004000" in text


# -- SSFK --------------------------------------------------------------------------------------------------------------------------------------------


def test_ssfk_the_published_point() -> None:
    # 19866.7 µm programmed, 19856.5 µm reached moving positive, 19874.7 µm moving negative: pos −102, neg 80.
    target, up, down = 19866.7e-6, 19856.5e-6, 19874.7e-6
    table = from_means(axis="Y", kind="linear", target=[0.0, target], mean=[[0.0, up - target], [0.0, down - target]])
    lines = twincat.write(table, axis_number=2).splitlines()
    assert "kopf.log_achs_nr 2" in lines
    assert {"kw.ssfk.table[1].setpoint 198667", "kw.ssfk.table[1].pos -102", "kw.ssfk.table[1].neg 80", "kw.ssfk.bilateral 1"} <= set(lines)
    again = twincat.read("\n".join(lines))
    assert again.apply(target, UP) - target == pytest.approx(10.2e-6, abs=1e-18 + 1e-15)  # the machine falls short, so the controller adds


# -- the others --------------------------------------------------------------------------------------------------------------------------------------


def test_etalon_the_published_example() -> None:
    parameters = etalon.read_parameters(
        "// comment\n[C0B]\nVALUE = 0.000022355737\n[EXY]\nGridpoints = {\n   -280.0 -0.001358635132\n -270.0 -0.000240680764\n}  // end of EXY\n"
    )
    assert parameters.constants == {"C0B": 0.000022355737}
    np.testing.assert_allclose(parameters.curves["EXY"].position, [-0.28, -0.27])
    np.testing.assert_allclose(parameters.curves["EXY"].error, [-1.358635132e-6, -0.240680764e-6])


def test_isg_csv_the_published_example() -> None:
    text = (
        "// The header only contains position errors.\nY0A Z0A X0B\n0.1 0.2 0.11\n#\n"
        "X      EXX    EYX    EZX    EAX    EBX    ECX\n0.0    0.02   0.01   0.07   0.00   0.0042 0.003\n10.0   0.00   -0.1   0.01   0.00   0.0011 0.002\n"
    )
    parameters = isg_csv.read_parameters(text)
    assert parameters.constants == pytest.approx({"Y0A": 1e-4, "Z0A": 2e-4, "X0B": 1.1e-4})
    assert set(parameters.curves) == {"EXX", "EYX", "EZX", "EAX", "EBX", "ECX"}
    np.testing.assert_allclose(parameters.curves["EBX"].error, [0.0042, 0.0011])
    np.testing.assert_allclose(isg_csv.read(text).forward, [-2e-5, 0.0])


def test_etalon_and_isg_csv_hold_the_error_in_millimetres() -> None:
    table = _table().as_averaged()
    assert "  100.000000 0.002000000000" in etalon.write(table).splitlines()
    assert "100.000000 0.002000000" in isg_csv.write(table).splitlines()


PUBLISHED_INCREMENTS = [2, 1, 1, -2, 0, -1, 0, -1, 2, 1, 0, -1, -1, -2, 0, 1, 2]


def _published_fanuc() -> str:
    data = "\n".join(f"N{10033 + index}P{value}" for index, value in enumerate(PUBLISHED_INCREMENTS))
    return f"%\nN3620P40\nN3621P33\nN3622P49\nN3623P1\nN3624P50000\n{data}\n%\n"


def test_fanuc_the_published_increments_add_up_from_the_reference_point() -> None:
    table = fanuc.read(_published_fanuc())
    np.testing.assert_allclose(table.nominal[[0, 8, 17]], [-0.4, 0.0, 0.45])
    in_pulses = np.round(table.forward / 1e-6).astype(int)
    # Number 40 is the reference: 0; number 41 adds 2, 42 adds 1; number 40 itself is −1, so the point before it stands at +1.
    assert in_pulses[8] == 0
    assert in_pulses[9:12].tolist() == [2, 3, 3]
    assert in_pulses[5:8].tolist() == [2, 1, 1]
    again = fanuc.write(table, reference=40)
    assert [int(line.split("P")[1]) for line in again.splitlines() if line.startswith("N100")] == PUBLISHED_INCREMENTS
    assert "EXPERIMENTAL" in again


def test_fanuc_refuses_a_step_that_the_control_cannot_hold() -> None:
    steep = Table(axis="X", nominal=[0.0, 0.05, 0.1], forward=[0, 8e-6, 0], reverse=[0, 8e-6, 0])
    with pytest.raises(DataError, match=r"8 pulses of 1\.000 µm before 50 mm"):
        fanuc.write(steep)
    assert fanuc.write(steep, magnification=2).count("N101") == 2


def test_pmac_negative_positions_are_the_upper_end_of_the_span() -> None:
    table = Table(axis="X", nominal=np.arange(-2, 3) * 0.01, forward=[-2e-6, -1e-6, 0, 1e-6, 2e-6], reverse=[-2e-6, -1e-6, 0, 1e-6, 2e-6])
    lines = pmac.write(table, count=1e-6).splitlines()
    # Five spacings: +1, +2, then the turn-over −2, −1, 0; 16 sixteenths a count, the error with its sign.
    assert lines[2:] == ["#1 DEFINE COMP 5,#1,#1,50000", "-16 -32 32 16 0", "I51=1"]
    with pytest.raises(DataError, match="--reference"):
        pmac.write(Table(axis="X", nominal=[0.0, 0.01], forward=[1e-6, 0], reverse=[1e-6, 0]))


def test_heidenhain_has_a_column_for_each_direction() -> None:
    assert heidenhain.write(_table()).splitlines()[3].split() == ["1", "100.00000", "0.00100", "0.00300"]
    assert "*" in heidenhain.assignment("X")


def test_grblhal_lost_motion_is_a_positive_backlash() -> None:
    # The positive approach ends 3.2 µm behind the negative one.
    lost = from_means(axis="Y", kind="linear", target=[0.0, 0.1], mean=[[-1.6e-6, 0.4e-6], [1.6e-6, 3.6e-6]])
    assert grblhal.write(lost) == "$161=0.0032\n"
    table = grblhal.read("$161=0.0032\n")
    assert table.axis == "Y"
    assert table.correction(0.5, UP) == pytest.approx(1.6e-6)
    with pytest.raises(DataError, match="no lost motion"):
        grblhal.write(from_means(axis="Y", kind="linear", target=[0.0], mean=[[1e-6], [0.0]]))


@pytest.mark.parametrize(("lengths", "factor"), [((140.4, 142.8, 99.8), -0.0169507), ((141.6, 141.4, 99.8), 0.0014134), ((142.4, 140.5, 99.5), 0.0134336)])
def test_klipper_skew_factors(lengths: tuple[float, float, float], factor: float) -> None:
    skew = klipper.Parallelogram(ac_m=lengths[0] * 1e-3, bd_m=lengths[1] * 1e-3, ad_m=lengths[2] * 1e-3)
    assert skew.factor == pytest.approx(factor, abs=5e-8)
    again = klipper.read(klipper.write({"XY": skew, "YZ": klipper.of_factor(0.001)}))
    assert again["XY"].factor == pytest.approx(factor, abs=5e-8)
    assert again["YZ"].factor == pytest.approx(0.001, abs=1e-7)  # lengths are written to a nanometre of 100 mm


def test_klipper_moves_a_skewed_corner_back() -> None:
    assert klipper.corrected(0.0, 100.0, 0.0, xy=0.001) == (-0.1, 100.0, 0.0)
    assert klipper.corrected(0.0, 0.0, 100.0, xz=0.002, yz=0.001, xy=0.003) == pytest.approx((-0.1997, -0.1, 100.0))


def test_every_format_says_what_stands_in_its_file_and_how_it_is_loaded() -> None:
    assert {name for name, one in FORMATS.items() if one.experimental} == {"sinumerik-cec", "fanuc", "heidenhain", "pmac"}
    for one in FORMATS.values():
        assert one.load.endswith(".")
        assert one.file_holds
    with pytest.raises(PlanError, match="squareness"):
        format_named("klipper")
    with pytest.raises(PlanError, match="no format 'x'"):
        format_named("x")
    assert FORMATS["pmac"].parsed(("count = 0.5 µm", "motor=3")) == {"count": 0.5e-6, "motor": 3}
    with pytest.raises(PlanError, match="colour"):
        FORMATS["pmac"].parsed(("colour=3", "motor=x"))
