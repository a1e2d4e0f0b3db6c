"""Files that only their owner can read, opened without following links or blocking on a pipe."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import TextIO

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
        return os.open(path, flags | os.O_CREAT | os.O_EXCL, _MODE)
    except FileExistsError:
        pass
    descriptor = _open_regular(path, flags)
    if sys.platform != "win32" and stat.S_IMODE(os.fstat(descriptor).st_mode) & ~_MODE:
        try:
            os.fchmod(descriptor, _MODE)
        except OSError as error:
            os.close(descriptor)
            raise _named(error, path) from None
    return descriptor


def open_to_read(path: Path, *, follow_links: bool = False) -> TextIO:
    """Open a regular file to read as UTF-8; bytes that are not UTF-8 are replaced.

    Args:
        path: The file.
        follow_links: Whether it may be a symbolic link.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    flags = os.O_RDONLY | _NO_WAITING | (0 if follow_links else _NO_LINKS)
    return os.fdopen(_open_regular(path, flags), encoding="utf-8", errors="replace")


def write_all(descriptor: int, data: bytes, path: Path) -> None:
    """Write bytes, and return once they are on the disk.

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
        os.fsync(descriptor)
    except OSError as error:
        raise _named(error, path) from None


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
