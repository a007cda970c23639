"""What stands in a capture: named columns with a type and a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..errors import DataError
from . import canonical

DType = Literal["f8", "i8"]
FORMAT = 1
"""Version of the capture's format."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: float64 ("f8") or int64 ("i8") readings in an SI `unit` ("" for a count).

    `wall_clock` marks stamps of the computer's clocks: they are kept beside the readings and left out when two runs are compared.
    """

    name: str
    dtype: DType
    unit: str
    wall_clock: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not 1 <= len(self.name) <= 80 or not self.name.isprintable():
            raise ValueError(f"column name {self.name!r}: 1 to 80 printable characters are expected")
        if self.dtype not in get_args(DType):
            raise ValueError(f"column {self.name!r}: dtype is {self.dtype!r}; \"f8\" or \"i8\" is expected")
        if not isinstance(self.unit, str) or len(self.unit) > 40 or not self.unit.isprintable():
            raise ValueError(f"column {self.name!r}: unit {self.unit!r}; at most 40 printable characters are expected")
        if not isinstance(self.wall_clock, bool):
            raise ValueError(f"column {self.name!r}: wall_clock is {self.wall_clock!r}; True or False is expected")

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "unit": self.unit, "wall_clock": self.wall_clock}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Column:
        """The inverse of `to_dict`; raises `DataError`."""
        try:
            return cls(value["name"], value["dtype"], value["unit"], value["wall_clock"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"a column is described by {value!r} ({error})") from None


def checked(columns: Sequence[Column]) -> tuple[Column, ...]:
    """`columns` as a tuple; raises `ValueError` when there is none or a name comes twice."""
    names = [column.name for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice:
        raise ValueError(f"a capture has at least one column, each with its own name; given: {names}")
    return tuple(columns)


def schema_sha256(columns: Sequence[Column]) -> str:
    """Hash of names, types, units, marks, their order, and the format's version."""
    return canonical.sha256({"format": FORMAT, "columns": [column.to_dict() for column in columns]})


def arrow_schema(columns: Sequence[Column]) -> Any:
    """The Arrow schema of a capture; unit and mark are metadata of each field."""
    import pyarrow as pa

    types = {"f8": pa.float64(), "i8": pa.int64()}
    fields = [
        pa.field(column.name, types[column.dtype], nullable=False, metadata={"unit": column.unit, "wall_clock": str(int(column.wall_clock))})
        for column in columns
    ]
    return pa.schema(fields, metadata={"precision.capture": str(FORMAT)})


def from_arrow(schema: Any) -> tuple[Column, ...]:
    """The columns that an Arrow schema describes; raises `DataError` when it is not that of a capture."""
    version = (schema.metadata or {}).get(b"precision.capture", b"")
    if version != str(FORMAT).encode():
        raise DataError(f"the stream says that it is a capture of format {version.decode('utf-8', 'replace')!r}; {FORMAT} is expected")
    types: dict[str, DType] = {"double": "f8", "int64": "i8"}
    try:
        columns = tuple(
            Column(field.name, types[str(field.type)], field.metadata[b"unit"].decode(), {b"0": False, b"1": True}[field.metadata[b"wall_clock"]])
            for field in schema
        )
        checked(columns)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the schema of the stream is damaged or not that of a capture ({error!r})") from None
    if not schema.equals(arrow_schema(columns), check_metadata=True):
        raise DataError("the schema of the stream has more in it than a capture's; it is damaged or not a capture")
    return columns
