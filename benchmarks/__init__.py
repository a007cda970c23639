"""Procedures: what to move, what to read, how to evaluate it; import as precision.benchmarks.

A procedure is a module beside this one and a line in `ALL`. A third party's comes through the entry point group `precision.benchmarks`
and is loaded by name only.
"""

from __future__ import annotations

from typing import Final

ALL: Final = {
    "positioning": "precision.benchmarks.positioning_plan:Parameters",
}
"""Procedure -> where its plan's model is, imported when it is asked for."""
