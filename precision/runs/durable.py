"""Files that are whole or absent: complete writes, replacement by rename, directory entries on disk, one writer at a time.

On Windows a directory cannot be synchronised (its entries are journalled by NTFS) and a lock is a byte range far behind the end of the file.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from pathlib import Path

from ..errors import DataError, SafetyStop
from ..regular_file import refuse_to_replace

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_LOCK_OFFSET = 1 << 62
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}


def create(path: Path) -> int:
    """A new file, open for reading and writing and locked by this process; its descriptor.

    Raises
    ------
    DataError       the file exists already: someone writes it, or wrote it
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o644)
    except FileExistsError:
        state = "is being written by another process" if is_locked(path) else "exists already"
        raise DataError(f"{path.name} {state}; raw data is never overwritten: start a run with another name") from None
    for _ in range(100):
        if lock(descriptor):
            return descriptor
        time.sleep(0.01)  # someone who asks `is_locked` holds it for a moment
    os.close(descriptor)
    raise DataError(f"{path.name} was locked by another process the moment it was made; start a run with another name")


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte. A single write may return short without an error when the disk is nearly full."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync(descriptor: int) -> None:
    """Return when the data of the file are on the disk (fdatasync; where there is none, fsync)."""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync leaves the data in the drive's cache there
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """Return when the names in a directory are on the disk."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, their names on the disk; none of it is an error where it is there already."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(missing):
        sync_directory(folder.parent)


def replace(path: Path, data: bytes) -> None:
    """Put `data` at `path`: after a crash at any moment there is the old file or the new one, whole. Raises `DataError` for a device, pipe or folder."""
    refuse_to_replace(path)
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o644)
    try:
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def put(temporary: Path, path: Path) -> None:
    """Put a finished file on the disk and give it its name; raises `FileExistsError` when that is taken."""
    # Windows synchronises only what is open for writing.
    descriptor = os.open(temporary, os.O_RDWR | _BINARY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if path.exists():
        raise FileExistsError(errno.EEXIST, "the file exists already", str(path))
    os.replace(temporary, path)
    sync_directory(path.parent)


def reserve(folder: Path, estimate_bytes: int) -> None:
    """Check before anything moves that twice the estimate fits on the disk.

    Raises
    ------
    SafetyStop      not enough room; nothing was started
    """
    import shutil

    free = shutil.disk_usage(folder).free
    if free < 2 * estimate_bytes:
        raise SafetyStop(
            f"the disk under {folder} has {free / 1e6:.1f} MB free; this run may write {estimate_bytes / 1e6:.1f} MB and twice that is required "
            "before the machine moves; free some space or choose another folder with --out"
        )


def lock(descriptor: int) -> bool:
    """Lock an open file for this process until it is closed; False when another process has it."""
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LOCK_OFFSET, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # A file system without locks (some network shares): exclusive creation still refuses a second writer.
        return error.errno in _NO_LOCKS
    return True


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock of a file; False when there is no such file, or it is a folder, a pipe, a device.

    Raises
    ------
    DataError       this person may not open it, so that nobody can tell
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        try:
            descriptor = os.open(path, os.O_RDWR | _BINARY)
        except PermissionError:
            descriptor = os.open(path, os.O_RDONLY | _BINARY)
    except PermissionError as error:
        raise DataError(f"{path} cannot be opened ({error.strerror}), so whether the run still runs is unknown; ask its owner for access") from None
    except OSError:
        return False
    try:
        return not lock(descriptor)
    finally:
        os.close(descriptor)
