"""A patch that makes localemu assume a role once, and use its clients again.

localemu 1.3.2 asks STS for credentials, and makes a client, for each record that it sends to a
destination; and it makes a client for each request with a configuration, such as for each metric.
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import functools
from typing import Any

from botocore.config import Config
from localemu.aws.connect import ClientFactory, InternalClientFactory


def apply() -> None:
    """Patch localemu."""
    ClientFactory.with_assumed_role = _remembering(ClientFactory.with_assumed_role)
    InternalClientFactory.get_client = _remembering(InternalClientFactory.get_client)


def _remembering(original: Any) -> Any:
    known: dict[tuple[object, ...], Any] = {}

    @functools.wraps(original)
    def operation(factory: Any, *arguments: Any, **options: Any) -> Any:
        # Without a Region, it depends on the request that localemu is answering.
        region = options.get("region_name") or factory._get_region()
        settings = sorted((name, _plain(value)) for name, value in options.items())
        key = (factory, region, arguments, repr(settings))
        if key not in known:
            known[key] = original(factory, *arguments, **options)
        return known[key]

    return operation


def _plain(value: Any) -> Any:
    # Two configurations of the same settings are not equal.
    return sorted(vars(value).items()) if isinstance(value, Config) else value
