"""Text from outside through every output of a report: nothing executes, nothing breaks, nothing hides."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.errors import DataError, PlanError
from precision.figures import Figure
from precision.report import terminal, writers
from precision.report.csv_text import figures_csv, table_csv
from precision.report.document import (
    Budget,
    BudgetRow,
    Chart,
    Column,
    Document,
    FigureRow,
    FigureTable,
    HeaderGroup,
    Note,
    Provenance,
    Table,
)
from precision.report.html import html
from precision.report.json_text import json_text
from precision.report.junit import junit
from precision.report.markdown import escaped, markdown
from precision.report.positioning_charts import (
    PositioningCurves,
    TemperatureTrace,
    drift_chart,
    main_chart,
    reversal_chart,
    trend_chart,
)
from precision.report.visible_text import visible

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><iframe src="javascript:alert(1)"></iframe>',
    "' onmouseover='alert(1)' x='",
    "</style><style>*{display:none}</style>",
    "--><script>alert(1)</script><!--",
    "]]><script>alert(1)</script><![CDATA[",
    "&lt;b&gt; &#60;script&#62; &amp;",
    "{{ 7*7 }}{% for x in ().__class__.__bases__ %}x{% endfor %}{# #}",
    "A$x_{$B",
    r"$\frac{1}{0}$ \input{/etc/passwd}",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07\x1b]8;;http://evil.example\x07link",
    "\x9b31mC1 control",
    "[/nope] [bold red]x[/] [link=http://evil.example]y[/link]",
    '=HYPERLINK("http://evil.example","click")',
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1,1)",
    "\t=1+1",
    "\uff1d1+1",
    "abc\u202edcba\u2066x\u2069",
    "zero\u200bwidth\ufeffjoin\u00adsoft",
    "nul\x00byte",
    "two\r\nlines\u2028and\u2029more\x0b\x0c",
    "lone surrogate \ud800 and \udfff",
    "noncharacter \ufffe \uffff \U0010ffff",
    "Z" + "\u0336\u0489\u030d" * 40,
    "# heading\n- list\n| a | b |\n> quote ```code``` ~~x~~ ![i](javascript:alert(1)) [l](http://evil.example)",
    "http://evil.example www.evil.example a@evil.example <http://evil.example>",
    "1. one\n---\n===",
    "שלום עולם 测量 🔧 x̄ µ Ω",
    "%s %n {} {0.__class__} %(x)s",
    "../../../etc/passwd",
    "x" * 5000,
]
BARE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Characters that may not reach a reader, a browser or a terminal as themselves."""


def chart(text: str) -> Chart:
    return main_chart(curves(text), {"A": figure(text)})


def curves(axis: str) -> PositioningCurves:
    target = np.array([0.0, 0.1, 0.2, 0.3])
    deviation = 1e-6 * np.arange(24, dtype=float).reshape(2, 4, 3)
    mean = deviation.mean(axis=2)
    return PositioningCurves(axis=axis, target=target, deviation=deviation, mean=mean, s=deviation.std(axis=2, ddof=1), reversal=mean[0] - mean[1])


def figure(text: str) -> Figure:
    return Figure(symbol=text, key=text, name=text, unit="m", value=3e-6, uncertainty_reason=text)


def document(text: str) -> Document:
    """The text in every place that takes text."""
    missing = Figure(symbol=text, key="M", name=text, unit="m", value=None, reason=text)
    plain = Chart(svg='<svg xmlns="http://www.w3.org/2000/svg"/>', title=text, how_to_read=text, alt=text)
    return Document(
        title=text,
        subtitle=text,
        header=[HeaderGroup(title=text, rows=[(text, text), ("empty", None)])],
        figures=[FigureTable(title=text, rows=[FigureRow(figure=figure(text), limit=2e-6, headline=True), FigureRow(figure=missing, headline=True)], note=text)],
        charts=[plain],
        tables=[Table(title=text, columns=[Column(name=text), Column(name=text, unit="m")], rows=[[text, -1e-6]], note=text)],
        budgets=[Budget(title=text, rows=[BudgetRow(symbol=text, name=text, formula=text, uncertainty=1e-6, note=text)], total=1e-6, note=text)],
        notes=[Note(text=text, kind="flag"), Note(text=text, kind="correction"), Note(text=text)],
        provenance=Provenance(software=text, run_id=text, plan_sha256=text, data_sha256=text, backend=text),
    )


class Page(HTMLParser):
    """What a parser sees: elements with their attributes, and the text outside of style."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("text", HOSTILE)
def test_html_has_the_same_elements_whatever_the_text_is(text: str) -> None:
    source = html(document(text))
    page, harmless = Page(source), Page(html(document("plain")))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in harmless.elements]
    assert [set(attributes) for _, attributes in page.elements] == [set(attributes) for _, attributes in harmless.elements]
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert not BARE.search(source)
    assert squeezed(visible(text)) in squeezed("".join(page.text))
    source.encode()


def test_html_forbids_what_it_does_not_contain() -> None:
    page = Page(html(document("plain")))
    policies = [attributes["content"] for tag, attributes in page.elements if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert not {tag for tag, _ in page.elements} & {"script", "iframe", "object", "embed", "form", "base", "a"}
    for _, attributes in page.elements:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    # The policy stands before anything that it has to govern.
    tags = [tag for tag, _ in page.elements]
    assert tags.index("meta") < tags.index("style") < tags.index("body")


@pytest.mark.parametrize("text", HOSTILE)
def test_drawings_are_well_formed_and_show_the_text_as_text(text: str) -> None:
    name = curves(text)
    time_s = np.arange(24, dtype=float).reshape(2, 4, 3)
    trace = TemperatureTrace(name=text, time_s=np.array([0.0, 23.0]), temperature_k=np.array([293.15, 293.65]))
    made = [main_chart(name, {"A": figure(text)}), trend_chart(name), reversal_chart(name, {"B": figure(text)}), drift_chart(name, time_s=time_s, temperatures=[trace])]
    for one in made:
        assert one is not None
        root = ElementTree.fromstring(one.svg)
        assert {str(element.tag).rpartition("}")[2] for element in root.iter()} <= {"svg", "defs", "style", "g", "path", "use", "text", "tspan", "clipPath", "rect"}
        assert not BARE.search(one.svg)
        assert not BARE.search(one.alt)
    assert made[0] is not None
    shown = "".join("".join(element.itertext()) for element in ElementTree.fromstring(made[0].svg).iter("{http://www.w3.org/2000/svg}text"))
    assert squeezed(visible(text, longest=40)) in squeezed(shown)
    assert main_chart(name, {"A": figure(text)}, format="png").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("<script>alert(1)</script>", "script"),
        ("<foreignObject><b/></foreignObject>", "foreignobject"),
        ('<rect onload="alert(1)"/>', "onload"),
        ('<image href="http://evil.example/x.png"/>', "href"),
        ('<a xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="javascript:alert(1)"/>', "href"),
        ('<use href="data:image/svg+xml;base64,AAAA"/>', "href"),
        ("<rect>", "well-formed"),
        ("\x00", "well-formed"),
    ],
)
def test_a_drawing_that_could_act_is_refused(inside: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Chart(svg=f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>', title="t", how_to_read="", alt="")
    for svg in ('<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>', "<html/>", ""):
        with pytest.raises(ValueError, match="chart 't'"):
            Chart(svg=svg, title="t", how_to_read="", alt="")


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_keeps_the_text_as_text(text: str) -> None:
    markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    source = markdown(document(text), chart_files=["chart.svg"])
    assert not BARE.search(source)
    renderer = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    page, harmless = Page(renderer.render(source)), Page(renderer.render(markdown(document("plain"), chart_files=["chart.svg"])))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in harmless.elements]
    assert [attributes["src"] for tag, attributes in page.elements if tag == "img"] == ["chart.svg"]
    assert squeezed(visible(text)) in squeezed("".join(page.text))
    # Sites that link bare addresses and call people by their name find neither.
    assert "://" not in source and "www." not in source and "@" not in source


@pytest.mark.parametrize("line", ["- a", "+ a", "1. a", "1) a", "---", "===", "> a", "# a", "    code", "a | b", "*a*", "_a_", "`a`", "<b>", "&copy;", "~~a~~", "[a]: b"])
def test_markdown_escapes_what_begins_a_block(line: str) -> None:
    markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    rendered = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(f"before\n\n{escaped(line)}\n\nafter")
    page = Page(rendered)
    assert [tag for tag, _ in page.elements] == ["p", "p", "p"]
    assert line.strip() in "".join(page.text)


@pytest.mark.parametrize(("decimal", "separator"), [(".", ","), (",", ";"), (",", "\t"), (".", "|")])
def test_csv_holds_no_formula_and_reads_back(decimal: str, separator: str) -> None:
    for text in HOSTILE:
        made = document(text)
        for source, columns in (
            (figures_csv(made, decimal=decimal, separator=separator), 14),
            (table_csv(made.tables[0], decimal=decimal, separator=separator), 2),
        ):
            rows = list(csv.reader(io.StringIO(source, newline=""), delimiter=separator))
            assert {len(row) for row in rows} == {columns}
            assert not BARE.search(source.replace("\r\n", ""))
            for cell in (cell for row in rows for cell in row):
                assert cell.lstrip()[:1] not in set("=+-@＝＋－＠") or re.fullmatch(r"-?[\d.,]+(e-?\d+)?", cell), cell
        body = list(csv.DictReader(io.StringIO(figures_csv(made, decimal=decimal, separator=separator), newline=""), delimiter=separator))
        assert body[0]["name"].removeprefix("'") == visible(text).removeprefix("'")
        assert float(body[0]["value_SI"].replace(",", ".")) == 3e-6
        assert body[1]["value"] == body[1]["value_SI"] == ""
    # A negative number stays a number.
    assert table_csv(document("x").tables[0], decimal=decimal, separator=separator).splitlines()[1].endswith(f"{separator}-1e-06")


def test_csv_refuses_a_decimal_mark_that_separates() -> None:
    for decimal, separator in ((",", ","), (".", "."), ("x", ","), (".", "xx"), (".", "")):
        with pytest.raises(PlanError, match=r"decimal mark|separator"):
            figures_csv(document("x"), decimal=decimal, separator=separator)


@pytest.mark.parametrize("text", HOSTILE)
def test_json_keeps_the_text_whole_and_is_plain_ascii(text: str) -> None:
    source = json_text(document(text))
    assert source.isascii() and not BARE.search(source) and "<" not in source and "&" not in source
    read = json.loads(source)
    assert read["title"] == read["figures"][0]["rows"][0]["symbol"] == read["tables"][0]["rows"][0][0] == read["provenance"]["run_id"] == text
    assert read["figures"][0]["rows"][0]["value"] == 3e-6
    assert read["verdict"]["outcome"] == "undecided"


@pytest.mark.parametrize("text", HOSTILE)
def test_the_terminal_shows_the_text_and_obeys_none_of_it(text: str) -> None:
    from rich.console import Console

    made = document(text)
    for width in (40, 120):
        output = io.StringIO()
        console = Console(file=output, width=width, force_terminal=True, color_system="truecolor", legacy_windows=False)
        console.print(terminal.summary(made))
        console.print(terminal.table(made.tables[0]))
        # What is left without the colours that we set ourselves is free of controls.
        assert not BARE.search(re.sub(r"\x1b\[[0-9;]*m", "", output.getvalue()))
    output = io.StringIO()
    Console(file=output, width=6000, color_system=None).print(terminal.summary(made))
    assert squeezed(visible(text)) in squeezed(output.getvalue())


@pytest.fixture(scope="module")
def harmless_pdf() -> bytes:
    pytest.importorskip("typst", reason="typst, which sets the PDF, is not installed")
    from precision.report.pdf import pdf

    return pdf(document("plain"))


def letters(text: str) -> set[str]:
    """Without blanks, breaks and order: fonts set marks and right-to-left letters in an order of their own."""
    return set("".join(text.replace("\u200b", "").split()))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_pdf_holds_the_text_and_nothing_that_acts(text: str, harmless_pdf: bytes) -> None:
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")
    from precision.report.pdf import pdf

    text = text[:300]  # of 5000 letters in every place come 180 pages; how long text is cut is tried elsewhere
    content = pdf(document(text))
    read, harmless = pypdf.PdfReader(io.BytesIO(content)), pypdf.PdfReader(io.BytesIO(harmless_pdf))
    assert {key for key in keys_of(read) - keys_of(harmless) if not re.fullmatch(r"/f\d+", key)} == set()  # but a font more, for letters of its own
    assert not keys_of(read) & {"/JS", "/JavaScript", "/AA", "/OpenAction", "/URI", "/Launch", "/EmbeddedFiles", "/AcroForm", "/Annots"}
    assert read.metadata is not None and squeezed(str(read.metadata.title)) == squeezed(visible(text))
    shown = "".join(page.extract_text() for page in read.pages)
    # Letters that no font of this computer has are drawn, and read back, as one box.
    assert not {letter for letter in letters(visible(text)) if ord(letter) < 0x2000} - letters(shown)
    if text.isascii():
        assert "".join(visible(text).split()) in "".join(shown.replace("\u200b", "").split())


def keys_of(reader: Any) -> set[str]:
    """The names of all entries of all dictionaries in the file: what it has, links and scripts among them."""
    found: set[str] = set()

    def look(thing: Any) -> None:  # references are not followed: every object of the file is looked at for itself
        if isinstance(thing, dict):
            found.update(thing.keys())
            for value in dict.values(thing):
                look(value)
        elif isinstance(thing, list):
            for value in list.__iter__(thing):
                look(value)

    for number in range(1, int(reader.trailer["/Size"])):
        look(reader.get_object(number))
    return found


def test_a_pdf_is_the_same_bytes_again_and_a_long_word_stays_on_its_page(harmless_pdf: bytes) -> None:
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")
    from precision.report.pdf import pdf

    assert pdf(document("plain")) == harmless_pdf
    lines = [line for page in pypdf.PdfReader(io.BytesIO(pdf(document("W" * 300)))).pages for line in page.extract_text().splitlines()]
    # A4 is 210 mm wide; a W of 7 pt is 2.4 mm.
    assert max(line.count("W") for line in lines) < 88


@pytest.mark.parametrize("wide", [(), (False,), (True,), (False, False), (False, True), (False, False, True), (True, False, False, False, True, False)])
def test_a_pdf_takes_charts_of_any_width_in_any_order_and_tables_of_any_breadth(wide: tuple[bool, ...]) -> None:
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")
    pytest.importorskip("typst", reason="typst, which sets the PDF, is not installed")
    from precision.report.pdf import pdf

    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>'
    charts = [Chart(svg=svg, title="t", how_to_read=f"chart{number};", alt="a", wide=one) for number, one in enumerate(wide)]
    columns = [Column(name=f"c{number};") for number in range(len(wide) * 12)]
    tables = [Table(title="t", columns=columns, rows=[[f"v{number};" for number in range(len(columns))]]), Table(title="empty", columns=columns, rows=[])]
    shown = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf(Document(title="t", charts=charts, tables=tables)))).pages)
    assert all(f"chart{number};" in shown for number in range(len(wide)))
    assert all(f"{letter}{number};" in shown for number in range(len(columns)) for letter in "cv")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_workbook_holds_text_and_no_formula(text: str) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    pytest.importorskip("xlsxwriter", reason="xlsxwriter is not installed")
    from precision.report.xlsx import xlsx

    content = xlsx(document(text))
    assert content == xlsx(document(text))
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert len(book.sheetnames) == 4
    for sheet in book:
        assert not sheet._hyperlinks
        for cell in (cell for row in sheet.iter_rows() for cell in row):
            assert cell.data_type in ("s", "n"), (cell.coordinate, cell.value)
            if isinstance(cell.value, str):
                assert cell.value.lstrip()[:1] not in set("=+-@＝＋－＠") and not BARE.search(cell.value), cell.value
    rows = [[cell.value for cell in row] for row in book["Figures"].iter_rows()]
    assert rows[1][2].removeprefix("'") == visible(text).removeprefix("'")
    assert rows[1][10] == 3e-6 and rows[2][10] is None
    assert book.worksheets[2]["B2"].value == -1e-6


def test_sheets_have_names_that_a_workbook_takes() -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    pytest.importorskip("xlsxwriter", reason="xlsxwriter is not installed")
    from precision.report.xlsx import xlsx

    titles = ["History", "a/b", "a:b", "A b", "", "'", "*" * 50, "x" * 50, "X" * 50, "Figures"]
    tables = [Table(title=title, columns=[Column(name="n")], rows=[[1]]) for title in titles]
    names = openpyxl.load_workbook(io.BytesIO(xlsx(Document(title="t", tables=tables)))).sheetnames
    assert len({name.lower() for name in names}) == len(titles) + 2 and all(len(name) <= 31 for name in names)


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_is_well_formed_and_shows_the_text_as_text(text: str) -> None:
    source = junit(document(text))
    assert not BARE.search(source)
    suite, harmless = ElementTree.fromstring(source.encode()), ElementTree.fromstring(junit(document("plain")))
    assert [element.tag for element in suite.iter()] == [element.tag for element in harmless.iter()]
    assert [set(element.attrib) for element in suite.iter()] == [set(element.attrib) for element in harmless.iter()]
    assert squeezed(visible(text, longest=200)) == squeezed(suite.attrib["name"])
    failures = suite.findall("testcase/failure")
    assert {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")} == {"tests": 2, "failures": 2, "errors": 0, "skipped": 0}
    assert len(failures) == 2 and squeezed(visible(text))[:1900] in squeezed("".join(failures[1].itertext()))


def test_junit_says_of_the_verdict_and_of_each_limit_what_the_exit_code_says() -> None:
    def cases(*rows: FigureRow, **more: Any) -> dict[str, str]:
        suite = ElementTree.fromstring(junit(Document(title="t", figures=[FigureTable(title="f", rows=rows)], **more)))
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
        return {case.attrib["name"].partition(":")[0]: (next((child.tag + " " + child.attrib.get("type", "") for child in case), "passed")).strip() for case in suite.findall("testcase")}

    def row(symbol: str, value: float | None, limit: float | None) -> FigureRow:
        known: dict[str, Any] = {"reason": "no readings"} if value is None else {"uncertainty": 1e-6}
        return FigureRow(figure=Figure(symbol=symbol, key=symbol, name="n", unit="m", value=value, **known), limit=limit)

    assert cases(row("A", 3e-6, 5e-6), row("E", 3e-6, None)) == {"verdict": "passed", "A": "passed"}
    assert cases(row("A", 3e-6, 5e-6), row("E", 8e-6, 5e-6)) == {"verdict": "failure does not conform", "A": "passed", "E": "failure does not conform"}
    assert cases(row("A", 5e-6, 5e-6)) == {"verdict": "failure undecided", "A": "failure undecided"}
    assert cases(row("A", None, 5e-6)) == {"verdict": "failure undecided", "A": "failure undecided"}
    assert cases(row("A", 3e-6, None)) == {"verdict": "skipped"}
    assert cases(row("A", 3e-6, 5e-6), not_for_acceptance="the run was stopped") == {"verdict": "failure undecided", "A": "passed"}


@pytest.mark.parametrize("missing", ["typst", "xlsxwriter"])
def test_a_format_whose_library_is_missing_says_how_to_get_it(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == missing else real(name, *rest))
    with pytest.raises(PlanError, match=r"pip install \"precision-bench\[(pdf|xlsx)\]\""):
        writers.write(document("x"), tmp_path / ("report.pdf" if missing == "typst" else "report.xlsx"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_files_are_written_where_the_caller_said_and_nowhere_else(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    for format in writers.FORMATS:
        if importlib.util.find_spec({"pdf": "typst", "xlsx": "xlsxwriter"}.get(format, "json")) is None:
            continue
        for file in writers.write(document(text[:300]), folder / f"report.{format}", format=format):
            assert file.parent == folder and re.fullmatch(r"report[a-z0-9-]*\.(html|md|json|csv|svg|pdf|xlsx|junit)", file.name), file.name
            assert file.stat().st_size > 0
    assert list(tmp_path.iterdir()) == [folder]


def test_a_write_that_fails_leaves_the_old_report_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    writers.write(document("first"), path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("precision.report.writers.os.fsync", full)
    with pytest.raises(DataError, match="No space left"):
        writers.write(document("second"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_format_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="'docx' is not known; html, pdf, md, json, csv, xlsx, junit"):
        writers.write(document("x"), tmp_path / "report.docx")
    assert list(tmp_path.iterdir()) == []


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_visible_text_has_a_glyph_for_every_character(text: str) -> None:
    shown = visible(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    shown.encode()
    assert visible(shown) == shown


def test_visible_text_shows_what_it_escapes_and_says_what_it_cuts() -> None:
    assert visible("a\x00b\x1bc\u202ed\ud800e\U000e0001") == "a\\x00b\\x1bc\\u202ed\\ud800e\\U000e0001"
    assert visible("a\tb\r\nc") == "a b  c"
    assert visible("x" * 50, longest=10) == "x" * 10 + " … (40 more characters)"
    assert visible("x̄ µm ↑ 测量 שלום") == "x̄ µm ↑ 测量 שלום"
