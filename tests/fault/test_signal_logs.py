"""Hostile and broken logs of signals, and devices that fail while a plant is excited."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from precision.benchmarks import frf
from precision.benchmarks.frf_plan import Parameters
from precision.drivers.files import signal_csv
from precision.drivers.frames.driver import FrameStream
from precision.drivers.frames.server import FrameServer
from precision.drivers.frames.simulator import FrameSimulator
from precision.drivers.lab import plant_serve
from precision.drivers.transport import open_transport
from precision.errors import DataError, DeviceError, PlanError


def _read(tmp_path: Path, content: str | bytes, **settings: Any) -> signal_csv.Log:
    path = tmp_path / "log.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return signal_csv.read(path, ["input", "output"], needed=["output"], **settings)


def test_units_separators_and_marks_as_people_write_them(tmp_path: Path) -> None:
    log = _read(tmp_path, "\ufeff# machine: mill 7\n\n\"Time (ms)\";Output [µm]\n0,0;1,5\n1,0;\n2,0;-2,5\n")
    assert log.header == {"machine": "mill 7"}
    np.testing.assert_allclose(log.time_s, [0, 1e-3, 2e-3])
    np.testing.assert_allclose(log.signals["output"], [1.5e-6, np.nan, -2.5e-6])
    assert log.units == {"output": "m"}
    mapped = _read(tmp_path, "stamp_us\tActPos\n0\t1\n10\t2\n", columns={"time": "stamp", "output": "ActPos"})
    np.testing.assert_allclose(mapped.time_s, [0, 1e-5])
    assert mapped.units == {"output": ""}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no line of column names"),
        (b"\x00\x01\x02" * 30_000, "longer than"),
        (b"t_s,output_m\n", "no rows"),
        (b"t_s,output_m,output_mm\n0,1,2\n", "could all be 'output'"),
        (b"t_N,output_m\n0,1\n", "a time is expected"),
        (b"t_s,output_m\n0,1e999\n", "not a finite number"),
        (b"t_s,output_m\n0,1_000\n", "not a number"),
        (b"t_s,output_m\n0,__import__('os')\n", "not a number"),
        (("t_s," + ",".join(f"c{k}" for k in range(300)) + "\n").encode(), "columns"),
        (b"speed,force\n1,2\n", "no column 'time'"),
    ],
)
def test_a_log_that_is_none_is_refused_with_its_reason(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        _read(tmp_path, content)


def _plan() -> Parameters:
    raw = tomllib.loads((Path(frf.__file__).parent / "plans" / "frf.toml").read_text(encoding="utf-8"))
    raw["excitation"] |= {"resolution": "0.5 Hz", "periods": 3, "settle": 1, "lines": 40}
    return Parameters.model_validate(raw)


class _Sink:
    def append_and_wait(self, block: Any) -> int:
        return 0

    def gap(self, reason: str, samples: int) -> int:
        return 0


def _run(session: type[plant_serve.PlantSession]) -> list[plant_serve.PlantSession]:
    made: list[plant_serve.PlantSession] = []

    def client() -> FrameSimulator:
        made.append(session(plant_serve.device("eighth-order", 1)))
        return FrameSimulator(made[-1].header, made[-1].rows, time_scale=math.inf, controls=made[-1].controls)

    with FrameServer(client) as server:
        stream = FrameStream(open_transport(server.address))
        try:
            rig = frf.Rig(plant=stream)
            frf.check(_plan(), rig)
            frf.acquire(_plan(), rig, _Sink(), log=lambda *_, **__: None, progress=lambda *_: None)
        finally:
            stream.close()
    return made


def test_a_device_without_limits_excites_nothing() -> None:
    class Silent(plant_serve.PlantSession):
        def _limits(self, rest: str) -> dict[str, Any]:
            return {"peak": "a lot"}

    with pytest.raises(PlanError, match="Without its limits nothing is excited"):
        _run(Silent)


def test_a_device_that_will_not_end_is_said_to_need_switching_off() -> None:
    class Stubborn(plant_serve.PlantSession):
        def rows(self, first: int, count: int) -> np.ndarray:
            rows = super().rows(first, count).copy()
            if self._wave.size and np.abs(self._wave).max() > 10:
                rows[:, 3] = 1.0
            return rows

        def _change_wave(self, rest: str) -> dict[str, Any]:
            if rest == "clear" and self._wave.size and np.abs(self._wave).max() > 10:
                raise ValueError("busy")
            return super()._change_wave(rest)

    with pytest.raises(Exception, match="switched the excitation off") as stopped:
        _run(Stubborn)
    assert any("Switch the drive off" in note for note in stopped.value.__notes__)


def test_a_person_who_stops_the_run_leaves_no_excitation() -> None:
    class Sink(_Sink):
        def append_and_wait(self, block: Any) -> int:
            raise KeyboardInterrupt

    session: list[plant_serve.PlantSession] = []

    def client() -> FrameSimulator:
        session.append(plant_serve.PlantSession(plant_serve.device("eighth-order", 1)))
        return FrameSimulator(session[-1].header, session[-1].rows, time_scale=math.inf, controls=session[-1].controls)

    with FrameServer(client) as server:
        stream = FrameStream(open_transport(server.address))
        try:
            with pytest.raises(KeyboardInterrupt):
                frf.acquire(_plan(), frf.Rig(plant=stream), Sink(), log=lambda *_, **__: None, progress=lambda *_: None)
            assert stream.ask("hold")["peak"] == 0.0
        finally:
            stream.close()


def test_a_lost_link_is_an_error_of_the_device() -> None:
    session = plant_serve.PlantSession(plant_serve.device("eighth-order", 1))
    server = FrameServer(lambda: FrameSimulator(session.header, session.rows, time_scale=math.inf, controls=session.controls))
    stream = FrameStream(open_transport(server.address))

    class Sink(_Sink):
        def append_and_wait(self, block: Any) -> int:
            server.close()
            return 0

    try:
        with pytest.raises(DeviceError) as lost:
            frf.acquire(_plan(), frf.Rig(plant=stream), Sink(), log=lambda *_, **__: None, progress=lambda *_: None)
        assert any("Switch the drive off" in note for note in getattr(lost.value, "__notes__", []))
    finally:
        stream.close()
        server.close()
