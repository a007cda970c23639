"""Files of readings as people write them: what is meant is understood, what contradicts itself is refused with its line and what to do."""

from pathlib import Path

import numpy as np
import pytest

from precision.drivers.files import positioning_csv
from precision.errors import DataError
from precision.recording import DOWN, UP

ROWS = "1,+,0,0.0002\n1,+,100,100.0012\n1,-,100,100.0004\n1,-,0,-0.0006\n"


def read(tmp_path: Path, text: str, **options: object) -> positioning_csv.Imported:
    path = tmp_path / "y.csv"
    path.write_text(text, encoding="utf-8")
    return positioning_csv.read(path, **options)  # type: ignore[arg-type]


def refused(tmp_path: Path, text: str, **options: object) -> str:
    with pytest.raises(DataError) as error:
        read(tmp_path, text, **options)
    return str(error.value)


# -- one approach, two readings -----------------------------------------------------------------------------------------------------------------------


def test_a_contradiction_names_both_lines_and_both_readings_in_the_files_unit(tmp_path: Path) -> None:
    said = refused(tmp_path, f"# axis: Y\nrun,direction,target_mm,actual_mm\n{ROWS}1,+,100.0,100.0015\n")
    assert "line 7: target 100.0 mm in run 1, direction ↑, was already given in line 4 with another reading (100.0012 mm, now 100.0015 mm)" in said


def test_contradicting_deviations_are_told_in_their_own_unit(tmp_path: Path) -> None:
    said = refused(tmp_path, "# unit: mm\nrun;direction;target;deviation_um\n1;down;100;1,5\n1;down;100;-1,5\n")
    assert "line 4: target 100 mm in run 1, direction ↓, was already given in line 3 with another reading (1,5 um, now -1,5 um)" in said


def test_the_same_reading_twice_is_no_contradiction(tmp_path: Path) -> None:
    assert read(tmp_path, f"run,direction,target_mm,actual_mm\n{ROWS}1,+,100.0,100.00120\n").run.size == 5


# -- actual positions beside deviations ---------------------------------------------------------------------------------------------------------------

BOTH = "run,direction,target_mm,actual_mm,deviation_um\n1,+,0,0.0002,0.2\n1,+,100,100.0012,1.2\n1,-,100,100.0004,0.4\n1,-,0,-0.0006,-0.6\n"


def test_deviations_that_agree_to_their_written_digits_are_taken_and_the_actual_position_is_used(tmp_path: Path) -> None:
    recorded = read(tmp_path, BOTH.replace("100.0012,1.2", "100.0012,1.24"))  # 1.24 was rounded to 0.1 µm in the other column
    np.testing.assert_allclose(recorded.actual, [0.0002e-3, 100.0012e-3, 100.0004e-3, -0.0006e-3], rtol=0, atol=1e-15)
    thirds = "run,direction,target_mm,actual_mm,deviation_um\n1,+,33.3333,33.3345,1.17\n1,+,66.6667,66.6667,0.03\n"
    assert read(tmp_path, thirds).run.size == 2


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (("100.0012,1.2", "100.0012,1.5"), "line 3: 'actual_mm' gives a deviation of 1.200 µm, 'deviation_um' says 1.500 µm; correct one"),
        (("100.0012,1.2", "100.0012,-1.2"), "it seems to hold target − actual"),
        (("1,-,0,-0.0006,-0.6", "1,-,0,-0.0006,0"), "line 5"),
    ],
)
def test_deviations_that_do_not_agree_are_refused_with_their_line(tmp_path: Path, cells: tuple[str, str], said: str) -> None:
    """Targets in whole millimetres do not make the comparison coarse."""
    message = refused(tmp_path, BOTH.replace(*cells))
    assert said in message and "--column actual='actual_mm' or --column deviation='deviation_um'" in message


def test_who_names_one_of_the_two_columns_has_chosen(tmp_path: Path) -> None:
    text = BOTH.replace("100.0012,1.2", "100.0012,9.9")
    assert read(tmp_path, text, columns={"actual": "actual_mm"}).actual[1] == pytest.approx(100.0012e-3, abs=1e-15)
    assert read(tmp_path, text, columns={"deviation": "deviation_um"}).actual[1] == pytest.approx(100.0099e-3, abs=1e-15)


def test_a_column_error_that_is_no_deviation_can_be_left_out(tmp_path: Path) -> None:
    text = "run,direction,target_mm,actual_mm,error\n1,+,0,0.0002,none\n"
    said = refused(tmp_path, text)
    assert "--column actual='actual_mm'" in said
    assert read(tmp_path, text, columns={"actual": "actual_mm"}).run.size == 1


def test_deviations_of_a_rotary_axis_agree_over_the_full_turn(tmp_path: Path) -> None:
    recorded = read(tmp_path, "run,direction,target_deg,actual_deg,deviation_arcsec\n1,+,0,359.9990,-3.6\n1,+,90,90.0010,3.6\n")
    assert recorded.kind == "rotary"
    assert "line 2" in refused(tmp_path, "run,direction,target_deg,actual_deg,deviation_arcsec\n1,+,0,359.9990,3.6\n")


# -- hints --------------------------------------------------------------------------------------------------------------------------------------------


def test_the_hint_names_the_column_that_is_missing(tmp_path: Path) -> None:
    said = refused(tmp_path, "direction,target_mm,actual_mm\n+,0,0\n")
    assert "no column for run" in said and "--column run=NAME" in said and "target=NAME" not in said
    said = refused(tmp_path, "run,direction,target_mm,gauge\n1,+,0,0\n")
    assert "no column for actual (or deviation)" in said and "--column actual=NAME" in said


@pytest.mark.parametrize("written", ["Vorgabe", "Vorgabe (mm)", "Vorgabe_mm", "Vorgabe [mm]", "VORGABE (mm)"])
def test_a_column_is_mapped_with_or_without_its_unit(tmp_path: Path, written: str) -> None:
    text = f"# unit: mm\nrun,direction,{written},actual_mm\n{ROWS}"
    assert read(tmp_path, text, columns={"target": "Vorgabe"}).target.tolist() == [0.0, 0.1, 0.1, 0.0]
    assert read(tmp_path, text, columns={"target": written}).target.tolist() == [0.0, 0.1, 0.1, 0.0]


def test_a_mapped_name_that_fits_two_columns_is_refused(tmp_path: Path) -> None:
    text = "run,direction,Vorgabe_mm,Vorgabe_in,actual_mm\n1,+,0,0,0\n"
    assert "fits the columns Vorgabe_mm, Vorgabe_in" in refused(tmp_path, text, columns={"target": "Vorgabe"})
    assert read(tmp_path, text, columns={"target": "Vorgabe_mm"}).run.size == 1
    assert "has no column 'gauge'" in refused(tmp_path, text, columns={"target": "gauge"})


def test_a_mapped_column_is_not_taken_for_another_as_well(tmp_path: Path) -> None:
    recorded = read(tmp_path, "position,direction,Vorgabe_mm,actual_mm\n1,+,0,0\n2,+,0,0\n", columns={"run": "position", "target": "Vorgabe"})
    assert recorded.run.tolist() == [1, 2]


def test_a_decimal_comma_where_none_is_allowed_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path, 'run,direction,target_mm,actual_mm\n1,+,0,"0,0012"\n')
    assert "line 2, column 'actual_mm': '0,0012' has a comma; write a decimal point" in said
    assert "write decimal points" in refused(tmp_path, "run,direction,target_mm,actual_mm\n1,+,0,0,0012\n")
    assert "'1.2.3' is not a number" in refused(tmp_path, "run,direction,target_mm,actual_mm\n1,+,0,1.2.3\n")


# -- German files -------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("up", "down"), [("auf", "ab"), ("vor", "zurück"), ("Vor", "ZURÜCK"), ("vor", "zurueck"), ("hin", "rück"), ("hin", "rueck"), ("vor", "zuru\u0308ck")])
def test_german_directions(tmp_path: Path, up: str, down: str) -> None:
    recorded = read(tmp_path, f"Lauf;Richtung;Soll [mm];Ist [mm]\n1;{up};0;0,001\n1;{down};0;-0,001\n")
    assert recorded.direction.tolist() == [UP, DOWN]


@pytest.mark.parametrize(("target", "actual"), [("Sollposition", "Istposition"), ("Zielposition", "Messwert"), ("Soll-Position", "Ist-Position"), ("SOLLPOSITION", "messwert")])
def test_german_columns(tmp_path: Path, target: str, actual: str) -> None:
    recorded = read(tmp_path, f"Lauf;Richtung;{target} (mm);{actual} (mm)\n1;+;100;100,001\n")
    assert recorded.target.tolist() == [0.1] and recorded.actual.tolist() == pytest.approx([0.100001], abs=1e-15)


GERMAN_HEADER = """# Maschine: Fräse 7
# Achse: Y
# Prüfer: A. Müller
# Datum: 2026-11-23
# Ort: Halle 3
# Einheit: mm
# Seriennummer: 12/345
# Messgerät: Laser
# Wetter: heiter
# Auftrags_Nr: 9
Lauf;Richtung;Soll;Ist
1;auf;0;0,001
"""


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_german_header_is_understood_and_the_rest_of_it_is_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "y.csv"
    path.write_bytes(GERMAN_HEADER.encode(encoding))
    recorded = positioning_csv.read(path)
    assert recorded.axis == "Y" and recorded.kind == "linear" and recorded.actual.tolist() == [1e-6]
    assert recorded.header == {
        "machine": "Fräse 7", "operator": "A. Müller", "date": "2026-11-23", "location": "Halle 3", "serial number": "12/345", "instrument": "Laser",
    }  # fmt: skip
    assert recorded.ignored == ("wetter", "auftrags nr")


def test_english_keys_with_underscores_and_a_key_given_twice(tmp_path: Path) -> None:
    recorded = read(tmp_path, f"# serial_number: 77\n# Bediener: B\nrun,direction,target_mm,actual_mm\n{ROWS}")
    assert recorded.header == {"serial number": "77", "operator": "B"} and recorded.ignored == ()
    said = refused(tmp_path, f"# axis: X\n# Achse: Y\nrun,direction,target_mm,actual_mm\n{ROWS}")
    assert "gives axis twice, as 'X' and as 'Y'" in said
