"""What doctor prints of names, copies and errors that somebody hostile chose."""

from __future__ import annotations

import dataclasses
import json
import random
import subprocess
from collections.abc import Iterator

import pytest

from failure_destinations.doctor.commands import in_shell, words
from failure_destinations.doctor.facts import Channel, Copies, Copy, Unknown
from failure_destinations.doctor.fixes import AwsCall, OwnCommand
from failure_destinations.doctor.judge.channel import judge
from failure_destinations.doctor.render import commands, to_json
from failure_destinations.text import printable

from ..doctor import event_source_paper, paper
from ..doctor.fixing import faults, parsed

INPUTS = 10_000
PARTS = [
    *"aZ09-=.:/_'\"\\`$&|;<>(){}[]*?!#~% ",
    *"\t\n\r\x01\x1b\x7f\x85\x9b\xa0\u00e9\u2028\u202e\ufeff\U000e0001",
    "--yes",
    "::error::",
    "::add-mask::",
    "\x1b]0;x\x07",
    "$(id)",
    "file:///etc/passwd",
    "https://example.com/",
    "grant-admin",
]
PLACE = ("--profile", "ops", "--region", "eu-west-1")


def names() -> Iterator[str]:
    """Yield hostile names, always the same."""
    generator = random.Random(12)
    for _ in range(INPUTS):
        yield "".join(generator.choices(PARTS, k=generator.randint(1, 12)))


def test_shells_read_every_name_as_it_is() -> None:
    """One printable line, and bash makes the same word of it."""
    given = list(names())
    lines = [in_shell(["printf", "%s\\0", name]) for name in given]
    assert [line for line in lines if not line.isprintable() and printable(line) != line] == []
    said = subprocess.run(
        ["bash"], input="\n".join(lines).encode(), check=True, capture_output=True
    )
    assert said.stdout.decode().split("\0")[:-1] == given


def test_no_name_becomes_an_option() -> None:
    """Of the AWS CLI: each name is the value of its option, whatever is in it."""
    for name in names():
        command = words(AwsCall("lambda", "GetFunction", {"FunctionName": name}), PLACE)
        assert parsed(command).parameters == {"FunctionName": name}
        own = words(OwnCommand("list", [("queue", name)]), PLACE)
        assert own[2:-4] in (["--queue", name], [f"--queue={name}"])


def channels() -> Iterator[Channel]:
    """Yield channels in which all names, errors and copies are hostile."""
    texts = names()
    for first, second, third in zip(texts, texts, texts, strict=False):
        copies = [
            Copy(first, 300_000, paper.NOW, "AROAOTHER", second),
            Copy(second, 300_000, paper.NOW, None, None),
            Copy(third, 300_000, paper.NOW, paper.ROLE, "orders"),
        ]
        yield dataclasses.replace(
            paper.CHANNEL,
            stack=first,
            path=second,
            copies=Copies(copies, 3),
            dead_letter_queue=dataclasses.replace(
                paper.DEAD_LETTERS, attributes=Unknown("sqs:GetQueueAttributes", third)
            ),
            **paper.alarm(AlarmDescription=third, StateValue="ALARM", AlarmActions=[]),
            **paper.topic(
                subscriptions=[paper.OF_QUEUE, paper.subscription("https", third, RedrivePolicy="")]
            ),
            **paper.notifier(
                path=first,
                mapping={"UUID": paper.UUID, "State": "Disabled"},
                schedule={**paper.SCHEDULE, "Description": third, "State": "DISABLED"},
                webhooks=[
                    dataclasses.replace(paper.SECRET, webhook=first, name=second, live=None),
                    dataclasses.replace(paper.PARAMETER, name=third, live={"Type": "String"}),
                    dataclasses.replace(
                        paper.SECRET, name=first, live={"DeletedDate": paper.NOW}, webhook=third
                    ),
                ],
            ),
        )


def polled_channels() -> Iterator[Channel]:
    """Yield channels for event sources in which all names and messages are hostile."""
    texts = names()
    for first, second, third in zip(texts, texts, texts, strict=False):
        live = {
            "LastProcessingResult": f"PROBLEM: {first}",
            "Topics": [second, third],
            "MaximumRetryAttempts": -1,
            "DestinationConfig": {"OnFailure": {"Destination": third}},
        }
        off = {"State": "Disabled", "StateTransitionReason": second}
        facts = event_source_paper.event_source(live=live, denied=event_source_paper.WRITE)
        disabled = event_source_paper.event_source(live=off)["event_sources"]
        by_hand = event_source_paper.by_hand(third)["event_sources"]
        rule = dataclasses.replace(
            event_source_paper.RULE, name=first, live={"State": "DISABLED", "Description": second}
        )
        redrive = json.dumps({"deadLetterTargetArn": third, "maxReceiveCount": 1})
        sources = event_source_paper.source_queue(RedrivePolicy=redrive, VisibilityTimeout="1")
        yield dataclasses.replace(
            paper.CHANNEL,
            **{
                **facts,
                **sources,
                "stack": first,
                "path": second,
                "event_sources": [*facts["event_sources"], *disabled, *by_hand],
                "batch_store": dataclasses.replace(
                    event_source_paper.STORE,
                    rule=rule,
                    bucket=dataclasses.replace(
                        event_source_paper.BUCKET, name=third, notifications={}
                    ),
                    forwarder=dataclasses.replace(
                        event_source_paper.FORWARDER_FUNCTION, name=first, errors=1.0
                    ),
                ),
            },
        )


@pytest.mark.soak
def test_every_finding_is_fit_to_print() -> None:
    """Sentences made printable, JSON as ASCII, commands that parse and name profile and Region."""
    for channel in (*channels(), *polled_channels()):
        for finding in judge(channel):
            written = json.dumps(to_json(channel.path, finding, PLACE))
            assert written.isascii()
            for command in commands(finding, PLACE):
                assert command[-len(PLACE) :] == list(PLACE)
                if command[0] == "aws":
                    assert faults(parsed(command)) == ""


def test_replays_the_genuine_copy_alone() -> None:
    """Whatever the others say, no command names them."""
    for channel in channels():
        assert channel.copies is not None
        assert not isinstance(channel.copies, Unknown)
        genuine = channel.copies.copies[2].request_id
        replays = [
            step
            for finding in judge(channel)
            for step in finding.fix
            if isinstance(step, OwnCommand) and step.name == "replay"
        ]
        (replay,) = replays
        assert [value for name, value in replay.options if name == "id"] == [genuine]
        assert ("function-name", "orders:live") in replay.options


@pytest.mark.parametrize("size", [1_000, 10_000])
def test_judges_many_copies(size: int) -> None:
    """Of many senders: three of them are named, and the sentence stays short."""
    copies = [paper.copy(1, 10, role="AROAX", session=f"s{i}") for i in range(size)]
    channel = dataclasses.replace(paper.CHANNEL, copies=Copies(copies, size))
    (finding,) = [each for each in judge(channel) if each.kind.id == "copies-not-trusted"]
    assert finding.facts["senders"] == size
    assert len(str(to_json("Failures", finding, PLACE)["text"])) < 400
