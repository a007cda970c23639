"""`precision compensate` as a user types it: the sign in words, files that are whole, and what is refused."""

import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from precision.compensation import linuxcnc
from precision.runs.manifest import Manifest

# Two runs of an axis that goes 3 µm too far at 100 mm moving up and 1 µm moving down, and falls 2 and 5 µm short at 200 mm.
ROWS = """# axis: Y
run,direction,target_mm,deviation_um
1,+,0,0.1
1,+,100,3.2
1,+,200,-2.1
1,-,200,-5.1
1,-,100,1.1
1,-,0,-0.1
2,+,0,-0.1
2,+,100,2.8
2,+,200,-1.9
2,-,200,-4.9
2,-,100,0.9
2,-,0,0.1
"""


@pytest.fixture
def measured(precision, tmp_path: Path):
    (tmp_path / "y.csv").write_text(ROWS, encoding="utf-8")
    precision("analyze", "y.csv")
    return precision


def test_the_sign_is_said_in_words_and_the_file_is_what_was_said(measured, tmp_path: Path) -> None:
    out = measured("compensate", "last", "--for", "linuxcnc", "--out", "y.comp").stdout
    text = " ".join(out.split())
    assert "At 200 mm, moving in the negative direction, the machine was 5.000 µm too short, so the controller adds +5.000 µm." in text
    assert (tmp_path / "y.comp").read_text(encoding="ascii").splitlines() == [
        "0.000000000 0.000000000 0.000000000", "100.000000000 100.003000000 100.001000000", "200.000000000 199.998000000 199.995000000",
    ]  # fmt: skip
    ElementTree.fromstring((tmp_path / "y.comp.svg").read_text(encoding="utf-8"))
    about = json.loads((tmp_path / "y.comp.json").read_text(encoding="ascii"))
    np.testing.assert_allclose(about["table"]["forward"], [0, -3e-6, 2e-6], atol=2e-12)
    assert about["figures"]["measured"]["E"] == pytest.approx(8e-6, abs=1e-15)
    assert about["figures"]["predicted"]["E"] == pytest.approx(0, abs=4e-12)
    assert about["run"].startswith("20")
    # s = √2·0.1 µm (twice 0.2·√2/… at 100 mm moving up): R stays, a table takes no scatter away.
    assert about["figures"]["predicted"]["R"] == pytest.approx(4 * 0.2e-6 * 2**0.5, rel=1e-6)


def test_without_a_file_nothing_is_written(measured, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    assert "nothing was written" in measured("compensate", "last", "--for", "twincat").stdout
    assert set(tmp_path.iterdir()) == before


def test_an_old_table_is_not_replaced_without_being_told_to(measured, tmp_path: Path) -> None:
    (tmp_path / "y.comp").write_text("old", encoding="ascii")
    assert "there already" in measured("compensate", "last", "--for", "linuxcnc", "--out", "y.comp", code=6).stderr
    assert (tmp_path / "y.comp").read_text(encoding="ascii") == "old"
    assert not (tmp_path / "y.comp.svg").exists()
    measured("compensate", "last", "--for", "linuxcnc", "--out", "y.comp", "--force")
    assert linuxcnc.read((tmp_path / "y.comp").read_text(encoding="ascii")).nominal.size == 3


def test_what_is_not_confirmed_needs_a_word_and_says_so(measured, tmp_path: Path) -> None:
    done = measured("compensate", "last", "--for", "heidenhain", "--out", "y.com", code=2)
    assert "--experimental" in done.stderr
    assert not (tmp_path / "y.com").exists()
    out = measured("compensate", "last", "--for", "heidenhain", "--out", "y.com", "--experimental").stdout
    assert "EXPERIMENTAL" in out
    assert json.loads((tmp_path / "y.com.json").read_text(encoding="ascii"))["experimental"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--for", "siemens"), 2, "there is no format 'siemens'"),
        (("--for", "klipper"), 2, "squareness"),
        (("--for", "linuxcnc", "--spacing", "25mm", "--tolerance", "1µm"), 2, "give one of them"),
        (("--for", "linuxcnc", "--spacing", "25"), 2, "--spacing"),
        (("--for", "linuxcnc", "--spacing", "-1mm"), 2, "--spacing"),
        (("--for", "linuxcnc", "--spacing", "1e9mm"), 2, "that were measured"),
        (("--for", "sinumerik", "--bidirectional"), 2, "both directions"),
        (("--for", "linuxcnc", "--option", "colour=red"), 2, "no options"),
        (("--for", "linuxcnc", "--spacing", "0.1mm"), 6, "LinuxCNC keeps 256"),
        (("--for", "fanuc", "--reference", "5mm"), 2, "--offset"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(measured, arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in measured("compensate", "last", *arguments, code=code).stderr


def test_averaged_leaves_the_reversal_and_spacing_and_reference_are_kept(measured, tmp_path: Path) -> None:
    measured("compensate", "last", "--for", "sinumerik", "--spacing", "50mm", "--reference", "100 mm", "--offset", "-100mm", "--out", "y.ini")
    about = json.loads((tmp_path / "y.ini.json").read_text(encoding="ascii"))
    np.testing.assert_allclose(about["table"]["nominal"], [-0.1, -0.05, 0.0, 0.05, 0.1], atol=1e-12)
    # Means 0, 2, −3.5 µm at 0, 100, 200 mm of the run; at 100 mm of the controller, the run's 200 mm, the correction is to be 0.
    np.testing.assert_allclose(about["table"]["forward"], [-3.5e-6, -4.5e-6, -5.5e-6, -2.75e-6, 0], atol=1e-9)
    assert about["figures"]["predicted"]["B"] == pytest.approx(about["figures"]["measured"]["B"])
    assert about["figures"]["predicted"]["M"] == pytest.approx(0, abs=2e-9)


def test_a_reference_outside_the_table_is_said_to_be_one(measured) -> None:
    assert "lies outside the table" in measured("compensate", "last", "--for", "linuxcnc", "--reference", "90 m").stdout
    assert "lies outside the table" not in measured("compensate", "last", "--for", "linuxcnc", "--reference", "0 mm").stdout


def test_a_table_that_was_active_is_added_to(measured, tmp_path: Path) -> None:
    (tmp_path / "old.comp").write_text("0 0.001 0.002\n200 200.001 200.002\n", encoding="ascii")
    measured("compensate", "last", "--for", "linuxcnc", "--onto", "old.comp", "--out", "new.comp")
    new = linuxcnc.read((tmp_path / "new.comp").read_text(encoding="ascii"))
    np.testing.assert_allclose(new.forward, [-1e-6, -4e-6, 1e-6], atol=2e-12)
    np.testing.assert_allclose(new.reverse, [-2e-6, -3e-6, 3e-6], atol=2e-12)
    assert json.loads((tmp_path / "new.comp.json").read_text(encoding="ascii"))["figures"]["predicted"]["E"] == pytest.approx(0, abs=4e-12)


def test_a_table_that_was_active_and_is_shorter_than_the_test_is_said_to_be(measured, tmp_path: Path) -> None:
    for rows, said in (("0 0 0\n200 200.002 200.002\n", False), ("0 0 0\n150 150.002 150.002\n", True), ("50 50 50\n250 250 250\n", True)):
        (tmp_path / "old.comp").write_text(rows, encoding="ascii")
        out = " ".join(measured("compensate", "last", "--for", "linuxcnc", "--onto", "old.comp").stdout.split())
        assert ("Is it the table that was active?" in out) == said, rows
    assert "The table of --onto covers 50 … 250 mm, the test 0 … 200 mm" in out


def test_a_missing_target_is_not_filled_in(precision, tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text(ROWS.replace("1,-,100,1.1\n", "").replace("2,-,100,0.9\n", ""), encoding="utf-8")
    precision("analyze", "y.csv")
    done = precision("compensate", "last", "--for", "linuxcnc", "--out", "y.comp", code=6)
    assert "no approach ↓ at target 2 (100 mm)" in done.stderr
    assert not (tmp_path / "y.comp").exists()


def test_a_missing_approach_is_flagged(precision, tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text(ROWS.replace("1,-,100,1.1\n", ""), encoding="utf-8")
    precision("analyze", "y.csv")
    assert "1 approaches are missing" in precision("compensate", "last", "--for", "linuxcnc").stdout


def test_a_test_that_was_stopped_corrects_no_controller(measured, tmp_path: Path) -> None:
    (manifest,) = tmp_path.glob("runs/*/manifest.json")
    dataclasses.replace(Manifest.read(manifest), status="ABORTED", reason="stopped").write(manifest)
    done = measured("compensate", "last", "--for", "linuxcnc", code=6)
    assert "ABORTED" in done.stderr


def test_scatter_is_not_taken_for_an_error(precision, tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text("run,direction,target_mm,deviation_um\n1,+,0,1\n1,+,9,0\n1,-,9,1\n1,-,0,0\n2,+,0,0\n2,+,9,1\n2,-,9,0\n2,-,0,1\n", encoding="utf-8")
    precision("analyze", "y.csv")
    assert "little to correct" in " ".join(precision("compensate", "last", "--for", "linuxcnc").stdout.split())


def test_a_rotary_axis_is_corrected_in_degrees(precision, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("# axis: C\nrun,direction,target_deg,deviation_arcsec\n1,+,0,0\n1,+,90,36\n1,-,90,18\n1,-,0,0\n", encoding="utf-8")
    precision("analyze", "c.csv")
    out = " ".join(precision("compensate", "last", "--for", "linuxcnc-type1", "--out", "c.comp").stdout.split())
    assert "At 90 °, moving in the positive direction, the machine was 36.00 arcsec too far, so the controller adds −36.00 arcsec." in out
    assert (tmp_path / "c.comp").read_text(encoding="ascii").splitlines()[1] == "90.000000000 -0.010000000 -0.005000000"
    assert "holds linear axes" in precision("compensate", "last", "--for", "grblhal", code=2).stderr
