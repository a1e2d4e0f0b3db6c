"""Confirms subscriptions to SNS topics so that only AWS credentials can unsubscribe them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

from failure_destinations.errors import CommandError

from .aws_errors import error_code, is_access_denied, is_not_found
from .location import Location
from .session import Aws
from .stacks import DeployedStack

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

# https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}(?:\.fifo)?", re.ASCII)
# SNS writes 288 hexadecimal digits; its API reference promises no length.
_TOKEN = re.compile(r"[0-9a-fA-F]{32,1024}")
_MAX_LENGTH = 4096
_MAX_FIELDS = 10
_PAGE = "/confirmation.html"
_ACTION = "ConfirmSubscription"

_COPY = "copy the whole link of the e-mail, or the Token in it, and put it in quotes"


class Confirmation(NamedTuple):
    """The contents of a confirmation e-mail's link.

    Attributes:
        token: The token, which is valid for 2 days.
        topic_arn: The topic; None if only the token was given.
        host: The host that the link leads to; None if only the token was given.
    """

    token: str
    topic_arn: str | None = None
    host: str | None = None


@dataclass(frozen=True)
class Confirmed:
    """A confirmed subscription.

    Attributes:
        arn: Its ARN.
        topic_arn: Its topic.
        protocol: Such as `email`; None if the caller may not read it.
        endpoint: Such as an e-mail address; None if the caller may not read it.
        authenticated: Whether only AWS credentials can unsubscribe it; False if it was already
            confirmed by its link; None if the caller may not read it.
    """

    arn: str
    topic_arn: str
    protocol: str | None = None
    endpoint: str | None = None
    authenticated: bool | None = None


def parse_confirmation(text: str) -> Confirmation:
    """Return the token in a text, and the topic if the text is a link.

    The link is not trusted: it names a host and a topic, which `confirm` compares.

    Args:
        text: The token, or the whole link of a confirmation e-mail.

    Raises:
        CommandError: The text is neither.
    """
    text = text.strip()
    if not text:
        raise CommandError(f"there is neither a link nor a token: {_COPY}")
    if _TOKEN.fullmatch(text):
        return Confirmation(text)
    if len(text) > _MAX_LENGTH or re.search(r"[^!-~]", text):
        raise CommandError(
            f"this is neither the link of a confirmation e-mail nor its token: {_COPY}"
        )
    if "://" not in text:
        raise CommandError(
            "a token has only the digits 0 to 9 and letters a to f, at least 32 of them, "
            f"got {text[:50]!r}: {_COPY}"
        )
    return _parse_link(text)


def check_topic(arn: str) -> None:
    """Raise CommandError if a text is not the ARN of a topic."""
    if _TOPIC.fullmatch(arn) is None:
        raise CommandError(
            f"--topic must be a topic's ARN like arn:aws:sns:eu-west-1:111122223333:Failures, "
            f"got {arn!r}"
        )


def topics_of(stack: DeployedStack) -> list[str]:
    """Return the ARNs of the topics that a stack defines or subscribes to."""
    found = {stack.physical_ids[id] for id in stack.of_type("AWS::SNS::Topic")}
    for id in stack.of_type("AWS::SNS::Subscription"):
        # A subscription's ARN begins with its topic's ARN.
        topic = stack.resolve(stack.properties(id).get("TopicArn"))
        found.add(topic or stack.physical_ids[id].rpartition(":")[0])
    return sorted(topic for topic in found if _TOPIC.fullmatch(topic))


def confirm(aws: Aws, confirmation: Confirmation, topics: Collection[str]) -> Confirmed:
    """Confirm a subscription so that only AWS credentials can unsubscribe it.

    The link of a confirmation e-mail confirms without credentials, and then the link in each later
    e-mail unsubscribes without credentials too. The caller needs `sns:ConfirmSubscription`, and
    `sns:GetSubscriptionAttributes` to say whose subscription it was.

    Args:
        aws: The account and Region of the topic.
        confirmation: The contents of the e-mail's link.
        topics: The ARNs of the topics that the operator names.

    Raises:
        CommandError: The link is of another topic or host, or SNS does not accept the token.

    https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    topic = _chosen_topic(confirmation, topics)
    location = Location.of(topic)
    region = aws.session.region_name
    if region not in (None, location.region):
        raise CommandError(
            f"the topic is in {location.region}, and the Region to work in is {region}: "
            f"pass --region {location.region}"
        )
    _check_host(confirmation, location)
    client = aws.client("sns")
    try:
        arn = client.confirm_subscription(
            TopicArn=topic, Token=confirmation.token, AuthenticateOnUnsubscribe="true"
        )["SubscriptionArn"]
    except ClientError as error:
        refusal = _refusal(error, topic)
        if refusal is None:
            raise
        raise CommandError(refusal) from None
    try:
        attributes = client.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    except ClientError as error:
        if not is_access_denied(error):
            raise
        return Confirmed(arn, topic)
    authenticated = str(attributes.get("ConfirmationWasAuthenticated", "")).lower()
    return Confirmed(
        arn,
        topic,
        attributes.get("Protocol"),
        attributes.get("Endpoint"),
        {"true": True, "false": False}.get(authenticated),
    )


def _parse_link(text: str) -> Confirmation:
    other = f"this is not the link of an SNS confirmation e-mail: {_COPY}"
    try:
        link = urlsplit(text)
        fields = parse_qsl(link.query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise CommandError(other) from None
    if link.scheme.lower() != "https":
        raise CommandError(f"the link of a confirmation e-mail begins with https://: {_COPY}")
    if not _is_confirmation(link, fields) or link.fragment:
        raise CommandError(
            f"{other}. If a mail filter rewrote it, copy the Token from the address it leads to"
        )
    topics = [value for name, value in fields if name == "TopicArn"]
    tokens = [value for name, value in fields if name == "Token"]
    if len(topics) != 1 or len(tokens) != 1:
        # An unquoted & ends a command.
        raise CommandError(f"the link must have one TopicArn and one Token: {_COPY}")
    if not _TOPIC.fullmatch(topics[0]) or not _TOKEN.fullmatch(tokens[0]):
        raise CommandError(f"the link's TopicArn or Token is damaged: {_COPY}")
    return Confirmation(tokens[0], topics[0], link.netloc.lower())


def _is_confirmation(link: SplitResult, fields: list[tuple[str, str]]) -> bool:
    if link.path == _PAGE:
        return True
    # The link that SNS sends to HTTP endpoints.
    actions = [value for name, value in fields if name == "Action"]
    return link.path in ("", "/") and actions == [_ACTION]


def _chosen_topic(confirmation: Confirmation, topics: Collection[str]) -> str:
    names = ", ".join(topics)
    linked = confirmation.topic_arn
    if linked is not None:
        if linked not in topics:
            raise CommandError(f"the link is for {linked}, and not for {names or 'a topic there'}")
        return linked
    if not topics:
        raise CommandError("the stack has no topic: name another with --stack, or use --topic")
    if len(topics) > 1:
        raise CommandError(
            f"a token does not say which topic it is for: pass the whole link, or --topic with "
            f"one of {names}"
        )
    return next(iter(topics))


def _check_host(confirmation: Confirmation, location: Location) -> None:
    if confirmation.host is None:
        return
    suffix = _dns_suffix(location.partition)
    expected = f"sns.{location.region}.{suffix}"
    if suffix is None or confirmation.host != expected:
        raise CommandError(
            f"the link leads to {confirmation.host!r}, and that of the topic would lead to "
            f"{expected}: do not follow it, and use the link that SNS sent"
        )


def _dns_suffix(partition: str) -> str | None:
    """Return the domain of AWS's endpoints in a partition, such as `amazonaws.com`."""
    import botocore.session  # noqa: PLC0415 - start-up time

    known = botocore.session.Session().get_data("partitions")["partitions"]
    return next((each["outputs"]["dnsSuffix"] for each in known if each["id"] == partition), None)


def _refusal(error: ClientError, topic: str) -> str | None:
    """Return why SNS did not accept a token; None for other errors."""
    if is_not_found(error):
        return f"{topic} does not exist, or the subscription was deleted: look at --topic, --region"
    if error_code(error) not in ("InvalidParameter", "InvalidParameterException"):
        return None
    return (
        f"SNS does not accept the token for {topic}: it is for another topic, not complete, or "
        "older than 2 days. `failure-destinations doctor` prints the command that sends a new "
        "e-mail"
    )
