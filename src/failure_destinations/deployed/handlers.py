"""The handlers of a channel, whichever stack defines them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from failure_destinations.progress import NO_PROGRESS, Progress

from .aws_errors import is_access_denied, is_not_found
from .durable_queues import DurableQueues
from .location import Location
from .mappings import Mappings

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import (
        FunctionConfigurationTypeDef,
        FunctionEventInvokeConfigTypeDef,
    )

    from .session import Aws

# Lambda allows 15 such requests a second.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests
_THREADS = 8
_LATEST = "$LATEST"


@dataclass(frozen=True)
class ChannelHandler:
    """A function, alias or version that sends its failures to a channel.

    Attributes:
        function_arn: ARN of the function, without a qualifier.
        qualifier: The alias or version; None for `$LATEST`.
        configuration: The function's configuration, as `ListFunctions` returns it.
        invoke_config: Its asynchronous configuration; None if the function only has the channel's
            copy queue as its dead-letter queue.
    """

    function_arn: str
    qualifier: str | None
    configuration: FunctionConfigurationTypeDef
    invoke_config: FunctionEventInvokeConfigTypeDef | None = None


@dataclass(frozen=True)
class HandlerSearch:
    """The result of a search for a channel's handlers.

    Attributes:
        handlers: The handlers, in the order of their ARNs.
        unreadable: The error for each function whose configurations could not be read.
    """

    handlers: list[ChannelHandler] = field(default_factory=list)
    unreadable: dict[str, ClientError] = field(default_factory=dict)


def find_handlers(
    aws: Aws,
    topic_arn: str,
    copy_queue_arn: str | None,
    progress: Progress = NO_PROGRESS,
    *,
    durable_queues: DurableQueues | None = None,
    name_prefix: str = "",
) -> HandlerSearch:
    """Return the handlers of a channel, in all stacks of the account and Region.

    These are all qualifiers whose failure destination is the channel's topic, and all functions
    whose dead-letter queue is the channel's copy queue, or brings failures to the channel. The
    search sends one request for each function of the account: it needs `lambda:ListFunctions` and
    `lambda:ListFunctionEventInvokeConfigs`.

    Args:
        aws: The account and Region of the channel.
        topic_arn: The channel's topic.
        copy_queue_arn: The channel's copy queue; None if it has none.
        progress: Gets a report of each function.
        durable_queues: Decides which dead-letter queues bring failures to the channel. Default:
            none.
        name_prefix: Look only at functions whose names begin with it. Default: all.

    Raises:
        ClientError: The functions cannot be listed.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    client = aws.client("lambda", connections=_THREADS)
    search = HandlerSearch()

    def handlers_of(configuration: FunctionConfigurationTypeDef) -> list[ChannelHandler]:
        arn = configuration["FunctionArn"]
        try:
            return list(
                _handlers_of(client, configuration, topic_arn, copy_queue_arn, durable_queues)
            )
        except ClientError as error:
            # A function may be deleted between the two requests.
            if not is_not_found(error):
                search.unreadable[arn] = error
            return []
        finally:
            progress.advance()

    pages = client.get_paginator("list_functions").paginate()
    progress.start("reading functions")
    with ThreadPoolExecutor(_THREADS) as pool:
        found = [
            future
            for page in pages
            for future in [
                pool.submit(handlers_of, one)
                for one in page["Functions"]
                if one["FunctionName"].startswith(name_prefix)
            ]
        ]
    search.handlers.extend(handler for future in found for handler in future.result())
    search.handlers.sort(key=lambda handler: (handler.function_arn, handler.qualifier or ""))
    return search


class ChannelHandlers:
    """Decides whether a function is a handler of a channel. May be used from several threads.

    It looks up only the functions that it is asked for, once each, not the whole account.

    Args:
        client: A boto3 client of Lambda in the channel's account and Region.
        topic_arn: The channel's topic.
        copy_queue_arn: The channel's copy queue; None if it has none.
        durable_queues: Decides which dead-letter queues bring failures to the channel. Default:
            none.
        mappings: The event source mappings, of which some send failed batches to the channel.
            Default: none does.
    """

    def __init__(
        self,
        client: LambdaClient,
        topic_arn: str,
        copy_queue_arn: str | None,
        durable_queues: DurableQueues | None = None,
        mappings: Mappings | None = None,
    ) -> None:
        self._client = client
        self._mappings = mappings
        self._durable_queues = durable_queues
        self._topic_arn = topic_arn
        self._copy_queue_arn = copy_queue_arn
        self._known: dict[str, bool] = {}
        self._lock = threading.Lock()

    def includes(self, function_arn: str) -> bool:
        """Return whether a function is a handler of the channel.

        It is one if any of its qualifiers sends its failures to the channel's topic, if its
        dead-letter queue is the channel's copy queue or brings failures to the channel, or if an
        event source mapping sends the batches that it failed to the channel.

        Args:
            function_arn: ARN of the function, without a qualifier.

        Raises:
            ClientError: The function's configurations cannot be read.
        """
        with self._lock:
            if function_arn not in self._known:
                self._known[function_arn] = self._ask(function_arn)
            return self._known[function_arn]

    def _ask(self, function_arn: str) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        if Location.of(function_arn) != Location.of(self._topic_arn):
            return False
        # By its name, which means the same there: not every emulator knows ARNs here.
        name = function_arn.rpartition(":")[2]
        try:
            if any(_configs_with(self._client, name, self._topic_arn)):
                return True
            if self._copy_queue_arn is None and self._durable_queues is None:
                return self._is_mapped(function_arn)
            answer = self._client.get_function_configuration(FunctionName=name)
        except ClientError as error:
            if is_not_found(error):
                return False
            raise
        dead_letters = answer.get("DeadLetterConfig", {}).get("TargetArn")
        return _is_of_channel(
            dead_letters, self._copy_queue_arn, self._durable_queues
        ) or self._is_mapped(function_arn)

    def _is_mapped(self, function_arn: str) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        if self._mappings is None:
            return False
        try:
            return self._mappings.send_to_channel(function_arn)
        except ClientError as error:
            # Who replays from a channel that no mapping uses needs no permission to list them.
            if is_access_denied(error) and not self._mappings.has_bucket:
                return False
            raise


def _handlers_of(
    client: LambdaClient,
    configuration: FunctionConfigurationTypeDef,
    topic_arn: str,
    copy_queue_arn: str | None,
    durable_queues: DurableQueues | None,
) -> Iterator[ChannelHandler]:
    arn = configuration["FunctionArn"]
    configs = list(_configs_with(client, configuration["FunctionName"], topic_arn))
    for config in configs:
        qualifier = config["FunctionArn"].removeprefix(arn).removeprefix(":")
        yield ChannelHandler(
            arn, None if qualifier in ("", _LATEST) else qualifier, configuration, config
        )
    dead_letters = configuration.get("DeadLetterConfig", {}).get("TargetArn")
    if not configs and _is_of_channel(dead_letters, copy_queue_arn, durable_queues):
        yield ChannelHandler(arn, None, configuration)


def _is_of_channel(
    dead_letters: str | None, copy_queue_arn: str | None, durable_queues: DurableQueues | None
) -> bool:
    """Return whether a function's dead-letter queue is one of the channel's."""
    if not dead_letters:
        return False
    is_copies = dead_letters == copy_queue_arn
    return is_copies or (durable_queues is not None and durable_queues.includes(dead_letters))


def _configs_with(
    client: LambdaClient, function: str, topic_arn: str
) -> Iterator[FunctionEventInvokeConfigTypeDef]:
    """Yield a function's asynchronous configurations whose failures go to a topic.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionEventInvokeConfigs.html
    """
    pages = client.get_paginator("list_function_event_invoke_configs").paginate(
        FunctionName=function
    )
    for page in pages:
        for config in page["FunctionEventInvokeConfigs"]:
            destination = config.get("DestinationConfig", {}).get("OnFailure", {})
            if destination.get("Destination") == topic_arn:
                yield config
