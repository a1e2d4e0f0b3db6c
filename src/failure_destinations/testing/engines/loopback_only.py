"""The rule that an engine answers only programs on its own machine.

An engine takes any credentials, and runs whatever code it is given as a Lambda function. A page in
the browser of the person who runs it could post to 127.0.0.1, or have a name of its own lead there
(DNS rebinding), and so run programs on the machine. Browsers say where a request comes from, in
headers that no page can change.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit


def refusal(headers: Iterable[tuple[str, str]]) -> str | None:
    """Return why a request is refused, in one sentence, or None if it may pass.

    It may pass if its `Host` names this machine (127.0.0.1, ::1, `localhost` or a name below it),
    and if a page that sends it comes from this machine, too.

    Args:
        headers: The request's headers, in any order and any case.
    """
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(value.strip())
    hosts = values.get("host", [])
    if not hosts or not all(_is_loopback(f"http://{host}") for host in hosts):
        return "Host must be 127.0.0.1 or localhost: this engine serves programs on its machine"
    # A page that hides its origin has the origin "null".
    pages = values.get("origin") or values.get("referer", [])
    if not all(map(_is_loopback, pages)) or (
        not pages and "cross-site" in values.get("sec-fetch-site", [])
    ):
        return "web pages from other machines must not use this engine"
    return None


def _is_loopback(url: str) -> bool:
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
