"""The facts that the rule judges: functions, their callers, and where their failures go.

The facts come from templates or from an account; one rule judges both.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from .causes import Cause

LATEST = "$LATEST"


class Kept(enum.Enum):
    """Whether an event reaches a destination or dead-letter queue."""

    # The configuration names a destination that can hold it.
    YES = "yes"
    # That is only known at deployment, or depends on a condition.
    PERHAPS = "perhaps"
    # The service cannot send to the destination.
    LOST = "lost"
    # No destination is set.
    NO = "no"


class Tool(enum.Enum):
    """What a template is written in, which decides how a fix is written."""

    CDK = "CDK"
    SAM = "SAM"
    # Nothing but CloudFormation.
    CLOUDFORMATION = "template"
    # A parsed template that does not say, or an account.
    ANY = ""


@dataclass(frozen=True)
class Source:
    """A resource that says something about a function.

    Attributes:
        logical_id: Its logical id; in an account, its name or ARN.
        type: Its CloudFormation type; empty for a function that is defined elsewhere.
        path: Its construct path, or empty.
        stack: Its stack's name, or empty.
        file: The file that defines it, or empty.
        condition: The condition under which it exists; empty if it always does.
        written_as: How its author names it where a tool generates its logical id, such as
            `event Nightly of Report`; or empty.
        tool: What it is written in.
    """

    logical_id: str
    type: str
    path: str = ""
    stack: str = ""
    file: str = ""
    condition: str = ""
    written_as: str = ""
    tool: Tool = Tool.ANY

    @property
    def shown(self) -> str:
        """Its displayed name: what its author wrote, the construct path or the logical id."""
        return self.written_as or self.path.removesuffix("/Resource") or self.logical_id


@dataclass(frozen=True)
class Destination:
    """Where failures, successes or undeliverable events go.

    Attributes:
        kept: Whether it can hold them.
        name: Its displayed name.
        why: Why it may not or cannot hold them, or None.
        flaw: Why it does not keep them although it could, as far as the template says, or None.
    """

    kept: Kept
    name: str = ""
    why: Cause | None = None
    flaw: Cause | None = None


NOWHERE = Destination(Kept.NO)


@dataclass(frozen=True)
class Seconds:
    """A time, in each branch of its conditions.

    Attributes:
        least: The shortest, in seconds.
        most: The longest, in seconds.
    """

    least: int
    most: int


@dataclass(frozen=True)
class Function:
    """A function.

    Attributes:
        key: The id by which calls and configurations refer to it.
        source: The resource that defines it.
        dead_letter: Its own dead-letter queue, shared by all its versions.
        judged: Whether everything about it is known. A function that is defined elsewhere may have
            a configuration there.
        is_deployed: Whether it was found in an account rather than in a template.
        owned_by_cdk: Whether CDK or Serverless Framework defines it for its own custom resource.
        owned_by_library: Whether a construct of this library defines it to read its own queues.
        has_role_of_sam: Whether SAM generates its role, and lets it do what its events need.
        timeout: Its timeout; None if it is not known.
        is_durable: Whether it is a durable function, whose failures only its dead-letter queue
            gets. https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
        execution: How long its durable executions may last; None if it has none, or that is not
            known.
        isolates_tenants: Whether each of its invocations must name a tenant.
            https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation-invoke.html
        of_other_kind: The versions and aliases that are durable where the function is not, or the
            other way round.
        acknowledged: Kinds of findings that its author accepts, with the reasons.
    """

    key: str
    source: Source
    dead_letter: Destination = NOWHERE
    judged: bool = True
    is_deployed: bool = False
    owned_by_cdk: bool = False
    owned_by_library: bool = False
    has_role_of_sam: bool = False
    timeout: Seconds | None = None
    is_durable: bool = False
    execution: Seconds | None = None
    isolates_tenants: bool = False
    of_other_kind: frozenset[str] = frozenset()
    acknowledged: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AsyncConfig:
    """The asynchronous configuration of one qualifier of a function.

    Attributes:
        function: The function's key.
        qualifier: The qualifier; begins with `?` where it is not known.
        source: The EventInvokeConfig.
        on_failure: Where failures go.
        on_success: Where successes go.
        sets_retries: Whether it sets the number of Lambda's retries.
        is_dead_letter: Whether it stands for the dead-letter queue of a version or alias.
    """

    function: str
    qualifier: str
    source: Source
    on_failure: Destination = NOWHERE
    on_success: Destination = NOWHERE
    sets_retries: bool = False
    is_dead_letter: bool = False


class Waits(enum.Enum):
    """Whether the caller of a function waits for its answer."""

    # Asynchronous: the caller does not learn of a failure.
    NO = "no"
    # Synchronous: the caller gets the error.
    YES = "yes"
    # Asynchronous, but the caller waits for an answer by other means, and fails without it.
    FOR_CALLBACK = "for a callback"
    # AWS does not document it.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Call:
    """A resource that calls a qualifier of a function.

    Attributes:
        function: The function's key.
        qualifier: The qualifier; begins with `?` where it is not known.
        source: What calls it.
        service: The AWS service that calls, as in its principal, such as `events` or `sns`.
        waits: Whether the service waits for the answer.
        dead_letter: What keeps an event that does not reach the function; None where the
            service cannot have a dead-letter queue.
        delivery_retries: The delivery's number of retries, as written; None if not set.
        is_permission: Whether it is only known that the service may call.
        permitted: The logical id of the resource that a permission is for, or whose permission the
            call needs if that is not `source`; or empty.
        is_disabled: Whether the caller is switched off, so that it calls once someone enables it.
        is_unqualified: Whether it names no qualifier, which is `$LATEST` for most functions.
        has_tenant: Whether it names a tenant, or may.
    """

    function: str
    qualifier: str
    source: Source
    service: str
    waits: Waits = Waits.NO
    dead_letter: Destination | None = None
    delivery_retries: str | None = None
    is_permission: bool = False
    permitted: str = ""
    is_disabled: bool = False
    is_unqualified: bool = False
    has_tenant: bool = False


class EventSource(enum.Enum):
    """What an event source mapping reads."""

    KINESIS = "Kinesis"
    DYNAMODB = "DynamoDB"
    # One of the two: the template does not say which.
    STREAM = "stream"
    KAFKA = "Kafka"
    QUEUE = "SQS"
    # Lambda has no failure destination for these.
    MQ = "Amazon MQ"
    DOCUMENTDB = "Amazon DocumentDB"
    UNKNOWN = ""


@dataclass(frozen=True)
class Queue:
    """An SQS queue.

    Attributes:
        source: The resource that defines it.
        is_fifo: Whether it is a FIFO queue.
        visibility: Its visibility timeout; None if it is not known.
        retention: How long it keeps a message; None if it is not known.
        dead_letter: The dead-letter queue of its redrive policy.
        dead_letter_queues: The keys of that queue, in each branch of its conditions.
        is_dead_letter: Whether something sends its dead letters or failures to it.
        is_watched: Whether it may have an alarm or a reader.
        acknowledged: Kinds of findings that its author accepts, with the reasons.
    """

    source: Source
    is_fifo: bool = False
    visibility: Seconds | None = None
    retention: Seconds | None = None
    dead_letter: Destination = NOWHERE
    dead_letter_queues: tuple[str, ...] = ()
    is_dead_letter: bool = False
    is_watched: bool = True
    acknowledged: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EventSourceMapping:
    """An event source mapping: Lambda reads a stream or queue for a function.

    Attributes:
        function: The function's key.
        qualifier: The qualifier; begins with `?` where it is not known.
        source: The mapping.
        reads: What kind of source it reads.
        read: The displayed name of what it reads; empty if that has none.
        queue: The key of the queue that it reads; empty for other sources, and for a queue that is
            defined elsewhere.
        retention: How long its stream keeps a record; None if it is not known.
        on_failure: Where failed batches go.
        destination: The service of that: `sqs`, `sns`, `s3` or `kafka`; empty if it is not known.
        may_send: Whether the function's role may send there, as far as the template says.
        destination_queue: The key of the queue where failed batches go; empty for other
            destinations, and for a queue that is defined elsewhere.
        is_limited: Whether its retries or the age of its records are limited; None if it is not
            known.
        timeout: The timeout of the version that it invokes; None if that is the function's.
        window: How long it waits for a batch to fill; None if it is not known.
        is_disabled: Whether it is switched off.
        acknowledged: Kinds of findings that its author accepts, with the reasons.
    """

    function: str
    qualifier: str
    source: Source
    reads: EventSource
    read: str = ""
    queue: str = ""
    retention: Seconds | None = None
    on_failure: Destination = NOWHERE
    destination: str = ""
    may_send: bool = True
    destination_queue: str = ""
    is_limited: bool | None = None
    timeout: Seconds | None = None
    window: Seconds | None = None
    is_disabled: bool = False
    acknowledged: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Unknown:
    """Something that a resource does not reveal.

    Attributes:
        source: The resource.
        cause: What it does not reveal.
    """

    source: Source
    cause: Cause


@dataclass
class Facts:
    """All facts, in the order in which findings are reported."""

    functions: dict[str, Function] = field(default_factory=dict)
    configs: list[AsyncConfig] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    mappings: list[EventSourceMapping] = field(default_factory=list)
    queues: dict[str, Queue] = field(default_factory=dict)
    unknowns: list[Unknown] = field(default_factory=list)
