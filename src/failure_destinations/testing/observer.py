"""The part of a local cloud that sets functions off and sees what comes of it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from failure_destinations.deployed.construct_path import construct_path

from . import observations
from .engines import Engine
from .errors import LocalCloudError
from .observations import Mail, Message
from .running_engine import RunningEngine


class Observer(ABC):
    """What can be done with a deployed stack; `LocalCloud` says with which engine."""

    region: str

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """The engine that runs."""

    @abstractmethod
    def client(self, service: str) -> Any:
        """Returns the boto3 client of a service."""

    @abstractmethod
    def _started(self) -> RunningEngine: ...

    def resources(self, stack: str) -> dict[str, str]:
        """Returns a stack's physical ids by logical id.

        Args:
            stack: The stack's name; of a stack in a stage, `"Stage-Stack"`.

        Raises:
            LocalCloudError: There is no such stack.
        """
        client = self.client("cloudformation")
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
        """Returns the physical id of one resource, such as a function's name or a queue's URL.

        Args:
            stack: The stack's name.
            path: The construct's path below the stack, such as `"Orders/Queue"`, or a logical id.

        Raises:
            LocalCloudError: There is no such stack, or it has no such resource.
        """
        ids = self.resources(stack)
        if path in ids:
            return ids[path]
        template = self.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
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
        """Invokes a function asynchronously, as an event source does, and returns the request id.

        Args:
            function_name: The function's name or ARN, with a qualifier if one is meant.
            payload: Text or bytes as they are; anything else is written as JSON.
        """
        if not isinstance(payload, (str, bytes)):
            payload = json.dumps({} if payload is None else payload)
        answer = self.client("lambda").invoke(
            FunctionName=function_name, InvocationType="Event", Payload=payload
        )
        return str(answer["ResponseMetadata"]["RequestId"])

    def messages(self, queue_url: str, *, count: int = 1, timeout: float = 60) -> list[Message]:
        """Waits for messages in a queue and returns all that are there.

        They stay in the queue, and looking does not count as receiving.

        Args:
            queue_url: The queue's URL.
            count: How many there must be at least; 0 looks once.
            timeout: Seconds to wait.

        Raises:
            LocalCloudError: There are fewer when the time is over; it shows those there are. Or
                the queue is no URL.
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
        """Waits for e-mails and returns all that were sent, oldest first.

        Args:
            to: Only those to this address. Default: all.
            count: How many there must be at least; 0 looks once.
            timeout: Seconds to wait.

        Raises:
            LocalCloudError: There are fewer when the time is over; it shows those there are.
        """
        running = self._started()

        def look() -> list[Mail]:
            mails = running.engine.mails(running.place)
            return [mail for mail in mails if to in (None, mail.to)]

        found = observations.wait_for(look, lambda seen: len(seen) >= count, timeout)
        if len(found) < count:
            raise observations.missing(f"mails to {to or 'anybody'}", count, found, timeout)
        return found

    def runs(self, function_name: str, *, count: int = 0, timeout: float = 60) -> dict[str, int]:
        """Returns how often a function's handler ran, by request id, from its log.

        Args:
            function_name: The function's name or ARN.
            count: Waits until it ran that often in all. Default: looks once.
            timeout: Seconds to wait.

        Raises:
            LocalCloudError: It ran less often when the time is over.
        """

        def look() -> dict[str, int]:
            return observations.count_runs(self.logs(function_name))

        found = observations.wait_for(look, lambda seen: sum(seen.values()) >= count, timeout)
        if sum(found.values()) < count:
            listing = list(found.items())
            raise observations.missing(f"runs of {function_name}", count, listing, timeout)
        return found

    def logs(self, function_name: str) -> str:
        """Returns all that a function logged so far, oldest line first.

        Args:
            function_name: The function's name or ARN.
        """
        groups = observations.log_groups(self.client("lambda"), function_name)
        return "".join(observations.log_text(self.client("logs"), group) for group in groups)


def _deployed(client: Any) -> list[str]:
    pages = client.get_paginator("describe_stacks").paginate()
    return sorted(stack["StackName"] for page in pages for stack in page["Stacks"])
