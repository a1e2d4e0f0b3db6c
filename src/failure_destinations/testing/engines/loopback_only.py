"""The rule that an engine serves only programs on its own machine.

An engine accepts any credentials and runs any code as a Lambda function. A web page in the user's
browser could post to 127.0.0.1, or resolve its own name to that address (DNS rebinding), and so run
programs on the machine. But browsers send a request's origin in headers that a page cannot change.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

_HOST = re.compile(r"(?P<name>[a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?", re.IGNORECASE)


def refusal(headers: Iterable[tuple[str, str]]) -> str | None:
    """Return why a request is refused, in one sentence; None if it is allowed.

    A request is allowed if its `Host` names this machine (a loopback address, `localhost` or a
    name below it) and, if a web page sends it, the page is from this machine too.

    Args:
        headers: The request's headers, in any order and with names in any case.
    """
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(value.strip())
    hosts = values.get("host", [])
    if not hosts or not all(map(_is_this_machine, hosts)):
        return "Host must be 127.0.0.1 or localhost: this engine serves programs on its machine"
    pages = [_host_of(page) for page in values.get("origin") or values.get("referer", [])]
    if not all(map(_is_this_machine, pages)) or (
        not pages and "cross-site" in values.get("sec-fetch-site", [])
    ):
        return "web pages from other machines must not use this engine"
    return None


def _host_of(page: str) -> str:
    """Return the host and port of a page; empty if it has none, like the origin "null"."""
    try:
        address = urlsplit(page)
    except ValueError:
        return ""
    return address.netloc if address.scheme in ("http", "https") else ""


def _is_this_machine(host: str) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"].lower().strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
