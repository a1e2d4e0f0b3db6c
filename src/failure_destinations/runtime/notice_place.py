"""Where a channel is: its links into the console, and the commands to look at it and replay."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from . import console
from .notice import OTHER, NoticeGroup


@dataclass(frozen=True)
class NoticePlace:
    """Where a channel is.

    Attributes:
        stack: The channel's stack, for `--stack` and subjects.
        channel: The channel's construct path.
        partition: Such as `aws`; other partitions than three public ones get no links.
        region: The Region.
        account: The account.
        queue_url: The channel's queue.
        log_groups: The log groups of functions that do not have the default one.
        option: What `--channel` has to be, if the stack has several channels; else empty.
    """

    stack: str
    channel: str
    partition: str
    region: str
    account: str
    queue_url: str
    log_groups: Mapping[str, str] = field(default_factory=dict)
    option: str = ""

    def queue_link(self) -> str | None:
        """Return the queue's page in the console."""
        return console.queue_link(self.partition, self.region, self.queue_url)

    def log_link(self, group: NoticeGroup) -> str | None:
        """Return the page with the function's log; with one request's lines if it is known."""
        if not group.function:
            return None
        name = self.log_groups.get(group.function, f"/aws/lambda/{group.function}")
        return console.log_link(self.partition, self.region, name, group.request_id)

    def list_command(self, group: NoticeGroup | None = None) -> str:
        """Return the command that shows the events of a group, or of all."""
        return self._command("list", group)

    def replay_command(self, group: NoticeGroup | None = None) -> str:
        """Return the command that replays the events of a group, or of all.

        It moves messages of a dead-letter queue back to the queue that they come from.
        """
        moves = " --to-source" if group is not None and group.queue is not None else ""
        return self._command("replay", group) + moves

    def _command(self, command: str, group: NoticeGroup | None) -> str:
        channel = f" --channel {shlex.quote(self.option)}" if self.option else ""
        chosen = "" if group is None or group.id == OTHER else f" --group {group.id}"
        if group is not None and group.queue is not None:
            chosen = " --from source-queues"
        return f"failure-destinations {command} --stack {self.stack}{channel}{chosen}"
