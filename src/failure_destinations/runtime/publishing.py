"""Sends a record to a channel's topic, or to its queue alone if it is too large for the topic."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


class RecordPublisher:
    """Sends records to a channel.

    Args:
        sns: A boto3 client of SNS.
        sqs: A boto3 client of SQS.
        topic_arn: The channel's topic.
        queue_url: The channel's queue.
    """

    def __init__(self, sns: SNSClient, sqs: SQSClient, *, topic_arn: str, queue_url: str) -> None:
        self._sns = sns
        self._sqs = sqs
        self._topic_arn = topic_arn
        self._queue_url = queue_url

    def publish(self, text: str, what: str) -> None:
        """Publish a record, or send it to the queue if SNS refuses it for its size.

        Args:
            text: The record.
            what: What the log calls it.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415

        try:
            self._sns.publish(TopicArn=self._topic_arn, Message=text)
        except ClientError as error:
            if not _is_too_long(error.response):
                raise
            self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=text)
            _log.warning("%s is too large for the topic", what)
        _log.info("%s forwarded", what)


def publisher_of_environment() -> RecordPublisher:
    """Return the publisher that a function's environment variables describe."""
    import boto3  # noqa: PLC0415

    session, environment = boto3.Session(), os.environ
    return RecordPublisher(
        session.client("sns"),
        session.client("sqs"),
        topic_arn=environment["TOPIC_ARN"],
        queue_url=environment["QUEUE_URL"],
    )


def _is_too_long(response: Mapping[str, Any]) -> bool:
    # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    error = response.get("Error", {})
    return (
        error.get("Code") in ("InvalidParameter", "InvalidParameterException")
        and "too long" in str(error.get("Message", "")).lower()
    )
