"""The scan-quality test: log the interferometers of a scanner at 20 kHz over its fields; every sample is kept.

`acquire` is the only code here that touches a device; `scan_quality_evaluation.analyse` judges what it left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from precision.drivers.lab.scanner_serve import FASTEST_M_PER_S, LONGEST_S, SLOWEST_M_PER_S
from precision.drivers.roles import Stream
from precision.errors import DataError, PlanError
from precision.runs.capture import Column

from .procedure import Outlook, Sink, block
from .scan_quality_plan import Parameters

AXES: Final = ("x", "y", "z", "Rx", "Ry", "Rz")
POSITIONS: Final = tuple(f"{letter}_{axis}" for letter in "wr" for axis in AXES)
COLUMNS: Final = (
    Column("t_s", "f8", "s"),
    Column("field", "i8", ""),
    Column("scanning", "i8", ""),
    Column("y_set_m", "f8", "m"),
    *(Column(f"{name}_{'rad' if 'R' in name else 'm'}", "f8", "rad" if "R" in name else "m") for name in POSITIONS),
)
_QUIET_S: Final = 10.0
_BLOCK_ROWS: Final = 20_000
_REST_S: Final = 0.05
_RESERVE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Rig:
    """The stages' interferometers, as a stream with channels field, scanning, y_set and any of w_x … w_Rz, r_x … r_Rz."""

    interferometers: Stream


def constant_s(plan: Parameters) -> float:
    """How long the virtual scanner keeps its speed at least: settling, exposure, and something to spare."""
    return plan.scan.settle + plan.exposure_s + _RESERVE_S


def preview(plan: Parameters) -> Outlook:
    """What will be recorded. Pure. PlanError for a scan that the virtual scanner cannot make."""
    scan, slit = plan.scan, plan.slit
    if plan.devices.simulated and not SLOWEST_M_PER_S <= scan.speed <= FASTEST_M_PER_S:
        raise PlanError(f"scan.speed: the virtual scanner scans at {SLOWEST_M_PER_S * 1e3:g} mm/s to {FASTEST_M_PER_S:g} m/s (seen: {scan.speed * 1e3:g} mm/s)")
    if plan.devices.simulated and constant_s(plan) > LONGEST_S:
        raise PlanError(f"scan: settling and exposure take {constant_s(plan):.3g} s a field; the virtual scanner scans for at most {LONGEST_S:g} s: scan faster, or shorter fields")
    samples = slit.height / scan.speed
    each = plan.exposure_s + scan.settle + 2 * _REST_S + 0.1
    known = plan.uncertainty
    lacking = [name for name in ("position_device", "position_noise") if getattr(known, name) is None]
    remarks = [] if scan.fields >= 2 else ["one field: the difference between scan directions is not known"]
    if not plan.devices.simulated:
        remarks.append(f"start the scanner's exposure job of {scan.fields} fields when the recording begins; this program does not drive it")
    return Outlook(
        lines=(
            ("scan", f"{scan.fields} fields of {scan.field_length * 1e3:g} mm at {scan.speed * 1e3:g} mm/s, exposed from {scan.settle * 1e3:g} ms after acceleration"),
            ("slit", f"{slit.shape}, {slit.height * 1e3:g} mm × {slit.width * 1e3:g} mm, T = {samples * 1e3:.4g} ms"),
            ("error", f"{plan.evaluation.error}" + (f", M = {scan.reduction:g}" if plan.evaluation.error == "synchronisation" else "")),
        ),
        uncertainty="stated" if not lacking else f"not stated: {', '.join(lacking)}",
        envelope_m={},
        duration_s=scan.fields * each,
        points=scan.fields,
        bytes=int(scan.fields * each * 20_000 * 8 * len(COLUMNS) * 1.1) + (1 << 20),
        rounds=min(scan.fields, 8),
        remarks=tuple(remarks),
    )


def check(plan: Parameters, rig: Rig) -> None:
    """Refuse a stream that cannot be judged, before anything is recorded.

    Raises
    ------
    PlanError       channels that are missing, in a wrong unit, or too slow for the slit
    """
    channels = {channel.name: channel.unit for channel in rig.interferometers.channels}
    needed = ["field", "scanning", "y_set", "w_y", *(["r_y"] if plan.evaluation.error == "synchronisation" else [])]
    if absent := [name for name in needed if name not in channels]:
        raise PlanError(f"the stream has no channel {', '.join(absent)}; it has {', '.join(channels)}")
    for name, unit in channels.items():
        expected = "m" if name == "y_set" else ("rad" if "R" in name else "m") if name in POSITIONS else unit
        if unit != expected:
            raise PlanError(f"channel {name} of the stream is in {unit or 'no unit'}; {expected} is expected")
    samples = rig.interferometers.rate_hz * plan.slit.height / plan.scan.speed
    if samples < 2:
        raise PlanError(f"the slit takes {samples:.2g} samples at {rig.interferometers.rate_hz:g} Hz; log faster, or there is nothing to average over")


def acquire(plan: Parameters, rig: Rig, sink: Sink, *, log: Callable[..., None], progress: Callable[[int, int], None]) -> None:
    """Log until all fields of the plan are over.

    Raises
    ------
    DataError       the stream ends, or nothing is scanned for ten times as long as a field takes
    DeviceError     as the driver says
    """
    stream = rig.interferometers
    names = [channel.name for channel in stream.channels]
    columns = {name: f"{name}_{'rad' if 'R' in name else 'm'}" for name in POSITIONS if name in names}
    stream.start()
    log("stream", rate_hz=stream.rate_hz, channels=names)
    began: int | None = None
    held: list[dict[str, np.ndarray]] = []
    rows = 0
    ended, idle, total = 0, 0.0, plan.scan.fields
    last_field, last_scanning = -1, False
    while ended < total:
        got = stream.read(_QUIET_S)
        if got is None:
            raise DataError(f"the stream ended after {ended} of {total} fields; what was logged is kept. Start the job again, and the test with it")
        if got.lost:
            if held:
                sink.append_and_wait(_joined(held))
                held, rows = [], 0
            sink.gap(got.reason or "lost", got.lost)
        if not len(got.values):
            continue
        began = got.t_ns if began is None else began
        values = got.values
        time_s = (got.t_ns - began) / 1e9 + np.arange(len(values)) / stream.rate_hz
        field, scanning = values[:, names.index("field")].astype(np.int64), (values[:, names.index("scanning")] != 0).astype(np.int64)
        flags, numbers = np.concatenate([[int(last_scanning)], scanning]), np.concatenate([[last_field], field])
        # The end of a field may lie in samples that were lost: the next one scans already.
        fell = np.flatnonzero((np.diff(flags) < 0) | ((flags[:-1] == 1) & (np.diff(numbers) != 0)))
        idle = 0.0 if scanning.any() else idle + len(values) / stream.rate_hz
        if idle > max(60.0, 10 * plan.exposure_s):
            raise DataError(f"nothing was scanned for {idle:.0f} s, after {ended} of {total} fields; start the exposure job")
        last = None if ended + fell.size < total else int(fell[total - ended - 1])
        keep = len(values) if last is None else last + int(not scanning[last])
        held.append(block(
            COLUMNS, t_s=time_s[:keep], field=field[:keep], scanning=scanning[:keep], y_set_m=values[:keep, names.index("y_set")],
            **{column: values[:keep, names.index(name)] for name, column in columns.items()},
        ))  # fmt: skip
        rows += keep
        ended = min(total, ended + int(fell.size))
        last_scanning, last_field = bool(scanning[-1]), int(field[-1])
        if rows >= _BLOCK_ROWS or ended == total:
            sink.append_and_wait(_joined(held))
            held, rows = [], 0
        progress(ended, total)
    log("logged", fields=ended, last_field=last_field)
    stream.stop()


def _joined(blocks: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([one[name] for one in blocks]) for name in blocks[0]}
