"""JSON-RPC 2.0 as the attocube IDS3010 speaks it: bytes to messages and back, no I/O.

A request carries no terminator; requests may follow each other directly. A reply ends with CR LF. Everything is strict: one JSON object,
no NaN or Infinity, no key twice, little nesting, bounded size; positions are integers of picometres.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from precision.errors import ProtocolError

TERMINATOR: Final = b"\r\n"
REPLY_BYTES: Final = 65_536
DEEPEST: Final = 8
API_VERSION: Final = 2
_LONGEST_NUMBER: Final = 25
PICOMETRES_LIMIT: Final = 2**63


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: `result`, or `error` (JSON-RPC code and text). `id` is that of the request."""

    id: int | None
    result: tuple[Any, ...] = ()
    error: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A question as the instrument gets it."""

    id: int | None
    method: str
    params: tuple[Any, ...]


def encode_request(method: str, params: Sequence[int | bool | str], request_id: int) -> bytes:
    """One request, without terminator."""
    message = {"jsonrpc": "2.0", "method": method, "params": list(params), "id": request_id, "api": API_VERSION}
    return json.dumps(message, separators=(",", ":")).encode("ascii")


def encode_reply(reply: Reply) -> bytes:
    """One reply with its CR LF."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": reply.id}
    if reply.error is None:
        message["result"] = list(reply.result)
    else:
        message["error"] = {"code": reply.error[0], "message": reply.error[1]}
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii") + TERMINATOR


def decode_reply(line: bytes) -> Reply:
    """One reply, its terminator removed or not.

    Raises
    ------
    ProtocolError       not strict JSON, not an object with an id and either a result or an error
    """
    message = _object(line)
    request_id = message.get("id")
    if request_id is not None and type(request_id) is not int:
        raise ProtocolError(f"IDS3010: the id of a reply is {str(request_id)[:40]!r}; expected an integer. Ask again after reopening the link")
    if message.get("error") is not None:
        error = message["error"]
        code, text = (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, None)
        if type(code) is not int or not isinstance(text, str):
            raise ProtocolError(f"IDS3010: a JSON-RPC error without code and message: {_shown(line)}")
        return Reply(request_id, error=(code, text))
    result = message.get("result")
    if not isinstance(result, list):
        raise ProtocolError(f"IDS3010: a reply with neither a result list nor an error: {_shown(line)}")
    return Reply(request_id, tuple(result))


def decode_request(text: bytes) -> Request:
    """One request.

    Raises
    ------
    ProtocolError       not strict JSON or no method
    """
    message = _object(text)
    method, params, request_id = message.get("method"), message.get("params", []), message.get("id")
    if not isinstance(method, str) or not isinstance(params, list) or not (request_id is None or type(request_id) is int):
        raise ProtocolError(f"not a JSON-RPC request: {_shown(text)}")
    return Request(request_id, method, tuple(params))


def split_objects(buffer: bytes) -> tuple[list[bytes], bytes]:
    """Whole JSON objects at the start of `buffer`, and what is left. Bytes that cannot start an object come back as one piece to refuse."""
    pieces: list[bytes] = []
    start = at = depth = 0
    in_string = escaped = False
    while at < len(buffer):
        byte = buffer[at]
        at += 1
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif depth and byte == 0x22:
            in_string = True
        elif byte == 0x7B:
            if depth == 0 and buffer[start : at - 1].strip():
                pieces.append(buffer[start : at - 1])
                start = at - 1
            depth += 1
        elif byte == 0x7D and depth:
            depth -= 1
            if depth == 0:
                pieces.append(buffer[start:at])
                start = at
    rest = buffer[start:]
    return pieces, rest if depth else rest.lstrip()


def error_number(result: Sequence[Any], what: str) -> int:
    """The first value of a result: 0, or the number of an error or warning."""
    if not result or type(result[0]) is not int:
        raise ProtocolError(f"IDS3010: {what} answered {str(list(result))[:80]}; expected an error number first")
    return int(result[0])


def integer(result: Sequence[Any], index: int, what: str) -> int:
    """An integer of a result: 64 bits, signed."""
    if len(result) <= index or type(result[index]) is not int or not -PICOMETRES_LIMIT <= result[index] < PICOMETRES_LIMIT:
        raise ProtocolError(f"IDS3010: {what} answered {str(list(result))[:80]}; expected an integer of 64 bits as value {index}")
    return int(result[index])


def text(result: Sequence[Any], index: int, what: str) -> str:
    """A string of a result, at most 200 characters of it."""
    if len(result) <= index or not isinstance(result[index], str):
        raise ProtocolError(f"IDS3010: {what} answered {str(list(result))[:80]}; expected text as value {index}")
    return str(result[index])[:200]


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > REPLY_BYTES:
        raise ProtocolError(f"IDS3010: a message of {len(data)} bytes; at most {REPLY_BYTES} are read")
    if _deepest(data) > DEEPEST:
        raise ProtocolError(f"IDS3010: a message nested more than {DEEPEST} deep: {_shown(data)}")
    try:
        message = json.loads(
            data.decode("utf-8"), object_pairs_hook=_no_key_twice, parse_constant=_no_constant, parse_int=_int, parse_float=_float,
        )
    except ValueError as wrong:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ProtocolError(f"IDS3010: not strict JSON ({str(wrong)[:80]}): {_shown(data)}. Check that the address is a JSON-RPC port (9090)") from None
    if not isinstance(message, dict):
        raise ProtocolError(f"IDS3010: expected one JSON object, got {_shown(data)}")
    return message


def _deepest(data: bytes) -> int:
    """How deep brackets nest, counted outside strings; the parser itself would recurse."""
    depth = deepest = 0
    in_string = escaped = False
    for byte in data:
        if in_string:
            in_string = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _int(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError("a number with too many digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if len(digits) > 2 * _LONGEST_NUMBER or value in (float("inf"), float("-inf")):
        raise ValueError("a number out of range")
    return value


def _shown(data: bytes) -> str:
    return repr(data[:60])
