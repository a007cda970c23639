"""The head and foot that every procedure's report shares: what was tested, with what, and what it takes to compute it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from precision.report.document import Document, HeaderGroup, Provenance
from precision.runs.manifest import Manifest

BACKEND: Final = "NumPy on the CPU, float64"


def head(plan: Any, manifest: Manifest, *, test: Sequence[tuple[str, str | None]], environment: Sequence[tuple[str, str | None]] = ()) -> tuple[HeaderGroup, ...]:
    """Groups "Test", "Machine", "Instrument" and, where given, "Environment".

    plan : with `machine` and `test` (`precision.plan`). test : what the procedure itself says of the test, after date and operator.
    """
    machine = " ".join(part for part in (plan.machine.manufacturer, plan.machine.type) if part)
    date = plan.test.date or f"{manifest.created_utc.replace('T', ' ')[:16]} UTC"
    identities = "; ".join(f"{role}: {device.identity}" for role, device in sorted(manifest.instruments.items()) if device.identity)
    groups = [
        HeaderGroup(title="Test", rows=[*test, ("Date", date), ("Operator", plan.test.operator), ("Site", plan.machine.location), ("Warm-up", plan.machine.warm_up)]),
        HeaderGroup(
            title="Machine",
            rows=[
                ("Machine", machine or None), ("Serial number", plan.machine.serial_number), ("Kinematic chain", plan.machine.kinematic_chain),
                ("Position of the other axes", plan.machine.other_axes), ("Compensations active", plan.machine.compensations_active),
            ],
        ),
        HeaderGroup(
            title="Instrument",
            rows=[
                ("Measuring instrument", plan.test.instrument), ("Serial numbers", identities or None), ("Certificate and date", plan.test.certificate),
                ("Sensor positions", plan.test.sensor_positions),
            ],
        ),
    ]  # fmt: skip
    return (*groups, HeaderGroup(title="Environment", rows=environment)) if environment else tuple(groups)


def stopped_early(reason: str | None) -> str:
    """Why a run that was stopped is not for acceptance (`Document.not_for_acceptance`); "" for one that came to its end. reason : its first line is given."""
    return f"the run was stopped before its end: {reason.splitlines()[0]}" if reason else ""


def verdict_dict(document: Document) -> dict[str, str] | None:
    """A report's verdict for result.json; None where nothing was decided."""
    verdict = document.verdict
    return None if verdict is None else {"outcome": verdict.outcome.name.lower(), "headline": verdict.headline, "detail": verdict.detail}


def provenance(manifest: Manifest) -> Provenance:
    """Versions and hashes of a run."""
    versions = sorted(manifest.versions.items(), key=lambda item: (item[0] != "precision", item[0]))
    return Provenance(
        software=", ".join(f"{name} {version}" for name, version in versions),
        run_id=manifest.run_id,
        plan_sha256=manifest.plan_sha256,
        data_sha256=manifest.capture_sha256,
        backend=BACKEND,
    )
