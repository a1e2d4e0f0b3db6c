"""A notice in the formats of machines and chats."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .notice import Notice, NoticeGroup, iso_time, plural, time_text
from .notice_place import NoticePlace
from .notice_text import headline, subject, text

Json = dict[str, Any]

# https://docs.aws.amazon.com/general/latest/gr/sns.html
_SNS_BYTES = 250_000
# The plain facts in it, beside the mail and the chat's message.
_MACHINE_BYTES = 60_000
# https://api.slack.com/reference/block-kit/blocks
_SLACK_HEADER, _SLACK_SECTION = 150, 3000
# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
_TEAMS_BYTES = 28_000
# https://developer.pagerduty.com/api-reference/events-api-v2
_PAGERDUTY_SUMMARY = 1024
# https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
_CHAT_TITLE, _CHAT_DESCRIPTION, _CHAT_STEP = 250, 4000, 350


def by_protocol(notice: Notice, place: NoticePlace, *, for_chat: bool) -> str:
    """Return the notice for SNS, with a text for each protocol: at most 250 KB.

    Groups are left out, the last ones first, until it fits: JSON within JSON escapes each quotation
    mark twice.

    Args:
        notice: The notice.
        place: Where its channel is.
        for_chat: Whether HTTPS subscribers get Amazon Q Developer's format.

    https://docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html
    """
    as_facts = facts(notice, place)
    default = text(notice, place)
    while True:
        machine = compact(as_facts)
        messages = {"default": default, "sqs": machine, "lambda": machine}
        if for_chat:
            messages["https"] = compact(chat(as_facts))
        message = compact(messages)
        fits = len(machine.encode()) <= _MACHINE_BYTES and len(message.encode()) <= _SNS_BYTES
        if fits or not as_facts["groups"]:
            return message
        as_facts["groups"].pop()


def compact(value: Json) -> str:
    """Return JSON whose characters take no more room than they need."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def facts(notice: Notice, place: NoticePlace) -> Json:
    """Return the notice as plain JSON: version 1 of this library's own format."""
    return {
        "version": 1,
        "id": notice.id,
        "kind": notice.kind,
        "time": iso_time(notice.time),
        "subject": subject(notice, place),
        "headline": headline(notice),
        "stack": place.stack,
        "channel": place.channel,
        "account": place.account,
        "region": place.region,
        "failures": notice.failures,
        "groupCount": notice.group_count,
        "waiting": notice.waiting,
        "since": None if notice.since is None else iso_time(notice.since),
        "queueLink": place.queue_link(),
        "groups": [_facts_of(group, place) for group in notice.groups],
    }


def _facts_of(group: NoticeGroup, place: NoticePlace) -> Json:
    return {
        "id": group.id,
        "function": group.function or None,
        "qualifier": group.qualifier,
        "errorType": group.error_type or None,
        "message": group.message,
        "frame": group.frame,
        "new": group.is_new,
        "failures": group.failures,
        "total": group.total,
        "first": iso_time(group.first),
        "last": iso_time(group.last),
        "attempts": group.attempts,
        "requestId": group.request_id,
        "payload": group.payload,
        "logLink": place.log_link(group),
        "listCommand": place.list_command(group),
        "replayCommand": place.replay_command(group),
        "records": group.records or None,
        "queue": group.queue,
        "title": f"{group.called} {group.error_type}".strip(),
        "counts": _counts(group),
    }


def _counts(group: NoticeGroup) -> str:
    so_far = "" if group.failures == group.total else f", {group.total:,} so far"
    last = "" if group.first == group.last else f", last {time_text(group.last)}"
    attempts = "" if group.attempts is None else f", {plural(group.attempts, 'attempt')} each"
    records = f", {plural(group.records, 'record')} in all" if group.records else ""
    failures = f"{plural(group.failures, 'failure')}{so_far}{records}"
    first = f"{failures}, first {time_text(group.first)}"
    return f"{first}{last}{attempts}"


def of_text(message: str) -> Json:
    """Return facts of a message that is not a notice, such as a text of somebody else.

    Args:
        message: The message; it may be hostile.
    """
    lines = [line for line in _printable(message).splitlines() if line.strip()]
    first = lines[0][:200] if lines else "a message without text"
    return {
        "version": 1,
        "kind": "message",
        "subject": first,
        "headline": first,
        "text": "\n".join(lines)[:4000],
        "groups": [],
    }


def chat(facts: Json) -> Json:
    """Return a custom notification of Amazon Q Developer in chat applications.

    https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
    """
    parts = [f"*{_slack(facts['headline'])}*"]
    for group in facts["groups"]:
        lines = [f"*{_slack(group['title'])}*", _slack(group["message"]), _slack(group["counts"])]
        if group["payload"]:
            lines.append(f"`{_code(group['payload'])}`")
        parts.append("\n".join(line for line in lines if line))
    if facts["kind"] == "message":
        lines = [_slack(line) for line in facts["text"].splitlines()]
        parts.append(_joined(lines, _CHAT_DESCRIPTION - len(parts[0]) - 2, "\n"))
    if facts.get("groupCount", 0) > len(facts["groups"]):
        parts.append(f"and {facts['groupCount'] - len(facts['groups'])} more groups")
    steps = [
        f"`{_code(group[command])}`"
        for group in facts["groups"][:1]
        for command in ("listCommand", "replayCommand")
    ]
    if facts.get("queueLink"):
        steps.append(f"<{facts['queueLink']}|Queue>")
    return {
        "version": "1.0",
        "source": "custom",
        "id": facts.get("id", ""),
        "content": {
            "textType": "client-markdown",
            "title": _joined([_slack(facts["subject"])], _CHAT_TITLE),
            "description": _joined(parts, _CHAT_DESCRIPTION),
            **({"nextSteps": steps} if facts["kind"] in ("failures", "reminder") else {}),
        },
        "metadata": {
            "threadId": f"{facts.get('channel', '')} {facts.get('since') or facts.get('time', '')}",
            "summary": _joined([_slack(facts["headline"])], _CHAT_TITLE),
            "eventType": facts["kind"],
        },
    }


def slack(facts: Json) -> Json:
    """Return a message for Slack's incoming webhooks.

    https://api.slack.com/messaging/webhooks
    """
    title = _joined([_slack(facts["subject"])], _SLACK_HEADER)
    blocks: list[Json] = [
        {
            "type": "header",
            "text": {
                "type": "plain_text",
                "text": title,
                "emoji": False,
            },
        }
    ]
    for group in facts["groups"]:
        lines = [f"*{_slack(group['title'])}*{' (new)' if group['new'] else ''}"]
        lines += [_slack(line) for line in (group["message"], group["counts"]) if line]
        if facts["kind"] != "over":
            if group["payload"]:
                lines.append(f"`{_code(group['payload'])}`")
            if group["logLink"]:
                lines.append(f"<{group['logLink']}|Log>")
            lines += [f"`{_code(group['listCommand'])}`", f"`{_code(group['replayCommand'])}`"]
        blocks.append(_section(_joined(lines, _SLACK_SECTION, "\n")))
    rest = []
    if facts["kind"] == "message" and facts["text"]:
        rest.append(_slack(facts["text"]))
    if facts.get("groupCount", 0) > len(facts["groups"]):
        rest.append(f"and {facts['groupCount'] - len(facts['groups'])} more groups")
    if facts.get("waiting"):
        rest.append(f"About {plural(facts['waiting'], 'failed event')} waiting.")
    if facts.get("queueLink") and facts["kind"] != "over":
        rest.append(f"<{facts['queueLink']}|Queue>")
    if rest:
        blocks.append(_section(_joined(rest, _SLACK_SECTION, "\n")))
    return {
        "text": _slack(facts["subject"]),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _section(mrkdwn: str) -> Json:
    # Verbatim: Slack makes neither mentions nor links of what only looks like them.
    # https://docs.slack.dev/reference/block-kit/composition-objects/text-object
    return {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn, "verbatim": True}}


def teams(facts: Json) -> Json:
    """Return an adaptive card for a Teams workflow that posts to a channel or chat.

    Texts are runs of rich text, in which Teams reads no markdown.
    https://learn.microsoft.com/power-automate/teams/send-a-message-in-teams
    https://adaptivecards.io/explorer/RichTextBlock.html
    """
    blocks = [_rich([_run(facts["subject"], weight="Bolder", size="Medium")])]
    if facts["kind"] == "message":
        blocks += [_rich([_run(line)]) for line in facts["text"].splitlines()[:50]]
    links = [("Queue", facts.get("queueLink"))] if facts["kind"] != "over" else []
    for number, group in enumerate(facts["groups"]):
        lines = [_rich([_run(group["title"], weight="Bolder")], separator=True)]
        lines += [_rich([_run(line)]) for line in (group["message"], group["counts"]) if line]
        if facts["kind"] != "over":
            commands = (group["payload"], group["listCommand"], group["replayCommand"])
            lines += [_rich([_run(line, fontType="Monospace")]) for line in commands if line]
        # What the card may be in all, without its links.
        if len(json.dumps([*blocks, *lines])) > _TEAMS_BYTES - 6_000:
            break
        blocks += lines
        if number == 0 and facts["kind"] != "over":
            links.append(("Log", group["logLink"]))
    described = sum(block.get("separator", False) for block in blocks)
    if facts.get("groupCount", 0) > described:
        blocks.append(_rich([_run(f"and {facts['groupCount'] - described} more groups")]))
    actions = [{"type": "Action.OpenUrl", "title": name, "url": url} for name, url in links if url]
    card: Json = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": facts["subject"],
        "msteams": {"width": "Full"},
        "body": blocks,
    }
    if actions:
        card["actions"] = actions
    return {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": card,
            }
        ],
    }


def _rich(inlines: list[Json], **more: Any) -> Json:
    return {"type": "RichTextBlock", "inlines": inlines, **more}


def _run(run: str, **more: Any) -> Json:
    return {"type": "TextRun", "text": run, **more}


def pagerduty(facts: Json) -> Json:
    """Return an event of PagerDuty's Events API v2, without the routing key.

    One incident a channel: notices and reminders trigger it, and the end resolves it.
    https://developer.pagerduty.com/api-reference/events-api-v2
    """
    where = [str(facts.get(name) or "") for name in ("account", "region", "channel")]
    event: Json = {
        "event_action": "resolve" if facts["kind"] == "over" or facts.get("isWell") else "trigger",
        "dedup_key": "/".join(["failure-destinations", *where])[:255],
        "client": "failure-destinations",
        "payload": {
            "summary": facts["subject"][:_PAGERDUTY_SUMMARY],
            "source": "/".join(part for part in where if part) or "failure-destinations",
            "severity": "warning" if facts["kind"] == "reminder" else "error",
            "custom_details": {
                name: value for name, value in facts.items() if name not in ("text", "version")
            },
        },
    }
    if facts.get("time"):
        event["payload"]["timestamp"] = facts["time"]
    if facts.get("queueLink"):
        event["links"] = [{"href": facts["queueLink"], "text": "Queue"}]
    return event


FORMATS: Mapping[str, Callable[[Json], Json]] = {
    "slack": slack,
    "teams": teams,
    "pagerduty": pagerduty,
    "json": lambda facts: facts,
}


def _slack(line: str) -> str:
    """Escape what Slack reads as a mention, channel or link.

    https://api.slack.com/reference/surfaces/formatting#escaping
    """
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(line: str) -> str:
    """Return a line for between backticks."""
    return _slack(line.replace("`", "'"))


def _joined(parts: list[str], length: int, between: str = "\n\n") -> str:
    """Join parts as far as they fit, so that none is cut in the middle of an escape."""
    joined = ""
    for part in parts:
        longer = f"{joined}{between}{part}" if joined else part
        if len(longer) > length:
            break
        joined = longer
    return joined or re.sub(r"&\w*$", "", parts[0][:length])


def _printable(message: str) -> str:
    kept = (char if char.isprintable() or char == "\n" else " " for char in message[:8000])
    return "".join(kept)
