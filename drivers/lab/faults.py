"""What can go wrong on a link, put between a simulator and its client: on purpose, at a chosen message, and no more often than asked.

A message is one line that a device sends. A fault lets `after` messages pass, then spoils `count` of them (for good if `count` is None):

    silence     not sent                            late        sent `seconds` later (so is all behind it)
    garbage     replaced by noise of that length    slow_drip   sent byte by byte, `seconds` apart
    half_line   cut in the middle, never finished   close       not sent, and the connection is closed (a pty is unplugged)
    nan         its last number (a controller's position) is not a number

or, as soon as `after` messages have passed, does something to the device itself:

    alarm       the controller trips (`code`, 1: hard limit)         reset       the controller restarts, as after a dip of its supply
    beam_loss   the interferometer's beam is interrupted (`axis`, None: all) for `count` messages
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, get_args

Kind = Literal["silence", "garbage", "half_line", "late", "slow_drip", "close", "nan", "alarm", "reset", "beam_loss"]
DeviceName = Literal["controller", "interferometer", "environment"]

_OF_THE_DEVICE: dict[str, str] = {"alarm": "controller", "reset": "controller", "beam_loss": "interferometer"}
_LAST_NUMBER = re.compile(rb"[-+]?[0-9][-+.0-9eE]*(?=[^0-9]*$)")
_POSITION = re.compile(rb"(?<=Pos:)[-0-9.]+")
_NAN: dict[str, bytes] = {"environment": b"+9.91000000E+37", "interferometer": b"NaN", "controller": b"nan"}
_LONGEST_S = 3600.0


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault that waits for its moment; `after` and `count` run down."""

    device: DeviceName
    kind: Kind
    after: int = 0
    count: int | None = 1
    seconds: float = 0.0
    axis: int | None = None
    code: int = 1
    acting: bool = False

    def __post_init__(self) -> None:
        def refuse(name: str, expected: str) -> ValueError:
            return ValueError(f"fault: {name} is {getattr(self, name)!r}; expected {expected}")

        if self.device not in get_args(DeviceName):
            raise refuse("device", "one of " + ", ".join(get_args(DeviceName)))
        if self.kind not in get_args(Kind):
            raise refuse("kind", "one of " + ", ".join(get_args(Kind)))
        if self.kind in _OF_THE_DEVICE and self.device != _OF_THE_DEVICE[self.kind]:
            raise refuse("device", f"{_OF_THE_DEVICE[self.kind]} for {self.kind}")
        if type(self.after) is not int or self.after < 0:
            raise refuse("after", "a number of messages, 0 or more")
        if self.count is not None and (type(self.count) is not int or self.count < 1):
            raise refuse("count", "a number of messages, 1 or more, or null for good")
        if isinstance(self.seconds, bool) or not isinstance(self.seconds, int | float) or not 0 <= self.seconds <= _LONGEST_S:
            raise refuse("seconds", f"0 to {_LONGEST_S:g}")
        if self.axis not in (None, 0, 1, 2) or isinstance(self.axis, bool):
            raise refuse("axis", "0, 1, 2 or null for all")
        if type(self.code) is not int or not 1 <= self.code <= 9:
            raise refuse("code", "an alarm number 1 to 9")

    @property
    def strikes_device(self) -> bool:
        """Whether it happens to the device, not to a message."""
        return self.kind in _OF_THE_DEVICE

    @classmethod
    def from_request(cls, request: dict[str, Any]) -> Fault:
        """From JSON; raises ValueError naming what is not understood."""
        allowed = {"device", "kind", "after", "count", "seconds", "axis", "code"}
        unknown = sorted(set(request) - allowed)
        missing = sorted({"device", "kind"} - set(request))
        if unknown or missing:
            raise ValueError(f"fault: {'unknown ' + ', '.join(map(repr, unknown)) if unknown else 'missing ' + ', '.join(missing)}; expected {sorted(allowed)}")
        return cls(**request)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes to send, not before `delay_s` from now; or, with `close`, the end of the connection."""

    data: bytes
    delay_s: float = 0.0
    close: bool = False


def spoiled(fault: Fault, message: bytes) -> list[Piece]:
    """What the client gets instead of `message`."""
    match fault.kind:
        case "silence":
            return []
        case "garbage":
            # The end of the line survives: the client must notice the content, not a missing end.
            noise = (blake2b(message).digest() * math.ceil(len(message) / 64))[: max(1, len(message) - 2)]
            return [Piece(bytes(byte | 0x80 for byte in noise) + b"\r\n")]
        case "half_line":
            return [Piece(message[: len(message) // 2])]
        case "late":
            return [Piece(message, fault.seconds)]
        case "slow_drip":
            return [Piece(message[k : k + 1], k * fault.seconds) for k in range(len(message))]
        case "close":
            return [Piece(b"", close=True)]
        case "nan":
            pattern = _POSITION if fault.device == "controller" else _LAST_NUMBER
            return [Piece(pattern.sub(_NAN[fault.device], message, count=1))]
        case _:
            return [Piece(message)]
