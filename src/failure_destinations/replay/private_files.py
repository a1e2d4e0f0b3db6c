"""Files that only their owner can read, opened without following links or blocking on a pipe."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal, TextIO

if sys.platform != "win32":
    import fcntl

# Payloads may be confidential.
_MODE = 0o600
# Windows has neither.
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_NO_WAITING = getattr(os, "O_NONBLOCK", 0)


def open_to_append(path: Path) -> int:
    """Return a descriptor to append to a file, which is created if it does not exist.

    Only the owner can read the file afterwards.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be created or opened, or is a link or not a regular file.
    """
    flags = os.O_RDWR | os.O_APPEND | _NO_LINKS | _NO_WAITING
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, _MODE)
    except FileExistsError:
        pass
    else:
        sync_folder(path.parent)
        return descriptor
    descriptor = _open_regular(path, flags)
    if sys.platform != "win32" and stat.S_IMODE(os.fstat(descriptor).st_mode) & ~_MODE:
        try:
            os.fchmod(descriptor, _MODE)
        except OSError as error:
            os.close(descriptor)
            raise _named(error, path) from None
    return descriptor


def create_beside(path: Path) -> tuple[int, Path]:
    """Create a file with an unpredictable name in the folder of another; return its descriptor.

    Args:
        path: The other file, which need not exist.

    Raises:
        OSError: It cannot be created.
    """
    # mkstemp() creates exclusively, with mode 0600.
    descriptor, name = tempfile.mkstemp(".part", f".{path.name[:100]}.", path.parent)
    return descriptor, Path(name)


def publish(written: Path, path: Path) -> None:
    """Give a complete file its name, which no other file may have.

    Args:
        written: The file under its first name, in the same folder.
        path: Its name.

    Raises:
        OSError: It cannot be renamed, or the name is taken.
    """
    try:
        path.hardlink_to(written)
    except FileExistsError:
        raise
    except OSError:
        # Not every file system has hard links.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        written.rename(path)
    else:
        written.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names of new files in a folder on the disk, where the system can do that."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_to_read(
    path: Path, *, follow_links: bool = False, errors: Literal["replace", "strict"] = "replace"
) -> TextIO:
    """Open a regular file to read as UTF-8.

    Args:
        path: The file.
        follow_links: Whether it may be a symbolic link.
        errors: What to do with bytes that are not UTF-8.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    flags = os.O_RDONLY | _NO_WAITING | (0 if follow_links else _NO_LINKS)
    return os.fdopen(_open_regular(path, flags), encoding="utf-8", errors=errors)


def write_all(descriptor: int, data: bytes, path: Path) -> None:
    """Write bytes, and return once they are on the disk.

    Args:
        descriptor: An open file.
        data: The bytes.
        path: The file, for the error.

    Raises:
        OSError: They cannot be written.
    """
    write(descriptor, data, path)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise _named(error, path) from None


def write(descriptor: int, data: bytes, path: Path) -> None:
    """Write bytes, which the end of this process does not undo.

    Args:
        descriptor: An open file.
        data: The bytes.
        path: The file, for the error.

    Raises:
        OSError: They cannot be written.
    """
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError as error:
        raise _named(error, path) from None


def lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; return False if another process has locked it."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # The file system does not support locks.
            return True
    return True


def is_locked(path: Path) -> bool:
    """Return whether a process has locked a file.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    descriptor = _open_regular(path, os.O_RDONLY | _NO_LINKS | _NO_WAITING)
    try:
        return not lock(descriptor)
    finally:
        os.close(descriptor)


def _open_regular(path: Path, flags: int) -> int:
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(error.errno, "is a symbolic link", str(path)) from None
        if error.errno == errno.ENXIO:
            raise OSError(error.errno, "is not a regular file", str(path)) from None
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        text = os.strerror(code) if stat.S_ISDIR(mode) else "is not a regular file"
        raise OSError(code, text, str(path))
    return descriptor


def _named(error: OSError, path: Path) -> OSError:
    return OSError(error.errno, error.strerror, str(path))
