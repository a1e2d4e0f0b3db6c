"""Where things are kept between runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_directory() -> Path:
    """Returns where engines, the CDK CLI and what a stopped audit left are kept between runs.

    That is `$FAILURE_DESTINATIONS_CACHE`, else `failure-destinations` in the user's cache
    directory.
    """
    if own := os.environ.get("FAILURE_DESTINATIONS_CACHE"):
        return Path(own).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "failure-destinations"
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "failure-destinations"
