"""Runs of the speed suite as one self-contained HTML page: the newest in full, every kernel's ratio over time beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .results import ACCURACY_COLUMNS, SPEED_COLUMNS, Run, accuracy_row, name_of, speed_row

WIDTH, HEIGHT, MARGIN = 120, 28, 3

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Speed and accuracy of the kernels</title>
<style>
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; color: #1b1f24; background: #fff }
table { border-collapse: collapse; margin: .5rem 0 2rem } th, td { padding: .25rem .6rem; border-bottom: 1px solid #d9dee3; text-align: left; vertical-align: top }
th { font-weight: 600 } td { font-variant-numeric: tabular-nums } svg { vertical-align: middle } .missed { color: #a40e26; font-weight: 600 }
</style></head><body>
<h1>Speed and accuracy of the kernels</h1>
<p>{{ run.begun[:19] }} · {{ run.machine.processor }}, {{ run.machine.cores }} cores, {{ run.machine.memory }} · {{ run.machine.system }} ·
Python {{ run.machine.python }}, {{ run.machine.packages }}</p>
<p>Every figure is a ratio within one run; above 1 × peer we are faster. The history shows the CPU-time ratio over {{ runs }} run{{ "" if runs == 1 else "s" }}, oldest left.</p>
<h2>Speed</h2>
<table><thead><tr>{% for column in speed_columns %}<th>{{ column }}</th>{% endfor %}<th>history</th></tr></thead><tbody>
{% for cells, line in speed %}<tr>{% for cell in cells %}<td{% if cell.endswith("missed") %} class="missed"{% endif %}>{{ cell }}</td>{% endfor %}<td>
<svg width="{{ width }}" height="{{ height }}" role="img" aria-label="{{ line.label }}"><title>{{ line.label }}</title>
<polyline points="{{ line.points }}" fill="none" stroke="#0b62a4" stroke-width="1.5"/><circle cx="{{ line.x }}" cy="{{ line.y }}" r="2.5" fill="#0b62a4"/></svg></td></tr>
{% endfor %}</tbody></table>
<h2>Accuracy</h2>
<table><thead><tr>{% for column in accuracy_columns %}<th>{{ column }}</th>{% endfor %}</tr></thead><tbody>
{% for cells in accuracy %}<tr>{% for cell in cells %}<td{% if cell.endswith("MISSED") %} class="missed"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>
{% if run.skipped %}<h2>Left out of this run</h2><ul>{% for reason in run.skipped %}<li>{{ reason }}</li>{% endfor %}</ul>{% endif %}
<p>On a GPU: not measured.</p>
</body></html>
"""


def html(runs: Sequence[Run]) -> str:
    """The page for `runs`, in any order; the newest is shown in full. At least one run."""
    from jinja2 import Environment

    ordered = sorted(runs, key=lambda run: run.begun)
    newest = ordered[-1]
    history: dict[str, list[float]] = {}
    for run in ordered:
        for pair in run.pairs:
            history.setdefault(name_of(pair), []).append(pair.cpu_ratio)
    return (
        Environment(autoescape=True)
        .from_string(_PAGE)
        .render(
            run=newest,
            runs=len(ordered),
            width=WIDTH,
            height=HEIGHT,
            speed_columns=SPEED_COLUMNS,
            accuracy_columns=ACCURACY_COLUMNS,
            speed=[(speed_row(pair), _sparkline(history[name_of(pair)])) for pair in newest.pairs],
            accuracy=[accuracy_row(row) for row in newest.accuracy],
        )
    )


def _sparkline(ratios: Sequence[float]) -> dict[str, str]:
    """Points of a line on a logarithmic axis, its last point, and the same in words."""
    logs = [math.log(ratio) for ratio in ratios]
    low, high = min(logs), max(logs)
    span = max(high - low, math.log(1.2))  # a change below 20 % does not fill the height
    middle = (low + high) / 2
    step = (WIDTH - 2 * MARGIN) / max(1, len(logs) - 1)
    points = [(MARGIN + k * step, HEIGHT / 2 - (value - middle) / span * (HEIGHT - 2 * MARGIN)) for k, value in enumerate(logs)]
    return {
        "points": " ".join(f"{x:.1f},{y:.1f}" for x, y in points),
        "x": f"{points[-1][0]:.1f}",
        "y": f"{points[-1][1]:.1f}",
        "label": " → ".join(f"{ratio:.3g}" for ratio in ratios),
    }
