"""Devices whose names are attacks: over the real links, through a whole run, into every output of it."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from precision.cli import _exit_code
from precision.drivers.lab import process
from precision.runs.directory import RunDirectory, run_folders

HOSTILE = [
    ("</script><script>alert(1)</script><img src=x onerror=alert(1)>", "=HYPERLINK(\"http://x.invalid\",\"click\")"),
    ("| a | b |\\n# owned\\n[x](javascript:alert(1)) <b>bold</b> A$x_{$B", "../../../etc/passwd"),
    ("\u202etxt.exe \u0085 [bold red]markup[/]", "@SUM(1+1)*cmd|'/C calc'!A0"),
]  # fmt: skip
"""What the interferometer and what the sensors call themselves; both also stand in the plan."""
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31mred"


@contextmanager
def forwarded(target: str, change: Callable[[bytes], bytes]) -> Iterator[str]:
    """A TCP server on the loopback interface that hands one client's bytes on to `target` ("host:port"), and changes what comes back line by line."""
    host, port = target.rsplit(":", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        links: list[socket.socket] = []

        def serve() -> None:
            try:
                client, _ = server.accept()
            except OSError:
                return
            device = socket.create_connection((host, int(port)))
            links.extend((client, device))
            threading.Thread(target=pump, args=(client, device, lambda data: data), daemon=True).start()
            pump(device, client, change)

        def pump(source: socket.socket, sink: socket.socket, changed: Callable[[bytes], bytes]) -> None:
            try:
                while data := source.recv(65536):
                    sink.sendall(changed(data))
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield "{}:{}".format(*server.getsockname())
        finally:
            for link in links:
                with contextlib.suppress(OSError):  # gone already
                    link.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for link in links:
                link.close()


@contextmanager
def rig_named(name: str, other: str, tmp_path: Path) -> Iterator[list[str]]:
    """Command line of a short run on a lab whose interferometer and sensors call themselves `name` and `other`."""
    escaped = json.dumps(name)[1:-1].encode()
    with process.start(seed=1, time_scale=math.inf) as lab:
        visa = lab.addresses["environment"].split("::")
        with (
            forwarded(lab.addresses["interferometer"].removeprefix("tcp://"), lambda data: data.replace(b"SIM-IDS-0001", escaped)) as interferometer,
            forwarded(f"{visa[1]}:{visa[2]}", lambda data: data.replace(b"PRECISION,VIRTUAL-DAQ,SIM-0001,1.0", other.encode("ascii"))) as environment,
        ):
            host, port = environment.split(":")
            addresses = {
                "controller": lab.addresses["controller"], "interferometer": f"tcp://{interferometer}", "environment": f"visa://TCPIP::{host}::{port}::SOCKET",
            }  # fmt: skip
            settings = [f"devices.{role}.address={address}" for role, address in addresses.items()]
            settings += ["devices.controller.options.settle_s=0.0", "targets.count=2", "cycle.runs=2", f"test.operator={json.dumps(name)}", f"machine.serial_number={json.dumps(other)}"]
            yield ["run", "positioning", "--yes", "--out", str(tmp_path / "runs"), *(part for setting in settings for part in ("--set", setting))]


class Elements(HTMLParser):
    """The elements of a page and their attributes that could act."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.acting: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        drawn = tag == "img" and (dict(attributes).get("src") or "").startswith("data:image/svg+xml")  # the report's own charts
        if tag in ("script", "iframe", "object", "embed", "img") and not drawn:
            self.acting.append(tag)
        self.acting += [name for name, value in attributes if name.startswith("on") or "javascript:" in (value or "")]


@pytest.mark.parametrize(("name", "other"), HOSTILE, ids=["page", "text", "cell"])
def test_a_hostile_name_goes_through_a_whole_run_and_acts_nowhere(name: str, other: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with rig_named(name, other, tmp_path) as command:
        assert _exit_code(command) in (0, 1), capfd.readouterr().err
    out = tmp_path / "runs"
    (folder,) = run_folders(out)
    run = RunDirectory.open(folder)
    assert name in run.manifest.instruments["interferometer"].identity and other in run.manifest.instruments["environment"].identity
    assert run.manifest.plan["test"]["operator"] == name
    for kind in ("html", "pdf", "md", "json", "csv", "xlsx", "junit"):
        assert _exit_code(["report", "last", "--format", kind, "--out", str(out)]) in (0, 1)
    for kind in ("csv", "xlsx"):
        assert _exit_code(["export", "last", "--to", kind, "-o", str(folder / f"raw.{kind}"), "--out", str(out)]) == 0
    for action in ("list", "show", "verify"):
        assert _exit_code(["runs", action, *(["last"] if action != "list" else []), "--out", str(out)]) in (0, 1)

    said = capfd.readouterr()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", said.out + said.err)
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {folder, out} - ({out} if not any(p.is_file() for p in out.iterdir()) else set())
    for path in folder.rglob("*"):
        if path.suffix in (".html", ".svg"):
            assert Elements(path.read_text(encoding="utf-8")).acting == []
        if path.suffix == ".xml":
            assert ElementTree.parse(path).getroot().tag == "testsuite"
        if path.suffix in (".md", ".json", ".jsonl", ".csv", ".html", ".xml"):
            assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e]", path.read_bytes().decode("utf-8"))
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            assert "\n# owned" not in text and "<b>" not in re.sub(r"\\<", "", text) and not re.search(r"(?<!\\)\[x\]\(javascript", text)
        if path.suffix == ".csv":
            for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()):
                assert not any(cell[:1] in "=@+\t" and cell for cell in row if not re.fullmatch(r"[+-]?[0-9.eE+-]+|nan", cell)), row
        if path.suffix == ".xlsx":
            openpyxl = pytest.importorskip("openpyxl")
            book = openpyxl.load_workbook(path)
            assert not [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f" or cell.hyperlink]
    report = json.loads((folder / "result.json").read_text(encoding="ascii"))
    assert report["procedure"] == "positioning"


def test_a_device_that_sends_escape_sequences_reaches_no_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with rig_named(ESCAPES, ESCAPES, tmp_path) as command:
        code = _exit_code(command)
    said = capfd.readouterr()
    assert code in (0, 1, 2, 3)
    assert "\x1b]0" not in said.out + said.err and "\x1b[2J" not in said.out + said.err
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.suffix in (".html", ".json", ".jsonl", ".txt", ".svg"):
            assert b"\x1b" not in path.read_bytes()


@pytest.mark.parametrize("sends", [b"A" * 3_000_000, b"{" * 200_000, b'{"jsonrpc":"2.0","id":1,"result":[' + b"9" * 1_000_000], ids=["no end", "nested", "a long number"])
def test_an_instrument_that_floods_ends_the_run_with_little_memory(sends: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import tracemalloc

    with process.start(seed=1) as lab, forwarded(lab.addresses["interferometer"].removeprefix("tcp://"), lambda data: sends) as interferometer:
        addresses = {**{role: lab.addresses[role] for role in ("controller", "environment")}, "interferometer": f"tcp://{interferometer}"}
        command = ["run", "positioning", "--yes", "--out", str(tmp_path), "--set", "devices.controller.options.settle_s=0.0"]
        for role, address in addresses.items():
            command += ["--set", f"devices.{role}.address={address}"]
        _exit_code(["run", "positioning", "--dry-run"])  # what is imported is not what is measured
        tracemalloc.start()
        code = _exit_code(command)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert code == 3, capfd.readouterr().err
    assert peak < 60e6  # imports of the drivers and of pyvisa included; the flood alone would be more if it were kept
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("out", ["/proc/nothing/here", "/dev/null/runs"])
def test_a_folder_that_cannot_be_is_refused(out: str, capfd: pytest.CaptureFixture[str]) -> None:
    with_code: Any = _exit_code(["run", "positioning", "--set", "targets.count=2", "--set", "cycle.runs=1", "--out", out])
    said = capfd.readouterr().err
    assert with_code in (2, 6), said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["../../etc", "/etc", "a/../../b", "run\n1", "run\0", "-rf", ".", "CON", "x" * 300, "\x1b[2J"])
def test_a_run_name_that_leads_elsewhere_is_refused_by_every_command(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs").mkdir()
    for command in (["runs", "show"], ["runs", "verify"], ["runs", "recover"], ["report"], ["analyze"], ["reproduce"], ["export", "--to", "csv"]):
        code = _exit_code([*command, "--out", str(tmp_path / "runs"), "--", name])
        said = capfd.readouterr()
        assert code in (2, 6), (command, code, said.err)
        assert "Traceback" not in said.err and "\x1b" not in said.err
    code = _exit_code(["run", "positioning", "--dry-run", "--resume", name, "--out", str(tmp_path / "runs")])
    assert code in (2, 6), capfd.readouterr().err
    assert {path.name for path in tmp_path.rglob("*")} <= {"runs", ".index.sqlite"}


def test_a_capture_whose_header_claims_gigabytes_is_refused_with_little_memory(tmp_path: Path) -> None:
    import struct
    import tracemalloc

    import pyarrow

    from precision.errors import DataError
    from precision.runs.capture import read

    for number, length in enumerate((0x7FFFFFFF, 0x7FFFFFF0, 1 << 30)):
        path = tmp_path / f"{number}.arrows"
        path.write_bytes(b"\xff\xff\xff\xff" + struct.pack("<i", length) + b"\x10\x00\x00\x00" * 64)
        tracemalloc.start()
        with pytest.raises(DataError):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 50e6
        tracemalloc.stop()
    assert pyarrow.default_memory_pool().max_memory() < 500e6  # of all tests so far in this process; one claim alone is more


def test_nothing_of_a_run_listens_beyond_the_loopback_interface(lab: process.LabProcess, child_run: Any) -> None:
    """The lab, the run and its supervisor: every listening socket there is."""
    psutil = pytest.importorskip("psutil")
    child = child_run()
    child.until_it_reads()
    run = psutil.Process(child.process.pid)
    family = [psutil.Process(lab.pid), run, *run.children(recursive=True)]
    assert any("supervisor_process" in " ".join(one.cmdline()) for one in family)
    listening = {(one.pid == lab.pid, c.laddr.ip) for one in family for c in one.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert listening == {(True, "127.0.0.1")}  # the lab on the loopback interface; the run and its supervisor serve nobody
