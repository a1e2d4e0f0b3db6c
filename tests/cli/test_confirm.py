"""The command that confirms mailboxes, on an engine that leaves them unconfirmed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from uuid import uuid4

import aws_cdk as cdk
import pytest
from click.testing import CliRunner, Result

from failure_destinations import FailureChannel, FailureMonitoring
from failure_destinations.cli.group import cli
from failure_destinations.deployed.confirmation import Confirmed
from failure_destinations.testing import LocalCloud
from failure_destinations.testing.observations import fetch_json

from .conftest import clean_environment

MAILBOX = "developer@example.com"


class Pending:
    """A mailbox that was subscribed to a topic and is not confirmed."""

    def __init__(self, cloud: LocalCloud, topic: str, subscription: str) -> None:
        self.cloud = cloud
        self.topic = topic
        self.subscription = subscription
        url = f"{cloud.url}/_aws/sns/subscription-tokens/{subscription}"
        self.token = str(fetch_json(url)["subscription_token"])

    @classmethod
    def on_new_topic(cls, cloud: LocalCloud) -> Pending:
        """Subscribe a mailbox to a topic of its own."""
        sns = cloud.client("sns")
        topic = sns.create_topic(Name=f"failures-{uuid4().hex[:8]}")["TopicArn"]
        subscribed = sns.subscribe(
            TopicArn=topic, Protocol="email", Endpoint=MAILBOX, ReturnSubscriptionArn=True
        )
        return cls(cloud, topic, subscribed["SubscriptionArn"])

    @property
    def link(self) -> str:
        """The link of the e-mail, as SNS writes it."""
        host = f"https://sns.{self.cloud.region}.amazonaws.com/confirmation.html"
        return f"{host}?TopicArn={self.topic}&Token={self.token}&Endpoint={MAILBOX}"

    def confirm(self, *arguments: str, typed: str | None = None) -> Result:
        """Run the command."""
        environment = clean_environment(**self.cloud.environment)
        return CliRunner().invoke(cli, ["confirm", *arguments], env=environment, input=typed)

    def attributes(self) -> dict[str, str]:
        """Return the subscription's attributes."""
        sns = self.cloud.client("sns")
        return dict(
            sns.get_subscription_attributes(SubscriptionArn=self.subscription)["Attributes"]
        )


@pytest.fixture(params=["localemu"])
def pending(request: pytest.FixtureRequest) -> Iterator[Pending]:
    """A topic of its own for each test."""
    cloud: LocalCloud = request.getfixturevalue(request.param)
    pending = Pending.on_new_topic(cloud)
    yield pending
    cloud.client("sns").delete_topic(TopicArn=pending.topic)


@pytest.mark.integration
@pytest.mark.parametrize("given", ["link", "token", "standard input"])
def test_confirms_a_mailbox(pending: Pending, given: str) -> None:
    """By its link or token, as an argument or typed."""
    assert pending.attributes()["PendingConfirmation"] == "true"
    arguments = {"link": [pending.link], "token": [pending.token]}.get(given, [])
    result = pending.confirm(*arguments, "--topic", pending.topic, typed=f"{pending.link}\n")
    name = pending.topic.rpartition(":")[2]
    said = f"{MAILBOX} is confirmed for {name}: no link in an e-mail can unsubscribe it\n"
    assert (result.exit_code, result.stdout) == (0, said)
    attributes = pending.attributes()
    assert attributes["PendingConfirmation"] == "false"
    assert attributes["ConfirmationWasAuthenticated"] == "true"


@pytest.mark.integration
def test_confirms_twice(pending: Pending) -> None:
    """The second time, everything is as it was; also as JSON."""
    pending.confirm(pending.link, "--topic", pending.topic)
    result = pending.confirm(pending.link, "--topic", pending.topic, "--json")
    assert json.loads(result.stdout) == {
        "topic": pending.topic,
        "subscription": pending.subscription,
        "protocol": "email",
        "endpoint": MAILBOX,
        "authenticated": True,
    }


@pytest.mark.integration
@pytest.mark.parametrize(
    "spoil",
    [
        lambda pending: pending.token[:-8] + "00000000",
        lambda pending: "0" * len(pending.token),
    ],
)
def test_rejects_a_token_that_sns_does_not_know(
    pending: Pending, spoil: Callable[[Pending], str]
) -> None:
    """One line, and nothing is confirmed."""
    result = pending.confirm(spoil(pending), "--topic", pending.topic)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: SNS does not accept the token for {pending.topic}")
    assert result.stderr.count("\n") == 1
    assert pending.attributes()["PendingConfirmation"] == "true"


@pytest.mark.soak
@pytest.mark.integration
@pytest.mark.parametrize("engine", ["localemu"])
def test_finds_the_topic_in_a_stack(engine: str, request: pytest.FixtureRequest) -> None:
    """The link says which of the stack's topics; a link of another topic is refused."""
    cloud: LocalCloud = request.getfixturevalue(engine)
    app = cdk.App()
    stack = cdk.Stack(app, "Confirmed")
    channel = FailureChannel(stack, "Failures", emails=[MAILBOX])
    FailureMonitoring(stack, "Monitoring", channel=channel)
    cdk.CfnOutput(stack, "TopicArn", value=channel.topic.topic_arn)
    topic = cloud.deploy(app)["Confirmed"]["TopicArn"]
    sns = cloud.client("sns")
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    (mailbox,) = [each for each in listed if each["Protocol"] == "email"]
    pending = Pending(cloud, topic, mailbox["SubscriptionArn"])
    result = pending.confirm(pending.link, "--stack", "Confirmed")
    assert (result.exit_code, result.stdout[: len(MAILBOX)]) == (0, MAILBOX)
    assert pending.attributes()["PendingConfirmation"] == "false"
    assert (
        "a token does not say which topic"
        in pending.confirm(pending.token, "--stack", "Confirmed").stderr
    )
    other = Pending.on_new_topic(cloud)
    assert (
        f"the link is for {other.topic}, and not for"
        in pending.confirm(other.link, "--stack", "Confirmed").stderr
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which topic? name it with --topic ARN, or with --stack NAME"),
        (["--topic", "a", "--stack", "b"], "which topic?"),
        (["--topic", "Failures"], "--topic must be a topic's ARN"),
        (["--topic", "arn:aws:sns:eu-west-1:111122223333:a", "\x1b[2J"], "neither the link"),
        (["--topic", "arn:aws:sns:eu-west-1:111122223333:a"], "neither a link nor a token"),
        (["--topic", "arn:aws:sns:eu-west-1:111122223333:a", "x\u202ey"], "neither the link"),
        (["--topic", "arn:aws:sns:eu-west-1:111122223333:a\x1b"], "a\\x1b"),
    ],
)
def test_rejects_arguments_in_one_line(arguments: list[str], said: str) -> None:
    """A mistake is one printable line."""
    result = CliRunner().invoke(cli, ["confirm", *arguments], env=clean_environment(), input="")
    assert said in result.stderr
    assert (result.exit_code, type(result.exception)) == (2, SystemExit)
    assert result.stderr[:-1].isprintable()


@pytest.mark.parametrize(
    ("authenticated", "status", "said"),
    [
        (False, 1, "was already confirmed for Failures, by its link"),
        (None, 0, "sns:GetSubscriptionAttributes is not permitted"),
    ],
)
def test_says_when_a_link_may_still_unsubscribe(
    monkeypatch: pytest.MonkeyPatch, authenticated: bool | None, status: int, said: str
) -> None:
    """Somebody followed the link before, which no engine shows."""
    topic = "arn:aws:sns:eu-west-1:111122223333:Failures"
    confirmed = Confirmed(f"{topic}:1", topic, "email", MAILBOX, authenticated)
    monkeypatch.setattr(
        "failure_destinations.cli.commands.confirm.confirm", lambda *_given: confirmed
    )
    result = CliRunner().invoke(cli, ["confirm", "a" * 64, "--topic", topic])
    assert result.exit_code == status
    assert said in result.stdout
