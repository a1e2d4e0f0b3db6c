"""Reads the records that Lambda wrote to a bucket, as they were downloaded: one file each.

With a bucket as failure destination, Lambda writes each record to an object of its own. Its key is
`aws/lambda/async/FUNCTION/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-UUID`. The object of a failed batch of an
event source mapping holds the whole batch; its key has the mapping's UUID and the shard in place of
`async/FUNCTION`.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from failure_destinations.errors import CommandError

from .private_files import open_to_read
from .received_message import ReceivedMessage

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
# A payload of 1 MiB and a response of 6 MiB, either of them escaped.
_MAX_BYTES = 64 * 1024 * 1024


def read_records(path: Path) -> Iterator[ReceivedMessage]:
    """Yield the messages in a file, or in all files below a folder, in the order of their paths.

    A file that is not a record is a message that is not a failed event. Hidden files and links are
    left out. A message's id is the UUID at the end of its file's name, else that name.

    Args:
        path: The file or folder.

    Raises:
        CommandError: Something cannot be read.
    """
    try:
        if not path.is_dir():
            yield _read(path, follow_links=True)
            return
        for folder, folders, names in os.walk(path, onerror=_raise):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                file = Path(folder, name)
                if not name.startswith(".") and stat.S_ISREG(file.lstat().st_mode):
                    yield _read(file)
    except OSError as error:
        raise CommandError(f"cannot read {error.filename or path}: {error.strerror}") from None


def _read(file: Path, *, follow_links: bool = False) -> ReceivedMessage:
    found = _UUID.findall(file.name)
    id = found[-1] if found else file.name
    with open_to_read(file, follow_links=follow_links) as opened:
        content = opened.buffer.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        return ReceivedMessage({"MessageId": id, "Body": ""}, None, "a file that is too large")
    return ReceivedMessage.of({"MessageId": id, "Body": content.decode(errors="replace")})


def _raise(error: OSError) -> None:
    raise error
