"""The function that `FailureWatchdog` runs: examines a channel, and publishes what has changed.

Its variables: `STACK`, `CHANNEL` (the construct path below the stack), `TOPIC_ARN`, `TABLE_NAME`,
and `CHAT` (`true` if HTTPS subscribers are chats).
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from datetime import datetime, timezone
from typing import Any

from failure_destinations.deployed.session import Aws
from failure_destinations.doctor.examine import examine
from failure_destinations.errors import FailureDestinationsError
from failure_destinations.progress import NO_PROGRESS

from .changes import Known, compare, unpublished
from .notice import Notice, write_notice
from .state import State, StateTable


def handler(_event: Any, context: Any) -> dict[str, Any]:
    """Examine the channel once.

    Args:
        _event: Not used: every run does the same.
        context: Lambda's context, which says how much time is left.

    Returns:
        What the run has found and done, which is also one line of its log.

    Raises:
        Exception: AWS could not be read or written; Lambda runs it again.
    """
    ends = time.time() + context.get_remaining_time_in_millis() / 1000
    done = Watchdog(Aws(), dict(os.environ)).run(ends)
    print(json.dumps(done))  # noqa: T201 - its log
    return done


class Watchdog:
    """One run.

    Args:
        aws: The account and Region of the channel.
        settings: The function's variables.
    """

    def __init__(self, aws: Aws, settings: dict[str, str]) -> None:
        self._stack = settings["STACK"]
        self._channel = settings["CHANNEL"]
        self._topic = settings["TOPIC_ARN"]
        self._for_chat = settings.get("CHAT") == "true"
        self._aws = aws
        # boto3's stubs need not know DynamoDB.
        session: Any = aws.session
        self._table = StateTable(session.client("dynamodb"), settings["TABLE_NAME"])

    def run(self, ends: float) -> dict[str, Any]:
        """Examine, remember and publish.

        Args:
            ends: When the run is over at the latest, in seconds since 1970.
        """
        state = self._table.load()
        if state.unsent is not None:
            if state.sent_until > time.time():
                return {"skipped": "another run publishes"}
            # That run was killed, before or after it published.
            claimed = self._table.save(dataclasses.replace(state, sent_until=ends))
            if claimed is None:
                return {"skipped": "another run was faster"}
            state = self._publish(claimed, state.unsent)
        now = datetime.now(timezone.utc)
        (examined,) = examine(self._aws, self._stack, NO_PROGRESS, channel=self._channel)
        changes = compare(state.known, examined.findings, now)
        notice = write_notice(
            changes, stack=self._stack, channel=self._channel, place=self._place(), now=now
        )
        known = changes.known
        done: dict[str, Any] = {
            "new": len(changes.new),
            "over": len(changes.over),
            "open": len(known.problems),
        }
        if notice is not None and not self._somebody_listens():
            # It is new until somebody can read it.
            done["waits"] = "nobody is subscribed to the topic"
            notice, known = None, unpublished(state.known, changes)
        if known != state.known:
            saved = self._table.save(_with(state, known, notice, ends))
            if saved is None:
                return {"skipped": "another run was faster"}
            if notice is not None:
                self._publish(saved, notice)
        return done

    def _publish(self, state: State, notice: Notice) -> State:
        try:
            self._aws.client("sns").publish(
                TopicArn=self._topic,
                Subject=notice.subject,
                Message=json.dumps(
                    notice.messages(self._channel, for_chat=self._for_chat), ensure_ascii=False
                ),
                MessageStructure="json",
                MessageAttributes={"kind": {"DataType": "String", "StringValue": "watchdog"}},
            )
        except Exception:
            # So that Lambda's next try need not wait.
            self._table.save(dataclasses.replace(state, sent_until=0))
            raise
        saved = self._table.save(dataclasses.replace(state, unsent=None, sent_until=0))
        if saved is None:
            raise FailureDestinationsError("another run took over before this one was done")
        return saved

    def _somebody_listens(self) -> bool:
        """Return whether the topic has a confirmed subscription, as far as it can be read."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

        pages = self._aws.client("sns").get_paginator("list_subscriptions_by_topic")
        try:
            return any(
                subscription["SubscriptionArn"].startswith("arn:")
                for page in pages.paginate(TopicArn=self._topic)
                for subscription in page["Subscriptions"]
            )
        except ClientError:
            return True

    def _place(self) -> list[str]:
        return ["--region", str(self._aws.session.region_name)]


def _with(state: State, known: Known, notice: Notice | None, ends: float) -> State:
    return dataclasses.replace(
        state, known=known, unsent=notice, sent_until=0 if notice is None else ends
    )
