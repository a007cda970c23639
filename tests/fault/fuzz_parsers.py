"""Every parser of what comes from outside, each as a function of bytes that may raise only errors of the package's own.

`test_every_parser.py` runs them all for seconds with hypothesis; `scripts/fuzz` runs them for as long as one likes with atheris (`fuzz_job.py`).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import pkgutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from precision import plan as plans
from precision.benchmarks import ALL
from precision.benchmarks.procedure import procedure_named
from precision.drivers import files as importers
from precision.drivers.files import klipper_planned, klipper_steps, recognise
from precision.drivers.frames import codec as frames
from precision.drivers.grbl import codec as grbl
from precision.drivers.ids3010 import codec as json_rpc
from precision.drivers.linuxcnc import codec as linuxcnc
from precision.drivers.scpi import codec as scpi
from precision.errors import PrecisionError
from precision.runs import events
from precision.runs.capture import Column, read, verify
from precision.runs.directory import RunDirectory
from precision.runs.manifest import Manifest
from precision.runs.records import Encoder, Record
from precision.runs.recover import recover, verify_run

Target = Callable[[bytes], None]
COLUMNS: Final = [Column("n", "i8", ""), Column("x_m", "f8", "m")]


def _plan(data: bytes) -> None:
    raw = plans.read(data.decode("utf-8", "surrogateescape"), name="fuzz")
    for name in ALL:
        procedure = procedure_named(name)
        for model in (procedure.model, procedure.recorded):
            if model is None:
                continue
            with contextlib.suppress(PrecisionError):
                checked = plans.check(model, raw, name="fuzz")
                if procedure.preview is not None and model is procedure.model:
                    procedure.preview(checked)


def _file(module: str, function: str) -> Target:
    """A reader of files, given the file's content."""

    def target(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "fuzz.csv"
            path.write_bytes(data)
            more, named = MORE_ARGUMENTS.get(f"{module}.{function}", ((), {}))
            getattr(importlib.import_module(f"precision.drivers.files.{module}"), function)(path, *more, **named)

    return target


MORE_ARGUMENTS: Final[dict[str, tuple[tuple[object, ...], dict[str, object]]]] = {"signal_csv.read": ((("x", "y"),), {"needed": ("x",)})}
"""What a reader needs beside the path."""


KLIPPER: Final = (
    json.dumps({
        "commands": {
            "allocate_oids count=%c": 2, "config_stepper oid=%c step_pin=%c dir_pin=%c invert_step=%c step_pulse_ticks=%u": 3,
            "queue_step oid=%c interval=%u count=%hu add=%hi": 4, "set_next_step_dir oid=%c dir=%c": 5, "reset_step_clock oid=%c clock=%u": 6,
        },
        "responses": {}, "config": {"CLOCK_FREQ": 1_000_000}, "enumerations": {"pin": {"PA0": [0, 8]}},
    }).encode(),
    b"[printer]\nkinematics: cartesian\n[stepper_x]\nstep_pin: PA0\ndir_pin: PA1\nmicrosteps: 16\nrotation_distance: 32\n",
)  # fmt: skip
"""Dictionary and configuration of a machine."""


def _step_stream(data: bytes) -> None:
    """Three files in one: stream, dictionary and configuration, between lines of their own; those that are missing are good ones."""
    stream, *others = data.split(b"\n==\n", 2)
    dictionary, config = (others + list(KLIPPER)[len(others) :])[:2]
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"fuzz.{name}" for name in ("path", "dictionary", "config")}
        for file, content in zip(files.values(), (stream, dictionary, config), strict=True):
            file.write_bytes(content)
        klipper_steps.read(**files)


def _recognised(data: bytes) -> None:
    """As `precision analyze FILE` does it, for every suffix that says something: the first byte chooses."""
    suffix = (".csv", ".rtl", ".rtx", ".b5r", ".dat", ".txt", ".dsc", ".csv.gz")[data[0] % 8] if data else ".csv"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"fuzz{suffix}"
        path.write_bytes(data[1:])
        with contextlib.suppress(PrecisionError):
            recognise.read_positioning(path)
        kind = recognise.recognised(path)
        if kind is not None and kind.about is not None:
            kind.about(path)


def _capture(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.arrows"
        path.write_bytes(data)
        found = verify(path, columns=COLUMNS)
        capture = read(path, COLUMNS)
        assert capture.rows == found.samples and all(array.size == capture.rows for array in capture.columns.values())
        with contextlib.suppress(PrecisionError):
            read(path)


PARTS: Final = ("manifest.json", "events.jsonl", "result.json", "truth.json", "capture.arrows")


def _run_directory(data: bytes) -> None:
    """Parts of a run, each after a line "== NAME", as they come."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        run.mkdir()
        for piece in data.split(b"\n== ")[1:]:
            name, _, content = piece.partition(b"\n")
            if name.decode("ascii", "replace") in PARTS:
                (run / name.decode("ascii")).write_bytes(content)
        if (run / "manifest.json").exists():
            with contextlib.suppress(PrecisionError):
                Manifest.read(run / "manifest.json")
        if (run / "events.jsonl").exists():
            with contextlib.suppress(PrecisionError):
                events.read(run / "events.jsonl")
        verify_run(run)
        with contextlib.suppress(PrecisionError):
            recover(run)
        opened = RunDirectory.open(run)
        with contextlib.suppress(PrecisionError):
            opened.read_result()
        opened.readings(unfinished=True)


def _grbl(data: bytes) -> None:
    for line in data.split(b"\n"):
        with contextlib.suppress(PrecisionError):
            grbl.decode(line)


def _scpi(data: bytes) -> None:
    for line in data.split(b"\n"):
        for call in (lambda line=line: scpi.numbers(line, ["a", "b"]), lambda line=line: scpi.error(line)):
            with contextlib.suppress(PrecisionError):
                call()


def _json_rpc(data: bytes) -> None:
    pieces, rest = json_rpc.split_objects(data)
    for piece in (*pieces, rest):
        with contextlib.suppress(PrecisionError):
            reply = json_rpc.decode_reply(piece)
            for index in range(3):
                json_rpc.integer(reply.result, index, "it")


def _linuxcnc(data: bytes) -> None:
    for line in data.split(b"\n"):
        with contextlib.suppress(PrecisionError):
            said = linuxcnc.decode(line)
            if isinstance(said, linuxcnc.Answer):
                for call in (linuxcnc.positions, linuxcnc.flags):
                    with contextlib.suppress(PrecisionError):
                        call(said, 3)
                linuxcnc.one_of(said, ("ON", "OFF"))


def _frames(data: bytes) -> None:
    """A header line, then frames; without a header that passes, frames of two channels."""
    line, _, rest = data.partition(b"\n")
    channels = 2
    with contextlib.suppress(PrecisionError):
        channels = len(frames.decode_header(line).channels)
    while len(rest) >= frames.HEAD_BYTES:
        head = frames.decode_head(rest[: frames.HEAD_BYTES], channels)
        rest = rest[frames.HEAD_BYTES :]
        payload, rest = rest[: head.payload_bytes], rest[head.payload_bytes :]
        if len(payload) < head.payload_bytes:
            return
        frames.check_payload(head, payload)
        if head.kind == frames.SAMPLES:
            assert np.all(np.isfinite(frames.decode_samples(head, payload, channels)))
        elif head.kind == frames.MESSAGE:
            frames.decode_message(head, payload)


IMPORTERS: Final = tuple(
    f"{module.name}.{function}"
    for module in pkgutil.iter_modules(importers.__path__)
    if module.name not in ("outside", "recognise")
    for function in sorted(vars(importlib.import_module(f"precision.drivers.files.{module.name}")))
    if function == "read" or (function.startswith("read_") and function not in ("read_bytes", "read_table")) or f"{module.name}.{function}" == "table.read_table"
)
"""Every reader among the importers, found, so that a new one is fuzzed too."""

TARGETS: Final[dict[str, Target]] = {
    "plan": _plan,
    "recording": _recognised,
    **{f"file-{name}": _file(*name.split(".")) for name in IMPORTERS},
    "file-klipper_steps.read": _step_stream,
    "capture": _capture,
    "run": _run_directory,
    "grbl": _grbl,
    "scpi": _scpi,
    "json-rpc": _json_rpc,
    "linuxcnc": _linuxcnc,
    "frames": _frames,
}


def seeds(name: str) -> list[bytes]:
    """Good inputs, from which a fuzzer starts."""
    if name == "plan":
        return [b'procedure = "positioning"\n[axis]\nname = "X"\nstart = "10 mm"\nend = "990 mm"\n[cycle]\nruns = 5\n', b'procedure = "positioning"\nseed = 3\n[targets]\npositions = ["1 mm", "2 mm"]\n']
    if name == "capture" or name == "run":
        encoder = Encoder(COLUMNS)
        records = [Record("begin", 0, 1, 0)]
        records += [Record("block", number, number + 1, 4 * (number - 1), (np.arange(4), np.arange(4) / 7.0)) for number in (1, 2)]
        stream = b"".join(encoder.encode(record) for record in [*records, Record("end", 3, 4, 8)]) + encoder.finish()
        if name == "capture":
            return [stream]
        event = b'{"event":"created","t_mono_ns":1,"t_wall":"2026-11-23T10:00:00Z"}\n'
        return [b"\n== events.jsonl\n" + event + b"\n== capture.arrows\n" + stream, b'\n== manifest.json\n{"schema_version": 1}\n== result.json\n{"a": [1, NaN]}']
    if name == "file-klipper_steps.read":
        stream = bytes.fromhex("07100202c1377e1110030000010000030102030000bf407e13100500010600bd8440040083741400e6bf7e")
        return [stream, b"\n==\n".join((stream, *KLIPPER))]
    if name == "file-klipper_planned.read":
        rows = b"0.2,0.0,0.0,0.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0\n0.7,0.05,0.35,0.05,1.0,0.0,0.0,1.0,0.0,0.0,0.0,100.0,2000.0\n"
        return [b"# planned motion 1; kalico 1; steps sha256 " + b"0" * 64 + b"\n" + klipper_planned.COLUMNS.encode() + b"\n" + rows + b"# end, 2 rows\n"]
    return {
        "grbl": [b"<Idle|MPos:0.000,1.000,2.000|FS:0,0|WCO:0,0,0>\r\nok\r\n$110=500.000\r\n[G54:0,0,0]\r\nGrbl 1.1h ['$' for help]", b"error:9\nALARM:1\n[MSG:Reset to continue]"],
        "scpi": [b'+2.000E+01,+2.100E+01\n-113,"Undefined header"', b"9.91E37,1\n0,\"No error\""],
        "json-rpc": [b'{"jsonrpc":"2.0","id":1,"result":[0,1000000,2]}', b'{"id":2,"error":{"code":-32601,"message":"x"}}'],
        "linuxcnc": [b"HELLO ACK EMCNETSVR 1.1\r\nSET MODE ACK\r\nABS_ACT_POS 1.0 2.0 3.0\r\nJOINT_HOMED YES NO YES", b"GET X NAK"],
        "frames": [
            json.dumps({"precision-frames": 1, "identity": "a", "rate_hz": 1e3, "simulated": True, "channels": [{"name": "a", "unit": "m"}, {"name": "b", "unit": "V"}]}).encode()
            + b"\n" + frames.encode_samples(0, 5, np.ones((3, 2))) + frames.encode_message({"answer": "start"}) + frames.encode_end(3, 9)
        ],
    }.get(name, [b"run,direction,target_mm,actual_mm\n1,+,0,0.1\n1,+,100,100.1\n1,-,100,100.2\n1,-,0,0.2\n", b"target;actual;run;direction\n1,0;1,1;1;up\n", b"HEADER::\nDeviations :\n0 1 0.1\n", b"time_s,x_mm,y_mm\n0,1,2\n0.1,1.5,2\n"])  # fmt: skip


def taken_or_refused(target: Target, data: bytes) -> None:
    """Run it: what it raises must be an error of the package's own, with words in it."""
    try:
        target(data)
    except PrecisionError as error:
        assert str(error).strip(), "an error without words"
