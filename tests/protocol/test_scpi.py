"""The SCPI sensors and their simulator: the words of 34970A-like switch units (SCPI-99, IEEE 488.2)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from precision.drivers.roles import EnvironmentSensor
from precision.drivers.scpi import codec
from precision.drivers.scpi.driver import LinearScale, ScpiEnvironment
from precision.drivers.scpi.simulator import ScpiSimulator
from precision.drivers.testing import (
    ExpectedDialogue,
    Late,
    SimulatedTransport,
    Turn,
    expected_dialogue,
)
from precision.errors import DeviceError, DeviceFault, LinkLost, PlanError, ProtocolError

NO_ERROR: Turn = (b"SYST:ERR?\n", b'+0,"No error"\n')
CONNECT: list[Turn] = [
    (b"*ESE 1;*ESE?\n", b"+1\n"),
    (b"*IDN?\n", b"PRECISION,VIRTUAL-DAQ,SIM-0001,1.0\n"),
    (b"*CLS\n", b""),
    (b"UNIT:TEMP C,(@101,102)\n", b""),
    NO_ERROR,
]
READ: list[Turn] = [
    (b"MEAS:TEMP? FRTD,85,(@101,102)\n", b"+2.00012300E+01,+2.05000000E+01\n"),
    (b"MEAS:VOLT:DC? (@103,104)\n", b"+4.27708333E+00,+2.25000000E+00\n"),
    NO_ERROR,
]
VALUES = {101: 20.00123, 102: 20.5, 103: 4.27708333, 104: 2.25}


class Sensors:
    """Fixed values by channel."""

    def __init__(self, **changed: float) -> None:
        self.values = {**VALUES, **{int(name[1:]): value for name, value in changed.items()}}

    def read(self, channel: int) -> float:
        return self.values[channel]


def connected(link: ExpectedDialogue | SimulatedTransport, **options: Any) -> ScpiEnvironment:
    return ScpiEnvironment(link, clock=link.clock, **options)


def test_the_driver_has_this_conversation() -> None:
    with expected_dialogue([*CONNECT, *READ]) as link:
        sensors = connected(link)
        assert isinstance(sensors, EnvironmentSensor)
        assert sensors.identity == "PRECISION,VIRTUAL-DAQ,SIM-0001,1.0"
        environment = sensors.read()
    assert environment.air_temperature_k == pytest.approx(273.15 + 20.00123, abs=1e-9)
    assert environment.material_temperature_k == pytest.approx(293.65, abs=1e-9)
    assert environment.air_pressure_pa == pytest.approx(50_000 + 12_000 * 4.27708333, rel=1e-12)
    assert environment.relative_humidity == pytest.approx(0.45, rel=1e-12)


def test_the_simulator_has_the_same_conversation() -> None:
    simulator = ScpiSimulator(Sensors())
    for sent, answer in [*CONNECT, *READ]:
        assert simulator.receive(sent) == answer


def test_readings_belong_to_ascending_channels_however_they_are_wired() -> None:
    simulator = ScpiSimulator(Sensors())
    assert simulator.receive(b"MEAS:TEMP? FRTD,85,(@102,101)\n") == READ[0][1]
    link = SimulatedTransport(ScpiSimulator(Sensors(_101=23.0, _102=21.0)))
    environment = connected(link, air_channel=102, material_channel=101).read()
    assert environment.air_temperature_k == pytest.approx(294.15) and environment.material_temperature_k == pytest.approx(296.15)


def test_scales_are_the_transmitters() -> None:
    link = SimulatedTransport(ScpiSimulator(Sensors(_103=10.1325, _104=0.4)))
    environment = connected(link, pressure=LinearScale(0.0, 10_000.0), humidity=LinearScale(0.05, 1.0)).read()
    assert environment.air_pressure_pa == pytest.approx(101_325.0) and environment.relative_humidity == pytest.approx(0.45)


@pytest.mark.parametrize(("value", "says"), [(math.inf, "overload"), (-math.inf, "overload"), (math.nan, "not a number"), (500.0, "plausible")])
def test_an_open_or_broken_sensor_is_a_fault_that_names_it(value: float, says: str) -> None:
    link = SimulatedTransport(ScpiSimulator(Sensors(_102=value)))
    with pytest.raises(DeviceFault, match=f"material temperature.*{says}"):
        connected(link).read()


def test_the_error_queue_is_emptied_and_told() -> None:
    turns = [*CONNECT, *READ[:2], (b"SYST:ERR?\n", b'-113,"Undefined header"\n'), (b"SYST:ERR?\n", b'+540,"say ""hi"""\n'), NO_ERROR]
    with expected_dialogue(turns) as link, pytest.raises(DeviceFault, match=r'-113 "Undefined header", 540 "say "hi""'):
        connected(link).read()


@pytest.mark.parametrize(
    "word", ["", "nan", "inf", "1_000", "١٢", "0x10", "1e400", "+-1", "1.", "1,5", " ", "1e", "9" * 30, "1 2", "--", "\x1b[2J", "2.0C"],
)
def test_odd_numbers_are_no_readings(word: str) -> None:
    if word == "1.":
        assert codec.number(word, "x") == 1.0
        return
    with pytest.raises(ProtocolError):
        codec.numbers(word.encode(), ["x"])


@pytest.mark.parametrize("word", ["9.9E37", "+9.90000000E+37", "-9.9E+37", "9.91E37", "+9.91000000E+37", "9.95E+37"])
def test_sentinels_are_faults(word: str) -> None:
    with pytest.raises(DeviceFault):
        codec.number(word, "air temperature")


def test_a_late_answer_never_answers_the_next_question() -> None:
    turns: list[Turn] = [*CONNECT, (READ[0][0], Late(b"+9.99000000E+01,+9.99000000E+01\n")), (b"*ESE 2;*ESE?\n", b"+2\n"), *READ]
    with expected_dialogue(turns) as link:
        sensors = connected(link)
        with pytest.raises(LinkLost):
            sensors.read()
        assert sensors.read().air_temperature_k == pytest.approx(293.15123)
    # And where it comes even after the link was emptied, before the echo.
    turns = [*CONNECT, (READ[0][0], b""), (b"*ESE 2;*ESE?\n", b"+9.99000000E+01,+9.99000000E+01\n+2\n"), *READ]
    with expected_dialogue(turns) as link:
        sensors = connected(link)
        with pytest.raises(LinkLost):
            sensors.read()
        assert sensors.read().air_temperature_k == pytest.approx(293.15123)


def test_too_few_readings_are_refused() -> None:
    with expected_dialogue([*CONNECT, (READ[0][0], b"+2.0E+01\n")]) as link, pytest.raises(ProtocolError, match="1 readings where 2"):
        connected(link).read()


def test_arguments_are_checked_before_anything_is_sent() -> None:
    for options in ({"air_channel": 102}, {"humidity_channel": 0}, {"probe": "FRTD;*RST"}):
        with expected_dialogue([]) as link, pytest.raises(PlanError, match="four different channels"):
            connected(link, **options)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"*idn?", b"PRECISION,VIRTUAL-DAQ,SIM-0001,1.0\n"), (b":SYSTem:ERRor?", b'+0,"No error"\n'), (b"*OPC?;*OPC?", b"1;1\n"),
        (b"MEASure:VOLTage:DC? (@103)", b"+4.27708333E+00\n"), (b"meas:dc? AUTO,(@103:104)", b"+4.27708333E+00,+2.25000000E+00\n"),
        (b"UNIT:TEMP? (@101,102)", b"C,C\n"), (b"", b""), (b"\r", b""), (b"*RST", b""),
    ],
)
def test_long_and_short_forms(line: bytes, answer: bytes) -> None:
    assert ScpiSimulator(Sensors()).receive(line + b"\n") == answer


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"NONSENSE", -113), (b"MEAS:TEMP?", -109), (b"MEAS:TEMP? (@999)", -222), (b"UNIT:TEMP K,(@101)", -224), (b"*ESE 256", -222),
        (b"*ESE", -109), (b"\xff\xfe", -113), (b"x" * 5000, -363), (b"MEAS:TEMP? (@101;*IDN?", -109),
    ],
)
def test_what_it_does_not_know_goes_into_the_error_queue(line: bytes, code: int) -> None:
    simulator = ScpiSimulator(Sensors())
    assert simulator.receive(line + b"\n") == b""
    assert simulator.receive(b"SYST:ERR?\n").startswith(b"%d," % code)


def test_a_full_error_queue_says_so() -> None:
    simulator = ScpiSimulator(Sensors())
    simulator.receive(b"FOO\n" * 50)
    found = [simulator.receive(b"SYST:ERR?\n") for _ in range(21)]
    assert found[18].startswith(b"-113") and found[19].startswith(b"-350") and found[20].startswith(b"+0")
    with pytest.raises(DeviceError):
        codec.error(b"no number\n")
