"""Runs `.cu` files on the CPU: g++ compiles the unmodified kernel against cuda_shim.h, ctypes launches it.

    shim = load(path)                                  # or load(path, sanitize="address" | "thread")
    shim.launch("volumetric", grid, block, (x, y, out, 1000), order="reverse")

How a `.cu` is written so that it runs here, under NVRTC and through CuPy:

* no `#include`; kernels are `extern "C" __global__ void name(...)`, one name once, written out or by a macro of the file;
* scalars are `long long` and `double`; arrays are pointers to double, float, long long, int or unsigned char, and
  `const T *__restrict__` where they are only read;
* a grid-stride loop, `for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += ...)`;
* shared memory static (`__shared__ double tile[256];`) or one dynamic array (`extern __shared__ double tile[];`) whose
  bytes the launch gives; every thread of a block reaches every `__syncthreads()`; `if (...) return;` only after the last;
* warp operations with their mask (`__shfl_down_sync(0xffffffffu, x, 16)`, ...); atomics on 32- and 64-bit numbers;
* NaN is `nan("")`, infinity `__longlong_as_double(0x7ff0000000000000LL)`: the macros live in headers.

The kernel's `_cuda(..., xp)` uses `xp` and `cuda.launch(...)` alone, so that a test runs it on NumPy arrays with `launch`
exchanged (fixture `cuda_on_cpu`): arguments, sizes and launch geometry are then the shipped ones too.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
WARNINGS = (
    "-Wall",
    "-Wextra",
    "-Wno-sign-compare",
    "-Wno-unused-function",
    "-Wno-unused-variable",
    "-Wno-unknown-pragmas",
    "-Wno-attributes",
)
COMMON = ("-std=c++20", "-ffp-contract=off", "-pthread", "-g", *WARNINGS)
SANITIZERS = {
    "address": (
        "-O1",
        "-fno-omit-frame-pointer",
        "-fsanitize=address,undefined",
        "-fsanitize-sections=shim_shared",
        "-fno-sanitize-recover=all",
    ),
    "thread": ("-O1", "-fsanitize=thread", "-DSHIM_THREADS"),
}
ENTRY = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(')
DYNAMIC = re.compile(r"extern\s+__shared__\s+([\w\s]+?)\s+(\w+)\s*\[\s*\]\s*;")
MEETS = re.compile(r"__sync|__shfl|__ballot|__any_sync|__all_sync")
DTYPES = {"d": "f8", "f": "f4", "q": "i8", "Q": "u8", "i": "i4", "I": "u4", "B": "u1", "?": "b1"}


class ShimError(Exception):
    """The kernel did something that a device would punish: the message names it, with the line where it is known."""


def unavailable() -> str | None:
    """Why kernels cannot run here, or None."""
    if platform.machine() not in {"x86_64", "AMD64"} or sys.platform != "linux":
        return f"the host shim switches stacks on x86-64 Linux only; this is {platform.machine()} {sys.platform}"
    if shutil.which("g++") is None:
        return "the host shim needs g++"
    return None


def kernels_of(path: Path) -> tuple[str, ...]:
    """The names of the kernels of a file, its own macros expanded."""
    done = subprocess.run(
        ["g++", "-E", "-P", "-x", "c++", str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    names = ENTRY.findall(done.stdout)
    if not names or len(set(names)) != len(names):
        raise ShimError(f'{path.name}: kernels {names}; expected extern "C" __global__ functions, each name once')
    return tuple(names)


def load(path: Path | str, *, sanitize: str | None = None) -> Shim:
    """Compile a `.cu` file; `sanitize` is None, "address" (with undefined behaviour) or "thread"."""
    path = Path(path)
    return _load(path, path.stat().st_mtime_ns, sanitize)


@functools.cache
def _load(path: Path, _changed: int, sanitize: str | None) -> Shim:
    return Shim(path, sanitize)


class Shim:
    """One compiled file. Without a sanitizer it is a library of this process, with one a program of its own."""

    def __init__(self, path: Path, sanitize: str | None) -> None:
        self.path, self.sanitize = path, sanitize
        self.kernels = kernels_of(path)
        self._text = path.read_text(encoding="utf-8")
        folder = _folder()
        source = folder / f"{path.stem}-{abs(hash((path, sanitize)))}.cpp"
        source.write_text(self._translation_unit(), encoding="utf-8")
        # the signatures are asked of a library, which is built in any case
        self._library = ctypes.CDLL(str(_build(source, ("-O2", "-shared", "-fPIC"), ".so")))
        self._program = None if sanitize is None else _build(source, (*SANITIZERS[sanitize], "-DSHIM_MAIN"), ".exe")

    def _translation_unit(self) -> str:
        text = DYNAMIC.sub(r"\1 *\2 = reinterpret_cast<\1 *>(shim::dynamic_shared);", self._text)
        runs = "\n".join(
            f'extern "C" const char *shim_run_{k}(const shim::Config *c, void **a) {{ return shim::call({k}, *c, a); }}\n'
            f'extern "C" const char *shim_signature_{k}() {{ return shim::signature({k}); }}'
            for k in self.kernels
        )
        table = ", ".join(f'{{"{k}", shim_run_{k}}}' for k in self.kernels)
        return (
            f'#include "{HERE / "cuda_shim.h"}"\n#line 1 "{self.path}"\n{text}\n#line 1 "launchers"\n{runs}\n'
            f"#ifdef SHIM_MAIN\nint main(int argc, char **argv) {{\n"
            f"    static const shim::Entry entries[] = {{{table}}};\n"
            f"    return shim::main(argc, argv, entries, {len(self.kernels)});\n}}\n#endif\n"
        )

    def signature(self, name: str) -> list[str]:
        """The kernel's parameters: `const d*` is a const double pointer, `q` a long long."""
        ask = getattr(self._library, f"shim_signature_{name}")
        ask.restype = ctypes.c_char_p
        return [part for part in ask().decode().split(",") if part]

    def launch(
        self,
        name: str,
        grid: int | Sequence[int],
        block: int | Sequence[int],
        args: Sequence[Any],
        *,
        shared: int = 0,
        order: str | int = "forward",
    ) -> None:
        """Run one kernel; arrays are changed in place.

        Raises ShimError on a wrong argument, waiting that cannot end, or whatever the sanitizer reports.
        `order` is "forward", "reverse", or the seed (≥ 2) of a shuffle.
        """
        if name not in self.kernels:
            raise ShimError(f"{self.path.name} has no kernel {name}; it has {', '.join(self.kernels)}")
        self._check(name, args)
        number = {"forward": 0, "reverse": 1}[order] if isinstance(order, str) else order
        config = _Config(_three(grid), _three(block), shared, number, bool(MEETS.search(self._text)))
        if self._program is None:
            self._in_process(name, config, args)
        else:
            self._as_program(name, config, args)

    def _check(self, name: str, args: Sequence[Any]) -> None:
        expected = self.signature(name)
        if len(expected) != len(args):
            raise ShimError(f"{name} takes {len(expected)} arguments, {len(args)} were given")
        for i, (want, arg) in enumerate(zip(expected, args, strict=True)):
            if want.endswith("*"):
                code = want.removeprefix("const ")[0]
                if not isinstance(arg, np.ndarray) or code not in DTYPES or arg.dtype != np.dtype(DTYPES[code]):
                    got = arg.dtype if isinstance(arg, np.ndarray) else type(arg).__name__
                    raise ShimError(f"argument {i} of {name} is {got}; the kernel takes {want}")
                if not arg.flags.c_contiguous:
                    raise ShimError(f"argument {i} of {name} is not C-contiguous")
                if not want.startswith("const") and not arg.flags.writeable:
                    raise ShimError(f"argument {i} of {name} is read-only; the kernel takes {want}")
            elif (want, type(arg)) not in {("q", int), ("d", float)}:
                raise ShimError(
                    f"argument {i} of {name} is {type(arg).__name__}; the kernel takes {want} (scalars: long long, double)"
                )

    def _in_process(self, name: str, config: _Config, args: Sequence[Any]) -> None:
        cells = [
            ctypes.c_void_p(a.ctypes.data)
            if isinstance(a, np.ndarray)
            else ctypes.c_longlong(a)
            if isinstance(a, int)
            else ctypes.c_double(a)
            for a in args
        ]
        pointers = (ctypes.c_void_p * len(cells))(*(ctypes.addressof(c) for c in cells))
        run = getattr(self._library, f"shim_run_{name}")
        run.restype = ctypes.c_char_p
        fault = run(ctypes.byref(config), pointers)
        if fault is not None:
            raise ShimError(f"{self.path.name}, {name}: {fault.decode()}")

    def _as_program(self, name: str, config: _Config, args: Sequence[Any]) -> None:
        with tempfile.TemporaryDirectory(dir=_folder()) as folder:
            given, back = Path(folder) / "in", Path(folder) / "out"
            with given.open("wb") as file:
                file.write(bytes(config))
                file.write(struct.pack("q", len(args)))
                for a in args:
                    if isinstance(a, np.ndarray):
                        file.write(struct.pack("q", a.nbytes) + a.tobytes())
                    else:
                        file.write(struct.pack("q", -1) + struct.pack("q" if isinstance(a, int) else "d", a))
            command = [str(self._program), name, str(given), str(back)]
            done = _run_sanitized(command)
            if done.returncode != 0:
                raise ShimError(f"{self.path.name}, {name} under {self.sanitize} sanitizer:\n{done.stderr[-6000:]}")
            content = back.read_bytes()
            for a, want in zip(args, self.signature(name), strict=True):
                if isinstance(a, np.ndarray):
                    if not want.startswith("const"):
                        a[...] = np.frombuffer(content[: a.nbytes], a.dtype).reshape(a.shape)
                    content = content[a.nbytes :]


class _Config(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_longlong),
        ("order", ctypes.c_longlong),
        ("has_barriers", ctypes.c_int),
    )

    def __init__(self, grid: tuple[int, ...], block: tuple[int, ...], shared: int, order: int, meets: bool) -> None:
        three = ctypes.c_uint * 3
        super().__init__(three(*grid), three(*block), shared, order, int(meets))


def _three(size: int | Sequence[int]) -> tuple[int, ...]:
    sizes = (size,) if isinstance(size, int) else tuple(size)
    return (*sizes, *(1,) * (3 - len(sizes)))


def _run_sanitized(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": "halt_on_error=1:exitcode=66",
    }
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    if "unexpected memory mapping" in done.stderr and shutil.which("setarch"):
        # ThreadSanitizer of GCC 12 does not take the wider address randomisation of newer kernels
        command = ["setarch", platform.machine(), "-R", *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    return done


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="cuda-on-cpu-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _build(source: Path, flags: tuple[str, ...], suffix: str) -> Path:
    target = source.with_suffix(suffix)
    command = ["g++", *COMMON, *flags, "-o", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0 or done.stderr.strip():
        raise ShimError(f"g++ has something to say about {source.name}:\n{done.stderr[-6000:]}")
    return target
