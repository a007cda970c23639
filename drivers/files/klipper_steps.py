"""The step stream of Klipper and its relatives (Kalico) in batch mode: when each motor makes which step, and from that where the axes are.

    klippy printer.cfg -i part.gcode -o part.serial -d machine.dict

writes what the host would have sent to its micro-controller. It is read here from the published description of the protocol (docs/Protocol.md and
docs/MCU_Commands.md of Klipper); nothing of Klipper is loaded. A block is

    length 1 · sequence 1 · content · CRC-16/CCITT 2 · 0x7e        length counts the whole block, the CRC is over all before it

and its content commands, each a number of the dictionary and its parameters as integers of 7 bits a byte, the highest first, negative where the first two of
them are set. Of a motor with the object number `oid`:

    reset_step_clock oid clock          the next step counts from here
    set_next_step_dir oid dir           direction pin of the following steps
    queue_step oid interval count add   `count` steps, each `interval` ticks after the one before, the interval growing by `add`

A step says that the command has passed the middle between two places of the motor: the position goes through these middles, and rests at a whole step where
the motor stands. So it is known to half a step. Cartesian machines: one motor an axis.
"""

from __future__ import annotations

import configparser
import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from precision.errors import DataError
from precision.regular_file import at_most, open_regular

Array = NDArray[np.float64]
MAX_BYTES: Final = 1 << 28
MAX_STEPS: Final = 20_000_000
"""Some 100 bytes of memory each while they are read."""
_DICTIONARY_BYTES: Final = 4 << 20
_SHORTEST: Final = 5
_LONGEST: Final = 64
_SYNC: Final = 0x7E
_NEEDED: Final = {
    "queue_step": ("oid", "interval", "count", "add"), "set_next_step_dir": ("oid", "dir"), "reset_step_clock": ("oid", "clock"), "config_stepper": ("oid", "step_pin"),
}  # fmt: skip
_INTEGER_BYTES: Final = 5
"""32 bits, 7 a byte."""
_STANDING_S: Final = 0.02
"""A motor that makes no step for so long, and for four times the interval before, stands at its step in between."""
_LARGEST: Final = 1e9
"""Of what a printer.cfg says about a motor, and the smallest is its reciprocal."""
_PARAMETER: Final = re.compile(r"(\w+)=(%\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Motor:
    """A motor of the machine. step_pin : as in the dictionary's enumeration. step_m : what a step is worth; negative where the direction pin is inverted."""

    axis: str
    step_pin: str
    step_m: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """time_s : (n,) evenly spaced, from the first step on less the margin. position_m : axis -> (n,) from where the motor stood at first. resolution_m :
    axis -> one step. steps : axis -> how many. skipped_bytes : that were in no whole block. begin_s : the clock of the micro-controller at time_s = 0, in
    batch mode the print time of the planner. tick_s : of that clock."""

    time_s: Array
    position_m: Mapping[str, Array]
    resolution_m: Mapping[str, float]
    steps: Mapping[str, int]
    skipped_bytes: int
    begin_s: float
    tick_s: float
    _tracks: Mapping[str, tuple[_Track, float]]

    def made_m(self, axis: str, clock_s: float) -> float:
        """What the steps until then come to, a whole number of them: where the motor rests that stands at that time of the clock."""
        track, step_m = self._tracks[axis]
        return track.place_at(clock_s / self.tick_s) * step_m


def read(path: Path, *, dictionary: Path, config: Path, rate_hz: float = 1000.0, margin_s: float = 0.1) -> Steps:
    """Positions from the output of batch mode.

    Parameters
    ----------
    path : what `-o` wrote. dictionary : what `-d` read (JSON). config : the printer.cfg, for the motors of its axes
    rate_hz : of the positions. margin_s : standing still before the first step and after the last

    Raises
    ------
    DataError       a file that is none of these, a damaged block, no step of any axis; with the offset in bytes
    """
    if not (math.isfinite(rate_hz) and 1 <= rate_hz <= 1e6):
        raise DataError(f"rate_hz is {rate_hz!r}; 1 … 1e6 Hz are expected")
    words = _Dictionary.read(dictionary)
    motors = read_motors(config)
    data = _bytes(path, MAX_BYTES)
    if not data:
        raise DataError(f"{path.name}: is empty; batch mode writes it at its end (klippy … -o {path.name})")
    tracks: dict[int, _Track] = {}
    pins: dict[int, str] = {}
    skipped = _played(path, data, words, tracks, pins)
    by_pin = {motor.step_pin: motor for motor in motors}
    found = {by_pin[pin].axis: (tracks[oid], by_pin[pin].step_m) for oid, pin in pins.items() if pin in by_pin and tracks.get(oid) and tracks[oid].count}
    if not found:
        raise DataError(f"{path.name}: holds no step of the motors of {config.name} ({', '.join(motor.axis for motor in motors)}); does the program move, and are dictionary and config those of the run?")
    played = {axis: (*_nodes(track, words.ticks_per_s), step_m) for axis, (track, step_m) in found.items()}
    begin = min(float(at[0]) for at, _, _ in played.values()) - margin_s
    end = max(float(at[-1]) for at, _, _ in played.values()) + margin_s
    if (end - begin) * rate_hz > 2e7:
        raise DataError(f"{path.name}: {end - begin:.4g} s at {rate_hz:g} Hz are more than 20 million rows; ask for a lower rate")
    time_s = np.arange(math.ceil((end - begin) * rate_hz) + 1) / rate_hz
    return Steps(
        time_s=time_s,
        position_m={axis: np.interp(time_s + begin, at, place) * step_m for axis, (at, place, step_m) in sorted(played.items())},
        resolution_m={axis: abs(step_m) for axis, (_, _, step_m) in sorted(played.items())},
        steps={axis: found[axis][0].count for axis in sorted(found)},
        skipped_bytes=skipped,
        begin_s=begin,
        tick_s=1 / words.ticks_per_s,
        _tracks={axis: found[axis] for axis in sorted(found)},
    )


def begins(data: bytes) -> bool:
    """Whether bytes begin like such a stream: whole blocks with their sums."""
    at, blocks = 0, 0
    while blocks < 8 and at + _SHORTEST <= len(data):
        length = data[at]
        block = data[at : at + length]
        if not _SHORTEST <= length <= _LONGEST or len(block) < length or block[-1] != _SYNC or _crc(block[:-3]) != block[-3] << 8 | block[-2]:
            return False
        at, blocks = at + length, blocks + 1
    return blocks > 0


# ---- the machine --------------------------------------------------------------------------------------------------------------------


def read_motors(config: Path) -> tuple[Motor, ...]:
    """The motors of X, Y and Z in a printer.cfg.

    Raises
    ------
    DataError       no such file, kinematics other than cartesian, a motor that lacks what a step is worth
    """
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=(":", "="), inline_comment_prefixes=(";", "#"))
    try:
        parser.read_string(_bytes(config, _DICTIONARY_BYTES).decode("utf-8", "replace"))
    except configparser.Error as wrong:
        raise DataError(f"{config.name}: is no printer.cfg: {str(wrong).splitlines()[0]}") from wrong
    kinematics = parser.get("printer", "kinematics", fallback="none").strip()
    if kinematics != "cartesian":
        raise DataError(f"{config.name}: kinematics are {kinematics!r}; cartesian ones are read, where each motor moves one axis")
    motors = []
    for axis in "xyz":
        section = f"stepper_{axis}"
        if not parser.has_section(section):
            continue
        pin, direction = (parser.get(section, name, fallback="").strip() for name in ("step_pin", "dir_pin"))
        rotation = _number(config, parser, section, "rotation_distance", None)
        steps = _number(config, parser, section, "full_steps_per_rotation", 200.0) * _number(config, parser, section, "microsteps", None)
        gears = 1.0
        for pair in parser.get(section, "gear_ratio", fallback="").split(","):
            if match := re.fullmatch(r"\s*(\d*\.?\d+)\s*:\s*(\d*\.?\d+)\s*", pair, re.ASCII):
                driven, driving = float(match[1]), float(match[2])
                if not (0 < driven <= _LARGEST and 0 < driving <= _LARGEST):
                    raise DataError(f"{config.name}: [{section}] gear_ratio is {pair[:40]!r}; numbers above 0 are expected")
                gears *= driven / driving
            elif pair.strip():
                raise DataError(f"{config.name}: [{section}] gear_ratio is {pair[:40]!r}; numbers such as 80:16 are expected")
        # The direction pin is high for a positive motion, unless it is inverted.
        sign = -1.0 if direction.startswith("!") else 1.0
        motors.append(Motor(axis=axis, step_pin=pin.lstrip("!^~"), step_m=sign * rotation * 1e-3 / (steps * gears)))
    if not motors:
        raise DataError(f"{config.name}: has no [stepper_x], [stepper_y] or [stepper_z]")
    return tuple(motors)


def _number(config: Path, parser: configparser.ConfigParser, section: str, name: str, otherwise: float | None) -> float:
    text = parser.get(section, name, fallback=None)
    try:
        value = float(text) if text is not None else otherwise
    except ValueError:
        value = None
    if value is None or not 1 / _LARGEST <= value <= _LARGEST:
        raise DataError(f"{config.name}: [{section}] {name} is {text!r}; a number above 0 is expected")
    return value


# ---- the stream ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dictionary:
    """number -> (command, names of its parameters, which of them are texts); ticks of the clock; number of a pin -> its name."""

    commands: Mapping[int, tuple[str, tuple[str, ...], tuple[bool, ...]]]
    ticks_per_s: float
    pins: Mapping[int, str]

    @classmethod
    def read(cls, path: Path) -> _Dictionary:
        try:
            raw = json.loads(_bytes(path, _DICTIONARY_BYTES))
            commands = {}
            for text, number in raw["commands"].items():
                name, _, rest = text.partition(" ")
                parameters = _PARAMETER.findall(rest)
                commands[int(number)] = (name, tuple(one for one, _ in parameters), tuple("s" in kind for _, kind in parameters))
            ticks = float(raw["config"]["CLOCK_FREQ"])
            pins = dict(_pins(raw["enumerations"]["pin"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as wrong:
            raise DataError(f"{path.name}: is no dictionary of a micro-controller: JSON with commands, config.CLOCK_FREQ and enumerations.pin is expected ({wrong})") from wrong
        missing = []
        for needed, wanted in _NEEDED.items():
            known = [{one for one, text in zip(names, texts, strict=True) if not text} for name, names, texts in commands.values() if name == needed]
            if not known or any(not one.issuperset(wanted) for one in known):
                missing.append(" ".join([needed, *wanted]))
        if missing:
            raise DataError(f"{path.name}: the dictionary lacks {', '.join(missing)}; a machine with stepper motors is expected")
        if not (math.isfinite(ticks) and ticks > 0):
            raise DataError(f"{path.name}: CLOCK_FREQ is {ticks!r}; ticks per second are expected")
        return cls(commands=commands, ticks_per_s=ticks, pins=pins)


def _pins(enumeration: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """A pin, or a row of them: "gpio0": [0, 32] names gpio0 … gpio31."""
    for name, value in enumeration.items():
        if isinstance(value, int):
            yield value, name
            continue
        first, count = value
        stem, number = re.fullmatch(r"(.*?)(\d*)", name).groups()  # type: ignore[union-attr]
        for k in range(min(int(count), 4096)):
            yield int(first) + k, f"{stem}{int(number or 0) + k}"


@dataclass(slots=True)
class _Track:
    """What one motor was told. pieces : (clock of the last step before, interval, count, add, place before, direction)."""

    clock: int = 0
    direction: int = 1
    place: int = 0
    count: int = 0
    pieces: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)

    def queue(self, interval: int, count: int, add: int) -> None:
        self.pieces.append((self.clock, interval, count, add, self.place, self.direction))
        self.clock += count * interval + add * count * (count - 1) // 2
        self.place += self.direction * count
        self.count += count

    def place_at(self, clock: float) -> int:
        """In steps, after all that were made until then."""
        within = bisect_right(self.pieces, clock, key=lambda piece: piece[0]) - 1
        if within < 0:
            return 0
        begin, interval, count, add, before, sense = self.pieces[within]
        k = np.arange(1, count + 1, dtype=np.float64)
        return before + sense * int(np.count_nonzero(begin + k * interval + add * k * (k - 1) / 2 <= clock))


def _played(path: Path, data: bytes, words: _Dictionary, tracks: dict[int, _Track], pins: dict[int, str]) -> int:
    """Obey all commands; how many bytes were in no whole block."""
    latest = total = at = skipped = 0
    while at < len(data):
        length = data[at]
        block = data[at : at + length]
        whole = _SHORTEST <= length <= _LONGEST and len(block) == length and block[-1] == _SYNC
        if whole and _crc(block[:-3]) != block[-3] << 8 | block[-2]:
            _refuse(path, at, "a block whose sum does not fit it; the file is damaged: run batch mode again")
        if not whole:
            if data[at] != _SYNC:  # an additional sync byte may stand between blocks
                skipped += 1
                if skipped > _LONGEST:
                    _refuse(path, at, "no block of the protocol; is this what klippy wrote with -o?")
            at += 1
            continue
        for name, values in _commands(path, at, block[2:-3], words):
            oid = values.get("oid", -1)
            if name == "config_stepper":
                pins[oid] = words.pins.get(values.get("step_pin", -1), "")
                tracks.setdefault(oid, _Track())
            elif name == "set_next_step_dir":
                tracks.setdefault(oid, _Track()).direction = 1 if values["dir"] else -1
            elif name == "reset_step_clock":
                # 32 bits of a clock that goes on: the value nearest to what has been
                clock = values["clock"] & 0xFFFFFFFF
                tracks.setdefault(oid, _Track()).clock = clock + round((latest - clock) / 2**32) * 2**32
            elif name == "queue_step":
                track = tracks.setdefault(oid, _Track())
                total += values["count"]
                if values["count"] <= 0 or total > MAX_STEPS:
                    _refuse(path, at, f"queue_step of {values['count']} steps, {total} in all; at most {MAX_STEPS} are read")
                interval = values["interval"] & 0xFFFFFFFF
                if values["count"] == 1:
                    # a single step after a rest that is longer than 32 bits of the clock: the others have gone on meanwhile
                    interval += max(0, round((latest - track.clock - interval) / 2**32)) * 2**32
                track.queue(interval, values["count"], values["add"])
                latest = max(latest, track.clock)
        at += length
    return skipped


def _commands(path: Path, at: int, content: bytes, words: _Dictionary) -> Iterator[tuple[str, dict[str, int]]]:
    """Commands of a block; parameters that are texts are passed over."""
    place = 0
    while place < len(content):
        number, place = _integer(path, at, content, place)
        known = words.commands.get(number)
        if known is None:
            _refuse(path, at, f"command {number} is not in the dictionary; give the dictionary that batch mode was run with")
        name, parameters, texts = known
        values = {}
        for parameter, text in zip(parameters, texts, strict=True):
            value, place = _integer(path, at, content, place)
            if text:
                if not 0 <= value <= len(content) - place:
                    _refuse(path, at, f"a text of {value} bytes in a block that has {len(content) - place} left")
                place += value
            else:
                values[parameter] = value
        yield name, values


def _integer(path: Path, at: int, content: bytes, place: int) -> tuple[int, int]:
    """One integer and where the next begins."""
    if place >= len(content):
        _refuse(path, at, "a command that ends before its parameters do; give the dictionary that batch mode was run with")
    byte = content[place]
    value = byte & 0x7F
    if value & 0x60 == 0x60:
        value -= 0x80
    begin = place
    while byte & 0x80:
        place += 1
        if place - begin >= _INTEGER_BYTES:
            _refuse(path, at, f"an integer of more than {_INTEGER_BYTES} bytes")
        if place >= len(content):
            _refuse(path, at, "an integer that has no end")
        byte = content[place]
        value = value << 7 | byte & 0x7F
    return value, place + 1


def _nodes(track: _Track, ticks_per_s: float) -> tuple[Array, Array]:
    """Times in s and places in steps that the command goes through, straight in between."""
    times, places, senses = [], [], []
    for clock, interval, count, add, begin, sense in track.pieces:
        k = np.arange(1, count + 1, dtype=np.float64)
        times.append(clock + k * interval + add * k * (k - 1) / 2)
        places.append(begin + sense * (k - 0.5))
        senses.append(np.full(count, float(sense)))
    time_s: Array = np.concatenate(times) / ticks_per_s
    place_of: Array = np.concatenate(places)
    direction: Array = np.concatenate(senses)
    if np.any(np.diff(time_s) < 0):
        raise DataError("the steps of a motor go back in time; the stream is damaged, or its clock wrapped while nothing was sent")
    gap = np.diff(time_s)
    before = np.concatenate([[math.inf], gap[:-1]])
    # where it stands it rests at a whole step, and where it turns round it has been anywhere within half a step of one
    rests = np.flatnonzero((gap > _STANDING_S) & (gap > 4 * np.minimum(before, np.concatenate([gap[1:], [math.inf]]))))
    turns = np.setdiff1d(np.flatnonzero(np.diff(direction)), rests)
    ease = np.minimum(gap[rests] / 3, _STANDING_S / 2)
    whole = place_of + 0.5 * direction
    between = np.concatenate([np.repeat(rests + 1, 2), turns + 1])
    when = np.concatenate([np.stack([time_s[rests] + ease, time_s[rests + 1] - ease], axis=1).ravel(), time_s[turns] + gap[turns] / 2])
    time_s = np.insert(time_s, between, when)
    place_of = np.insert(place_of, between, np.concatenate([np.repeat(whole[rests], 2), whole[turns]]))
    first, last = track.pieces[0], track.pieces[-1]
    lead = max(1e-6, min(_STANDING_S / 2, gap[0] if gap.size else 1e-3))
    tail = max(1e-6, min(_STANDING_S / 2, gap[-1] if gap.size else 1e-3))
    return (
        np.concatenate([[time_s[0] - lead], time_s, [time_s[-1] + tail]]),
        np.concatenate([[float(first[4])], place_of, [float(last[4] + last[5] * last[2])]]),
    )


def _crc(data: Sequence[int]) -> int:
    """CRC-16/CCITT, least significant bit first, from 0xffff, as the protocol sends it: high byte first."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
        table.append(value)
    return table


_TABLE: Final = _table()


def _bytes(path: Path, most: int) -> bytes:
    try:
        with open_regular(path) as file:
            data = file.read(at_most(file, most))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(data) > most:
        raise DataError(f"{path.name}: more than {most >> 20} MB; split the program")
    return data


def _refuse(path: Path, at: int, why: str) -> NoReturn:
    raise DataError(f"{path.name}, byte {at}: {why}")
