"""Where a LinuxCNC is: `linuxcnc://HOST[:PORT][?stream=PORT]`, or `linuxcnc://cell?speed=10&rig=router&period=1ms` for a private one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from precision.errors import PlanError
from precision.units import quantity

CONTROL_PORT: Final = 5007
STREAM_PORT: Final = 5008
ALLOWED: Final = "linuxcnc://host, linuxcnc://host:5007?stream=5008, linuxcnc://cell?speed=10"


@dataclass(frozen=True, slots=True)
class Machine:
    """A controller that runs somewhere: addresses of its text server and of the program that streams servo cycles."""

    control: str
    stream: str


@dataclass(frozen=True, slots=True)
class Private:
    """A controller to be started here; see `cell.launch.start`."""

    rig: str = "router"
    speed: float = 1.0
    servo_period_s: float = 1e-3


def parsed(address: str) -> Machine | Private:
    """What an address asks for.

    Raises
    ------
    PlanError       naming the part that is malformed
    """
    if not address.startswith("linuxcnc://") or len(address) > 300 or re.search(r"[^\x21-\x7e]", address):
        raise _malformed(address, "it does not begin with linuxcnc://, or has blanks")
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
        options = parse_qsl(parts.query, strict_parsing=True) if parts.query else []
    except ValueError as wrong:
        raise _malformed(address, str(wrong)) from None
    if not host or parts.path not in ("", "/") or parts.fragment or parts.username is not None:
        raise _malformed(address, "a host is expected, and nothing else before ?")
    given = dict(options)
    private = host == "cell" and port is None
    if unknown := [name for name, _ in options if name not in (("rig", "speed", "period") if private else ("stream",))]:
        raise _malformed(address, f"it has the option {unknown[0][:20]!r}")
    if len(given) != len(options):
        raise _malformed(address, "an option comes twice")
    if not private:
        stream = given.get("stream", str(STREAM_PORT))
        if not re.fullmatch(r"[0-9]{1,5}", stream) or not 1 <= int(stream) <= 65535:
            raise _malformed(address, f"stream={stream[:20]} is no port")
        name = f"[{host}]" if ":" in host else host
        return Machine(f"tcp://{name}:{port or CONTROL_PORT}", f"tcp://{name}:{stream}")
    try:
        speed = float(given.get("speed", "1"))
        period_s = quantity(given.get("period", "1ms"), "time")
    except ValueError as wrong:
        raise _malformed(address, str(wrong)) from None
    return Private(rig=given.get("rig", "router"), speed=speed, servo_period_s=period_s)


def _malformed(address: str, why: str) -> PlanError:
    return PlanError(f"address {address[:80]!r}: {why}; allowed are {ALLOWED}")
