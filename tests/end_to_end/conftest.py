"""`precision` as a user types it: a child process in a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def precision(tmp_path: Path) -> Run:
    """Run the command line in `tmp_path` and return what it said; the exit code must be `code`."""

    def run(*arguments: str, code: int = 0, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "140", "NO_COLOR": "1"}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "precision", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def real_recordings() -> Path:
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "iso230_2"
    if not folder.is_dir():
        pytest.skip("the folder of real recordings is not beside this checkout")
    return folder
