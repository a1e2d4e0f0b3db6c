"""The event source mappings of an account: whose failed batches go where, and to which function."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .aws_errors import is_access_denied
from .function_names import function_parts, without_latest

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef

_BUCKET = ":s3:::"


@dataclass(frozen=True)
class Mapping:
    """An event source mapping.

    Attributes:
        id: Its UUID.
        function_arn: ARN of the function that it invokes, with the alias or version that it names.
        destination: ARN of its failure destination; None if it has none.
        source: ARN of its source; None if it has none, as self-managed Kafka.
    """

    id: str
    function_arn: str
    destination: str | None
    source: str | None = None

    @property
    def stream(self) -> str | None:
        """ARN of the source, also if that is a consumer of a stream with enhanced fan-out."""
        return None if self.source is None else self.source.partition("/consumer/")[0]

    @property
    def function(self) -> str:
        """ARN of the function, without a qualifier."""
        parts = function_parts(self.function_arn)
        named = parts is not None and parts.qualifier is not None
        return self.function_arn.rpartition(":")[0] if named else without_latest(self.function_arn)


class Mappings:
    """The event source mappings of the account and Region. May be used from several threads.

    They are read once, when the first question is asked: a page of 100 with each request. Whoever
    may not read them is told so each time, without another request.

    Args:
        make_client: Returns a boto3 client of Lambda. Called with the first question.
        destinations: ARNs of the failure destinations that belong to a channel. Default: none.

    Attributes:
        has_bucket: Whether one of these is a bucket, which is for mappings alone.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html
    """

    def __init__(
        self, make_client: Callable[[], LambdaClient], destinations: Collection[str] = ()
    ) -> None:
        self._make_client = make_client
        self._destinations = frozenset(destinations)
        self.has_bucket = any(_BUCKET in arn for arn in self._destinations)
        self._read: dict[str, Mapping] | None = None
        self._denied: ClientError | None = None
        self._lock = threading.Lock()

    def send_to_channel(self, function_arn: str) -> bool:
        """Return whether a mapping sends the batches that a function failed to the channel.

        Args:
            function_arn: ARN of the function, without a qualifier.

        Raises:
            ClientError: The mappings cannot be read.
        """
        return any(
            one.function == function_arn and one.destination in self._destinations
            for one in self._all().values()
        )

    def read_for_channel(self, function_arn: str | None, stream: str) -> bool:
        """Return whether a mapping of a function and a stream sends failed batches to the channel.

        Args:
            function_arn: ARN of the function, without a qualifier.
            stream: ARN of the stream.

        Raises:
            ClientError: The mappings cannot be read.
        """
        return any(
            one.function == function_arn
            and one.stream == stream
            and one.destination in self._destinations
            for one in self._all().values()
        )

    def find(self, id: str | None, function_arn: str | None) -> Mapping | None:
        """Return the mapping with an id if it invokes a function; None if there is none.

        Args:
            id: The UUID, which a message names and is not trusted.
            function_arn: ARN of the function, without a qualifier, likewise.

        Raises:
            ClientError: The mappings cannot be read.
        """
        found = None if id is None else self._all().get(id)
        return found if found is not None and found.function == function_arn else None

    def buckets(self) -> frozenset[str]:
        """Return the names of the buckets that mappings send failed batches to.

        Raises:
            ClientError: The mappings cannot be read.
        """
        named = (one.destination or "" for one in self._all().values())
        return frozenset(arn.partition(_BUCKET)[2] for arn in named if _BUCKET in arn)

    def _all(self) -> dict[str, Mapping]:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        with self._lock:
            if self._denied is not None:
                raise self._denied
            if self._read is None:
                try:
                    self._read = self._list()
                except ClientError as error:
                    if is_access_denied(error):
                        self._denied = error
                    raise
            return self._read

    def _list(self) -> dict[str, Mapping]:
        pages = self._make_client().get_paginator("list_event_source_mappings").paginate()
        return {
            one["UUID"]: _mapping(one)
            for page in pages
            for one in page["EventSourceMappings"]
            if "UUID" in one
        }


def _mapping(found: EventSourceMappingConfigurationTypeDef) -> Mapping:
    destination = found.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return Mapping(
        id=found.get("UUID", ""),
        function_arn=found.get("FunctionArn", ""),
        destination=destination,
        source=found.get("EventSourceArn"),
    )
