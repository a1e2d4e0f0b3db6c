"""Which confirmation links are accepted, and what is made of SNS's answers."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

from failure_destinations.deployed.confirmation import (
    Confirmation,
    Confirmed,
    check_topic,
    confirm,
    parse_confirmation,
)
from failure_destinations.deployed.session import Aws
from failure_destinations.errors import CommandError

TOPIC = "arn:aws:sns:eu-west-1:111122223333:Failures"
OTHER = "arn:aws:sns:eu-west-1:111122223333:Alarms"
SUBSCRIPTION = f"{TOPIC}:8a21d249-4329-4871-acc6-7be709c6ea7f"
TOKEN = "2336412f37fb687f5d51e6e2425dacbbaf0a3b3a" * 7
HOST = "https://sns.eu-west-1.amazonaws.com"
LINK = f"{HOST}/confirmation.html?TopicArn={TOPIC}&Token={TOKEN}&Endpoint=developer@example.com"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    """An account that nothing reaches."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return Aws(region="eu-west-1")


@pytest.mark.parametrize(
    "text",
    [
        LINK,
        f"  {LINK}\n",
        LINK.replace(":", "%3A").replace("https%3A", "https:"),
        f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}",
        LINK.replace("sns.eu", "SNS.EU"),
    ],
)
def test_reads_a_link(text: str) -> None:
    """That of an e-mail, or the one that SNS sends to HTTP endpoints."""
    host = "sns.eu-west-1.amazonaws.com"
    assert parse_confirmation(text) == Confirmation(TOKEN, TOPIC, host)


def test_reads_a_token() -> None:
    """With whatever white space was copied around it."""
    assert parse_confirmation(f" {TOKEN}\n") == Confirmation(TOKEN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither a link nor a token"),
        (" \n", "neither a link nor a token"),
        ("TOKEN", "got 'TOKEN'"),
        (TOKEN[:31], "at least 32"),
        (f"{TOKEN}g", "at least 32"),
        ("a" * 5000, "neither the link of a confirmation e-mail nor its token"),
        (f"{LINK}\x1b[31m", "neither the link of a confirmation e-mail nor its token"),
        (LINK.replace("&Token", "\n&Token"), "neither the link of a confirmation e-mail"),
        (LINK.replace("&Token", " &Token"), "neither the link of a confirmation e-mail"),
        (LINK.replace("Failures", "Fäilures"), "neither the link of a confirmation e-mail"),
        (LINK.replace("https", "http"), "begins with https://"),
        (LINK.replace("https", "javascript"), "begins with https://"),
        (f"{LINK}#x", "not the link of an SNS confirmation e-mail"),
        (LINK.replace("confirmation", "unsubscribe"), "If a mail filter rewrote it"),
        (f"https://safelinks.example.com/?url={LINK}", "If a mail filter rewrote it"),
        (f"{HOST}/?Action=Unsubscribe&TopicArn={TOPIC}&Token={TOKEN}", "not the link of an SNS"),
        (LINK.partition("&")[0], "one TopicArn and one Token"),
        (LINK.replace("&", "&amp;"), "one TopicArn and one Token"),
        (f"{LINK}&Token={TOKEN}", "one TopicArn and one Token"),
        (f"{LINK}&TopicArn={OTHER}", "one TopicArn and one Token"),
        (LINK.replace(TOKEN, f"{TOKEN[:40]}%00"), "damaged"),
        (LINK.replace(TOPIC, TOPIC.replace("sns", "sqs")), "damaged"),
        (LINK.replace(TOPIC, f"{TOPIC}%0A"), "damaged"),
        (LINK + "&a=b" * 20, "not the link of an SNS confirmation e-mail"),
        ("https://[", "not the link of an SNS confirmation e-mail"),
    ],
)
def test_rejects_what_is_not_a_confirmation(text: str, said: str) -> None:
    """Other links, damaged ones, and what a shell left of an unquoted one."""
    with pytest.raises(CommandError) as error:
        parse_confirmation(text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "host",
    [
        "sns.eu-west-2.amazonaws.com",
        "sns.eu-west-1.amazonaws.com.cn",
        "sns.eu-west-1.amazonaws.com.example.com",
        "sns.eu-west-1.amazonaws.com:8443",
        "sns.eu-west-1.amazonaws.com@example.com",
        "example.com",
        "sqs.eu-west-1.amazonaws.com",
    ],
)
def test_rejects_a_link_to_another_host(aws: Aws, host: str) -> None:
    """Only SNS, in the topic's Region and partition."""
    link = parse_confirmation(LINK.replace("sns.eu-west-1.amazonaws.com", host))
    with pytest.raises(CommandError, match="do not follow it"):
        confirm(aws, link, [TOPIC])


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("region", "arn", "host"),
    [
        (
            "cn-north-1",
            "arn:aws-cn:sns:cn-north-1:111122223333:F",
            "sns.cn-north-1.amazonaws.com.cn",
        ),
        (
            "us-gov-west-1",
            "arn:aws-us-gov:sns:us-gov-west-1:111122223333:F",
            "sns.us-gov-west-1.amazonaws.com",
        ),
    ],
)
def test_confirms_in_every_partition(region: str, arn: str, host: str) -> None:
    """Each has a domain of its own."""
    there = Aws(region=region)
    link = parse_confirmation(f"https://{host}/confirmation.html?TopicArn={arn}&Token={TOKEN}")
    with Stubber(there.client("sns")) as sns:
        _accept(sns, arn)
        sns.add_client_error("get_subscription_attributes", "AuthorizationError")
        assert confirm(there, link, [arn]).topic_arn == arn


def test_rejects_a_partition_that_does_not_exist(aws: Aws) -> None:
    """A link cannot make one up."""
    arn = "arn:aws-nowhere:sns:eu-west-1:111122223333:F"
    with pytest.raises(CommandError, match="do not follow it"):
        confirm(aws, parse_confirmation(LINK.replace(TOPIC, arn)), [arn])


@pytest.mark.parametrize(
    ("text", "topics", "said"),
    [
        (LINK, [OTHER], f"the link is for {TOPIC}, and not for {OTHER}"),
        (LINK, [], "not for a topic there"),
        (TOKEN, [], "the stack has no topic"),
        (TOKEN, [OTHER, TOPIC], f"--topic with one of {OTHER}, {TOPIC}"),
        (TOKEN, [TOPIC.replace("west", "east")], "pass --region eu-east-1"),
    ],
)
def test_rejects_another_topic(aws: Aws, text: str, topics: list[str], said: str) -> None:
    """Before anything is sent to SNS."""
    with pytest.raises(CommandError) as error:
        confirm(aws, parse_confirmation(text), topics)
    assert said in str(error.value)


@pytest.mark.parametrize("arn", ["Failures", f"{TOPIC}:x", f"{TOPIC}\n", f"{TOPIC} ", OTHER[:30]])
def test_rejects_what_is_not_a_topic(arn: str) -> None:
    """Only a whole ARN names the Region too."""
    with pytest.raises(CommandError, match="--topic must be a topic's ARN"):
        check_topic(arn)


def _accept(sns: Stubber, topic: str = TOPIC) -> None:
    wanted = {"TopicArn": topic, "Token": TOKEN, "AuthenticateOnUnsubscribe": "true"}
    sns.add_response("confirm_subscription", {"SubscriptionArn": SUBSCRIPTION}, wanted)


@pytest.mark.parametrize(
    ("attributes", "authenticated"),
    [
        ({"ConfirmationWasAuthenticated": "true"}, True),
        ({"ConfirmationWasAuthenticated": "false"}, False),
        ({}, None),
    ],
)
def test_says_whether_a_link_can_unsubscribe(
    aws: Aws, attributes: dict[str, str], authenticated: bool | None
) -> None:
    """To confirm twice is not an error of SNS, whoever confirmed first."""
    mailbox = {"Protocol": "email", "Endpoint": "developer@example.com"}
    with Stubber(aws.client("sns")) as sns:
        _accept(sns)
        sns.add_response("get_subscription_attributes", {"Attributes": {**mailbox, **attributes}})
        confirmed = confirm(aws, parse_confirmation(LINK), [OTHER, TOPIC])
    assert confirmed == Confirmed(
        SUBSCRIPTION, TOPIC, "email", "developer@example.com", authenticated
    )


def test_confirms_without_reading_attributes(aws: Aws) -> None:
    """A missing permission hides only whose subscription it was."""
    with Stubber(aws.client("sns")) as sns:
        _accept(sns)
        sns.add_client_error("get_subscription_attributes", "AuthorizationError")
        assert confirm(aws, Confirmation(TOKEN), [TOPIC]) == Confirmed(SUBSCRIPTION, TOPIC)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("InvalidParameter", "older than 2 days"),
        ("NotFound", "does not exist"),
    ],
)
def test_rejects_an_expired_token(aws: Aws, code: str, said: str) -> None:
    """SNS answers the same for a token of another topic."""
    with Stubber(aws.client("sns")) as sns:
        sns.add_client_error("confirm_subscription", code, "Invalid parameter: Token")
        with pytest.raises(CommandError) as error:
            confirm(aws, Confirmation(TOKEN), [TOPIC])
    assert said in str(error.value)


def test_passes_other_errors_on(aws: Aws) -> None:
    """The command prints AWS's own message."""
    client: Any = aws.client("sns")
    with Stubber(client) as sns:
        sns.add_client_error("confirm_subscription", "AuthorizationError", "not authorized")
        with pytest.raises(client.exceptions.ClientError, match="not authorized"):
            confirm(aws, Confirmation(TOKEN), [TOPIC])
