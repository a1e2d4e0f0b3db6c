"""The handlers of a channel, whichever stack defines them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from failure_destinations.progress import NO_PROGRESS, Progress

from .aws_errors import is_not_found
from .location import Location

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
    name_prefix: str = "",
) -> HandlerSearch:
    """Return the handlers of a channel, in all stacks of the account and Region.

    These are all qualifiers whose failure destination is the channel's topic, and all functions
    whose dead-letter queue is the channel's copy queue. The search sends one request for each
    function of the account: it needs `lambda:ListFunctions` and
    `lambda:ListFunctionEventInvokeConfigs`.

    Args:
        aws: The account and Region of the channel.
        topic_arn: The channel's topic.
        copy_queue_arn: The channel's copy queue; None if it has none.
        progress: Gets a report of each function.
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
            return list(_handlers_of(client, configuration, topic_arn, copy_queue_arn))
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
    """

    def __init__(self, client: LambdaClient, topic_arn: str, copy_queue_arn: str | None) -> None:
        self._client = client
        self._topic_arn = topic_arn
        self._copy_queue_arn = copy_queue_arn
        self._known: dict[str, bool] = {}
        self._lock = threading.Lock()

    def includes(self, function_arn: str) -> bool:
        """Return whether a function is a handler of the channel.

        It is one if any of its qualifiers sends its failures to the channel's topic, or if its
        dead-letter queue is the channel's copy queue.

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
            if self._copy_queue_arn is None:
                return False
            answer = self._client.get_function_configuration(FunctionName=name)
        except ClientError as error:
            if is_not_found(error):
                return False
            raise
        return answer.get("DeadLetterConfig", {}).get("TargetArn") == self._copy_queue_arn


def _handlers_of(
    client: LambdaClient,
    configuration: FunctionConfigurationTypeDef,
    topic_arn: str,
    copy_queue_arn: str | None,
) -> Iterator[ChannelHandler]:
    arn = configuration["FunctionArn"]
    configs = list(_configs_with(client, configuration["FunctionName"], topic_arn))
    for config in configs:
        qualifier = config["FunctionArn"].removeprefix(arn).removeprefix(":")
        yield ChannelHandler(
            arn, None if qualifier in ("", _LATEST) else qualifier, configuration, config
        )
    dead_letters = configuration.get("DeadLetterConfig", {}).get("TargetArn")
    if not configs and dead_letters and dead_letters == copy_queue_arn:
        yield ChannelHandler(arn, None, configuration)


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
