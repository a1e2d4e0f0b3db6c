"""The registry of all kinds of findings, for reports, baselines and the documentation."""

from __future__ import annotations

from dataclasses import dataclass

ERROR = "error"
WARNING = "warning"
INFO = "info"
# The most severe first.
SEVERITIES = (ERROR, WARNING, INFO)


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        id: Its name in reports, baselines and acknowledgements.
        severity: `error` if an event is lost, `warning` if one may be, else `info`.
        title: What it is, in a few words.
        help: The URL of the AWS documentation about it.
        lost_when: When an event is lost, as Markdown for the documentation.
    """

    id: str
    severity: str
    title: str
    help: str
    lost_when: str


_DOCS = "https://docs.aws.amazon.com"
_RETAIN = f"{_DOCS}/lambda/latest/dg/invocation-async-retain-records.html"

UNCOVERED = Kind(
    "uncovered",
    ERROR,
    "Asynchronous function without failure destination or dead-letter queue",
    _RETAIN,
    "the last attempt fails: there is neither a failure destination nor a dead-letter queue",
)
OTHER_QUALIFIER = Kind(
    "other-qualifier",
    ERROR,
    "Failure destination on another qualifier than the one called",
    _RETAIN,
    "the last attempt fails: the failure destination belongs to another qualifier than the one "
    "called",
)
DURABLE = Kind(
    "durable",
    ERROR,
    "Durable function without dead-letter queue",
    f"{_DOCS}/lambda/latest/dg/durable-invoking.html",
    "the execution of a durable function fails: Lambda sends its failures to its dead-letter queue "
    "only, and to no failure destination",
)
LOST_DESTINATION = Kind(
    "lost-destination",
    ERROR,
    "Destination that Lambda cannot send to",
    _RETAIN,
    "Lambda sends it: the destination is FIFO, or an S3 bucket for successes",
)
DELIVERY = Kind(
    "delivery",
    WARNING,
    "Delivery to a function without dead-letter queue",
    f"{_DOCS}/eventbridge/latest/userguide/eb-rule-dlq.html",
    "a rule, schedule or subscription cannot start the function, and has no dead-letter queue",
)
QUEUE_POLICY = Kind(
    "queue-policy",
    WARNING,
    "Dead-letter queue without permission for its sender",
    f"{_DOCS}/eventbridge/latest/userguide/eb-rule-dlq.html",
    "a rule or subscription cannot start the function, and the policy of its dead-letter queue "
    "does not let EventBridge or SNS send to it",
)
QUEUE_KEY = Kind(
    "queue-key",
    WARNING,
    "Dead-letter queue with a key that its sender may not use",
    f"{_DOCS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html",
    "a rule or subscription cannot start the function, and EventBridge or SNS may not use the KMS "
    "key of its dead-letter queue: the key's policy does not let it, or it is `alias/aws/sqs`",
)
DELIVERY_RETRIES = Kind(
    "delivery-retries",
    WARNING,
    "Retries set for the delivery, where Lambda's were probably intended",
    f"{_DOCS}/lambda/latest/dg/invocation-async-error-handling.html",
    "– but the function runs more often than intended: retries are set for the delivery, and "
    "Lambda's are not",
)
NO_SUBSCRIBER = Kind(
    "no-subscriber",
    INFO,
    "Topic for failures without a subscription",
    _RETAIN,
    "the last attempt fails, and nobody has subscribed to the topic outside the templates either",
)
CUSTOM_RESOURCE = Kind(
    "custom-resource",
    INFO,
    "Function of a custom resource without failure destination",
    f"{_DOCS}/lambda/latest/dg/services-cloudformation.html",
    "– but CloudFormation waits for an answer, and the deployment fails after a time-out",
)
UNKNOWN = Kind(
    "unknown",
    INFO,
    "Unknown whether failures are lost",
    _RETAIN,
    "– not known: the template does not say",
)

KINDS = {
    kind.id: kind
    for kind in (
        UNCOVERED,
        OTHER_QUALIFIER,
        DURABLE,
        LOST_DESTINATION,
        DELIVERY,
        QUEUE_POLICY,
        QUEUE_KEY,
        DELIVERY_RETRIES,
        NO_SUBSCRIBER,
        CUSTOM_RESOURCE,
        UNKNOWN,
    )
}
_SHOWN = {INFO: "note"}


def kinds_table() -> str:
    """Return the documentation's table of kinds, in Markdown."""
    rows = [
        f"| `{kind.id}` | {_SHOWN.get(kind.severity, kind.severity)} | {kind.lost_when} |\n"
        for kind in KINDS.values()
    ]
    head = "| kind | severity | an event is lost when |\n|---|---|---|\n"
    return head + "".join(rows)
