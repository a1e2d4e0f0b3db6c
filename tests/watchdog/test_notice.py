"""The watchdog's message, as a person gets it."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from failure_destinations.doctor import render
from failure_destinations.doctor.findings import Finding
from failure_destinations.runtime.notice_formats import pagerduty, slack
from failure_destinations.watchdog.changes import Known, compare
from failure_destinations.watchdog.notice import MAX_BYTES, MAX_SUBJECT, Notice, write_notice

from .findings import alarm_missing, dead_letters, missing, unknown

NOW = datetime(2026, 11, 2, 3, 3, tzinfo=timezone.utc)
PLACE = ["--region", "eu-west-1"]


def notice(*found: list[Finding], stack: str = "Shop", channel: str = "Failures") -> Notice | None:
    """Return the message of the last of several runs."""
    known, written = Known(), None
    for findings in found:
        changes = compare(known, findings, NOW)
        written = write_notice(changes, stack=stack, channel=channel, place=PLACE, now=NOW)
        known = changes.known
    return written


def test_says_what_is_new() -> None:
    """Errors first, each with what fixes it."""
    assert notice([dead_letters(), missing()]) == Notice(
        "[Shop/Failures] 1 new error, 1 new warning: handler-missing orders",
        """The failure channel Shop/Failures, 2026-11-02 03:03 UTC:

New:
  error   orders: the function does not exist
          remove it from the stack and deploy, or deploy it again under another id
  warning orders-dead: 1 message in the dead-letter queue: SNS or EventBridge could not deliver them
          failure-destinations replay --queue orders-dead --region eu-west-1

See all of it: failure-destinations doctor --stack Shop --channel Failures --region eu-west-1
""",
    )


def test_says_what_is_over() -> None:
    """And what is not."""
    assert notice([dead_letters(), missing()], [missing()]) == Notice(
        "[Shop/Failures] 1 over: orders-dead",
        """The failure channel Shop/Failures, 2026-11-02 03:03 UTC:

Over:
  orders-dead: 1 message in the dead-letter queue: SNS or EventBridge could not deliver them \
(since 2026-11-02 03:03 UTC)

1 earlier finding is still there.
See all of it: failure-destinations doctor --stack Shop --channel Failures --region eu-west-1
""",
    )


def test_says_when_all_is_over() -> None:
    """So that nobody has to look."""
    written = notice([missing()], [])
    assert written is not None
    assert "\nNothing is left to fix.\n" in written.text
    assert written.is_well


def test_says_what_is_not_known() -> None:
    """With the missing permission or AWS's error."""
    written = notice([unknown()], [unknown()])
    assert written is not None
    assert written.subject == "[Shop/Failures] 1 not known: queue orders"
    assert "  unknown orders: could not be read: slow down\n" in written.text


def test_says_nothing_about_nothing() -> None:
    """No message is empty."""
    assert notice([missing()], [missing()]) is None


def test_writes_findings_as_doctor_does() -> None:
    """Line by line."""
    written = notice([alarm_missing()])
    assert written is not None
    assert render.as_text([alarm_missing()], PLACE) in written.text


def test_keeps_to_what_sns_takes() -> None:
    """However many there are, and whatever they are called."""
    many = [missing(f"orders-{number}\u202e\n" + "é" * 50) for number in range(2000)]
    written = notice(many, stack="S" * 128, channel="Fäilures/" + "C" * 200)
    assert written is not None
    assert len(written.subject) <= MAX_SUBJECT
    assert written.subject.isascii()
    assert written.subject.isprintable()
    assert "2,000 new errors" in written.subject
    assert len(written.text.encode()) <= MAX_BYTES
    assert " more findings\n" in written.text
    assert written.text.splitlines()[-1].startswith("See all of it: failure-destinations doctor")
    assert all(line.isprintable() for line in written.text.splitlines())


def test_is_understood_by_webhooks_and_chats() -> None:
    """As the notifier's messages are; an incident ends when nothing is left."""
    for findings, action in ([[missing()]], "trigger"), ([[missing()], []], "resolve"):
        written = notice(*findings)
        assert written is not None
        messages = written.messages("Failures", for_chat=True)
        facts = json.loads(messages["sqs"])
        assert facts == json.loads(messages["lambda"])
        assert "orders: the function does not exist" in slack(facts)["blocks"][1]["text"]["text"]
        assert pagerduty(facts)["event_action"] == action
        told = json.loads(messages["https"])["content"]
        assert told["title"] == written.subject
        assert "orders: the function does not exist" in told["description"]


def test_keeps_to_what_sns_takes_in_every_format() -> None:
    """All of them are one message of SNS."""
    written = notice([missing(f'orders-{number}"é\\<&' * 9) for number in range(2000)])
    assert written is not None
    messages = written.messages("Failures", for_chat=True)
    assert len(json.dumps(messages, ensure_ascii=False).encode()) < 262_144
    assert len(json.loads(messages["https"])["content"]["description"]) <= 4000
    assert written.messages("Failures", for_chat=False).keys() == {"default", "sqs", "lambda"}


def test_keeps_to_what_sns_takes_at_the_end() -> None:
    """When 2,000 findings are over at once."""
    written = notice([missing(f"orders-{number}") for number in range(2000)], [])
    assert written is not None
    assert len(written.text.encode()) <= MAX_BYTES
