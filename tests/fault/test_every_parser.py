"""Every parser, given anything: a result or an error of the package's own, in words, at once and in little memory."""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
try:
    import fuzz_parsers
finally:
    sys.path.pop(0)

EXAMPLES = 40
SPLIT_AT = dict.fromkeys(("grbl", "scpi", "linuxcnc"), "\n")
"""Targets that are given line by line: many empty lines try nothing else than one."""
LONGEST_S = 5.0


def changed(seed: bytes, number: int) -> bytes:
    """A good input with some of its bytes turned, cut out, doubled or replaced: what is nearly right goes deepest."""
    chance = random.Random(number)
    data = bytearray(seed)
    for _ in range(chance.randrange(1, 5)):
        at, length = chance.randrange(len(data) + 1), chance.choice((1, 1, 2, 8, 40))
        match chance.randrange(4):
            case 0:
                data[at : at + length] = bytes(chance.randrange(256) for _ in range(length))
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length] * chance.choice((1, 2, 50))
            case _:
                data[at:at] = chance.choice((b"9" * 400, b"-", b"1e999", b"nan", b"\x00", b"\xff\xfe", b'"', b"\n", b",", b"{" * 200, b"[" * 200, "١".encode(), b"="))
    return bytes(data)


@pytest.mark.parametrize("name", fuzz_parsers.TARGETS)
@settings(max_examples=EXAMPLES)
@given(st.one_of(st.binary(max_size=200), st.integers(0, 1 << 32)))
def test_anything_is_taken_or_refused_in_words(name: str, given_: bytes | int) -> None:
    seeds = fuzz_parsers.seeds(name)
    data = given_ if isinstance(given_, bytes) else changed(seeds[given_ % len(seeds)], given_)
    began = time.process_time()
    fuzz_parsers.taken_or_refused(fuzz_parsers.TARGETS[name], data)
    assert time.process_time() - began < LONGEST_S


@pytest.mark.parametrize("name", fuzz_parsers.TARGETS)
def test_good_inputs_changed_and_repeated_take_little_memory(name: str) -> None:
    target, seeds = fuzz_parsers.TARGETS[name], fuzz_parsers.seeds(name)
    for seed in seeds:
        fuzz_parsers.taken_or_refused(target, seed)  # what is loaded once is not counted
    count = 60_000
    large = [seeds[0] * (count // len(seeds[0])), seeds[0] + b"\x00" * count, seeds[0] + b"9" * count, b"[" * count]
    if "\n" not in SPLIT_AT.get(name, ""):
        large.append(b"\n" * count)
    tracemalloc.start()
    try:
        for data in large:
            tracemalloc.reset_peak()
            began = time.process_time()
            fuzz_parsers.taken_or_refused(target, data)
            assert time.process_time() - began < 4 * LONGEST_S, "tracing makes it a few times slower"
            peak = tracemalloc.get_traced_memory()[1]
            assert peak < 64e6, f"{peak / 1e6:.0f} MB for {len(data)} bytes"
    finally:
        tracemalloc.stop()


def test_no_parser_of_bytes_is_left_out() -> None:
    drivers = Path(fuzz_parsers.grbl.__file__).parents[1]
    codecs = {path.parent.name for path in drivers.glob("*/codec.py")}
    fuzzed = {Path(module.__file__).parent.name for module in vars(fuzz_parsers).values() if str(getattr(module, "__file__", "")).endswith("codec.py")}
    assert codecs == fuzzed
    modules = {path.stem for path in (drivers / "files").glob("*.py")} - {"__init__", "outside", "recognise"}
    assert {name.partition(".")[0] for name in fuzz_parsers.IMPORTERS} == modules
