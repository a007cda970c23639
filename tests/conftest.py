"""Options of the whole suite."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# The same examples everywhere, however slow the computer: a test passes or fails for what was changed. `pytest --hypothesis-seed=N` looks further.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

# Children find the installed package, not the folder that the tests are run from: in a clone without symbolic links (as on Windows) the latter
# is not importable.
os.environ["PYTHONSAFEPATH"] = "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also the long tests, and the long versions of the others")
    parser.addoption("--write-matrix", metavar="FILE", help="write the fault matrix that tests/fault saw between its marks in FILE (docs/reliability.md)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="long; run with --slow"))


@pytest.fixture
def slow(request: pytest.FixtureRequest) -> bool:
    """Whether the long version of a test is wanted."""
    return bool(request.config.getoption("--slow"))
