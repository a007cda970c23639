"""A real LinuxCNC for these tests: one a module where they do not spoil it. Where it cannot be started they skip with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from glob import glob

import pytest

from precision.drivers.linuxcnc.cell import launch
from precision.drivers.linuxcnc.driver import LinuxCnc, connect

SPEED = 10.0


def reason_to_skip() -> str:
    if lacking := launch.missing():
        return lacking
    if not glob("/usr/lib/*/faketime/libfaketimeMT.so.1"):
        return "libfaketime is not installed (Debian: faketime)"
    if not launch.namespaces_allowed():
        return "this user may not make namespaces"
    return ""


@pytest.fixture(scope="session")
def linuxcnc() -> None:
    """Skips where there is no LinuxCNC."""
    if reason := reason_to_skip():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def cell(linuxcnc: None) -> Iterator[launch.Cell]:
    with launch.start(speed=SPEED) as one:
        yield one


@pytest.fixture
def controller(cell: launch.Cell) -> Iterator[LinuxCnc]:
    """On, homed, at 0."""
    one = connect(cell.address)
    one.home()
    yield one
    one.close()
