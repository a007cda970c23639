"""The tiers of an installation, one after the other, and the peers that are there, for the accuracy table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from precision.kernels import compiled


def each_tier(run: Callable[[], Any]) -> Iterator[tuple[str, Any]]:
    """`run()` as in the plain NumPy install ("numpy"), then with Numba ("fast"), where it is installed."""
    before = os.environ.get(compiled.SWITCH)
    try:
        os.environ[compiled.SWITCH] = "off"
        yield "numpy", run()
        os.environ[compiled.SWITCH] = "on"
        if compiled.numba_or_none() is not None:
            yield "fast", run()
    finally:
        if before is None:
            os.environ.pop(compiled.SWITCH, None)
        else:
            os.environ[compiled.SWITCH] = before


def installed(module: str) -> Any:
    """A peer's module, or None."""
    try:
        return import_module(module)
    except ImportError:
        return None
