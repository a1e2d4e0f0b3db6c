"""A payload that the operator edited before a replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

from failure_destinations.errors import CommandError

from .private_files import open_to_read

# Of a synchronous invocation.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024


def check_payload(text: str, name: str = "the payload") -> str:
    """Return an edited payload as Lambda gets it: without space around it, otherwise unchanged.

    Args:
        text: The payload.
        name: What it is called in an error.

    Raises:
        CommandError: It is not JSON, or is too large for a synchronous invocation.
    """
    payload = text.removeprefix("\ufeff").strip(" \t\r\n")
    try:
        json.loads(payload, parse_constant=_reject_constant, parse_int=str)
        size = len(payload.encode())
    except json.JSONDecodeError as error:
        raise CommandError(
            f"{name} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise CommandError(f"{name} is nested too deeply") from None
    except UnicodeEncodeError:
        raise CommandError(f"{name} is not JSON: it has half of a surrogate pair") from None
    if size > MAX_PAYLOAD_BYTES:
        raise CommandError(f"{name} must have at most 6 MB, got {size:,} bytes")
    return payload


def read_payload(path: Path) -> str:
    """Return the payload in a file.

    Args:
        path: The file.

    Raises:
        CommandError: The file cannot be read, or is not a payload.
    """
    try:
        with open_to_read(path, follow_links=True, errors="strict") as file:
            text = file.read(MAX_PAYLOAD_BYTES + 1024)
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not JSON: it is not UTF-8") from None
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    return check_payload(text, str(path))


def _reject_constant(name: str) -> NoReturn:
    # Python accepts NaN and Infinity; JSON does not have them.
    raise json.JSONDecodeError(f"{name} is not a value", name, 0)
