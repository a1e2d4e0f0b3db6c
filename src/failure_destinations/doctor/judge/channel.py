"""Judges a channel in the order in which a failure travels."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Channel
from ..findings import Finding
from .alarms import judge_monitoring
from .batch_store import judge_batch_store
from .copies import judge_copies
from .event_sources import judge_event_sources
from .handlers import judge_handlers
from .messages import judge_messages
from .notifiers import judge_notifiers
from .queues import judge_queues
from .source_queues import judge_source_queues
from .subscriptions import judge_subscriptions, judge_topic


def judge(channel: Channel) -> Iterator[Finding]:
    """Judge a channel.

    Args:
        channel: The channel and its facts.
    """
    for judgement in (
        judge_handlers,
        judge_event_sources,
        judge_batch_store,
        judge_source_queues,
        judge_topic,
        judge_subscriptions,
        judge_queues,
        judge_messages,
        judge_copies,
        judge_monitoring,
        judge_notifiers,
    ):
        yield from judgement(channel)
