"""Canonical JSON: the same value gives the same bytes, and every float comes back bit for bit.

Sorted keys, floats by `repr` (the shortest text that reads back to the same bits), no NaN or infinity, ASCII only, control characters escaped.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..regular_file import open_regular


def plain(value: Any, where: str = "$") -> Any:
    """`value` in plain JSON types: NumPy numbers and arrays become numbers and lists, tuples lists.

    Raises
    ------
    DataError       naming the place of a NaN, an infinity, a key that is no text, or a type that JSON does not have
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise DataError(f"{where} is {float(value)}, which JSON cannot hold; give None and the reason")
        return float(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise DataError(f"{where} has the key {key!r}; keys are text")
        return {key: plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{number}]") for number, item in enumerate(value)]
    if hasattr(value, "tolist"):  # a NumPy scalar or array
        return plain(value.tolist(), where)
    raise DataError(f"{where} is a {type(value).__name__}; a number, text, list, mapping or None is expected")


def dumps(value: Any, *, indent: int | None = None) -> str:
    """`value` as canonical JSON text. Raises `DataError` as `plain` does."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(plain(value), sort_keys=True, allow_nan=False, indent=indent, separators=separators)
    return text.replace("\x7f", "\\u007f")  # the one control character that JSON lets through; it can stand in strings only


def sha256(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`, in hex."""
    return hashlib.sha256(dumps(value).encode("ascii")).hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of the bytes of a regular file, in hex."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def loads(text: str | bytes, name: str) -> dict[str, Any]:
    """The JSON object in `text`; `name` says in errors where it came from.

    Raises
    ------
    DataError       not JSON, not an object, a key twice, NaN or infinity
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            raise ValueError("a key stands there twice")
        return value

    def number(literal: str) -> float:
        raise ValueError(f"{literal} is not a number that JSON has")

    def finite(literal: str) -> float:
        value = float(literal)
        if not math.isfinite(value):
            raise ValueError(f"{literal[:20]} is too large")
        return value

    try:
        value = json.loads(text, object_pairs_hook=once, parse_constant=number, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is not whole JSON ({error})") from None
    if not isinstance(value, dict):
        raise DataError(f"{name} holds a {type(value).__name__}; an object is expected")
    return value
