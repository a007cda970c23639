"""Procedures: what to move, what to read, how to evaluate it; import as precision.benchmarks.

A procedure is a module with a `PROCEDURE` (see `procedure`) and a line in `ALL`. A third party's is an entry point of the group `precision.benchmarks`, named
as in its plans, and is loaded by name only.
"""

from __future__ import annotations

from typing import Final

ALL: Final = {
    "friction": "precision.benchmarks.friction_procedure",
    "frf": "precision.benchmarks.frf_procedure",
    "frf-mimo": "precision.benchmarks.frf_mimo_procedure",
    "ilc": "precision.benchmarks.ilc_procedure",
    "overlay": "precision.benchmarks.overlay_procedure",
    "positioning": "precision.benchmarks.positioning_procedure",
    "circular": "precision.benchmarks.circular_procedure",
    "contour": "precision.benchmarks.contour_procedure",
    "scan-quality": "precision.benchmarks.scan_quality_procedure",
    "interferometer-linearity": "precision.benchmarks.linearity_procedure",
    "step-settle": "precision.benchmarks.step_settle_procedure",
    "self-calibration": "precision.benchmarks.self_calibration_procedure",
    "straightness": "precision.benchmarks.straightness_procedure",
    "squareness": "precision.benchmarks.squareness_procedure",
    "diagonals": "precision.benchmarks.diagonals_procedure",
    "spindle": "precision.benchmarks.spindle_procedure",
    "step-response": "precision.benchmarks.step_response_procedure",
    "stability": "precision.benchmarks.stability_procedure",
    "thermal": "precision.benchmarks.thermal_procedure",
    "tracking": "precision.benchmarks.tracking_procedure",
    "volumetric": "precision.benchmarks.volumetric_procedure",
    "lines-21": "precision.benchmarks.lines_21_procedure",
}
"""Procedure -> the module whose `PROCEDURE` it is, imported when it is asked for."""
