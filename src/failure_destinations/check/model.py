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
    """

    logical_id: str
    type: str
    path: str = ""
    stack: str = ""
    file: str = ""
    condition: str = ""

    @property
    def shown(self) -> str:
        """Its displayed name: the construct path, or else the logical id."""
        return self.path.removesuffix("/Resource") or self.logical_id


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
        is_durable: Whether it is a durable function, whose failures only its dead-letter queue
            gets. https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
        acknowledged: Kinds of findings that its author accepts, with the reasons.
    """

    key: str
    source: Source
    dead_letter: Destination = NOWHERE
    judged: bool = True
    is_deployed: bool = False
    owned_by_cdk: bool = False
    is_durable: bool = False
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
    """

    function: str
    qualifier: str
    source: Source
    on_failure: Destination = NOWHERE
    on_success: Destination = NOWHERE
    sets_retries: bool = False


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
        permitted: The logical id of the resource that a permission is for, or empty.
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
    unknowns: list[Unknown] = field(default_factory=list)
