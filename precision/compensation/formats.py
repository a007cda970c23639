"""The controllers' formats, in plain sight: what each can hold, what is not confirmed about it, and how its file is loaded."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from .. import units
from ..errors import PlanError
from ..recording import Kind
from .table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A number that a format needs beside the table: a keyword of its `write` (and `read`, where `reading`). dimension "count": a whole number."""

    dimension: Literal["length", "count", "name"]
    help: str
    reading: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What a controller's file can hold.

    module, write_name, read_name : where it is written and read.
    fixed : keywords that are the format's own ("file_type": 1).
    directions : "both" where each direction has its values, "one" where it must be averaged, "reversal" where the mean reversal is all.
    spacing : "even" where points stand at equal distances.  most_points : of a table, or None.
    kinds : axes that it can hold.
    experimental : what is not confirmed, or None.
    file_holds : what its numbers are, with the sign.  load : how the controller takes it.
    """

    title: str
    module: str
    load: str
    file_holds: str
    write_name: str = "write"
    read_name: str = "read"
    fixed: Mapping[str, Any] = field(default_factory=dict)
    directions: Literal["both", "one", "reversal"] = "both"
    spacing: Literal["free", "even"] = "free"
    most_points: int | None = None
    zero_at_origin: bool = False
    kinds: tuple[Kind, ...] = ("linear",)
    experimental: str | None = None
    options: Mapping[str, Option] = field(default_factory=dict)

    def write(self, table: Table, options: Mapping[str, Any] = MappingProxyType({})) -> str:
        """The file's text. Raises `DataError` where the table does not fit the format."""
        function: Callable[..., str] = getattr(self._code, self.write_name)
        return function(table, **self.fixed, **options)

    def read(self, text: str, *, axis: str, kind: Kind = "linear", options: Mapping[str, Any] = MappingProxyType({})) -> Table:
        """The table in a file. Raises `DataError` naming the line."""
        function: Callable[..., Table] = getattr(self._code, self.read_name)
        keywords = {name: value for name, value in options.items() if self.options[name].reading}
        about_kind = {"kind": kind} if "rotary" in self.kinds else {}
        return function(text, axis=axis, **self.fixed, **about_kind, **keywords)

    @property
    def _code(self) -> Any:
        return importlib.import_module(f"{__package__}.{self.module}")

    def parsed(self, settings: tuple[str, ...]) -> dict[str, Any]:
        """Options from "name=value" as a person writes them.

        Raises
        ------
        PlanError       an option that the format lacks, or a value that does not read: all faults at once
        """
        options: dict[str, Any] = {}
        faults = []
        for setting in settings:
            name, equals, value = (part.strip() for part in setting.partition("="))
            option = self.options.get(name)
            if not equals or option is None:
                faults.append(f"{setting[:60]!r}: {self.title} has {', '.join(f'{key}={one.dimension}' for key, one in self.options.items()) or 'no options'}")
                continue
            try:
                options[name] = units.quantity(value, "length") if option.dimension == "length" else int(value) if option.dimension == "count" else value
            except ValueError as error:
                faults.append(f"{name}: {error}")
        if faults:
            raise PlanError("format options cannot be used", faults)
        return options


_ROTARY: Final[tuple[Kind, ...]] = ("linear", "rotary")
_MACHINE_AXIS: Final = Option(dimension="name", help="name of the machine axis, X1")
_LINUXCNC: Final[Mapping[str, Any]] = MappingProxyType({"title": "LinuxCNC screw compensation", "module": "linuxcnc", "most_points": 256, "kinds": _ROTARY})

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "linuxcnc": Format(
            **_LINUXCNC, fixed=MappingProxyType({"file_type": 0}), file_holds="actual positions: target + x̄",
            load="[JOINT_n] COMP_FILE = FILE, COMP_FILE_TYPE = 0, then restart; BACKLASH is ignored from then on. Positions are joint coordinates after homing.",
        ),
        "linuxcnc-type1": Format(
            **_LINUXCNC, fixed=MappingProxyType({"file_type": 1}), file_holds="trims: −x̄, added to the motor's command",
            load="[JOINT_n] COMP_FILE = FILE, COMP_FILE_TYPE = 1, then restart; BACKLASH is ignored from then on. Positions are joint coordinates after homing.",
        ),
        "sinumerik": Format(
            title="Sinumerik leadscrew error compensation (ENC_COMP)", module="sinumerik", directions="one", spacing="even", kinds=_ROTARY,
            file_holds="errors: +x̄; a positive value moves the axis in the negative direction",
            load="MD38000 for as many points; copy the block to the NC and run it; MD32700 ENC_COMP_ENABLE = 1; reference the axis. The value at the reference point should be 0.",
            options=MappingProxyType({"machine_axis": _MACHINE_AXIS, "encoder": Option(dimension="count", help="0 or 1, the measuring system")}),
        ),
        "sinumerik-cec": Format(
            title="Sinumerik cross compensation (CEC), both directions", module="sinumerik", write_name="write_cec", read_name="read_cec", spacing="even", kinds=_ROTARY,
            file_holds="errors: +x̄, as ENC_COMP", experimental="the sign of CEC is not confirmed",
            load="MD18342 for as many points; copy the block to the NC and run it; MD32710 CEC_ENABLE = 1; activate the tables.",
            options=MappingProxyType({"machine_axis": _MACHINE_AXIS, "first_table": Option(dimension="count", help="number of the first of two tables")}),
        ),
        "fanuc": Format(
            title="Fanuc stored pitch error compensation", module="fanuc", directions="one", spacing="even", zero_at_origin=True,
            file_holds="increments of −x̄ in detection units", experimental="sign, numbering and the header of the exchange file are not confirmed",
            load="Read the parameters in, switch the power off and on, return to the reference point.",
            options=MappingProxyType({
                "reference": Option(dimension="count", help="number of the reference point"),
                "pulse": Option(dimension="length", help="detection unit, 1 µm", reading=True),
                "magnification": Option(dimension="count", help="of the data"), "limit": Option(dimension="count", help="largest datum: 7, or 127"),
            }),
        ),
        "heidenhain": Format(
            title="Heidenhain TNC compensation table (.COM)", module="heidenhain", kinds=_ROTARY, most_points=256,
            file_holds="errors: +x̄; those of the negative direction in BACKLASH", experimental="header line and sign are not confirmed",
            load="Assign the table to the axis in the .CMA file (ACTIVE *) and switch non-linear compensation on (MP730).",
        ),
        "twincat": Format(
            title="ISG / TwinCAT CNC leadscrew error compensation (SSFK)", module="twincat", kinds=_ROTARY,
            file_holds="errors: +x̄ in 0.1 µm (actual − nominal)",
            load="Name the list in the start-up description (achs_kw), lr_param.ssfk 1, and start the kernel anew.",
            options=MappingProxyType({"axis_number": Option(dimension="count", help="logical axis number")}),
        ),
        "etalon": Format(
            title="Etalon exchange format", module="etalon", directions="one", file_holds="errors: +x̄ in mm (EXX of X)",
            load="Give the file to the volumetric compensation of the controller (variant \"Vendor\").",
        ),
        "isg-csv": Format(
            title="ISG CSV volumetric parameters", module="isg_csv", directions="one", file_holds="errors: +x̄ in mm (EXX of X)",
            load="file[0] = FILE and file_format[0] = ISG_CSV in the list of the volumetric compensation, then #VOLCOMP ON.",
        ),
        "pmac": Format(
            title="PMAC leadscrew compensation", module="pmac", directions="one", spacing="even", zero_at_origin=True,
            file_holds="errors: +x̄ in 1/16 count", experimental="the sign is not confirmed",
            load="Download the file; I51 = 1 switches all tables on.",
            options=MappingProxyType({"count": Option(dimension="length", help="length of an encoder count", reading=True), "motor": Option(dimension="count", help="motor number")}),
        ),
        "grblhal": Format(
            title="grblHAL backlash", module="grblhal", directions="reversal", file_holds="the backlash −B̄ in mm; pitch errors are left as they are",
            load="Send the line to the controller (a build with ENABLE_BACKLASH_COMPENSATION), then home.",
        ),
    }
)  # fmt: skip
"""Name -> format. Klipper's skew correction is in `klipper`: it takes a squareness, not a table of one axis."""

VOLUMETRIC: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "linuxcnc-volumetric": Format(
            title="LinuxCNC volumetric correction", module="error_map", directions="one",
            file_holds="errors: +Δ in µm and µrad (actual − nominal) on a grid over the volume; correction.py adds the opposite as external offsets",
            load="[AXIS_X], [AXIS_Y], [AXIS_Z] OFFSET_AV_RATIO = 0.1, restart; then /usr/bin/python3 correction.py FILE beside the controller (drivers/linuxcnc/correction.py). "
            "Positions are machine coordinates after homing.",
        )
    }
)  # fmt: skip
"""Formats of a whole volume that have no table of one axis."""


def format_named(name: str) -> Format:
    """A format by its name.

    Raises
    ------
    PlanError       there is none
    """
    if name == "klipper":
        raise PlanError(
            "klipper: its skew correction takes squareness errors, not a table of one axis; `precision compensate RUN --for klipper` makes it from a squareness or "
            "diagonal run"
        )
    known = {**FORMATS, **VOLUMETRIC}
    if name not in known:
        raise PlanError(f"there is no format {name[:40]!r}; there are {', '.join(known)}")
    return known[name]
