"""Failed events, states and notices for the tests of notifiers."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timezone
from typing import Any

from failure_destinations.runtime import fingerprint, parse
from failure_destinations.runtime.notice import Notice
from failure_destinations.runtime.notice_place import NoticePlace
from failure_destinations.runtime.notifier_state import DeadLetters, NotifierState, Occurrence

from . import messages

START = datetime(2026, 11, 2, 3, 1, tzinfo=timezone.utc).timestamp()
PLACE = NoticePlace(
    stack="Shop",
    channel="Shop/Failures",
    partition="aws",
    region="eu-west-1",
    account="111122223333",
    queue_url="https://sqs.eu-west-1.amazonaws.com/111122223333/Shop-FailuresQueue",
)
ORDERS = "arn:aws:lambda:eu-west-1:111122223333:function:orders"
STACK_TRACE = '  File "/var/task/shop/stock.py", line 60, in reserve\n    raise\n'


def record(
    message: str = "no stock for order 17",
    type: str = "ValueError",
    *,
    function: str = ORDERS,
    payload: Any = None,
    at: float = START,
    request_id: str = "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11",
) -> str:
    """Write the invocation record of a failed event."""
    body = {
        "version": "1.0",
        "timestamp": datetime.fromtimestamp(at, timezone.utc).isoformat(),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{function}:live",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"order": 17} if payload is None else payload,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": {
            "errorType": type,
            "errorMessage": message,
            "stackTrace": [STACK_TRACE],
        },
    }
    return json.dumps(body)


def occurrence(
    message: str = "no stock for order 17", type: str = "ValueError", **more: Any
) -> Occurrence:
    """Return a failed event, ready to be counted."""
    event = parse(messages.message(record(message, type, **more)))
    return Occurrence(str(uuid.uuid4()), event, fingerprint(event), more.get("at", START))


class Clock:
    """A notifier's state, and a time that passes only when a test says so.

    Attributes:
        state: The state.
        now: The time in seconds since 1970.
        sent: The notices so far.
    """

    def __init__(self, every: float = 300, reminder: float = 86_400) -> None:
        self.state = NotifierState()
        self.now = START
        self.every = every
        self.reminder = reminder
        self.waiting = 0
        self.dead_letters: dict[str, int] = {}
        self.sent: list[Notice] = []

    def fail(self, *failures: Occurrence) -> None:
        """Count failures that wait in the queue from now on, and send what is due."""
        self.state.count(failures, self.now, with_payload=True)
        self.waiting += len(failures)
        self.tick()

    def tick(self) -> None:
        """Look into the dead-letter queues of sources, and send what is due."""
        self.state.see(
            [DeadLetters(name, f"{name}-source", n) for name, n in self.dead_letters.items()],
            self.now,
        )
        # What a run reads is what another one wrote.
        self.state = NotifierState.from_json(json.loads(json.dumps(self.state.to_json())))
        waiting = self.waiting + sum(self.dead_letters.values())
        notice = self.state.write(self.now, waiting, every=self.every, reminder=self.reminder)
        if notice is not None:
            self.sent.append(notice)
            self.state.outgoing = None

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with a tick each minute."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 60, end)
            self.tick()

    @property
    def kinds(self) -> list[str]:
        """The kinds of the notices so far."""
        return [notice.kind for notice in self.sent]
