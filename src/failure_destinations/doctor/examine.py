"""Examines the channels of a stack: gathers facts, judges them, and combines the fixes."""

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
    """The findings about one channel.

    Attributes:
        channel: The channel's construct path below the stack.
        findings: All findings, including those with severity `ok`, in the order in which a failure
            travels.
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
    """Examine the channels of a stack, without changing anything.

    Args:
        aws: The account and Region of the stack.
        stack: Its name or id.
        progress: Gets progress reports.
        channel: A channel's construct path below the stack. Default: all.
        compare_at_most: The most messages of each queue to compare with copies. Default: receive
            no messages.

    Raises:
        CommandError: The stack does not exist or has no such channel.
    """
    examined = []
    progress.start(_READING)
    for found in ChannelReader(aws, stack, progress).channels(channel):
        read = found
        if compare_at_most is not None:
            read = compare_copies(aws, found, progress, compare_at_most)
            progress.start(_READING)
        examined.append(Examination(found.path, tuple(judge(read))))
    return _with_combined_fixes(examined)


def _with_combined_fixes(examined: list[Examination]) -> list[Examination]:
    # Across all channels, since two may share a key or a queue.
    fixes = iter(combine([finding.fix for each in examined for finding in each.findings]))
    return [
        Examination(
            each.channel,
            tuple(dataclasses.replace(finding, fix=next(fixes)) for finding in each.findings),
        )
        for each in examined
    ]
