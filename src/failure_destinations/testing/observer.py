"""The part of a local cloud that invokes functions and observes the outcome."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from failure_destinations.deployed.construct_path import construct_path

from . import observations
from .engines import Engine
from .errors import LocalCloudError
from .observations import Mail, Message
from .running_engine import RunningEngine

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


class Observer(ABC):
    """Invokes and observes functions of deployed stacks; `LocalCloud` provides the engine."""

    region: str

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """The running engine."""

    @abstractmethod
    def client(self, service: str) -> Any:
        """Return the boto3 client of a service."""

    @abstractmethod
    def _started(self) -> RunningEngine: ...

    def resources(self, stack: str) -> dict[str, str]:
        """Return a stack's physical ids by logical id.

        Args:
            stack: The stack's name; `"Stage-Stack"` for a stack in a stage.

        Raises:
            LocalCloudError: The stack does not exist.
        """
        client: CloudFormationClient = self.client("cloudformation")
        try:
            pages = list(client.get_paginator("list_stack_resources").paginate(StackName=stack))
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            raise LocalCloudError(
                f"stack must be a deployed one, got {stack!r}; "
                f"there are {', '.join(_deployed(client)) or 'none'}"
            ) from None
        return {
            resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "")
            for page in pages
            for resource in page["StackResourceSummaries"]
        }

    def physical_id(self, stack: str, path: str) -> str:
        """Return the physical id of one resource, such as a function's name or a queue's URL.

        Args:
            stack: The stack's name.
            path: The construct's path below the stack, such as `"Orders/Queue"`, or a logical id.

        Raises:
            LocalCloudError: The stack or the resource does not exist.
        """
        ids = self.resources(stack)
        if path in ids:
            return ids[path]
        client: CloudFormationClient = self.client("cloudformation")
        template: Any = client.get_template(StackName=stack)["TemplateBody"]
        if isinstance(template, str):
            template = json.loads(template)
        paths = {
            construct_path(logical_id, resource, stack): logical_id
            for logical_id, resource in template["Resources"].items()
        }
        wanted = path.removesuffix("/Resource")
        logical_id = paths.get(wanted) or paths.get(wanted.replace("/", ""), "")
        if logical_id in ids:
            return ids[logical_id]
        raise LocalCloudError(f"stack {stack} has no {path!r}; it has {', '.join(sorted(paths))}")

    def invoke(self, function_name: str, payload: Any = None) -> str:
        """Invoke a function asynchronously, as an event source does, and return the request id.

        Args:
            function_name: The function's name or ARN, with or without a qualifier.
            payload: The event. Text and bytes are sent unchanged, anything else as JSON.
                Default: `{}`.
        """
        if not isinstance(payload, (str, bytes)):
            payload = json.dumps({} if payload is None else payload)
        answer = self.client("lambda").invoke(
            FunctionName=function_name, InvocationType="Event", Payload=payload
        )
        return str(answer["ResponseMetadata"]["RequestId"])

    def messages(self, queue_url: str, *, count: int = 1, timeout: float = 60) -> list[Message]:
        """Wait for messages in a queue and return all that a consumer could receive now.

        The messages stay in the queue, and their receive counts do not change.

        Args:
            queue_url: The queue's URL.
            count: The minimum number of messages to wait for; 0 looks once, without waiting.
            timeout: Seconds to wait.

        Raises:
                LocalCloudError: There are fewer when the timeout ends (the error shows them), or
                    `queue_url` is not a URL.
        """
        running = self._started()
        if not str(queue_url).startswith("http"):
            raise LocalCloudError(
                f"queue_url must be a queue's URL, got {queue_url!r}: "
                "write cloud.physical_id(stack, path of the queue)"
            )

        def look() -> list[Message]:
            return running.engine.messages(running.place, queue_url)

        found = observations.wait_for(look, lambda seen: len(seen) >= count, timeout)
        if len(found) < count:
            raise observations.missing(f"messages in {queue_url}", count, found, timeout)
        return found

    def mails(self, to: str | None = None, *, count: int = 1, timeout: float = 60) -> list[Mail]:
        """Wait for e-mails and return all that were sent, oldest first.

        Args:
            to: The recipient's address. Default: any address.
            count: The minimum number of e-mails to wait for; 0 looks once, without waiting.
            timeout: Seconds to wait.

        Raises:
                LocalCloudError: There are fewer when the timeout ends; the error shows them.
        """
        running = self._started()

        def look() -> list[Mail]:
            mails = running.engine.mails(running.place)
            return [mail for mail in mails if to in (None, mail.to)]

        found = observations.wait_for(look, lambda seen: len(seen) >= count, timeout)
        if len(found) < count:
            raise observations.missing(f"e-mails to {to or 'any address'}", count, found, timeout)
        return found

    def runs(self, function_name: str, *, count: int = 0, timeout: float = 60) -> dict[str, int]:
        """Return how often a function's handler ran, by request id, from its log.

        Args:
            function_name: The function's name or ARN.
            count: The minimum number of runs, across all requests, to wait for. Default: look once,
                without waiting.
            timeout: Seconds to wait.

        Raises:
            LocalCloudError: There are fewer runs when the timeout ends.
        """

        def look() -> dict[str, int]:
            return observations.count_runs(self.logs(function_name))

        found = observations.wait_for(look, lambda seen: sum(seen.values()) >= count, timeout)
        if sum(found.values()) < count:
            listing = list(found.items())
            raise observations.missing(f"runs of {function_name}", count, listing, timeout)
        return found

    def logs(self, function_name: str) -> str:
        """Return the complete log of a function, oldest line first.

        Args:
            function_name: The function's name or ARN.
        """
        groups = observations.log_groups(self.client("lambda"), function_name)
        return "".join(observations.log_text(self.client("logs"), group) for group in groups)


def _deployed(client: CloudFormationClient) -> list[str]:
    pages = client.get_paginator("describe_stacks").paginate()
    return sorted(stack["StackName"] for page in pages for stack in page["Stacks"])
