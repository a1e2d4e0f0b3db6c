"""The resources found in an account, by Region, in the form of a template's resources.

CloudFormation properties are nearly the same as those in the services' APIs. So the readers of
templates read accounts too, and one rule judges both.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_FIELDS = 6
_SERVICE, _REGION, _ACCOUNT = 2, 3, 4


@dataclass
class Inventory:
    """The resources that were found in an account.

    Attributes:
        account: The account's id.
        partition: The ARNs' partition, such as `aws`.
        regions: The Regions that are audited.
        functions: The functions' names by Region.
        versions: For each Region, function and qualifier, the ARN of its dead-letter queue:
            versions have their own.
        durable: For each Region, function and qualifier, whether it is durable.
        timeouts: For each Region, function and version, its timeout in seconds.
        readers: The ARNs of queues that pipes read.
        dead_letter_queues: The ARNs of queues to which other queues move messages.
        unjudged_queues: For queues of which it is not known whether others move messages to them,
            by ARN, the permission that is missing.
        missing_queues: The ARNs of queues that do not exist.
        unknown_configs: For functions whose asynchronous configuration is not known, by Region
            and name, the permission that is missing.
    """

    account: str
    partition: str
    regions: tuple[str, ...]
    functions: dict[str, list[str]] = field(default_factory=dict)
    versions: dict[tuple[str, str, str], str] = field(default_factory=dict)
    durable: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    timeouts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    readers: set[str] = field(default_factory=set)
    dead_letter_queues: set[str] = field(default_factory=set)
    unjudged_queues: dict[str, str] = field(default_factory=dict)
    missing_queues: set[str] = field(default_factory=set)
    unknown_configs: dict[tuple[str, str], str] = field(default_factory=dict)
    _resources: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, region: str, id: str, type: str, properties: Mapping[str, Any]) -> None:
        """Add a resource; may be called from several threads."""
        with self._lock:
            resources = self._resources.setdefault(region, {})
            resources[id] = {"Type": type, "Properties": properties}

    def add_caller(
        self, id: str, type: str, properties: Mapping[str, Any], *functions: str | None
    ) -> None:
        """Add a caller in each Region in which it calls functions.

        Functions of other accounts and Regions are left out: their names may occur here too.

        Args:
            id: The caller's ARN.
            type: Its type.
            properties: Its properties.
            functions: The ARNs that it calls; other ARNs than those of functions are ignored.
        """
        regions = {self.region_of(arn) for arn in functions if arn}
        for region in sorted(regions - {""}):
            self.add(region, id, type, properties)

    def region_of(self, arn: str) -> str:
        """Return the Region of a function's ARN; empty if the function is not audited."""
        parts = arn.split(":", _FIELDS)
        if len(parts) <= _FIELDS or parts[_SERVICE] != "lambda" or parts[_ACCOUNT] != self.account:
            return ""
        return parts[_REGION] if parts[_REGION] in self.regions else ""

    def resources(self, region: str) -> dict[str, dict[str, Any]]:
        """Return the resources of a Region, in the order of their ids."""
        return dict(sorted(self._resources.get(region, {}).items()))
