"""Subscribes configurations of Amazon Q Developer in chat applications to a topic."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_chatbot as chatbot
from aws_cdk import aws_sns as sns

from ..refusals import has_member, shown

ChatConfiguration = (
    chatbot.SlackChannelConfiguration
    | chatbot.CfnSlackChannelConfiguration
    | chatbot.CfnMicrosoftTeamsChannelConfiguration
)


def check_chat(configuration: Any) -> None:
    """Raise ValueError if this is not a configuration that can be subscribed here."""
    if isinstance(configuration, type) or not (
        has_member(configuration, "add_notification_topic")
        or has_member(configuration, "sns_topic_arns")
    ):
        raise ValueError(
            "chat must hold configurations of aws_chatbot that are defined in this app, got "
            f"{shown(configuration)}: pass a SlackChannelConfiguration or a "
            "CfnMicrosoftTeamsChannelConfiguration"
        )


def subscribe_chat(configuration: Any, topic: sns.ITopic) -> None:
    """Let Amazon Q Developer subscribe a chat to a topic.

    https://docs.aws.amazon.com/chatbot/latest/adminguide/getting-started.html
    """
    if has_member(configuration, "add_notification_topic"):
        configuration.add_notification_topic(topic)
        return
    configuration.sns_topic_arns = [*(configuration.sns_topic_arns or ()), topic.topic_arn]
