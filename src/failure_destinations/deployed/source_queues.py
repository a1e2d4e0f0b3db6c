"""The SQS queues that are event sources of functions, found from their dead-letter queues."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .aws_errors import is_access_denied, is_not_offered
from .function_names import function_parts
from .location import Location
from .session import Aws

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
_QUEUE_ARN = re.compile(r"arn:[\w-]+:sqs:[\w-]+:\d{12}:[\w-]{1,80}(?:\.fifo)?", re.ASCII)
# The functions of this library that read queues of failed events.
_OWN_HANDLERS = frozenset(
    f"runtime.{module}.handler"
    for module in ("batch_forwarder", "forwarder", "notifier", "replayer", "webhooks")
)
# The most that a request returns, so that there is one page nearly always.
_PAGE = 1000
# arn:partition:lambda:region:account:function:name
_FUNCTION_PARTS = 7


@dataclass(frozen=True)
class QueueReader:
    """A function that an event source mapping invokes with the messages of a queue.

    Attributes:
        function: ARN of the function, without a qualifier.
        qualifier: The alias or version that is invoked; None for `$LATEST`.
        mapping: The mapping's UUID.
        state: The mapping's state, such as `Enabled` or `Disabled`.
        filtered: Whether the mapping has filters, which delete the messages that do not match.
        is_own: Whether it is a function of this library, for which a message is a failed event.
    """

    function: str
    qualifier: str | None
    mapping: str
    state: str
    filtered: bool = False
    is_own: bool = False

    @property
    def called(self) -> str:
        """Name and qualifier of the function: `orders` or `orders:live`."""
        name = self.function.rpartition(":")[2]
        return name if self.qualifier is None else f"{name}:{self.qualifier}"


class SourceQueues:
    """Looks up source queues and the functions that read them, each once.

    May be used from several threads.

    Args:
        aws: The account and Region of the dead-letter queues.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._sources: dict[str, tuple[str, ...] | None] = {}
        self._readers: dict[str, tuple[QueueReader, ...] | None] = {}
        self._own: dict[str, bool] = {}
        self._lock = threading.Lock()

    def of(self, dead_letter_queue_url: str, arn: str) -> tuple[str, ...] | None:
        """Return the ARNs of the queues whose dead-letter queue a queue is.

        Only queues of the same account and Region are found.

        Args:
            dead_letter_queue_url: The queue's URL.
            arn: Its ARN.

        Returns:
            The ARNs, in order; None if the caller may not list them, or the service cannot.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListDeadLetterSourceQueues.html
        """
        with self._lock:
            if arn not in self._sources:
                self._sources[arn] = self._list(dead_letter_queue_url, arn)
            return self._sources[arn]

    def readers(self, queue_arn: str) -> tuple[QueueReader, ...] | None:
        """Return the functions that read a queue, also while their mappings are disabled.

        Args:
            queue_arn: The source queue's ARN, as a message says it.

        Returns:
            The functions, in the order of their names; None if the caller may not list the event
            source mappings.

        https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html
        """
        if not is_queue_arn(queue_arn):
            return ()
        with self._lock:
            if queue_arn not in self._readers:
                self._readers[queue_arn] = self._ask(queue_arn)
            return self._readers[queue_arn]

    def _list(self, url: str, arn: str) -> tuple[str, ...] | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        location = Location.of(arn)
        pages = (
            self._aws.client("sqs")
            .get_paginator("list_dead_letter_source_queues")
            .paginate(QueueUrl=url, PaginationConfig={"PageSize": _PAGE})
        )
        try:
            urls = [source for page in pages for source in page.get("queueUrls", ())]
        except ClientError as error:
            if not is_access_denied(error) and not is_not_offered(error):
                raise
            return None
        return tuple(sorted(location.queue_arn(source) for source in urls))

    def _ask(self, queue_arn: str) -> tuple[QueueReader, ...] | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        client = self._aws.client("lambda")
        pages = client.get_paginator("list_event_source_mappings").paginate(
            EventSourceArn=queue_arn
        )
        try:
            found = [mapping for page in pages for mapping in page["EventSourceMappings"]]
        except ClientError as error:
            if not is_access_denied(error):
                raise
            return None
        readers = [reader for one in found for reader in self._reader(one, queue_arn)]
        return tuple(sorted(readers, key=lambda reader: (reader.called, reader.mapping)))

    def _reader(
        self, mapping: EventSourceMappingConfigurationTypeDef, queue_arn: str
    ) -> Sequence[QueueReader]:
        arn = mapping.get("FunctionArn", "")
        parts = function_parts(arn)
        state = mapping.get("State", "Enabled")
        # Not every emulator lists the mappings of this queue only.
        if parts is None or mapping.get("EventSourceArn") != queue_arn or state == "Deleting":
            return ()
        function = ":".join(arn.split(":")[:_FUNCTION_PARTS])
        return [
            QueueReader(
                function=function,
                qualifier=parts.qualifier,
                mapping=mapping.get("UUID", ""),
                state=state,
                filtered=bool(mapping.get("FilterCriteria", {}).get("Filters")),
                is_own=self._is_own(function),
            )
        ]

    def _is_own(self, function: str) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        if function not in self._own:
            try:
                # By its name: not every emulator knows ARNs here.
                answer = self._aws.client("lambda").get_function_configuration(
                    FunctionName=function.rpartition(":")[2]
                )
            except ClientError:
                # A message is then read as what its queue holds, whatever its text looks like.
                return False
            self._own[function] = answer.get("Handler") in _OWN_HANDLERS
        return self._own[function]


def is_queue_arn(text: str) -> bool:
    """Return whether a text is the ARN of an SQS queue."""
    return _QUEUE_ARN.fullmatch(text) is not None
