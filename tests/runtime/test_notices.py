"""What people read: mails, chats and webhooks."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failure_destinations.runtime import fingerprint, parse
from failure_destinations.runtime.notice import Notice, fit_to_print
from failure_destinations.runtime.notice_formats import FORMATS, by_protocol, chat, facts, of_text
from failure_destinations.runtime.notice_place import NoticePlace
from failure_destinations.runtime.notice_text import MAX_TEXT_BYTES, subject, text
from failure_destinations.runtime.notifier_state import NotifierState, Occurrence

from . import messages
from .notices import ORDERS, PLACE, START, Clock, occurrence
from .webhook_schemas import SCHEMAS

MAILS = Path(__file__).parent / "mails"
INVOICES = ORDERS.replace("orders", "invoices")


def clock() -> Clock:
    """Return a notifier that has just been deployed."""
    fresh = Clock()
    fresh.pass_time(300)
    return fresh


def two_groups() -> Clock:
    """Let orders fail 31 times and invoices once."""
    shop = clock()
    orders = [occurrence(f"no stock for order {each}", at=START + each) for each in range(31)]
    shop.fail(*orders, occurrence("'total'", "KeyError", function=INVOICES))
    return shop


def many_groups() -> Clock:
    """Let more kinds of errors happen than one message describes."""
    shop = clock()
    shop.fail(*(occurrence("it failed", f"Error{each}") for each in range(23)))
    return shop


def reminder() -> Clock:
    """Let a day pass."""
    shop = two_groups()
    shop.pass_time(86_400)
    return shop


def lost() -> Clock:
    """Lose the state while events wait."""
    shop = two_groups()
    shop.state = NotifierState()
    shop.pass_time(60)
    return shop


def over() -> Clock:
    """Replay everything."""
    shop = two_groups()
    shop.waiting = 0
    shop.pass_time(600)
    return shop


def again() -> Clock:
    """Let more of a known group fail."""
    shop = two_groups()
    shop.fail(*(occurrence() for _ in range(1200)))
    shop.pass_time(300)
    return shop


def hostile() -> Clock:
    """Let an attacker write the error."""
    shop = clock()
    shop.fail(
        occurrence(
            "<!channel> <https://evil.example|click> `rm` \x1b[31m\r\nSubject: x\u202e @here",
            "Evil<@U123>[x](http://evil.example)",
            payload={"a": "<!here> `x` [y](http://evil.example) <at>everyone</at>"},
        )
    )
    return shop


def batches() -> Clock:
    """Let three batches of a stream fail."""
    shop = clock()
    event = parse(messages.stored("batch-kinesis-forwarded"))
    shop.fail(*(Occurrence(str(id), event, fingerprint(event), START + id) for id in range(3)))
    return shop


def dead_letters() -> Clock:
    """Let SQS move messages of two queues to their dead-letter queues, one of them hostile."""
    shop = clock()
    shop.dead_letters = {"Shop-OrdersDead": 3, "<!here>\x1b`x`": 1}
    shop.pass_time(60)
    return shop


CASES = {
    each.__name__: each
    for each in (
        *(two_groups, many_groups, reminder, lost, over, again, hostile),
        *(batches, dead_letters),
    )
}


def notice_of(case: str) -> Notice:
    """Return the last notice of a case, with an id that is always the same."""
    return replace(CASES[case]().sent[-1], id="8f14e45f-ceea-467f-ab2c-91b0a8c6bd4e")


@pytest.mark.parametrize("case", CASES)
def test_reads_like_this(case: str) -> None:
    """The mail as it is kept in tests/runtime/mails: look at it there."""
    notice = notice_of(case)
    mail = f"Subject: {subject(notice, PLACE)}\n\n{text(notice, PLACE)}"
    assert (MAILS / f"{case}.txt").read_text() == mail


@pytest.mark.parametrize("case", CASES)
def test_reads_well_on_a_phone(case: str) -> None:
    """At 40 columns only links, commands and what the handler wrote are broken."""
    for line in text(notice_of(case), PLACE).splitlines():
        if not re.search(r"https://|failure-destinations |\{|no stock|evil|Evil|records of", line):
            assert textwrap.wrap(line, 40) == ([line] if line else []) or len(line) <= 40, line


@pytest.mark.parametrize("case", CASES)
def test_subjects_are_what_sns_takes(case: str) -> None:
    """Less than 100 printable ASCII characters.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    line = subject(notice_of(case), PLACE)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 100


def test_names_what_failed_in_the_subject() -> None:
    """The stack, how many, and the functions with their errors."""
    assert subject(notice_of("two_groups"), PLACE) == (
        "[Shop] 32 failures in 2 groups: orders:live ValueError, invoices:live KeyError"
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("format", SCHEMAS)
def test_formats_are_as_documented(case: str, format: str) -> None:
    """Each message fits the schema that its receiver documents."""
    as_facts = facts(notice_of(case), PLACE)
    body = chat(as_facts) if format == "chat" else FORMATS[format](as_facts)
    if format == "pagerduty":
        body["routing_key"] = "R" * 32
    jsonschema.validate(body, SCHEMAS[format], jsonschema.Draft202012Validator)


@pytest.mark.parametrize("format", ["slack", "teams", "pagerduty", "json"])
@pytest.mark.parametrize(
    "message",
    ["", "hello\n\nworld", "<!channel>\x00", "[1]", "x" * 300_000, '{"version": 1}'],
)
def test_formats_take_messages_of_others(format: str, message: str) -> None:
    """Somebody may publish to the notifier's topic, such as a watchdog."""
    body = FORMATS[format](of_text(message))
    if format == "pagerduty":
        body["routing_key"] = "R" * 32
    jsonschema.validate(body, SCHEMAS[format], jsonschema.Draft202012Validator)


def strings(value: Any) -> list[str]:
    """Return every string in JSON."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value
    return (
        [each for one in inner for each in strings(one)] if isinstance(value, dict | list) else []
    )


def test_slack_reads_no_mention_or_link_of_an_attacker() -> None:
    """Slack makes mentions and links of what is in angle brackets."""
    as_facts = facts(notice_of("hostile"), PLACE)
    for body in (FORMATS["slack"](as_facts), chat(as_facts)):
        read = [line for line in strings(body) if "logsV2" not in line and "|Queue>" not in line]
        assert not [line for line in read if re.search(r"<(?!/?https://eu-west-1)", line)]
        assert not [line for line in read if re.search(r"&\w*$", line)]


def test_teams_reads_no_markdown_of_an_attacker() -> None:
    """Everything is a run of text, which a card shows as it is."""
    card = FORMATS["teams"](facts(notice_of("hostile"), PLACE))["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    urls = [action["url"] for action in card["actions"]]
    assert all(url.startswith("https://eu-west-1.console.aws.amazon.com/") for url in urls)


@pytest.mark.parametrize("case", CASES)
def test_mails_have_no_control_characters(case: str) -> None:
    """No escape sequence, no header, no right-to-left override."""
    for line in text(notice_of(case), PLACE).split("\n"):
        assert line.isprintable()


def test_pagerduty_resolves_what_it_triggered() -> None:
    """One incident for a channel, from the first failure to the end."""
    events = [
        FORMATS["pagerduty"](facts(notice_of(case), PLACE))
        for case in ("two_groups", "reminder", "over")
    ]
    assert [event["event_action"] for event in events] == ["trigger", "trigger", "resolve"]
    assert len({event["dedup_key"] for event in events}) == 1


def test_payloads_can_stay_out() -> None:
    """Of mails, chats and webhooks."""
    shop = clock()
    shop.state.count([occurrence(payload={"iban": "DE00"})], shop.now, with_payload=False)
    shop.tick()
    (notice,) = shop.sent
    as_facts = facts(notice, PLACE)
    bodies = [text(notice, PLACE), chat(as_facts), *(make(as_facts) for make in FORMATS.values())]
    assert "iban" not in json.dumps(bodies)


@pytest.mark.parametrize(
    ("partition", "region", "console"),
    [
        ("aws", "eu-west-1", "https://eu-west-1.console.aws.amazon.com/"),
        ("aws-cn", "cn-north-1", "https://console.amazonaws.cn/"),
        ("aws-us-gov", "us-gov-west-1", "https://console.amazonaws-us-gov.com/"),
    ],
)
def test_links_lead_to_the_partitions_console(partition: str, region: str, console: str) -> None:
    """China and GovCloud have consoles of their own."""
    place = replace(PLACE, partition=partition, region=region)
    (group, _) = notice_of("two_groups").groups
    for link in (place.queue_link(), place.log_link(group)):
        assert link is not None
        assert link.startswith(console)
        assert f"region={region}#" in link


def test_commands_name_the_channel_if_there_are_several() -> None:
    """So that they run as they are."""
    (group, _) = notice_of("two_groups").groups
    place = replace(PLACE, option="Team's/Failures")
    assert place.replay_command(group) == (
        "failure-destinations replay --stack Shop --channel 'Team'\"'\"'s/Failures' "
        f"--group {group.id}"
    )


def test_unknown_partitions_get_no_links() -> None:
    """Their console's address is not public."""
    place = replace(PLACE, partition="aws-iso")
    mail = text(notice_of("two_groups"), place)
    assert "https://" not in mail
    assert "failure-destinations replay --stack Shop --group" in mail


def test_the_log_link_finds_the_request() -> None:
    """CloudWatch's console reads names that are quoted twice, with $ for %."""
    (group, _) = notice_of("two_groups").groups
    place = NoticePlace("S", "S/C", "aws", "eu-west-1", "1", "q", {"orders": "/shop/orders"})
    assert place.log_link(group) == (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
        "#logsV2:log-groups/log-group/$252Fshop$252Forders/log-events$3FfilterPattern$3D"
        "$25226f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11$2522"
    )


@messages.patient
@given(st.text(max_size=300), st.text(max_size=80), st.text(max_size=50))
def test_anything_fits(message: str, type: str, payload: str) -> None:
    """Whatever an event says, SNS takes subject and texts, and receivers what they document."""
    shop = clock()
    shop.fail(*(occurrence(message, f"{type}{each}", payload=payload) for each in range(12)))
    notice = shop.sent[0]
    line = subject(notice, PLACE)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 100
    mail = text(notice, PLACE)
    assert len(mail.encode()) <= MAX_TEXT_BYTES
    as_facts = facts(notice, PLACE)
    assert len(by_protocol(notice, PLACE, for_chat=True).encode()) < 262_144
    jsonschema.validate(FORMATS["slack"](as_facts), SCHEMAS["slack"])
    jsonschema.validate(FORMATS["teams"](as_facts), SCHEMAS["teams"])


@pytest.mark.parametrize("character", ['"', "\\", "\u20ac", "\U0001f525", "\x00", "<"])
def test_what_is_escaped_fits(character: str) -> None:
    """JSON within JSON escapes a quotation mark twice: fewer groups are described then."""
    shop = clock()
    wide = character * 2000
    shop.fail(*(occurrence(f"{each}{wide}", f"{each}{wide}", payload=wide) for each in range(99)))
    message = by_protocol(shop.sent[0], PLACE, for_chat=True)
    assert len(message.encode()) <= 250_000
    for protocol in ("sqs", "lambda"):
        described = json.loads(json.loads(message)[protocol])
        assert described["groupCount"] == 99
        assert len(described["groups"]) >= 3


def test_the_largest_notice_fits() -> None:
    """The longest texts, in the widest characters, are within SNS's 256 KB.

    https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html
    """
    shop = clock()
    wide = "\U0001f525" * 5000
    shop.fail(*(occurrence(f"{each}{wide}", f"{each}{wide}", payload=wide) for each in range(99)))
    notice = shop.sent[0]
    as_facts = facts(notice, PLACE)
    assert len(by_protocol(notice, PLACE, for_chat=True).encode()) < 200_000
    assert len(json.dumps(FORMATS["teams"](as_facts))) < 28_000


@given(st.text(max_size=100), st.integers(4, 50))
def test_fits_to_print(untrusted: str, length: int) -> None:
    """One printable line that is not too long."""
    line = fit_to_print(untrusted, length)
    assert len(line) <= length
    assert all(char.isprintable() or char == "\u00a0" or char.isspace() for char in line)
    assert "\n" not in line
