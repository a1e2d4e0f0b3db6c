"""The cache directory, which is kept between runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_directory() -> Path:
    """Return the directory for engines, the CDK CLI and the journals of interrupted audits.

    It is `$FAILURE_DESTINATIONS_CACHE`, else `failure-destinations` in the user's cache
    directory.
    """
    if own := os.environ.get("FAILURE_DESTINATIONS_CACHE"):
        return Path(own).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "failure-destinations"
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "failure-destinations"
