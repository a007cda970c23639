"""Addresses to links: a controller that runs somewhere, or a private one that is started for whoever asks first and ends with the last of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from precision.drivers.transport import Transport, open_transport
from precision.errors import LinkLost

from . import address as addresses
from .beside import Beside
from .cell import launch
from .shell import Shell


@dataclass(slots=True)
class _Shared:
    cell: launch.Cell
    users: int


_cells: dict[str, _Shared] = {}
_lock = threading.Lock()


class Place:
    """Where a controller is, held until `release`."""

    def __init__(self, address: str) -> None:
        self.address = address
        wanted = addresses.parsed(address)
        self._private = isinstance(wanted, addresses.Private)
        self.cell: launch.Cell | None = None
        if isinstance(wanted, addresses.Private):
            with _lock:
                if address not in _cells:
                    _cells[address] = _Shared(launch.start(rig=wanted.rig, speed=wanted.speed, servo_period_s=wanted.servo_period_s), 0)
                _cells[address].users += 1
                self.cell = _cells[address].cell
            found = addresses.parsed(self.cell.address)
            assert isinstance(found, addresses.Machine)
            wanted = found
        assert isinstance(wanted, addresses.Machine)
        self.machine = wanted

    def shell(self, *, timeout_s: float) -> Shell:
        """A new connection to the text server."""
        return Shell(self._link(self.machine.control, timeout_s), timeout_s=timeout_s)

    def beside(self, *, timeout_s: float) -> Beside:
        """A new connection to the program beside the controller."""
        return Beside(self._link(self.machine.stream, timeout_s), timeout_s=timeout_s)

    @staticmethod
    def _link(address: str, timeout_s: float) -> Transport:
        try:
            return open_transport(address, timeout_s=timeout_s)
        except LinkLost as lost:
            raise LinkLost(f"{lost}. At a LinuxCNC there have to be [DISPLAY] DISPLAY = linuxcncrsh in the INI file, and stream.py beside it") from lost

    def release(self) -> None:
        """Let go; a private controller that nobody holds any more is taken down. Safe to call twice."""
        if not self._private:
            return
        self._private = False
        with _lock:
            shared = _cells[self.address]
            shared.users -= 1
            if shared.users == 0:
                del _cells[self.address]
                shared.cell.close()
