"""Which functions a replay invokes, with forged messages in a channel's queue on an engine."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from uuid import uuid4

import aws_cdk as cdk
import pytest

from failure_destinations import FailureChannel
from failure_destinations.testing import LocalCloud

from ..conftest import define_handler
from .conftest import clean_environment, create_function, run_cli

pytestmark = pytest.mark.integration
STACK = "Authority"
ADMIN = "grant-admin"


@dataclass(frozen=True)
class Deployed:
    """A channel with one handler, and a function that is not its handler."""

    cloud: LocalCloud
    queue: str
    handler: str
    admin: str

    def send(self, *functions: str) -> None:
        """Put a record into the channel's queue for each function ARN."""
        for function in functions:
            context = {
                "requestId": str(uuid4()),
                "functionArn": function,
                "condition": "RetriesExhausted",
            }
            body = {"requestContext": context, "requestPayload": {"order": 1}}
            self.cloud.client("sqs").send_message(QueueUrl=self.queue, MessageBody=json.dumps(body))

    def send_dead_letter(self) -> None:
        """Put an event into the queue that does not name its function."""
        values = {"RequestID": str(uuid4()), "ErrorCode": "200", "ErrorMessage": "no data"}
        self.cloud.client("sqs").send_message(
            QueueUrl=self.queue,
            MessageBody="{}",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in values.items()
            },
        )

    def replay(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        return run_cli(["replay", *arguments], clean_environment(**self.cloud.environment))

    def runs(self, function: str) -> int:
        """Return how often a function ran so far."""
        return sum(self.cloud.runs(function).values())


@pytest.fixture(scope="module")
def stack(ministack: LocalCloud) -> Deployed:
    """Deploy the channel."""
    app = cdk.App(context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(app, STACK)
    handler = define_handler(stack)
    channel = FailureChannel(stack, "Failures")
    channel.notify_failures_of(handler)
    cdk.CfnOutput(stack, "Queue", value=channel.queue.queue_url)
    cdk.CfnOutput(stack, "HandlerArn", value=handler.function_arn)
    outputs = ministack.deploy(app)[STACK]
    admin = create_function(ministack, ADMIN)
    return Deployed(ministack, outputs["Queue"], outputs["HandlerArn"], admin)


@pytest.fixture
def channel(stack: Deployed) -> Deployed:
    """The deployed channel, with an empty queue."""
    stack.cloud.client("sqs").purge_queue(QueueUrl=stack.queue)
    return stack


def forgeries(handler: str) -> list[str]:
    """Return the handler's ARN in another account, Region and partition."""
    _, partition, service, region, account, kind, name = handler.split(":")
    elsewhere = [
        (partition, region, "999999999999"),
        (partition, "us-east-1" if region != "us-east-1" else "us-east-2", account),
        ("aws-cn", region, account),
    ]
    return [f"arn:{p}:{service}:{r}:{a}:{kind}:{name}" for p, r, a in elsewhere]


def test_invokes_only_handlers_of_the_channel(channel: Deployed) -> None:
    """Whatever the messages say: forged ones stay, are counted, and fail the command."""
    channel.send(*forgeries(channel.handler), channel.admin)
    before = channel.runs(ADMIN)
    replayed = channel.replay("--stack", STACK, "--yes", "--json")
    tally = json.loads(replayed.stdout)
    assert (tally["foreign"], tally["not_handlers"]) == (3, 1)
    assert (tally["succeeded"], tally["failed"], replayed.returncode) == (0, 0, 1)
    assert channel.runs(ADMIN) == before


def completed(channel: Deployed, *words: str) -> list[str]:
    """Return what bash is offered for the last of these words."""
    asked = {
        "_FAILURE_DESTINATIONS_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["failure-destinations", *words]),
        "COMP_CWORD": str(len(words)),
    }
    environment = clean_environment(**channel.cloud.environment, **asked)
    offered = run_cli([], environment).stdout.split()
    return [item.removeprefix("plain,") for item in offered]


def test_completes_the_names_of_handlers(channel: Deployed) -> None:
    """Those of the channel that the words before name, and no other function's."""
    name = channel.handler.rpartition(":")[2]
    stack = ("--stack", STACK)
    assert completed(channel, "list", *stack, "--function", name[:4]) == [name]
    assert completed(channel, "replay", *stack, "--function-name", name[:4]) == [name]
    assert completed(channel, "replay", *stack, "--function-name", ADMIN[:4]) == []
    assert completed(channel, "list", "--stack", "NoSuchStack", "--function", name[:4]) == []
    assert completed(channel, "list", "--function", name[:4]) == []


@pytest.mark.soak
def test_plans_only_handlers_of_the_channel(channel: Deployed) -> None:
    """Each forged function is named in full."""
    channel.send(*forgeries(channel.handler), channel.admin, channel.handler)
    planned = channel.replay("--stack", STACK)
    assert "would replay 1 event; nothing was run or deleted" in planned.stdout
    for forged in forgeries(channel.handler):
        assert f"would leave 1: for {forged}, which is not in the queue's" in planned.stdout
    assert f"would leave 1: for {channel.admin}, which is not a handler" in planned.stdout


@pytest.mark.soak
def test_a_name_does_not_choose_a_function_elsewhere(channel: Deployed) -> None:
    """`--function NAME` means the function of the queue's account and Region."""
    channel.send(*forgeries(channel.handler), channel.handler)
    name = channel.handler.rpartition(":")[2]
    planned = json.loads(channel.replay("--stack", STACK, "--function", name, "--json").stdout)
    assert [each["function_arn"] for each in planned["would_replay"]] == [channel.handler]
    assert planned["would_stay"] == {"not chosen": 3}


@pytest.mark.soak
def test_invokes_a_function_that_the_operator_allows(channel: Deployed) -> None:
    """By its whole ARN, and nothing else beside the handlers."""
    channel.send(channel.admin)
    before = channel.runs(ADMIN)
    replayed = channel.replay("--stack", STACK, "--yes", "--allow-function", channel.admin)
    assert "1 succeeded, deleted from the queue\n" in replayed.stdout
    assert (channel.runs(ADMIN) - before, replayed.returncode) == (1, 0)


@pytest.mark.soak
def test_never_allows_a_function_elsewhere(channel: Deployed) -> None:
    """Not even if the operator names it."""
    forged = forgeries(channel.handler)[0]
    replayed = channel.replay("--stack", STACK, "--yes", "--allow-function", forged)
    assert "--allow-function must be in the queue's account and Region" in replayed.stderr
    assert replayed.returncode == 2


@pytest.mark.soak
def test_lists_functions_with_their_arns_for_a_queue(channel: Deployed) -> None:
    """Where no channel says which functions are meant, the operator must see them."""
    channel.send(*forgeries(channel.handler), channel.admin)
    name = channel.queue.rpartition("/")[2]
    planned = channel.replay("--queue", name)
    assert f"     1  {channel.admin}  " in planned.stdout
    assert "would replay 1 event;" in planned.stdout
    replayed = channel.replay("--queue", name, "--yes", "--json")
    tally = json.loads(replayed.stdout)
    assert (tally["foreign"], tally["succeeded"], replayed.returncode) == (3, 1, 1)


def test_sends_every_event_where_the_operator_says(channel: Deployed) -> None:
    """Records of a handler and of a deleted function, and a dead letter, go to the successor."""
    deleted = channel.handler + "-deleted"
    channel.send(channel.handler, deleted)
    channel.send_dead_letter()
    planned = channel.replay("--stack", STACK, "--to", ADMIN)
    assert f"     1  {channel.admin}, failed in {deleted.rpartition(':')[2]}  " in planned.stdout
    assert "would replay 3 events; nothing was run or deleted\n" in planned.stdout
    assert f"every one goes to {channel.admin}, whatever function" in planned.stdout
    before = (channel.runs(ADMIN), channel.runs(channel.handler.rpartition(":")[2]))
    replayed = channel.replay("--stack", STACK, "--to", ADMIN, "--yes")
    assert "3 succeeded, deleted from the queue\n" in replayed.stdout
    after = (channel.runs(ADMIN), channel.runs(channel.handler.rpartition(":")[2]))
    assert (after[0] - before[0], after[1] - before[1], replayed.returncode) == (3, 0, 0)


@pytest.mark.soak
def test_sends_only_chosen_events_to_the_function_that_is_named(channel: Deployed) -> None:
    """The filters look at what the messages say, and the rest stays."""
    deleted = channel.handler + "-deleted"
    channel.send(channel.handler, deleted)
    chosen = ["--stack", STACK, "--function", deleted, "--to", f"{channel.admin}:$LATEST"]
    planned = json.loads(channel.replay(*chosen, "--json").stdout)
    assert planned["to"] == channel.admin
    named = [(each["function_arn"], each["named"]) for each in planned["would_replay"]]
    assert named == [(channel.admin, deleted.rpartition(":")[2])]
    before = channel.runs(ADMIN)
    tally = json.loads(channel.replay(*chosen, "--json", "--yes").stdout)
    assert (tally["succeeded"], tally["not_meant"], channel.runs(ADMIN) - before) == (1, 1, 1)


@pytest.mark.parametrize("option", ["--to", "--function-name"])
def test_never_sends_events_elsewhere(channel: Deployed, option: str) -> None:
    """Not even if the operator names the function of another account, Region or partition."""
    channel.send(channel.handler)
    for forged in forgeries(channel.handler):
        replayed = channel.replay("--stack", STACK, "--yes", option, forged)
        assert f"{option} must be in the queue's account, Region and partition" in replayed.stderr
        assert replayed.returncode == 2


@pytest.mark.soak
def test_leaves_events_that_name_another_function(channel: Deployed) -> None:
    """`--function-name` is for events that name none; what names another one is not run."""
    channel.send(channel.handler)
    channel.send_dead_letter()
    name = channel.handler.rpartition(":")[2]
    planned = channel.replay("--stack", STACK, "--function-name", ADMIN)
    assert f"would leave 1: for {channel.handler}, which is not --function-name" in planned.stdout
    before = (channel.runs(ADMIN), channel.runs(name))
    replayed = channel.replay("--stack", STACK, "--function-name", ADMIN, "--yes")
    assert "1 succeeded, deleted from the queue\n" in replayed.stdout
    assert "1 for another function than --function-name (left in the queue)" in replayed.stdout
    assert "pass --to" in replayed.stdout
    assert replayed.returncode == 1
    assert (channel.runs(ADMIN) - before[0], channel.runs(name) - before[1]) == (1, 0)
    channel.replay("--stack", STACK, "--function-name", name, "--yes")
    assert channel.runs(name) - before[1] == 1
