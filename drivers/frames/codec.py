"""Frames: rows of float64 at a fixed rate, numbered and checked. Bytes <-> messages, no I/O.

The device says first what it is, in one line of JSON (UTF-8, at most 64 KiB, then a line feed):

    {"precision-frames": 1, "identity": "maker, type, serial", "rate_hz": 1000.0, "simulated": false,
     "channels": [{"name": "x_tool", "unit": "m"}, ...]}

Then come frames, little endian, each a head of 40 bytes and a payload:

    magic         4 bytes   F5 50 46 31 ("õPF1")
    kind          uint8     0 samples · 1 message · 2 end
    flags         uint8     1: the device was overrun before this frame
    channels      uint16    as in the header line; 0 in a message or end
    count         uint32    samples: rows; message: bytes of JSON; end: 0
    reserved      uint32    0
    first_sample  uint64    number of the first row since the start; what is skipped is lost
    t_ns          int64     device time of the first row
    crc           uint32    CRC-32 (zlib) of the 32 bytes before it, then of the payload
    spare         uint32    0
    payload                 samples: rows × channels float64, row by row; message: a JSON object

A frame of samples with no rows is a sign of life, with the number that the next row will have; a device that waits sends one at least every second. A row
that has no value in some channel is not sent: its number is skipped. The other side writes lines: `start`, `stop`, `arm` (start at the device's own trigger), or a device's own; each is answered by
a message {"answer": "start", ...}, with "error" in it where it was refused. Numbers begin at 0 with each `start`. {"fault": "..."} comes unasked.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from precision.drivers.roles import Channel
from precision.errors import ProtocolError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VERSION: Final = 1
MAGIC: Final = b"\xf5PF1"
SAMPLES, MESSAGE, END = 0, 1, 2
OVERRUN: Final = 1
HEADER_BYTES: Final = 65_536
PAYLOAD_BYTES: Final = 4 << 20
"""Largest payload of samples; of a message it is `HEADER_BYTES`."""
MOST_CHANNELS: Final = 64
SI_UNITS: Final = ("", "m", "rad", "s", "m/s", "rad/s", "m/s2", "rad/s2", "K", "Pa", "V", "A", "N", "Hz")

_CHECKED: Final = struct.Struct("<4sBBHIIQq")
_CRC: Final = struct.Struct("<II")
HEAD_BYTES: Final = _CHECKED.size + _CRC.size
_MOST_SAMPLES: Final = 1 << 62
_LONGEST_S: Final = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a device says of its stream before the first frame."""

    identity: str
    rate_hz: float
    channels: tuple[Channel, ...]
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """The first bytes of a frame, checked except for the CRC, which needs the payload."""

    kind: Literal[0, 1, 2]
    flags: int
    count: int
    first_sample: int
    t_ns: int
    payload_bytes: int
    crc: int
    checked: bytes


def encode_header(header: Header) -> bytes:
    """The line that begins a stream.

    Raises
    ------
    ValueError      a header that `decode_header` would refuse
    """
    said = {
        "precision-frames": VERSION, "identity": header.identity, "rate_hz": header.rate_hz, "simulated": header.simulated,
        "channels": [{"name": channel.name, "unit": channel.unit} for channel in header.channels],
    }  # fmt: skip
    line = json.dumps(said, ensure_ascii=True).encode("ascii")
    try:
        decode_header(line)
    except ProtocolError as error:
        raise ValueError(f"this header cannot be sent: {error}") from None
    return line + b"\n"


def decode_header(line: bytes) -> Header:
    """The header in its line, without the line feed.

    Raises
    ------
    ProtocolError   not a header of this version: what is wrong with it
    """
    said = _json_object(line, "the header of the stream")
    version = said.get("precision-frames")
    if type(version) is not int or version != VERSION:
        raise ProtocolError(f"the stream's header says precision-frames {str(version)[:20]!r}; this program speaks {VERSION}. Is this the stream's port?")
    identity, rate_hz, channels, simulated = said.get("identity"), said.get("rate_hz"), said.get("channels"), said.get("simulated", False)
    if not isinstance(identity, str) or not 1 <= len(identity) <= 500:
        raise ProtocolError(f"the stream's identity is {str(identity)[:80]!r}; a text of 1 to 500 characters is expected")
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | float) or not 1e-6 <= rate_hz <= 1e8:
        raise ProtocolError(f"the stream's rate_hz is {str(rate_hz)[:40]!r}; a number of samples per second, 1e-6 … 1e8, is expected")
    if not isinstance(simulated, bool):
        raise ProtocolError(f"the stream's simulated is {str(simulated)[:40]!r}; true or false is expected")
    if not isinstance(channels, list) or not 1 <= len(channels) <= MOST_CHANNELS:
        raise ProtocolError(f"the stream's channels are {str(channels)[:80]!r}; a list of 1 to {MOST_CHANNELS} is expected")
    known = tuple(_channel(number, channel) for number, channel in enumerate(channels, start=1))
    names = [channel.name for channel in known]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ProtocolError(f"the stream has the channel {twice[0][:80]!r} twice; each name once is expected")
    return Header(identity=identity, rate_hz=float(rate_hz), channels=known, simulated=simulated)


def encode_samples(first_sample: int, t_ns: int, values: NDArray[np.float64], *, overrun: bool = False) -> bytes:
    """A frame of rows: (n, channels) float64, finite.

    Raises
    ------
    ValueError      naming the argument that a frame cannot hold
    """
    import numpy as np

    rows = np.ascontiguousarray(values, dtype="<f8")
    if rows.ndim != 2 or not 1 <= rows.shape[1] <= MOST_CHANNELS or rows.nbytes > PAYLOAD_BYTES:
        raise ValueError(f"values has shape {np.shape(values)}; (n, channels) with at most {MOST_CHANNELS} channels and {PAYLOAD_BYTES} bytes is expected")
    if not np.isfinite(rows).all():
        raise ValueError("values holds a number that is not finite; leave the row out and skip its number")
    return _frame(SAMPLES, OVERRUN if overrun else 0, rows.shape[1], rows.shape[0], first_sample, t_ns, rows.tobytes())


def encode_message(said: Mapping[str, Any]) -> bytes:
    """A message frame; raises ValueError when JSON cannot hold it or it is too long."""
    payload = json.dumps(dict(said), ensure_ascii=True, allow_nan=False).encode("ascii")
    if len(payload) > HEADER_BYTES:
        raise ValueError(f"a message of {len(payload)} bytes; at most {HEADER_BYTES} are expected")
    return _frame(MESSAGE, 0, 0, len(payload), 0, 0, payload)


def encode_end(next_sample: int, t_ns: int) -> bytes:
    """The frame that ends a stream; `next_sample` is the number that the next row would have had, so that rows lost at the end are seen."""
    return _frame(END, 0, 0, 0, next_sample, t_ns, b"")


def decode_head(data: bytes, channels: int) -> Head:
    """The head of a frame of a stream with so many channels, in `HEAD_BYTES` bytes.

    Raises
    ------
    ProtocolError   wrong magic, kind, size, channels or number
    """
    magic, kind, flags, said_channels, count, reserved, first_sample, t_ns = _CHECKED.unpack_from(data)
    crc, spare = _CRC.unpack_from(data, _CHECKED.size)
    if magic != MAGIC:
        raise ProtocolError(f"a frame begins with {magic!r}; {MAGIC!r} is expected. The stream is out of step: connect again")
    if kind not in (SAMPLES, MESSAGE, END) or flags & ~OVERRUN or reserved or spare:
        raise ProtocolError(f"a frame of kind {kind} with flags {flags:#x}; kind 0 … 2 and flags 0 or 1 are expected. Update this program or the device's")
    if said_channels != (channels if kind == SAMPLES else 0):
        raise ProtocolError(f"a frame with {said_channels} channels; {channels if kind == SAMPLES else 0} are expected from the header")
    payload = count * 8 * channels if kind == SAMPLES else count
    most = {SAMPLES: PAYLOAD_BYTES, MESSAGE: HEADER_BYTES, END: 0}[kind]
    if payload > most:
        raise ProtocolError(f"a frame with a payload of {payload} bytes; at most {most} are expected")
    if first_sample + count > _MOST_SAMPLES or abs(t_ns) > _LONGEST_S:
        raise ProtocolError(f"a frame at sample {first_sample}, time {t_ns} ns: larger than any stream is long")
    return Head(kind, flags, count, first_sample, t_ns, payload, crc, bytes(data[: _CHECKED.size]))


def check_payload(head: Head, payload: bytes) -> None:
    """Raise `ProtocolError` unless head and payload are those that were sent."""
    if zlib.crc32(payload, zlib.crc32(head.checked)) != head.crc:
        raise ProtocolError(f"the frame at sample {head.first_sample} was damaged on its way (CRC-32); check cable and device, then connect again")


def decode_samples(head: Head, payload: bytes, channels: int) -> NDArray[np.float64]:
    """The rows of a frame, (n, channels) float64, read-only; raises `ProtocolError` when one is not finite or the CRC does not fit."""
    import numpy as np

    check_payload(head, payload)
    values = np.frombuffer(payload, dtype="<f8").reshape(head.count, channels)
    if not np.isfinite(values).all():
        row, column = (int(index) for index in np.argwhere(~np.isfinite(values))[0])
        raise ProtocolError(f"sample {head.first_sample + row} is {values[row, column]} in channel {column + 1}; a device that has no value skips the number")
    return values


def decode_message(head: Head, payload: bytes) -> dict[str, Any]:
    """The JSON object in a message frame; raises `ProtocolError`."""
    check_payload(head, payload)
    return _json_object(payload, "a message of the stream")


def _frame(kind: int, flags: int, channels: int, count: int, first_sample: int, t_ns: int, payload: bytes) -> bytes:
    try:
        checked = _CHECKED.pack(MAGIC, kind, flags, channels, count, 0, first_sample, t_ns)
    except struct.error as error:
        raise ValueError(f"sample {first_sample} at {t_ns} ns does not fit into a frame ({error})") from None
    return checked + _CRC.pack(zlib.crc32(payload, zlib.crc32(checked)), 0) + payload


def _channel(number: int, said: object) -> Channel:
    if not isinstance(said, dict) or not isinstance(name := said.get("name"), str) or not isinstance(unit := said.get("unit"), str):
        raise ProtocolError(f"channel {number} of the stream is {str(said)[:80]!r}; a name and a unit are expected")
    if not 1 <= len(name) <= 80 or not name.isprintable():
        raise ProtocolError(f"channel {number} of the stream is called {name[:80]!r}; 1 to 80 printable characters are expected")
    if unit not in SI_UNITS:
        raise ProtocolError(f"channel {name!r} of the stream has the unit {unit[:20]!r}; expected is one of {', '.join(filter(None, SI_UNITS))}, or none")
    return Channel(name, unit)


def _json_object(data: bytes, what: str) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is no number")

    def finite(text: str) -> float:
        if not math.isfinite(value := float(text)):
            raise ValueError(f"{text[:20]} is no number")
        return value

    if len(data) > HEADER_BYTES:
        raise ProtocolError(f"{what} has {len(data)} bytes; at most {HEADER_BYTES} are expected")
    try:
        said = json.loads(data.decode("utf-8"), parse_constant=refuse, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"{what} is {bytes(data[:60])!r}, not JSON ({str(error)[:80]}); is this the stream's port?") from None
    if not isinstance(said, dict):
        raise ProtocolError(f"{what} is {bytes(data[:60])!r}; a JSON object is expected")
    return said
