"""Files of error parameters (Etalon, ISG CSV) from elsewhere: what is in them, what it does to the tool, drawn and written in another format."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from precision.compensation import error_map as maps
from precision.compensation import volumetric
from precision.compensation.formats import VOLUMETRIC, Format
from precision.compensation.lines import text_of
from precision.compensation.parameters import Parameters
from precision.errors import DataError, PlanError
from precision.models.rigid_body import AXES, FUNCTIONS, SQUARENESS, RigidBody, symbol
from precision.report.document import Cell, Chart, Column, Document, FigureTable, HeaderGroup, Note, Table
from precision.report.volumetric_charts import Field, Function, functions_chart, share_chart, slices_chart, volume_chart
from precision.standards import volumetric_map

GRID: Final = 11
_ETALON: Final = re.compile(r"^\s*\[[A-Z0-9]{1,8}\]", re.ASCII | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file of errors. name : of the file. format : "etalon" or "isg-csv". parameters : all of them. machine : with a chain, where they are of three linear
    axes; else None, and `why` says why not. missing : errors of a machine that the file does not have."""

    name: str
    format: str
    parameters: Parameters
    machine: RigidBody | None
    why: str
    missing: tuple[str, ...]


def open_file(path: Path, *, format: str | None = None, chain: str | None = None) -> Opened:
    """Read a file of error parameters.

    format : None: recognised by its beginning. chain : how the machine is built; without it the errors are shown, but not what they add up to.

    Raises
    ------
    DataError       no such file, what is wrong in it with its line; a chain that is none, or errors that do not fit one
    """
    text = text_of(path)
    known = format or ("etalon" if _ETALON.search(text) else "isg-csv")
    try:
        parameters = volumetric.read_parameters(text, known)
    except DataError as error:
        if format is None:
            raise DataError(f"{path.name}, taken for {known}: {error}. Error files of Etalon and ISG (CSV) are read; --format says which") from error
        raise DataError(f"{path.name}: {error}") from error
    if chain is None:
        return Opened(
            name=path.name,
            format=known,
            parameters=parameters,
            machine=None,
            why="no chain was given: a file does not say which axis carries which",
            missing=(),
        )
    loaded = volumetric.machine_of(parameters, chain)
    return Opened(name=path.name, format=known, parameters=parameters, machine=loaded.machine, why="", missing=loaded.missing)


def contents(opened: Opened) -> Table:
    """Each error of the file: along which axis, from where to where, how many points, its range and largest value."""
    rows: list[list[Cell]] = []
    for name, curve in opened.parameters.curves.items():
        rotary = name[2] in "ABC"
        scale = 180 / math.pi if rotary else 1e3
        span = f"{curve.position[0] * scale:.6g} … {curve.position[-1] * scale:.6g}{'°' if rotary else ''}"
        length = name[1] in "XYZ"
        low_high = (float(np.ptp(curve.error)), float(np.abs(curve.error).max()))
        rows.append(
            [
                symbol(name) if name in FUNCTIONS else f"E_{name[1:]}",
                span,
                curve.position.size,
                *(low_high if length else (None, None)),
                *((None, None) if length else low_high),
            ]
        )
    for name, value in opened.parameters.constants.items():
        length = name[0] in "XYZ"
        rows.append([f"E_{name}", "constant", 1, None, value if length else None, None, None if length else value])
    columns = [
        Column(name="Error"), Column(name="Along (mm)"), Column(name="Points"), Column(name="Range", unit="m"), Column(name="Largest", unit="m"), Column(name="Range (angle)", unit="rad"),
        Column(name="Largest (angle)", unit="rad"),
    ]  # fmt: skip
    return Table(title=f"Errors in {opened.name}", columns=columns, rows=rows, note="Actual − nominal, as the file has them; of functions the largest magnitude, constants with their sign.")


def error_map(opened: Opened, tool_m: tuple[float, float, float]) -> volumetric_map.Result:
    """What the errors add up to over the range where all axes have them. Raises `DataError` without a chain, or where an axis has no errors."""
    if opened.machine is None:
        raise DataError(f"{opened.name}: what the errors add up to is not worked out: {opened.why}. Give --chain, for example XYFZ")
    bare = [axis for axis in AXES if not any(name[2] == axis for name in opened.parameters.curves)]
    if bare:
        raise DataError(
            f"{opened.name}: has no errors along {', '.join(bare)}, so the volume has no end there; a file of all three axes is needed for a map"
        )
    lines = [np.linspace(low, high, GRID) for low, high in opened.machine.travel_m]
    return volumetric_map.evaluate(opened.machine, lines[0], lines[1], lines[2], tool_m=tool_m)


def charts(opened: Opened, tool_m: tuple[float, float, float]) -> tuple[Chart, ...]:
    """The functions, and with a chain the volume."""
    functions = [
        Function(name=name, position_m=curve.position, value=curve.error) for name, curve in opened.parameters.curves.items() if name in FUNCTIONS
    ]
    drawn: list[Chart] = []
    if functions:
        squareness = ", ".join(
            f"{symbol(name).replace('_', ' ')} {opened.parameters.constants.get(name, 0.0) * 1e6:.1f} µrad".replace("-", "\N{MINUS SIGN}")
            for name in SQUARENESS
        )
        drawn.append(functions_chart(functions, key_numbers=f"{opened.name[:60]}; squareness: {squareness}"))
    if opened.machine is not None:
        result = error_map(opened, tool_m)
        field = Field(name=opened.name[:40], x_m=result.x_m, y_m=result.y_m, z_m=result.z_m, delta_m=result.delta_m)
        drawn += [volume_chart(field, tool_m=tool_m), slices_chart([field]), share_chart([field])]
    return tuple(drawn)


def document(opened: Opened, tool_m: tuple[float, float, float]) -> Document:
    """A report of the file."""
    tables: list[FigureTable] = []
    notes = [Note(text="Read from a file: nothing was measured here, and no U is known.", kind="caution")]
    if opened.machine is not None:
        result = error_map(opened, tool_m)
        tables.append(
            FigureTable.of(
                "The working volume (ISO 230-1, from memory of the standard)", result.figures.values(), headline=["V_X", "V_Y", "V_Z", "max"]
            )
        )
        notes.append(
            Note(
                text="How errors add up is a convention, and controllers differ: chain, reference of the tool offset and signs are ours (docs: volumetric errors)."
            )
        )
    if opened.missing:
        notes.append(Note(text=f"Not in the file, taken as zero: {', '.join(symbol(name) for name in opened.missing)}.", kind="caution"))
    chain = opened.machine.chain if opened.machine is not None else None
    rows = (
        ("File", opened.name),
        ("Format", opened.format),
        ("Kinematic chain", chain),
        ("Tool", ", ".join(f"{axis} {value * 1e3:g}" for axis, value in zip(AXES, tool_m, strict=True)) + " mm"),
    )
    return Document(
        title=f"Error parameters of {opened.name[:80]}",
        header=(HeaderGroup(title="File", rows=rows),),
        figures=tables,
        charts=charts(opened, tool_m),
        tables=(contents(opened),),
        notes=notes,
    )


def converted(
    opened: Opened, name: str, format: Format, *, axis: str | None, options: dict[str, Any], tool_m: tuple[float, float, float], chain: str | None
) -> str:
    """The errors in another format: all of them, or the table of one axis.

    Raises
    ------
    PlanError       a table of one axis without `axis`, a map without a chain
    DataError       errors that the format does not hold
    """
    if name in volumetric.FORMATS:
        text: str = volumetric.FORMATS[name].write_parameters(opened.parameters, chain=chain or "")
        return text
    if name in VOLUMETRIC:
        if opened.machine is None:
            raise PlanError(f"{format.title}: holds what the errors add up to, and {opened.why}. Give --chain, for example XYFZ")
        return maps.write(maps.map_of(opened.machine, tool_m))
    if axis is None:
        raise PlanError(f"{format.title}: holds the table of one axis; give --axis")
    if opened.machine is not None:
        spans = dict(zip(AXES, opened.machine.travel_m, strict=True))
        return format.write(volumetric.axis_table(opened.machine, axis, spans, tool_m), options)
    return format.write(opened.parameters.positioning(axis, opened.format), options)
