"""The folder for what must survive a run: its journal."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from failure_destinations.errors import CommandError

_MODE = 0o700


def runs_folder() -> Path:
    """Return the folder of the journals of runs, which need not exist.

    It is `runs` in `$FAILURE_DESTINATIONS_STATE`, else in `failure-destinations` in the user's
    state folder: `$XDG_STATE_HOME`, or `~/.local/state`.

    Raises:
        CommandError: The user has no home folder.

    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    if own := os.environ.get("FAILURE_DESTINATIONS_STATE"):
        return Path(own).expanduser().absolute() / "runs"
    shared = os.environ.get("XDG_STATE_HOME", "")
    try:
        # The specification has relative paths ignored.
        state = Path(shared) if Path(shared).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        raise CommandError(
            "the home folder is not known: name a folder with FAILURE_DESTINATIONS_STATE"
        ) from None
    return state / "failure-destinations" / "runs"


def make_private_folder(folder: Path) -> None:
    """Create a folder that only its owner can enter, with the folders above it.

    Args:
        folder: The folder, which may exist.

    Raises:
        OSError: It cannot be created, or is not a folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=_MODE)
    folder.mkdir(exist_ok=True, mode=_MODE)
    if sys.platform != "win32" and stat.S_IMODE(folder.stat().st_mode) & ~_MODE:
        folder.chmod(_MODE)
