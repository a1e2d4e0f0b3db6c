"""An event source mapping: a stream or queue that Lambda reads for a function."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .answer import Attributes, Unknown
from .handler import Permission, failure_destination

SourceKind = Literal["kinesis", "dynamodb", "kafka", "documentdb", "mq", "sqs", "other"]

_KINDS: Mapping[str, SourceKind] = {
    "kinesis": "kinesis",
    "dynamodb": "dynamodb",
    "kafka": "kafka",
    "rds": "documentdb",
    "mq": "mq",
    "sqs": "sqs",
}
# arn:aws:kinesis:region:account:stream/NAME[/consumer/…], arn:aws:dynamodb:…:table/NAME/stream/…,
# arn:aws:kafka:…:cluster/NAME/…, arn:aws:rds:…:cluster:NAME, arn:aws:sqs:…:NAME
_SOURCE_NAME = re.compile(
    r"arn:[^:]*:(?P<service>[^:]*):[^:]*:(?P<account>[^:]*):(?:[a-z]+[:/])?(?P<name>[^:/]+)"
)
OFF = ("Disabled", "Disabling", "Deleting")


@dataclass(frozen=True)
class EventSource:
    """An event source mapping.

    Attributes:
        uuid: Its id.
        live: As `ListEventSourceMappings` returns it; None if it does not exist.
        declared: Whether the template of the channel's stack defines it.
        declared_enabled: Whether that template enables it.
        declared_destination: The ARN of the channel's bucket, topic or queue, if that template has
            it send failed batches there.
        declared_function: The function's name in the template, if it is known.
        settings: As `GetFunctionConfiguration` returns them; None if the function does not exist.
        needed: The permissions that the function's role needs to write failed batches.
        denied: The permissions of these that its role lacks.
        lag_seconds: How old the last record of a batch was at most in the last hour, in seconds;
            None if nothing was read.
        retention: How long the source keeps records, in seconds; None if it is not known.
    """

    uuid: str
    live: Attributes | Unknown | None
    declared: bool = False
    declared_enabled: bool = True
    declared_destination: str | None = None
    declared_function: str | None = None
    settings: Attributes | Unknown | None = None
    needed: Sequence[Permission] = ()
    denied: Sequence[Permission] | Unknown = ()
    lag_seconds: float | Unknown | None = None
    retention: float | Unknown | None = None

    @property
    def known(self) -> Attributes:
        """Its attributes; empty if they could not be read or it does not exist."""
        return self.live if isinstance(self.live, Mapping) else {}

    @property
    def function(self) -> str:
        """Its function's name, and the qualifier if there is one."""
        arn = str(self.known.get("FunctionArn", ""))
        # arn:aws:lambda:region:account:function:name[:qualifier]
        return ":".join(arn.split(":")[6:]) or self.declared_function or self.uuid

    @property
    def source_arn(self) -> str | None:
        """The ARN of its source; None for a self-managed Kafka cluster."""
        arn: str | None = self.known.get("EventSourceArn")
        return arn or None

    @property
    def kind(self) -> SourceKind:
        """What kind of source it reads."""
        if self.source_arn is None:
            return "kafka" if self.known.get("SelfManagedEventSource") else "other"
        found = _SOURCE_NAME.match(self.source_arn)
        return _KINDS.get(found["service"], "other") if found else "other"

    @property
    def source(self) -> str | None:
        """The name of its stream, table, cluster, queue or topics; None if it is not known."""
        topics = ", ".join(map(str, self.known.get("Topics") or ()))
        found = _SOURCE_NAME.match(self.source_arn or "")
        name = found["name"] if found else ""
        return " ".join(part for part in (name, topics) if part) or None

    @property
    def name(self) -> str:
        """The displayed name: the function and its source."""
        return self.function if self.source is None else f"{self.function} from {self.source}"

    @property
    def destination(self) -> str | None:
        """The ARN to which Lambda sends its failed batches; None without one."""
        return failure_destination(self.known)

    @property
    def is_off(self) -> bool:
        """Whether it is disabled."""
        return self.known.get("State") in OFF

    @property
    def timeout(self) -> int | None:
        """The timeout of its function, in seconds; None if it is not known."""
        known = self.settings if isinstance(self.settings, Mapping) else {}
        seconds = known.get("Timeout")
        return None if seconds is None else int(seconds)

    @property
    def role_arn(self) -> str | None:
        """The ARN of its function's role; None if it is not known."""
        known = self.settings if isinstance(self.settings, Mapping) else {}
        arn: str | None = known.get("Role")
        return arn or None
