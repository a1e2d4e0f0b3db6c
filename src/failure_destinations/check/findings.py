"""What the check says: one finding, its kinds, and how grave each kind is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import Any

from .model import Source

ERROR = "error"
WARNING = "warning"
INFO = "info"
# From the gravest on.
SEVERITIES = (ERROR, WARNING, INFO)


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        id: Its name, in reports, baselines and acknowledgements.
        severity: `error` where an event is lost, `warning` where one may be, else `info`.
        title: What it is, in a few words.
        help: The page of AWS's documentation.
    """

    id: str
    severity: str
    title: str
    help: str


_RETAIN = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"
_HANDLING = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"

UNCOVERED = Kind(
    "uncovered",
    ERROR,
    "Asynchronous function without failure destination or dead-letter queue",
    _RETAIN,
)
OTHER_QUALIFIER = Kind(
    "other-qualifier",
    ERROR,
    "Failure destination on another qualifier than the one called",
    _RETAIN,
)
LOST_DESTINATION = Kind(
    "lost-destination", ERROR, "Destination that Lambda cannot send to", _RETAIN
)
DELIVERY = Kind(
    "delivery",
    WARNING,
    "Delivery to a function without dead-letter queue",
    "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html",
)
DELIVERY_RETRIES = Kind(
    "delivery-retries",
    WARNING,
    "Retries of the delivery, where Lambda's were likely meant",
    _HANDLING,
)
CUSTOM_RESOURCE = Kind(
    "custom-resource",
    INFO,
    "Function of a custom resource without failure destination",
    "https://docs.aws.amazon.com/lambda/latest/dg/services-cloudformation.html",
)
UNKNOWN = Kind("unknown", INFO, "Not known whether failures are lost", _RETAIN)

KINDS = {
    kind.id: kind
    for kind in (
        UNCOVERED,
        OTHER_QUALIFIER,
        LOST_DESTINATION,
        DELIVERY,
        DELIVERY_RETRIES,
        CUSTOM_RESOURCE,
        UNKNOWN,
    )
}


@dataclass(frozen=True)
class UncoveredFunction:
    """An asynchronous function, through one qualifier, and what is missing.

    Attributes:
        logical_id: The function's logical id. Where the function itself is not known or not
            part of the template, that of the resource which names it.
        qualifier: What is called: `$LATEST`, the name of an alias, or a version's number or
            logical id; empty where it is not known.
        invoked_by: The logical ids of the resources that call it.
        reason: What is missing, in a sentence.
        kind: The kind's id: `uncovered`, `other-qualifier`, `lost-destination`, `delivery`,
            `delivery-retries`, `custom-resource` or `unknown`.
        severity: `error`, `warning` or `info`.
        fix: What mends it, in CDK.
        cloudformation_fix: What mends it, in a template.
        path: The construct path of the resource, where the template says it; else empty.
        stack: The stack's name, where several were checked; else empty.
        file: The template's file, where files were checked; else empty.
        callers: The same resources as `invoked_by`, with type, construct path and stack.
    """

    logical_id: str
    qualifier: str
    invoked_by: tuple[str, ...]
    reason: str
    kind: str = UNCOVERED.id
    severity: str = UNCOVERED.severity
    fix: str = ""
    cloudformation_fix: str = ""
    path: str = ""
    stack: str = ""
    file: str = ""
    callers: tuple[Source, ...] = field(default=(), compare=False)

    @property
    def shown(self) -> str:
        """What people know it by: the construct path or the logical id."""
        return self.path.removesuffix("/Resource") or self.logical_id

    @property
    def fingerprint(self) -> str:
        """What makes it this finding and no other, for baselines: wording does not count."""
        return "|".join(
            (
                self.kind,
                self.stack or PurePath(self.file).name,
                self.logical_id,
                self.qualifier,
                *sorted(self.invoked_by),
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)
