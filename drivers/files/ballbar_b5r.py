"""Renishaw ball-bar recordings `.b5r`: XML with `RUN_DIRECTION` (CW, CCW) and, after it, `READINGS` separated by blanks.

Known from a program that reads such files; unit, radius and start angle are not documented, so the readings are given as they stand, with the simple
fields around them. XML from outside: a document type, and with it every entity, is refused; so is deep nesting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError

from .outside import number, read_bytes, refuse

MOST_BYTES: Final = 64 * 1024 * 1024
DEEPEST: Final = 50
Direction = Literal["CW", "CCW"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arc:
    """One run. direction : "CW" or "CCW". reading : (n,) float64 in the file's unit, evenly spaced over the arc. line : of READINGS in the file."""

    direction: Direction
    reading: NDArray[np.float64]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ballbar:
    """A test. arcs : its runs in the file's order. fields : element -> text of every other element without children, the first of each name."""

    arcs: tuple[Arc, ...]
    fields: dict[str, str]


def read(path: Path) -> Ballbar:
    """The runs in a file.

    Raises
    ------
    DataError       naming the line: not XML, a document type, a direction that is none, readings without a direction or that are no numbers
    """
    reader = _Reader(path)
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = lambda *_: refuse(path, parser.CurrentLineNumber, "declares a document type; such XML is not read")
    parser.StartElementHandler = lambda name, _: reader.start(name, parser.CurrentLineNumber)
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    content = read_bytes(path, most=MOST_BYTES)
    if b"<" not in content[:256]:  # whatever its encoding
        refuse(path, 1, "not XML; circles are read from a ball bar's file (.b5r) or a LinuxCNC servo recording (.csv, .csv.gz)")
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        refuse(path, error.lineno, f"not well-formed XML ({expat.errors.messages.get(error.code, error.code)}); the file may be cut off")
    except (LookupError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        refuse(path, 1, f"an encoding that is not known ({error})")
    if not reader.arcs:
        refuse(path, None, "holds no READINGS")
    return Ballbar(arcs=tuple(reader.arcs), fields=reader.fields)


@dataclass(slots=True)
class _Reader:
    path: Path
    arcs: list[Arc] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    direction: str = ""
    open: list[tuple[str, int, list[str], bool]] = field(default_factory=list)
    """Of each open element: name, line, text so far, whether it has a child."""

    def start(self, name: str, line: int) -> None:
        if len(self.open) >= DEEPEST:
            refuse(self.path, line, f"elements nested more than {DEEPEST} deep")
        if self.open:
            above = self.open[-1]
            self.open[-1] = (above[0], above[1], above[2], True)
        self.open.append((name.rpartition(":")[2], line, [], False))

    def text(self, text: str) -> None:
        if self.open:
            self.open[-1][2].append(text)

    def end(self, _: str) -> None:
        name, line, parts, parent = self.open.pop()
        text = "".join(parts).strip()
        if name == "RUN_DIRECTION":
            if text not in ("CW", "CCW"):
                refuse(self.path, line, f"RUN_DIRECTION is {text[:20]!r}; CW or CCW is expected")
            self.direction = text
        elif name == "READINGS":
            if not self.direction:
                refuse(self.path, line, "READINGS without a RUN_DIRECTION before them")
            values = [number(self.path, line, part, f"reading {place}") for place, part in enumerate(text.split(), 1)]
            if len(values) < 3:
                refuse(self.path, line, f"{len(values)} readings; an arc has at least 3")
            self.arcs.append(Arc(direction="CW" if self.direction == "CW" else "CCW", reading=np.array(values), line=line))
            self.direction = ""
        elif not parent and len(self.fields) < 1000:
            self.fields.setdefault(name[:80], text[:400])
