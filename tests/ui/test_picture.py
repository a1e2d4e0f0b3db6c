"""The README's picture of the page is one of the page as it is."""

from __future__ import annotations

import struct

from scripts.photograph import DIGEST, PICTURE, SIZE, digest


def test_the_picture_is_current() -> None:
    """Whoever changes the page takes the picture again: make photograph."""
    assert digest() == DIGEST.read_text().strip(), "docs/images/page.png is stale: make photograph"


def test_the_picture_is_a_picture() -> None:
    """It is a PNG of the size that the README shows."""
    head = PICTURE.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == SIZE
