"""Options of the whole suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also the long tests, and the long versions of the others")


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
