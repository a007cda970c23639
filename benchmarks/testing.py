"""For tests of procedures, ours and other people's: a sink in memory in place of a capture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Kept:
    """A `procedure.Sink` that keeps the rows. blocks : as they were appended. gaps : (reason, samples)."""

    def __init__(self) -> None:
        self.blocks: list[dict[str, NDArray[Any]]] = []
        self.gaps: list[tuple[str, int]] = []

    def append_and_wait(self, block: Mapping[str, Any]) -> int:
        """Keep a copy."""
        self.blocks.append({name: np.array(values) for name, values in block.items()})
        return len(self.blocks)

    def gap(self, reason: str, samples: int) -> int:
        """Keep what was lost and why."""
        self.gaps.append((reason, samples))
        return len(self.gaps)

    @property
    def readings(self) -> dict[str, NDArray[Any]]:
        """Column -> (rows,), as `Procedure.evaluate` is given them."""
        return {name: np.concatenate([block[name] for block in self.blocks]) for name in self.blocks[0]}
