"""Examines the channels of a stack: reads, judges, and makes fixes that go together."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from failure_destinations.deployed.session import Aws
from failure_destinations.progress import Progress

from .findings import Finding
from .fixes import combine
from .gather.channel import ChannelReader
from .gather.copies import compare_copies
from .judge.channel import judge

_READING = "reading from AWS"


@dataclass(frozen=True)
class Examination:
    """What was found of one channel.

    Attributes:
        channel: The channel's construct path below the stack.
        findings: All findings, also of what is well, in the order in which a failure travels.
    """

    channel: str
    findings: tuple[Finding, ...]


def examine(
    aws: Aws,
    stack: str,
    progress: Progress,
    *,
    channel: str | None = None,
    compare_at_most: int | None = None,
) -> list[Examination]:
    """Examine the channels of a stack; changes nothing.

    Args:
        aws: Where the stack is.
        stack: Its name or id.
        progress: Receives how far it is.
        channel: A channel's construct path below the stack. Default: all.
        compare_at_most: Compare no more messages of each queue with copies. Default: receive
            nothing.

    Raises:
        CommandError: The stack does not exist, or has no such channel.
    """
    examined = []
    progress.start(_READING)
    for found in ChannelReader(aws, stack, progress).channels(channel):
        read = found
        if compare_at_most is not None:
            read = compare_copies(aws, found, progress, compare_at_most)
            progress.start(_READING)
        examined.append(Examination(found.path, tuple(judge(read))))
    return _with_fixes_that_go_together(examined)


def _with_fixes_that_go_together(examined: list[Examination]) -> list[Examination]:
    # Of all channels: two may share a key or a queue.
    fixes = iter(combine([finding.fix for each in examined for finding in each.findings]))
    return [
        Examination(
            each.channel,
            tuple(dataclasses.replace(finding, fix=next(fixes)) for finding in each.findings),
        )
        for each in examined
    ]
