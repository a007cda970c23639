"""What a dry run says of a test that drives lines."""

from __future__ import annotations

from collections.abc import Sequence

from .lines import Line, Manner, duration_s, envelope_m, points
from .procedure import Outlook

_BYTES_PER_READING = 4096


def outlook(lines: Sequence[Line], manner: Manner, *, said: Sequence[tuple[str, str]], lacking: Sequence[str], remarks: Sequence[str] = ()) -> Outlook:
    """said : what the test itself says first. lacking : contributors to U that the plan does not state."""
    envelope = envelope_m(lines, manner)
    ranges = ", ".join(f"{axis} {low * 1e3:.3f} … {high * 1e3:.3f} mm" for axis, (low, high) in envelope.items() if low != high)
    total = points(lines, manner)
    return Outlook(
        lines=(
            *said,
            ("readings", f"{manner.runs} runs × 2 directions, {total} in all, at {manner.feed_m_per_s * 60e3:g} mm/min"),
            ("envelope", f"{ranges} with overshoot; checked against the controller's soft limits before motion"),
            ("each point", f"dwell {manner.dwell_s:g} s, settling within {manner.settling_tolerance_m * 1e6:g} µm, averaged over {manner.averaging_s:g} s"),
        ),
        uncertainty="stated" if not lacking else f"not stated: {', '.join(lacking)}",
        envelope_m=envelope,
        duration_s=duration_s(lines, manner),
        points=total,
        rounds=max(1, len(lines) * manner.runs),
        bytes=(total * (manner.repeats + 1) + len(lines)) * _BYTES_PER_READING,
        remarks=tuple(remarks),
        details=tuple(f"{line.name:<8} from {_place(line.start_m)} to {_place(line.end_m)} mm, {len(line.share)} points" for line in lines),
    )


def _place(point_m: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{value * 1e3:.3f}" for value in point_m) + ")"
