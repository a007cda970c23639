"""A real LinuxCNC controller added its own compensation table to its command: ours must add the same.

Recordings of LinuxCNC 2.9 (`comp_scan_*.csv.gz`): X swept −140 … 140 … −140 mm with COMP_FILE, with BACKLASH and without either.
"""

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from precision.compensation import grblhal, linuxcnc
from precision.compensation.table import Table
from precision.recording import DOWN, UP

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "linuxcnc"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the folder of real recordings is not beside this checkout")

# The file prints 0.1 nm: command and motor command are each rounded by up to 0.05 nm. A trim of 13 µm in single precision is exact to 1e-6 nm.
ROUNDING_M = 0.1e-9 + 1e-15


def _scan(name: str) -> tuple[np.ndarray, np.ndarray]:
    """(command, motor command) of X in m, one row a servo cycle."""
    with gzip.open(FOLDER / f"comp_scan_{name}.csv.gz", "rt", encoding="ascii") as file:
        rows = list(csv.DictReader(io.StringIO(file.read())))
    command, motor = (np.array([float(row[column]) for row in rows]) * 1e-3 for column in ("x_cmd", "x_mcmd"))
    return command, motor


def _steady(command: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction held at standstill (0 ↑, 1 ↓), and where it has held for 20 cycles: the controller slews a new correction in over up to 9."""
    sign = np.sign(np.diff(command, prepend=command[0]))
    moving = np.flatnonzero(sign)
    last = moving[np.clip(np.searchsorted(moving, np.arange(command.size), side="right") - 1, 0, None)]
    direction = np.where(sign[last] > 0, UP, DOWN)
    changed = np.flatnonzero(np.diff(direction, prepend=direction[0]))
    since = np.full(command.size, 10**6)
    for start in (moving[0], *changed):
        since[start:] = np.arange(command.size - start)
    steady = (since >= 20) & (np.arange(command.size) >= moving[0])
    steady[changed - 1] = False  # a turn within a cycle: the velocity has changed its sign, the position not yet come back
    return direction, steady


def test_our_table_adds_what_the_controller_added() -> None:
    table = linuxcnc.read((FOLDER / "comp_x_type0.dat").read_text(encoding="ascii"), file_type=0)
    command, motor = _scan("comp0")
    direction, steady = _steady(command)
    assert steady.sum() > 8000
    assert np.abs(motor - command - table.correction(command, direction))[steady].max() <= ROUNDING_M


def test_a_type_1_file_written_from_it_gives_the_same_command() -> None:
    table = linuxcnc.read((FOLDER / "comp_x_type0.dat").read_text(encoding="ascii"), file_type=0)
    again = linuxcnc.read(linuxcnc.write(table, file_type=1), file_type=1)
    command, motor = _scan("comp0")
    direction, steady = _steady(command)
    assert np.abs(motor - command - again.correction(command, direction))[steady].max() <= ROUNDING_M


def test_the_sign_matters() -> None:
    table = linuxcnc.read((FOLDER / "comp_x_type0.dat").read_text(encoding="ascii"), file_type=0)
    command, motor = _scan("comp0")
    direction, steady = _steady(command)
    turned = Table(axis="X", nominal=table.nominal, forward=-table.forward, reverse=-table.reverse)
    swapped = Table(axis="X", nominal=table.nominal, forward=table.reverse, reverse=table.forward)
    assert np.abs(motor - command - turned.correction(command, direction))[steady].max() > 20e-6
    assert np.abs(motor - command - swapped.correction(command, direction))[steady].max() > 6e-6


def test_backlash_alone_is_half_of_it_on_each_side() -> None:
    table = grblhal.read("$160=0.006\n")
    command, motor = _scan("backlash")
    direction, steady = _steady(command)
    assert np.abs(motor - command - table.correction(command, direction))[steady].max() <= ROUNDING_M


def test_without_a_table_nothing_is_added() -> None:
    command, motor = _scan("none")
    assert np.abs(motor - command).max() <= ROUNDING_M
