"""The same document gives the same bytes: in another process, with another hash seed, another language, another drawing configuration."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
import hashlib, json, sys
import numpy as np
from precision.figures import Figure
from precision.report import positioning_charts as charts
from precision.report.csv_text import figures_csv
from precision.report.document import Document, FigureTable
from precision.report.html import html
from precision.report.json_text import json_text
from precision.report.markdown import markdown

if "--other-style" in sys.argv:
    import matplotlib
    matplotlib.rcParams.update({"font.size": 30, "axes.grid": False, "lines.linewidth": 9, "svg.hashsalt": "other", "svg.fonttype": "path"})

target = np.linspace(-0.1, 0.4, 11)
spread = np.random.Generator(np.random.Philox(key=7)).normal(0, 1e-6, (2, 11, 5))
deviation = 1e-5 * np.sin(9 * target)[None, :, None] + spread
mean, s = deviation.mean(axis=2), deviation.std(axis=2, ddof=1)
curves = charts.PositioningCurves(axis="X", target=target, deviation=deviation, mean=mean, s=s, reversal=mean[0] - mean[1])
figures = [Figure(symbol=key, key=key, name=key, unit="m", value=2e-5, uncertainty=1e-6) for key in "AERBM"]
by_key = {figure.key: figure for figure in figures}
drawn = [charts.main_chart(curves, by_key), charts.trend_chart(curves), charts.reversal_chart(curves, by_key), charts.drift_chart(curves)]
document = Document(title="t", figures=[FigureTable.of("f", figures, limits={"A": 2.5e-5})], charts=drawn)
made = {"html": html(document), "md": markdown(document), "json": json_text(document), "csv": figures_csv(document)}
made |= {f"svg {number}": chart.svg for number, chart in enumerate(drawn)}
made["png"] = charts.main_chart(curves, by_key, format="png").hex()
print(json.dumps({name: hashlib.sha256(text.encode()).hexdigest() for name, text in made.items()}))
"""


def digests(*arguments: str, **environment: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    result: dict[str, str] = json.loads(done.stdout)
    return result


def test_bytes_depend_on_the_document_alone(tmp_path: Path) -> None:
    first = digests(PYTHONHASHSEED="1", TZ="UTC")
    configuration = tmp_path / "matplotlibrc"
    configuration.write_text("font.size: 22\naxes.facecolor: black\nlines.linewidth: 5\n")
    second = digests("--other-style", PYTHONHASHSEED="2", TZ="Asia/Tokyo", LC_ALL="C", MATPLOTLIBRC=str(configuration), SOURCE_DATE_EPOCH="0")
    assert first == second
    assert len(set(first.values())) == len(first)


def test_another_reading_gives_another_file() -> None:
    # The digests above could not tell two documents apart if the drawing ignored its data.
    import numpy as np

    from precision.report.positioning_charts import PositioningCurves, main_chart

    def drawn(reading: float) -> str:
        deviation = np.zeros((2, 3, 2))
        deviation[1, 1, 1] = reading
        mean, s = deviation.mean(axis=2), deviation.std(axis=2, ddof=1)
        curves = PositioningCurves(axis="X", target=np.arange(3.0), deviation=deviation, mean=mean, s=s, reversal=mean[0] - mean[1])
        return hashlib.sha256(main_chart(curves, {}).svg.encode()).hexdigest()

    assert drawn(1.0e-6) == drawn(1.0e-6) != drawn(1.1e-6)


def test_a_report_is_small_and_quick() -> None:
    import numpy as np

    from precision.report import positioning_charts as charts
    from precision.report.document import Document
    from precision.report.html import html
    from precision.report.positioning_tables import reading_table, target_table

    target = np.linspace(0, 2, 41)
    spread = np.random.Generator(np.random.Philox(key=3)).normal(0, 1e-6, (2, 41, 5))
    mean, s = spread.mean(axis=2), spread.std(axis=2, ddof=1)
    curves = charts.PositioningCurves(axis="X", target=target, deviation=spread, mean=mean, s=s, reversal=mean[0] - mean[1])

    def report() -> str:
        drawn = [charts.main_chart(curves, {}), charts.trend_chart(curves), charts.reversal_chart(curves, {}), charts.drift_chart(curves)]
        return html(Document(title="t", charts=[chart for chart in drawn if chart is not None], tables=[target_table(curves), reading_table(curves)]))

    report()  # imports and fonts
    start = time.process_time()
    source = report()
    # 0.4 s of processor time on a laptop; 1.5 s is promised.
    assert time.process_time() - start < 1.5
    assert len(source.encode()) < 1_500_000
