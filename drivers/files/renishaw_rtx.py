"""Renishaw dynamic captures `.rtx` (CARTO, XL-80): a record of displacement at a fixed rate. Read from the header of a real file and an independent reader.

`HEADER::`, lines `Key: value` (CR LF), then `Data:` and little-endian float64 samples back to back, then `EOF::`. The samples are everything between the
two, so that their bytes may be anything. The file does not say in which unit they are; CARTO's displacements are millimetres, which is not confirmed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError

from .outside import number, read_bytes, refuse

_DATA: Final = b"Data:\r\n"
_END: Final = b"EOF::"
MOST_HEADER: Final = 64 * 1024
_NUMBERS: Final = ("velocity", "sample rate", "sample no", "trigger point", "trigger interval", "actual sample rate")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """A record as the file holds it.

    value : (n,) float64, in the file's own unit (not stated; millimetres in CARTO). sample_rate_hz : as measured ("Actual sample rate"), else as set.
    header : its fields as text, keys in lower case.
    """

    value: NDArray[np.float64]
    sample_rate_hz: float
    header: dict[str, str]

    @property
    def duration_s(self) -> float:
        """From the first sample to the last."""
        return (self.value.size - 1) / self.sample_rate_hz


def read(path: Path) -> Record:
    """The record in a file.

    Raises
    ------
    DataError       naming the line of the header, or how many bytes or samples there are and how many are expected
    """
    data = read_bytes(path)
    start = data.find(_DATA, 0, MOST_HEADER)
    if not data.startswith(b"HEADER::") or start < 0:
        refuse(path, 1, "no HEADER:: with a line Data: below it; this is not a dynamic capture, or it is cut off")
    header: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, text in enumerate(data[:start].decode("cp1252", errors="replace").split("\r\n"), 1):
        key, colon, content = text.partition(":")
        if colon and not text.endswith("::"):
            header[key.strip().lower()], lines[key.strip().lower()] = content.strip()[:400], line
    values = {key: number(path, lines[key], header[key], key.capitalize()) for key in _NUMBERS if key in header}
    end = data.rfind(_END)
    if end < start or data[end + len(_END) :].strip(b"\r\n \0\x1a"):
        raise DataError(f"{path.name}: does not end with EOF::; the file is cut off")
    body = data[start + len(_DATA) : end]
    if len(body) % 8 == 2 and body.endswith(b"\r\n"):
        body = body[:-2]  # a line end before EOF:: is no part of a sample
    expected = round(values["sample no"]) if "sample no" in values else len(body) // 8
    if len(body) % 8 or len(body) // 8 != expected or expected < 2:
        raise DataError(f"{path.name}: {len(body)} bytes of samples, {len(body) / 8:g} of 8 bytes each; {expected} are expected (Sample no): the file is damaged or cut off")
    value = np.frombuffer(body, dtype="<f8").astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(value))
    if bad.size:
        raise DataError(f"{path.name}: sample {bad[0] + 1} is {value[bad[0]]}, not a finite number ({bad.size} of {value.size})")
    rate = values.get("actual sample rate") or values.get("sample rate") or 0.0
    if not rate > 0:
        raise DataError(f"{path.name}: the sample rate is {rate:g}; more than 0 is expected")
    value.flags.writeable = False
    return Record(value=value, sample_rate_hz=rate, header=header)
