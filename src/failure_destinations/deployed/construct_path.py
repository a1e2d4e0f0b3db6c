"""The construct path of a deployed resource, from the metadata that the CDK CLI adds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_HASH = re.compile(r"[0-9A-F]{8}$")


def construct_path(logical_id: str, resource: Mapping[str, Any], stack: str) -> str:
    """Return the path of a resource's construct below its stack.

    The CDK writes paths into templates only when the CDK CLI runs it. For an app that was
    synthesised without the CLI, the path is the logical id without its hash, and has no slashes.

    Args:
        logical_id: Its logical id.
        resource: The resource in the template.
        stack: The stack's name, which begins with the names of the stages around it.
    """
    noted = str(resource.get("Metadata", {}).get("aws:cdk:path", ""))
    if not noted:
        return _HASH.sub("", logical_id)
    parts = noted.split("/")
    above = next((i for i in range(1, len(parts)) if "-".join(parts[:i]) == stack), 1)
    return "/".join(parts[above:]).removesuffix("/Resource")
