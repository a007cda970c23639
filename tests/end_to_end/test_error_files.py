"""Files of error parameters as a person meets them: `precision import`, and the formats both ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from precision.benchmarks import error_files
from precision.cli import _exit_code, cli
from precision.compensation import etalon, isg_csv, volumetric
from precision.compensation.parameters import Curve, Parameters
from precision.errors import DataError
from precision.models.error_basis import Basis
from precision.models.rigid_body import FUNCTIONS, RigidBody
from precision.report.volumetric_charts import Field, Function, functions_chart, share_chart, slices_chart, volume_chart

TRAVEL = ((0.0, 1.0), (0.0, 0.6), (-0.5, 0.0))


def machine(seed: int = 1, counts: tuple[int, int, int] = (5, 4, 6)) -> RigidBody:
    basis = Basis.even("XYFZ", TRAVEL, counts)
    return basis.machine(basis.free @ np.random.default_rng(seed).normal(size=basis.free.shape[1]) * 2e-5)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "machine.etalon"
    path.write_text(volumetric.write_parameters(machine(), "etalon"), encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments])


@pytest.mark.parametrize("format", ["etalon", "isg-csv"])
def test_all_21_errors_are_read_back_as_they_were_written(format: str) -> None:
    text = volumetric.write_parameters(machine(), format)
    loaded = volumetric.machine_of(volumetric.read_parameters(text, format), "XYFZ")
    assert loaded.missing == ()
    points = np.random.default_rng(2).uniform(size=(3, 50)) * [[1], [0.6], [-0.5]]
    # Errors have 12 decimals of mm and rad, 1 fm and 1e-12 rad: over levers of half a metre 1 pm.
    assert np.abs(loaded.machine.error(points, (0.1, 0.0, -0.2)) - machine().error(points, (0.1, 0.0, -0.2))).max() < 5e-12
    assert "// chain, workpiece to tool: XYFZ" in text


def test_the_published_etalon_excerpt_is_read() -> None:
    # Two blocks that the documentation of a controller shows; the second row of the curve stands for those that it leaves out.
    text = "[C0B]\nVALUE = 0.000022355737\n[EXY]\nGridpoints = {\n  -280.0 -0.001358635132\n  0.0 0.0\n}\n"
    parameters = etalon.read_parameters(text)
    assert parameters.constants == {"C0B": 0.000022355737}
    assert parameters.curves["EXY"].error[0] == pytest.approx(-1.358635132e-6)
    with pytest.raises(DataError, match="C0B: not among the 21 errors"):
        volumetric.machine_of(parameters, "XYFZ")


def test_curves_of_one_axis_at_different_positions_do_not_go_into_a_table() -> None:
    two = Parameters(
        curves={"EXX": Curve(position=np.array([0.0, 1.0]), error=np.zeros(2)), "EYX": Curve(position=np.array([0.0, 0.5]), error=np.zeros(2))},
        constants={},
    )
    assert "[EYX]" in etalon.write_parameters(two)
    with pytest.raises(DataError, match="EYX has other positions than EXX"):
        isg_csv.write_parameters(two)


def test_a_file_is_shown_and_says_what_it_lacks(file: Path, tmp_path: Path) -> None:
    shown = run("import", file)
    assert shown.exit_code == 0
    assert "E_XX" in shown.output and "give --chain" in " ".join(shown.output.split())
    small = tmp_path / "small.etalon"
    small.write_text("[EXX]\nGridpoints = {\n0 0\n1000 0.01\n}\n", encoding="utf-8")
    lacking = run("import", small)
    assert lacking.exit_code == 0
    with pytest.raises(DataError, match="no errors along Y, Z"):
        error_files.error_map(error_files.open_file(small, chain="XYFZ"), (0.0, 0.0, 0.0))


def test_a_file_is_drawn_reported_and_converted(file: Path, tmp_path: Path) -> None:
    out = run(
        "import",
        file,
        "--chain",
        "XYFZ",
        "--tool",
        "0 mm",
        "0 mm",
        "-120 mm",
        "--report",
        tmp_path / "m.html",
        "--plot",
        tmp_path / "m.svg",
        "--to",
        "isg-csv",
        "--out",
        tmp_path / "m.csv",
    )
    assert out.exit_code == 0, out.output
    assert "V_XYZ,X" in out.output
    assert "How to read" in (tmp_path / "m.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.glob("m-*.svg")) == [f"m-{k}.svg" for k in (1, 2, 3, 4)]
    again = error_files.open_file(tmp_path / "m.csv", chain="XYFZ")
    assert again.format == "isg-csv"
    assert again.machine is not None
    assert float(again.machine.value("EYY", 0.3)) == pytest.approx(float(machine().value("EYY", 0.3)), abs=1e-14)
    table = run("import", tmp_path / "m.csv", "--chain", "XYFZ", "--to", "linuxcnc", "--axis", "X", "--out", tmp_path / "x.comp")
    assert table.exit_code == 0, table.output
    assert all(len(line.split()) == 3 for line in (tmp_path / "x.comp").read_text(encoding="ascii").splitlines())


@pytest.mark.parametrize(("arguments", "code"), [
    (("--out", "x"), 2), (("--to", "linuxcnc"), 2), (("--to", "nonsense"), 2), (("--tool", "1", "2", "3"), 2), (("--chain", "XYZ"), 6), (("--to", "fanuc", "--axis", "X"), 2),
    (("--format", "isg-csv"), 6),
])  # fmt: skip
def test_wishes_that_cannot_be_have_their_exit_codes(file: Path, arguments: tuple[str, ...], code: int) -> None:
    assert _exit_code(["import", str(file), *arguments]) == code


def test_files_that_are_there_stay(file: Path, tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("mine", encoding="utf-8")
    assert _exit_code(["import", str(file), "--to", "isg-csv", "--out", str(tmp_path / "there.csv")]) == 6
    assert (tmp_path / "there.csv").read_text(encoding="utf-8") == "mine"


def test_broken_files_are_refused_with_their_line(tmp_path: Path) -> None:
    for text, says in (
        ("[EXX]\nGridpoints = {\n0 0\n0 1\n}\n", "line 4"),
        ("[EXX]\nGridpoints = {\n0 0\n", "does not end"),
        ("X EXX\n0 zero\n", "line 2"),
        ("\0", "NUL"),
    ):
        path = tmp_path / "broken"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=says):
            error_files.open_file(path)


# ---- tables of single axes ----------------------------------------------------------------------------------------------------


def test_the_table_of_an_axis_leaves_the_least_of_its_direction() -> None:
    body, volume = machine(3), dict(zip("XYZ", TRAVEL, strict=True))
    grid = tuple(np.linspace(*span, 9) for span in TRAVEL)
    table = volumetric.axis_table(body, "Y", volume, points=9)
    left = volumetric.after_axis_tables(body, {"Y": table}, grid)
    assert np.array_equal(left[0], body.grid(*grid)[0])
    mean = np.interp(grid[1], table.nominal, table.forward)
    best = np.sum(left[1] ** 2)
    for size in (1e-6, -1e-6):
        other = body.grid(*grid)[1] + (mean + size * np.sin(7 * grid[1]))[None, :, None]
        assert np.sum(other**2) > best - 1e-18


# ---- figures ------------------------------------------------------------------------------------------------------------------


def field(name: str, share: float = 1.0) -> Field:
    lines = [np.linspace(*span, 5) for span in TRAVEL]
    return Field(name=name, x_m=lines[0], y_m=lines[1], z_m=lines[2], delta_m=share * machine(2).grid(*lines))


def test_charts_carry_units_key_numbers_and_words() -> None:
    body = machine(2)
    functions = [
        Function(name=name, position_m=body.curve(name)[0], value=body.curve(name)[1], u=np.full(body.curve(name)[0].size, 1e-6))
        for name in FUNCTIONS
    ]
    largest = f"{np.linalg.norm(field('').delta_m, axis=0).max() * 1e6:.1f} µm"
    for chart in (
        volume_chart(field("measured")),
        slices_chart([field("measured"), field("after", 0.1)]),
        share_chart([field("measured"), field("after", 0.1)]),
        functions_chart(functions),
    ):
        assert "µm" in chart.svg
        assert len(chart.how_to_read) > 60
        assert chart.alt.endswith(".")
    assert largest in volume_chart(field("measured")).svg
    assert volume_chart(field("measured")).svg == volume_chart(field("measured")).svg
    assert "after, Z" in slices_chart([field("measured"), field("after", 0.1)]).svg


def test_a_perfect_machine_is_drawn_too() -> None:
    for chart in (volume_chart(field("perfect", 0.0)), slices_chart([field("perfect", 0.0)]), share_chart([field("perfect", 0.0)])):
        assert "nan" not in chart.svg.lower().replace("nano", "")


def test_fields_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="same grid"):
        slices_chart(
            [
                field("a"),
                Field(name="b", x_m=np.array([0.0, 1.0]), y_m=np.array([0.0, 1.0]), z_m=np.array([0.0, 1.0]), delta_m=np.zeros((3, 2, 2, 2))),
            ]
        )
    with pytest.raises(ValueError, match="finite ones"):
        Field(name="b", x_m=np.array([0.0, 1.0]), y_m=np.array([0.0, 1.0]), z_m=np.array([0.0, 1.0]), delta_m=np.zeros((3, 2, 2, 3)))
    with pytest.raises(ValueError, match="none of the 18"):
        functions_chart([Function(name="C0Y", position_m=np.zeros(1), value=np.zeros(1))])
