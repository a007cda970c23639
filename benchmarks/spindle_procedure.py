"""The spindle test as a procedure: how the gauges are opened, and which functions do the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .comparing_figures import compare
from .procedure import Connected, Procedure, judged_by
from .spindle import COLUMNS, Rig, acquire, check, preview
from .spindle_evaluation import analyse
from .spindle_plan import Parameters
from .spindle_report import document, result_dict
from .streaming_bench import opened


@contextmanager
def _connect(plan: Parameters) -> Iterator[Connected[Rig]]:
    with opened(plan, "gauges", "gauges_serve", "spindle", controls=(f"speed {plan.spindle.speed!r}",)) as (stream, instruments, simulated):
        yield Connected(rig=Rig(gauges=stream), instruments=instruments, moving=(), lab=simulated)


_ECCENTRICITY = tuple(f"{name}_fundamental" for name in ("radial_rotating", "radial_x", "radial_y", "tilt_a", "tilt_b"))
"""How the artefact was mounted: no merit of the spindle."""


PROCEDURE = Procedure(
    name="spindle",
    title="error motions of a spindle (ISO 230-7)",
    model=Parameters,
    preview=preview,
    columns=lambda plan: COLUMNS,
    connect=_connect,
    check=check,
    acquire=acquire,
    evaluate=judged_by(analyse, document, result_dict),
    compare=lambda before, after: compare(before, after, neither=_ECCENTRICITY),
)
