"""Files from outside, opened only when they are files: a pipe would be waited for without end, a device has no end or is changed by being opened."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Final

from .errors import DataError

_FLAGS: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_KINDS: Final = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))


def open_regular(path: Path) -> BufferedReader:
    """A regular file, or a link to one, open for reading.

    Raises
    ------
    DataError       it is a folder, pipe, socket or device
    OSError         there is none, or it cannot be opened
    """
    _refuse_other(path, os.stat(path).st_mode)
    descriptor = os.open(path, _FLAGS)
    try:
        _refuse_other(path, os.fstat(descriptor).st_mode)  # it may have been exchanged meanwhile; O_NONBLOCK kept that from waiting
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def at_most(file: BufferedReader, most: int) -> int:
    """How many bytes to ask for so that more than `most` are noticed, without memory for more than the file has."""
    return min(most, max(os.fstat(file.fileno()).st_size, 1 << 16)) + 1


def read_regular(path: Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes. Raises as `open_regular`, and `DataError` for a larger file."""
    with open_regular(path) as file:
        data = file.read(at_most(file, most))
    if len(data) > most:
        raise DataError(f"{path.parent.name}/{path.name} has more than {most} bytes; it is not what its name says")
    return data


def refuse_to_replace(path: Path) -> None:
    """Raise `DataError` where something stands at `path` that is no regular file: a device, pipe, folder, or a link that leads to none."""
    try:
        _refuse_other(path, os.stat(path).st_mode)
    except OSError as error:
        if os.path.lexists(path):
            raise DataError(f"{path}: is a link that leads to no file ({error.strerror}); it is not replaced: give another file") from None


def _refuse_other(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for fits, name in _KINDS if fits(mode)), "no file")
        raise DataError(f"{path}: is {kind}; a regular file is expected")
