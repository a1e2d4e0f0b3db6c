"""Lets the operator edit a payload in an editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from failure_destinations.errors import CommandError
from failure_destinations.replay.edited import check_payload
from failure_destinations.runtime.json_text import is_json
from failure_destinations.text import indented

from .output import note


def edit_payload(payload: str, *, may_ask: bool) -> str | None:
    """Return a payload as the operator left it in $VISUAL or $EDITOR; None if it is unchanged.

    The file is in a folder that only its owner can enter, and is removed with all that the editor
    puts beside it.

    Args:
        payload: The payload that failed. JSON is shown indented.
        may_ask: Whether to offer the editor again if the result is not JSON.

    Raises:
        CommandError: No editor was found, the editor failed, or the result is not JSON.
    """
    shown = indented(payload) if is_json(payload) else payload
    # mkdtemp() makes the folder with mode 0700.
    with tempfile.TemporaryDirectory(prefix="failure-destinations-") as folder:
        path = Path(folder) / "payload.json"
        path.touch(mode=0o600)
        path.write_text(f"{shown}\n", encoding="utf-8")
        while True:
            _open_editor(path)
            try:
                edited = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise CommandError(f"cannot read what the editor wrote: {error}") from None
            if edited.strip() == shown.strip():
                return None
            try:
                return check_payload(edited, "what you wrote")
            except CommandError as error:
                if not may_ask:
                    raise
                note(str(error))
                if not click.confirm("Edit again?", default=True, err=True):
                    raise


def _open_editor(path: Path) -> None:
    default = "notepad" if sys.platform == "win32" else "vi"
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or default
    try:
        command = shlex.split(editor)
    except ValueError:
        raise CommandError(f"$EDITOR is not a command: {editor!r}") from None
    try:
        ended = subprocess.run([*command, path], check=False)  # noqa: S603 - the user's own
    except OSError as error:
        raise CommandError(
            f"cannot start the editor {editor!r}: {error.strerror}: set EDITOR, or pass --payload"
        ) from None
    if ended.returncode:
        raise CommandError(f"the editor {editor!r} failed with {ended.returncode}: nothing was run")
