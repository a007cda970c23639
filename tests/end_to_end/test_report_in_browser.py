"""A report as a customer opens it: in a real browser, without a console message, without a request, with its drawings.

Chromium is driven through its command line. A first test proves that the observation works: a page that does what a report must not do is caught.
"""

from __future__ import annotations

import http.server
import io
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from precision.figures import Figure
from precision.report.document import Budget, BudgetRow, Document, FigureTable, Note, Provenance
from precision.report.html import html
from precision.report.iso230_header import header
from precision.report.positioning_charts import (
    PositioningCurves,
    TemperatureTrace,
    drift_chart,
    main_chart,
    reversal_chart,
    trend_chart,
)
from precision.report.positioning_tables import reading_table, target_table
from precision.units import UM

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome", "chrome") if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this computer")

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--enable-logging=stderr", "--v=0", "--window-size=1200,2400", "--virtual-time-budget=3000",
]  # fmt: skip


@dataclass
class Watch:
    """A server on the loopback that remembers who asked: nobody should."""

    address: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def watch() -> Iterator[Watch]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            watched.asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    watched = Watch(address=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield watched
    server.shutdown()
    thread.join()
    server.server_close()


def opened(source: str, folder: Path) -> tuple[str, list[str], np.ndarray]:
    """The page after loading, the messages on its console, and its picture (height, width, RGB; 0…1)."""
    from matplotlib.image import imread

    page, picture = folder / "report.html", folder / "page.png"
    page.write_text(source, encoding="utf-8")
    assert CHROMIUM is not None
    flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}"]
    dumped = subprocess.run([CHROMIUM, *flags, "--dump-dom", page.as_uri()], capture_output=True, timeout=120, check=True)
    shot = subprocess.run([CHROMIUM, *flags, f"--screenshot={picture}", page.as_uri()], capture_output=True, timeout=120, check=True)
    console = [line for output in (dumped, shot) for line in output.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return dumped.stdout.decode(), console, imread(io.BytesIO(picture.read_bytes()))[:, :, :3]


def pixels(picture: np.ndarray, color: str) -> int:
    """How many pixels have this colour."""
    wanted = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return int(np.count_nonzero(np.all(np.abs(picture - wanted) < 3 / 255, axis=2)))


def report(text: str = "X") -> Document:
    """A report with everything in it, and `text` wherever a customer's text goes."""
    target = np.linspace(0.0, 0.8, 9)
    run = np.arange(5.0)
    bend = 8 * UM * np.sin(6 * target)
    deviation = np.stack([bend, bend - 3 * UM])[:, :, None] + 0.4 * UM * run
    mean, s = deviation.mean(axis=2), deviation.std(axis=2, ddof=1)
    curves = PositioningCurves(axis=text, target=target, deviation=deviation, mean=mean, s=s, reversal=mean[0] - mean[1])
    figures = [
        Figure(symbol="A", key="A", name="Bidirectional accuracy", unit="m", value=20.4 * UM, uncertainty=1.3 * UM),
        Figure(symbol="B", key="B", name="Reversal", unit="m", value=3 * UM, uncertainty=0.4 * UM),
        Figure(symbol="R", key="R", name="Repeatability", unit="m", value=None, reason=f"not measured, {text}"),
    ]
    by_key = {figure.key: figure for figure in figures}
    traces = [TemperatureTrace(name=text, time_s=np.array([0.0, 900.0]), temperature_k=np.array([293.2, 293.9]))]
    time_s = np.arange(deviation.size, dtype=float).reshape(deviation.shape) * 10
    charts = [main_chart(curves, by_key), trend_chart(curves), reversal_chart(curves, by_key), drift_chart(curves, time_s=time_s, temperatures=traces)]
    return Document(
        title=f"Positioning of axis {text}",
        subtitle=text,
        header=header({"standard": "ISO 230-2:2014", "operator": text, "instrument": text}),
        figures=[FigureTable.of("Figures of the axis", figures, limits={"A": 15 * UM, "B": 5 * UM}, headline=["A", "B", "R"])],
        charts=[chart for chart in charts if chart is not None],
        tables=[target_table(curves), reading_table(curves)],
        budgets=[Budget(title="Uncertainty of A", rows=[BudgetRow(symbol="U_M", name=text, formula="α L R(θ)", uncertainty=1.3 * UM)], total=1.3 * UM)],
        notes=[Note(text=text, kind="flag"), Note(text=text, kind="correction")],
        provenance=Provenance(software="precision", run_id=text),
    )


class Text(HTMLParser):
    """The text a reader sees."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.feed(source)

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def test_the_observation_catches_a_page_that_talks_and_asks(watch: Watch, tmp_path: Path) -> None:
    page = f"<!doctype html><script>console.error('seen'); document.title = 'changed'</script><img src='{watch.address}/beacon'>"
    dom, console, _ = opened(page, tmp_path)
    assert any("seen" in line for line in console)
    assert any("beacon" in path for path in watch.asked)
    assert "changed" in dom


def test_a_report_opens_silently_and_shows_everything(watch: Watch, tmp_path: Path) -> None:
    made = report()
    dom, console, picture = opened(html(made), tmp_path)
    assert console == []
    assert watch.asked == []
    words = " ".join(Text(dom).words)
    for expected in ("the test departs from the standard", "A: beyond the limit by more than U", "20.4 µm", "U = 1.3 µm (k = 2)", "not evaluated: not measured, X", "not recorded", "ISO 14253-1"):
        assert expected in words, expected
    assert dom.count("<img ") == len(made.charts) == 4
    # The drawings are there: the blue of ↑, the vermilion of ↓, and the tint of the verdict cover what lines and a badge cover.
    assert pixels(picture, "#0072b2") > 500
    assert pixels(picture, "#d55e00") > 500
    assert pixels(picture, "#fdebdf") > 5000


def test_hostile_text_neither_acts_nor_asks_nor_changes_the_page(watch: Watch, tmp_path: Path) -> None:
    text = (
        f"</title></style></script><script src='{watch.address}/1'></script><img src={watch.address}/2 onerror=alert(1)>"
        f'"><iframe src="{watch.address}/3"></iframe><link rel=stylesheet href="{watch.address}/4"><base href="{watch.address}/5">'
        f"<style>@import url({watch.address}/6)</style><meta http-equiv=refresh content='0;url={watch.address}/7'>A$x_{{$B\u202e\x00\x1b[2J"
    )
    dom, console, picture = opened(html(report(text)), tmp_path)
    assert console == []
    assert watch.asked == []
    tags = re.findall(r"<([a-z][a-z0-9]*)[ >]", dom)
    harmless = re.findall(r"<([a-z][a-z0-9]*)[ >]", html(report()))
    assert {tag: tags.count(tag) for tag in set(tags)} == {tag: harmless.count(tag) for tag in set(harmless)}
    assert pixels(picture, "#0072b2") > 500


def test_a_drawing_with_a_script_would_be_silent_too(watch: Watch, tmp_path: Path) -> None:
    # Charts refuse scripts when they are made; this takes the second wall alone: an image cannot run one, and the policy lets nothing out.
    source = html(report())
    evil = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script><image href="{watch.address}/x" width="9" height="9"/></svg>'
    import base64

    source = re.sub(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+", "data:image/svg+xml;base64," + base64.b64encode(evil.encode()).decode(), source, count=1)
    assert base64.b64encode(evil.encode()).decode() in source
    opened(source, tmp_path)
    assert watch.asked == []


def test_a_report_prints_on_paper(tmp_path: Path) -> None:
    page, paper = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(html(report()), encoding="utf-8")
    assert CHROMIUM is not None
    subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--no-pdf-header-footer", f"--print-to-pdf={paper}", page.as_uri()],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    content = paper.read_bytes()
    # Every page is A4: 210 × 297 mm is 595 × 842 points.
    boxes = {tuple(round(float(number)) for number in box.split()) for box in re.findall(rb"/MediaBox\s*\[([^\]]+)\]", content)}
    assert boxes == {(0, 0, 595, 842)}
