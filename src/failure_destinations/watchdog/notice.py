"""The message about what is new and what is over."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from failure_destinations.doctor.commands import in_shell
from failure_destinations.doctor.findings import Finding
from failure_destinations.doctor.render import as_text
from failure_destinations.runtime.notice_formats import chat, of_text
from failure_destinations.text import plural, printable

from .changes import Changes, Problem

# Fewer than 100 ASCII characters.
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MAX_SUBJECT = 99
# SNS takes 262,144 bytes; a person reads less.
MAX_BYTES = 30_000
_NOT_ASCII = re.compile(r"[^ -~]")
_SEVERITIES = ("error", "warning", "unknown")
_MARGIN = 100


@dataclass(frozen=True)
class Notice:
    """A message of SNS.

    Attributes:
        subject: Up to 99 ASCII characters.
        text: The message, up to 30,000 bytes.
        is_well: Whether nothing is left to fix.
    """

    subject: str
    text: str
    is_well: bool = False

    def messages(self, channel: str, *, for_chat: bool) -> dict[str, str]:
        """Return the message for each protocol of SNS.

        Queues and functions get JSON in the format of a notifier's messages, so that its webhooks
        understand it.

        Args:
            channel: The channel's construct path.
            for_chat: Whether HTTPS subscribers get the format of Amazon Q Developer in chat
                applications.
        """
        facts = {
            **of_text(self.text),
            "subject": self.subject,
            "headline": self.subject,
            "channel": channel,
            "isWell": self.is_well,
        }
        as_json = json.dumps(facts, ensure_ascii=False)
        messages = {"default": self.text, "sqs": as_json, "lambda": as_json}
        if for_chat:
            messages["https"] = json.dumps(chat(facts), ensure_ascii=False)
        return messages


def write_notice(
    changes: Changes, *, stack: str, channel: str, place: Sequence[str], now: datetime
) -> Notice | None:
    """Return the message about the changes; None if there are none.

    Args:
        changes: The changes.
        stack: The stack's name.
        channel: The channel's construct path below it.
        place: The Region option of commands.
        now: The time of the run, in UTC.
    """
    if not changes.new and not changes.over:
        return None
    name = printable(f"{stack}/{channel}")
    again = in_shell(
        ["failure-destinations", "doctor", "--stack", stack, "--channel", channel, *place]
    )
    left = len(changes.known.problems) - len(changes.new)
    parts = [f"The failure channel {name}, {now:%Y-%m-%d %H:%M} UTC:\n"]
    if changes.new:
        parts += ["\nNew:\n", *(as_text([finding], place) for finding in _sorted(changes.new))]
    if changes.over:
        parts += ["\nOver:\n", *map(_over, changes.over)]
    end = "\n"
    if left:
        end += f"{plural(left, 'earlier finding')} {'is' if left == 1 else 'are'} still there.\n"
    elif not changes.new:
        end += "Nothing is left to fix.\n"
    end += f"See all of it: {again}\n"
    is_well = not changes.known.problems
    return Notice(_subject(changes, name), _joined(parts, end), is_well)


def _sorted(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: _SEVERITIES.index(finding.severity))


def _over(problem: Problem) -> str:
    since = printable(problem.since[:16].replace("T", " "))
    return f"  {printable(problem.name)}: {printable(problem.text)} (since {since} UTC)\n"


def _subject(changes: Changes, name: str) -> str:
    counts = [
        plural(count, f"new {severity}") if severity != "unknown" else f"{count:,} not known"
        for severity in _SEVERITIES
        if (count := sum(finding.severity == severity for finding in changes.new))
    ]
    if changes.over:
        counts.append(f"{len(changes.over):,} over")
    what = ", ".join(counts)
    room = MAX_SUBJECT - len(f"[] {what}")
    shown = name if len(name) <= room else f"{name[: max(0, room - 3)]}..."
    subject = f"[{shown}] {what}"
    if changes.new:
        first = _sorted(changes.new)[0]
        subject += f": {first.kind.id} {first.subject.name}"
    else:
        subject += f": {changes.over[0].name}"
    return _NOT_ASCII.sub("?", printable(subject))[:MAX_SUBJECT]


def _joined(parts: Sequence[str], end: str) -> str:
    """Return the parts, as many as fit, and the end."""
    room = MAX_BYTES - len(end.encode()) - _MARGIN
    kept: list[str] = []
    for index, part in enumerate(parts):
        room -= len(part.encode())
        if room < 0:
            kept.append(f"… and {plural(len(parts) - index, 'more finding')}\n")
            break
        kept.append(part)
    return "".join(kept) + end
