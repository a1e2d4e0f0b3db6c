"""Judges a channel in the order in which a failure travels."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Channel
from ..findings import Finding
from .alarms import judge_monitoring
from .copies import judge_copies
from .handlers import judge_handlers
from .messages import judge_messages
from .queues import judge_queues
from .subscriptions import judge_subscriptions, judge_topic


def judge(channel: Channel) -> Iterator[Finding]:
    """Judge a channel.

    Args:
        channel: The channel and its facts.
    """
    for judgement in (
        judge_handlers,
        judge_topic,
        judge_subscriptions,
        judge_queues,
        judge_messages,
        judge_copies,
        judge_monitoring,
    ):
        yield from judgement(channel)
