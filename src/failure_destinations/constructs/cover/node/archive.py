"""Packs the JavaScript in `package/` as npm does, because jsii loads an archive.

It is packed each time it is loaded, which takes a millisecond or two. So neither the repository nor
the wheel holds an archive that could be stale, and two processes never share a file.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGE = Path(__file__).with_name("package")
# The assembly, which describes the JavaScript's types. jsii wants a name that build tools skip.
_ASSEMBLY = "jsii.json"


def pack() -> bytes:
    """Return the archive: the same bytes for the same files, so that jsii unpacks them once."""
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", mtime=0, filename="") as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in sorted(_PACKAGE.iterdir()):
            data = path.read_bytes()
            name = ".jsii" if path.name == _ASSEMBLY else path.name
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


@contextmanager
def packed() -> Iterator[Path]:
    """Yield the path of the archive. jsii unpacks it while it loads; it is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="failure-destinations-") as folder:
        path = Path(folder) / "package.tgz"
        path.write_bytes(pack())
        yield path
