"""A webhook: a format, and where its URL is kept secret."""

from __future__ import annotations

from typing import Any, cast

from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm

from failure_destinations.runtime.notice_formats import FORMATS

from ..refusals import has_member, shown


class Webhook:
    """A URL to which a notifier sends its messages, and their format.

    The URL is a secret: whoever knows it can post. It is read at each message, so it can be
    changed in its secret at any time, and is in no template, log or error. It must begin with
    `https://`.

    Attributes:
        format: `slack`, `teams`, `pagerduty` or `json`.
        url: The secret or parameter that holds the URL.

    Example:
        >>> from aws_cdk import App, Stack
        >>> from aws_cdk.aws_secretsmanager import Secret
        >>> from failure_destinations import Webhook
        >>> stack = Stack(App(), "Failures")
        >>> webhook = Webhook.slack(Secret.from_secret_name_v2(stack, "Slack", "team/slack"))
        >>> webhook.format
        'slack'
    """

    def __init__(self, format: str, url: secretsmanager.ISecret | ssm.IStringParameter) -> None:
        """Describe a webhook.

        Args:
            format: `slack`, `teams`, `pagerduty` or `json`.
            url: The secret whose whole value is the URL; or an SSM parameter of type SecureString.

        Raises:
            ValueError: The format is not one of these, or the URL is not in a secret or
                SecureString.
        """
        if not isinstance(format, str) or format not in FORMATS:
            raise ValueError(
                f"format must be one of {', '.join(FORMATS)}, got {shown(format)}: json suits "
                "every other receiver"
            )
        self.format = format
        self.url = _checked_url(url)

    @classmethod
    def slack(cls, url: secretsmanager.ISecret | ssm.IStringParameter) -> Webhook:
        """Return a webhook for Slack's incoming webhooks.

        Args:
            url: What holds the URL, such as `https://hooks.slack.com/services/…`.
                https://api.slack.com/messaging/webhooks
        """
        return cls("slack", url)

    @classmethod
    def teams(cls, url: secretsmanager.ISecret | ssm.IStringParameter) -> Webhook:
        """Return a webhook for a Teams workflow, which posts an adaptive card.

        Args:
            url: What holds the URL of the workflow's trigger "When a Teams webhook request is
                received".
                https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7-0394-4861-ba59-055e33f75498
        """
        return cls("teams", url)

    @classmethod
    def pagerduty(cls, key: secretsmanager.ISecret | ssm.IStringParameter) -> Webhook:
        """Return a webhook for PagerDuty's Events API v2: one incident for the channel.

        Args:
            key: What holds the integration key of a service. For another address than
                `https://events.pagerduty.com/v2/enqueue`, the value is that URL, a space and the
                key.
                https://developer.pagerduty.com/docs/events-api-v2-overview
        """
        return cls("pagerduty", key)

    @classmethod
    def json(cls, url: secretsmanager.ISecret | ssm.IStringParameter) -> Webhook:
        """Return a webhook for any other receiver of JSON.

        Args:
            url: What holds the URL.
        """
        return cls("json", url)


def _checked_url(url: Any) -> secretsmanager.ISecret | ssm.IStringParameter:
    way_out = (
        "pass Secret.from_secret_name_v2(…), or "
        "StringParameter.from_secure_string_parameter_attributes(…)"
    )
    if isinstance(url, ssm.StringParameter):
        raise ValueError(
            f"url must be a secret, got {shown(url.node.path)}, whose value is in the template: "
            f"{way_out}"
        )
    if not has_member(url, "secret_arn") and not has_member(url, "parameter_arn"):
        # A URL is not shown: it may be in a log then.
        raise ValueError(
            f"url must be a secret, got a value of type {type(url).__name__}: {way_out}"
        )
    return cast(secretsmanager.ISecret | ssm.IStringParameter, url)
