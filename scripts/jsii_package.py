"""`make jsii`: packs `constructs/cover/node/package`, the library's only JavaScript.

jsii loads it from an archive, like the CDK. Packed again, the same files give the same bytes, so
that a test can tell whether the archive is of the files beside it.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

HERE = (
    Path(__file__).parent.parent / "src" / "failure_destinations" / "constructs" / "cover" / "node"
)
ARCHIVE = HERE / "failure-destinations@1.0.0.jsii.tgz"
# What the types are; jsii wants its name to begin with a dot.
MANIFEST = "jsii.json"


def packed() -> bytes:
    """Return the archive."""
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", mtime=0, filename="") as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in sorted((HERE / "package").iterdir()):
            data = path.read_bytes()
            name = ".jsii" if path.name == MANIFEST else path.name
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


if __name__ == "__main__":
    ARCHIVE.write_bytes(packed())
    print(f"{ARCHIVE.name}: {ARCHIVE.stat().st_size} bytes")
