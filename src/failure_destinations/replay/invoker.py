"""Invokes the handlers of a run, and waits for each as long as it may run."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

from failure_destinations.deployed.session import Aws
from failure_destinations.runtime import FailedEvent, Outcome, replay

from .asynchronous import qualified
from .invoked_functions import InvokedFunctions
from .selection import Selection

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class Invoker:
    """Invokes the handler of one event at a time in each of several threads.

    Args:
        aws: The account and Region of the functions.
        selection: Decides which function an event goes to.
        functions: The functions' settings.
        connections: The number of threads that use it at once.
        run: The name of the run, which the handlers get. Default: it has none.
        payload: The payload that replaces that of each event. Default: its own.
    """

    def __init__(
        self,
        aws: Aws,
        selection: Selection,
        functions: InvokedFunctions,
        connections: int,
        *,
        run: str | None = None,
        payload: str | None = None,
    ) -> None:
        self._payload = payload
        self._run = run or "replay"
        self._aws = aws
        self._selection = selection
        self._functions = functions
        self._connections = connections
        self._clients: dict[int, LambdaClient] = {}
        self._lock = threading.Lock()

    def __call__(self, event: FailedEvent) -> Outcome:
        """Invoke the handler of an event, and return its outcome."""
        function = self._selection.destination(event)
        wait = self._functions.wait_seconds(function) if function else 0
        target = None
        if function and self._functions.settings(function).is_durable:
            target = qualified(function)
        elif function != event.function_arn:
            target = function
        if self._payload is not None:
            event = dataclasses.replace(event, payload=self._payload, payload_truncated=False)
        return replay(
            event,
            self._client(wait),
            target,
            tenant_id=self._functions.tenant_id,
            run=self._run,
            edited=self._payload is not None,
        )

    def _client(self, wait: int) -> LambdaClient:
        """Return the client that waits so many seconds for an answer."""
        with self._lock:
            if wait not in self._clients:
                self._clients[wait] = self._aws.lambda_client(
                    connections=self._connections, read_timeout=wait
                )
            return self._clients[wait]
