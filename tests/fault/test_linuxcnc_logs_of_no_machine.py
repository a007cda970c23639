"""Numbers in a recording of LinuxCNC that no machine has are refused with their line, not overlooked where nothing is evaluated."""

from __future__ import annotations

from pathlib import Path

import pytest

from precision.drivers.files import linuxcnc_log
from precision.errors import DataError


@pytest.mark.parametrize("bad", ["1e308,0,0", "2,1e308,0", "2,0,-1e16"])
def test_a_number_that_no_machine_has_is_refused_with_its_line(tmp_path: Path, bad: str) -> None:
    file = tmp_path / "servo.csv"
    file.write_text(f"sample,x_cmd,x_fb\n1,0,0\n{bad}\n3,0,0\n", encoding="ascii")
    with pytest.raises(DataError, match=r"line 3: a number is not finite or beyond 1e15"):
        linuxcnc_log.read(file)
