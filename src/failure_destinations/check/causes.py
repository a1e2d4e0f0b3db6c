"""The causes of findings, as data; `render` puts them into words."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Open(enum.Enum):
    """What a resource does not reveal, so that the rule cannot judge it."""

    DOCUMENT_NOT_GIVEN = enum.auto()
    DEFINITION_FILE_MISSING = enum.auto()
    DEFINITION_IN_S3 = enum.auto()
    DEFINITION_NOT_KNOWN = enum.auto()
    DEFINITION_NOT_READABLE = enum.auto()
    CONTENT_NOT_READABLE = enum.auto()
    INPUT_NOT_READABLE = enum.auto()
    POLICY_DOCUMENT_NOT_KNOWN = enum.auto()
    TARGET_NOT_KNOWN = enum.auto()
    CALLED_FUNCTION_NOT_KNOWN = enum.auto()
    CONFIGURED_FUNCTION_NOT_KNOWN = enum.auto()
    TRANSFORMED = enum.auto()
    NESTED_TEMPLATE_NOT_GIVEN = enum.auto()
    SAM_NOT_TRANSFORMED = enum.auto()
    LOOP = enum.auto()
    MACRO = enum.auto()
    # In an account.
    CALLED_FUNCTION_MISSING = enum.auto()
    NOT_ALLOWED = enum.auto()


class Refused(enum.Enum):
    """A destination that a service cannot send events to."""

    FIFO_QUEUE = enum.auto()
    FIFO_TOPIC = enum.auto()
    S3_BUCKET = enum.auto()
    FUNCTION = enum.auto()
    EVENT_BUS = enum.auto()
    KAFKA_TOPIC = enum.auto()
    OWN_TOPIC = enum.auto()
    OTHER_SERVICE = enum.auto()
    # In an account.
    MISSING = enum.auto()


class Flaw(enum.Enum):
    """Why events that are sent to a queue or topic are not kept, though it can hold them."""

    NO_QUEUE_POLICY = enum.auto()
    KEY_OF_AWS = enum.auto()
    NO_KEY_POLICY = enum.auto()
    NO_SUBSCRIPTION = enum.auto()


class Doubt(enum.Enum):
    """Why it is not known whether failures are kept."""

    CONDITIONAL_VALUE = enum.auto()
    CONDITIONAL_CONFIG = enum.auto()
    VALUE_NOT_KNOWN = enum.auto()
    NOT_AN_ARN = enum.auto()
    TRANSFORMED = enum.auto()
    DEFINED_ELSEWHERE = enum.auto()
    QUALIFIER_NOT_KNOWN = enum.auto()
    CONFIG_QUALIFIER_NOT_KNOWN = enum.auto()
    EVENT_SOURCE_NOT_KNOWN = enum.auto()
    QUEUE_DEFINED_ELSEWHERE = enum.auto()
    REDRIVE_NOT_KNOWN = enum.auto()
    RETENTION_NOT_KNOWN = enum.auto()
    TIMEOUTS_NOT_KNOWN = enum.auto()
    # In an account.
    NOT_ALLOWED = enum.auto()
    QUALIFIER_MISSING = enum.auto()


class Problem(enum.Enum):
    """A problem with where a function's failures go."""

    NOT_KEPT = enum.auto()
    DURABLE_NOT_KEPT = enum.auto()
    DURABLE_UNQUALIFIED = enum.auto()
    TENANT_MISSING = enum.auto()
    KEPT_ELSEWHERE = enum.auto()
    DESTINATION_REFUSED = enum.auto()
    DEAD_LETTER_QUEUE_REFUSED = enum.auto()
    NOT_DELIVERED = enum.auto()
    DELIVERY_QUEUE_REFUSED = enum.auto()
    DELIVERY_QUEUE_CLOSED = enum.auto()
    DELIVERY_RETRIES = enum.auto()
    TOPIC_UNHEARD = enum.auto()
    ANSWER_AWAITED = enum.auto()
    CALLER_DISABLED = enum.auto()
    ONLY_WAITING_CALLERS = enum.auto()
    IN_DOUBT = enum.auto()
    WAITS_UNKNOWN = enum.auto()
    # Of event source mappings.
    MAPPING_UNQUALIFIED = enum.auto()
    MAPPING_WITHOUT_TENANT = enum.auto()
    BATCHES_DISCARDED = enum.auto()
    RETRIES_ENDLESS = enum.auto()
    SHARD_BLOCKED = enum.auto()
    METADATA_ONLY = enum.auto()
    METADATA_ONLY_TO_TOPIC = enum.auto()
    BATCH_DESTINATION_REFUSED = enum.auto()
    NO_DESTINATION_FOR_SOURCE = enum.auto()
    BATCHES_UNHEARD = enum.auto()
    MAY_NOT_SEND = enum.auto()
    NOT_REDRIVEN = enum.auto()
    DEAD_LETTERS_EXPIRE = enum.auto()
    VISIBILITY_SHORT = enum.auto()
    VISIBILITY_TIGHT = enum.auto()
    VISIBILITY_OF_EXECUTION = enum.auto()
    UNWATCHED = enum.auto()
    MAPPING_DISABLED = enum.auto()
    MAPPING_IN_DOUBT = enum.auto()


@dataclass(frozen=True)
class Answer:
    """How AWS refused an action in a Region.

    Attributes:
        said: AWS's answer, such as `denied`.
        region: The Region.
        times: How often AWS gave this answer.
    """

    said: str
    region: str
    times: int = 1


@dataclass(frozen=True)
class Cause:
    """The cause of a finding or doubt.

    Attributes:
        what: What it is.
        names: The names in its sentence, in the order of their placeholders.
        why: The underlying cause, or None.
        is_called: Whether something calls the function, or is only configured to.
        answers: How AWS refused, where it denied a request.
    """

    what: Open | Refused | Flaw | Doubt | Problem
    names: tuple[str, ...] = ()
    why: Cause | None = None
    is_called: bool = True
    answers: tuple[Answer, ...] = field(default=())
