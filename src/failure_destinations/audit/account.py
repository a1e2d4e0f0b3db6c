"""Asks an account: bounded, slower when AWS says so, and never twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from failure_destinations.deployed.aws_errors import is_access_denied, is_fatal, is_not_found

from .actions import Action
from .journal import Journal

# Requests at once. Lambda answers 15 control plane requests a second, and 15 GetPolicy.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests
WORKERS = 8
# Adaptive: botocore waits before it asks, once it was throttled.
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
_RETRIES = {"mode": "adaptive", "total_max_attempts": 12}
# An action that is denied so often in a Region, and was never allowed, is not asked for again.
_DENIALS = 20


class RefusedError(Exception):
    """AWS does not answer one question; others may still be answered."""


class StoppedError(Exception):
    """Nothing more is to be asked."""


class Account:
    """An account in some Regions.

    Args:
        session: A boto3 session.
        journal: Where answers are kept.
        endpoint_url: Where every service is; None: AWS.

    Attributes:
        refusals: For each action and Region, what AWS said and how often.
    """

    def __init__(self, session: Any, journal: Journal, endpoint_url: str | None = None) -> None:
        self._session = session
        self._journal = journal
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._clients: dict[tuple[str, str], Any] = {}
        self._allowed: set[tuple[Action, str]] = set()
        self.refusals: dict[tuple[Action, str], tuple[str, int]] = {}

    def ask(
        self, action: Action, region: str, keep: Callable[[Any], Any], **parameters: Any
    ) -> Any:
        """Ask one question.

        Args:
            action: What to ask.
            region: Where.
            keep: Takes from the answer what is needed, as JSON holds it.
            parameters: Of the operation.

        Returns:
            What was kept; None where the thing that is asked for does not exist.

        Raises:
            RefusedError: AWS does not tell; it is among the refusals.
            ClientError: Nor will it tell the rest: credentials have expired, for example.
            StoppedError: Nothing more is to be asked.
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
        """Yield the items of all pages, each as `keep` leaves it, but for None.

        Raises:
            RefusedError: AWS does not tell; it is among the refusals.
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
        """Ask nothing more: what runs ends after the answer that it waits for."""
        self._stopped.set()

    def is_refused(self, action: Action, *regions: str) -> bool:
        """Tell whether AWS refused an action in a Region."""
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
            self._refuse(place, "denied" if denied else f"refused ({_brief(error)})")
        except EndpointConnectionError:
            # Where a service is not offered, there is nothing of it.
            if region in self._session.get_available_regions(action.service):
                raise
            return None
        self._allowed.add(place)
        return keep(answer)

    def _refuse(self, place: tuple[Action, str], said: str) -> None:
        with self._lock:
            self.refusals[place] = (said, self.refusals.get(place, ("", 0))[1] + 1)
        raise RefusedError(place[0].permission)

    def _client(self, service: str, region: str) -> Any:
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._session.client(
                    service,
                    region_name=region,
                    endpoint_url=self._endpoint_url,
                    config=Config(retries=_RETRIES, max_pool_connections=WORKERS),  # type: ignore[arg-type]
                )
            return self._clients[service, region]


def _brief(error: ClientError) -> str:
    return " ".join(str(error).split())[:200]
