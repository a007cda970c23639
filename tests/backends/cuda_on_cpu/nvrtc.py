"""NVRTC through ctypes: compiles CUDA C++ for real architectures on a machine with no GPU and no CuPy.

Needs the wheel nvidia-cuda-nvrtc and nothing else. NVRTC has no headers and no option to make warnings errors: the log,
less what ptxas reports about every kernel, has to be empty.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

PTXAS_NOTE = re.compile(
    r"^\s*(ptxas info\s*:.*|info\s*:.*|Function properties for \w+|(ptxas\s+\.\s+)?\d+ bytes stack frame, .*|\s*Used \d+ registers.*)?\s*$"
)


@dataclass(frozen=True)
class Compiled:
    """What the compiler said: `complaints` are lines that are no ptxas statistics."""

    entries: tuple[str, ...]
    spilled: dict[str, int]
    registers: dict[str, int]
    complaints: tuple[str, ...]


def unavailable() -> str | None:
    """Why nothing can be compiled here, or None."""
    return None if _libraries() else "NVRTC is not installed (wheel nvidia-cuda-nvrtc)"


@functools.cache
def _libraries() -> tuple[Path, ...]:
    spec = importlib.util.find_spec("nvidia")
    roots = [] if spec is None else [Path(p) for p in spec.submodule_search_locations or ()]
    found = sorted(p for root in roots for p in root.rglob("libnvrtc*.so*") if "alt" not in p.name)
    builtins = [p for p in found if "builtins" in p.name]
    main = [p for p in found if "builtins" not in p.name]
    return (builtins[-1], main[-1]) if builtins and main else ()


@functools.cache
def _nvrtc() -> ctypes.CDLL:
    builtins, main = _libraries()
    # NVRTC opens its builtins by their bare name, which no search path knows: they must already be there
    ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(main), mode=ctypes.RTLD_GLOBAL)


def compile_for(path: Path, arch: str) -> Compiled:
    """Compile a file for one architecture, as `sm_90`."""
    nvrtc, program = _nvrtc(), ctypes.c_void_p()
    text = path.read_bytes()
    created = nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, path.name.encode(), 0, None, None)
    if created != 0:
        raise RuntimeError(f"nvrtcCreateProgram answered {created}")
    options = [f"--gpu-architecture={arch}", "--std=c++17", "--ptxas-options=-v", "--ptxas-options=--warn-on-spills"]
    pointers = (ctypes.c_char_p * len(options))(*(o.encode() for o in options))
    code = nvrtc.nvrtcCompileProgram(program, len(options), pointers)
    log = _text(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    complaints = [line for line in log.splitlines() if not PTXAS_NOTE.match(line)]
    if code != 0:
        complaints.append(f"nvrtcCompileProgram answered {code}")
    return _statistics(log, tuple(complaints))


def _text(program: ctypes.c_void_p, ask_size: ctypes._NamedFuncPointer, ask: ctypes._NamedFuncPointer) -> str:
    size = ctypes.c_size_t()
    ask_size(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    ask(program, buffer)
    return buffer.value.decode()


def _statistics(log: str, complaints: tuple[str, ...]) -> Compiled:
    entries = tuple(re.findall(r"Compiling entry function '(\w+)'", log))
    spilled, registers, name = {}, {}, ""
    for line in log.splitlines():
        if match := re.search(r"(?:entry function|Function properties for) '?(\w+)'?", line):
            name = match[1]
        if match := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
            spilled[name] = int(match[1]) + int(match[2])
        if match := re.search(r"Used (\d+) registers", line):
            registers[name] = int(match[1])
    return Compiled(entries, spilled, registers, complaints)
