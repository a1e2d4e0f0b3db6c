"""`failure-destinations confirm`: confirm a subscription so that no link unsubscribes it."""

from __future__ import annotations

import json
import sys

import click

from failure_destinations.deployed.confirmation import (
    Confirmed,
    check_topic,
    confirm,
    parse_confirmation,
    topics_of,
)
from failure_destinations.deployed.location import Location
from failure_destinations.deployed.session import Aws
from failure_destinations.deployed.stacks import DeployedStack
from failure_destinations.errors import CommandError
from failure_destinations.text import printable

from ..options import aws_options
from ..parameters import NameType
from ..progress import ProgressBar

_BY_LINK = 1
# A link has about 500 characters.
_MAX_READ = 10_000

_EXAMPLES = """\b
Examples:
  failure-destinations confirm --stack Reports
  failure-destinations confirm --stack Reports 'https://sns.…/confirmation.html?TopicArn=…'
  failure-destinations confirm --topic arn:aws:sns:eu-west-1:111122223333:Failures 2336412f…
"""


@click.command("confirm", epilog=_EXAMPLES)
@click.argument("link", metavar="[LINK]", required=False)
@click.option("--topic", type=NameType(), metavar="ARN", help="The topic of the subscription.")
@click.option(
    "--stack", type=NameType(), metavar="NAME", help="Stack of the topic, instead of --topic."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@aws_options
@click.pass_context
def command(
    context: click.Context,
    *,
    aws: Aws,
    link: str | None,
    topic: str | None,
    stack: str | None,
    as_json: bool,
) -> None:
    """Confirm a subscription so that no link in an e-mail can unsubscribe it.

    LINK is the link of the e-mail "AWS Notification - Subscription Confirmation", or only the Token
    in it. Copy it, and do not follow it: a mailbox that was confirmed by following the link can be
    unsubscribed by whoever follows the link in a later e-mail, such as a program that scans links.
    After this command, only AWS credentials can unsubscribe it. Without LINK, it is read from
    standard input.

    The command opens no link. It accepts only a link of SNS in the topic's Region, for this topic.
    A link is valid for 2 days.

    Exit status: 0 if it is confirmed, 1 if somebody has followed the link before, 2 if SNS does not
    accept it.
    """
    if (topic is None) == (stack is None):
        raise CommandError("which topic? name it with --topic ARN, or with --stack NAME")
    if topic is not None:
        check_topic(topic)
    confirmation = parse_confirmation(_read() if link is None else link)
    with ProgressBar("confirming", None):
        topics = [topic] if topic is not None else _topics_in(aws, str(stack))
        confirmed = confirm(aws, confirmation, topics)
    if as_json:
        click.echo(json.dumps(_as_object(confirmed)))
    else:
        click.echo(printable(_sentence(confirmed)))
    context.exit(_BY_LINK if confirmed.authenticated is False else 0)


def _topics_in(aws: Aws, stack: str) -> list[str]:
    stacks = DeployedStack(aws, stack).with_nested()
    return sorted({topic for each in stacks for topic in topics_of(each)})


def _read() -> str:
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        click.echo("Link or token of the e-mail: ", nl=False, err=True)
    return sys.stdin.readline(_MAX_READ)


def _as_object(confirmed: Confirmed) -> dict[str, object]:
    return {
        "topic": confirmed.topic_arn,
        "subscription": confirmed.arn,
        "protocol": confirmed.protocol,
        "endpoint": confirmed.endpoint,
        "authenticated": confirmed.authenticated,
    }


def _sentence(confirmed: Confirmed) -> str:
    topic = confirmed.topic_arn.rpartition(":")[2]
    who = confirmed.endpoint or confirmed.arn
    if confirmed.authenticated is False:
        return (
            f"{who} was already confirmed for {topic}, by its link: the link in each e-mail still "
            f"unsubscribes it. Run aws sns unsubscribe --subscription-arn {confirmed.arn} --region "
            f"{Location.of(confirmed.topic_arn).region}, subscribe it again, and confirm the new "
            "e-mail with this command"
        )
    if confirmed.authenticated is None:
        return (
            f"{who} is confirmed for {topic}. Whether a link can unsubscribe it is not known: "
            "sns:GetSubscriptionAttributes is not permitted"
        )
    return f"{who} is confirmed for {topic}: no link in an e-mail can unsubscribe it"
