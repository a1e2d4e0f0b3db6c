"""Query an account: with bounded concurrency, slower when throttled, each request once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from failure_destinations.deployed.aws_errors import is_access_denied, is_fatal, is_not_found

from .actions import Action
from .journal import Journal

if TYPE_CHECKING:
    import boto3
    from botocore.client import BaseClient

# Concurrent requests. Lambda allows 15 control plane requests a second, and 15 GetPolicy.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests
WORKERS = 8
# Adaptive: after a throttling error, botocore slows down further requests.
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
_RETRIES = {"mode": "adaptive", "total_max_attempts": 12}
# After this many denials in a Region, an action that never succeeded there is not tried again.
_DENIALS = 20


class RefusedError(Exception):
    """AWS refused one request; other requests may succeed."""


class StoppedError(Exception):
    """The audit was stopped."""


class Account:
    """Queries one account in some Regions.

    Args:
        session: A boto3 session.
        journal: The file that stores the answers.
        endpoint_url: The address of every service. Default: AWS.

    Attributes:
        refusals: For each action and Region, how AWS refused it and how often.
    """

    def __init__(
        self, session: boto3.Session, journal: Journal, endpoint_url: str | None = None
    ) -> None:
        self._session = session
        self._journal = journal
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._clients: dict[tuple[str, str], BaseClient] = {}
        self._allowed: set[tuple[Action, str]] = set()
        self.refusals: dict[tuple[Action, str], tuple[str, int]] = {}

    def ask(
        self, action: Action, region: str, keep: Callable[[Any], Any], **parameters: Any
    ) -> Any:
        """Return part of an operation's answer, from the journal if it is there.

        Args:
            action: The operation.
            region: The Region.
            keep: Returns the needed part of the answer as a JSON value.
            parameters: The parameters of the operation.

        Returns:
            What `keep` returned; None if the resource does not exist.

        Raises:
            RefusedError: AWS refuses to answer; `refusals` has it.
            ClientError: Any other request would fail too, for example because credentials
                have expired.
            StoppedError: The audit was stopped.
        """
        if self._stopped.is_set():
            raise StoppedError
        key = " ".join((region, action.permission, json.dumps(parameters, sort_keys=True)))
        known = self._journal.take(key)
        if known is None:
            known = [self._call(action, region, keep, parameters)]
            self._journal.add(key, known)
        return known[0]

    def pages(
        self, action: Action, region: str, keep: Callable[[Any], Any], **parameters: Any
    ) -> Iterator[Any]:
        """Yield what `keep` returns for the items of all pages, except None.

        Raises:
            RefusedError: AWS refuses to answer; `refusals` has it.
        """

        def page(answer: Any) -> Any:
            kept = [keep(item) for item in answer.get(action.items) or ()]
            return [[one for one in kept if one is not None], answer.get(action.next_token)]

        token: str | None = None
        seen: set[str] = set()
        while True:
            more = {} if token is None else {action.token: token}
            items, token = self.ask(action, region, page, **parameters, **more) or ([], None)
            yield from items
            if not token or token in seen:
                return
            seen.add(token)

    def stop(self) -> None:
        """Stop the audit: each running task ends after its current request."""
        self._stopped.set()

    def is_refused(self, action: Action, *regions: str) -> bool:
        """Return whether AWS refused an action in one of the Regions."""
        return any((action, region) in self.refusals for region in regions)

    def _call(
        self, action: Action, region: str, keep: Callable[[Any], Any], parameters: dict[str, Any]
    ) -> Any:
        place = (action, region)
        said, times = self.refusals.get(place, ("", 0))
        if times >= _DENIALS and place not in self._allowed:
            self._refuse(place, said)
        try:
            answer = getattr(self._client(action.service, region), action.operation)(**parameters)
        except ClientError as error:
            if is_fatal(error):
                raise
            if is_not_found(error):
                return None
            denied = is_access_denied(error)
            self._refuse(place, "denied" if denied else f"refused ({_one_line(error)})")
        except EndpointConnectionError:
            # A Region without the service has none of its resources.
            if region in self._session.get_available_regions(action.service):
                raise
            return None
        self._allowed.add(place)
        return keep(answer)

    def _refuse(self, place: tuple[Action, str], said: str) -> None:
        with self._lock:
            self.refusals[place] = (said, self.refusals.get(place, ("", 0))[1] + 1)
        raise RefusedError(place[0].permission)

    def _client(self, service: str, region: str) -> BaseClient:
        # The stubs have an overload for each service, and none for any service.
        session: Any = self._session
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = session.client(
                    service,
                    region_name=region,
                    endpoint_url=self._endpoint_url,
                    config=Config(retries=_RETRIES, max_pool_connections=WORKERS),  # type: ignore[arg-type]
                )
            return self._clients[service, region]


def _one_line(error: ClientError) -> str:
    return " ".join(str(error).split())[:200]
