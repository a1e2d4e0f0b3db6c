"""What localemu does as AWS does, and ministack does not."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from failure_destinations.testing import LocalCloud

pytestmark = pytest.mark.integration


@pytest.mark.soak
def test_runs_of_one_event_share_the_returned_request_id(
    localemu: LocalCloud, create_function: Callable[[LocalCloud, str, str], str]
) -> None:
    """On the faithful engine the retries run under the id that invoke returned."""
    name = create_function(localemu, "same-id", "def handler(event, context): raise RuntimeError")
    request_id = localemu.invoke(name)
    assert {request_id: 3} == localemu.runs(name, count=3)


@pytest.mark.soak
def test_sns_delivers_only_where_the_queue_policy_allows_it(localemu: LocalCloud) -> None:
    """What the policy does not allow goes to the subscription's dead-letter queue."""
    sqs_client, sns = localemu.client("sqs"), localemu.client("sns")
    topic = sns.create_topic(Name="guarded")["TopicArn"]
    urls, arns = {}, {}
    for name in ("open", "closed", "dead"):
        urls[name] = sqs_client.create_queue(QueueName=name)["QueueUrl"]
        arns[name] = f"arn:aws:sqs:{localemu.region}:{localemu.account}:{name}"
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arns[name],
            "Condition": {
                "ArnEquals": {"aws:SourceArn": topic if name != "closed" else f"{topic}-2"}
            },
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs_client.set_queue_attributes(QueueUrl=urls[name], Attributes={"Policy": policy})
    for name in ("open", "closed"):
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arns[name],
            Attributes={
                "RawMessageDelivery": "true",
                "RedrivePolicy": json.dumps({"deadLetterTargetArn": arns["dead"]}),
            },
        )
    sns.publish(TopicArn=topic, Message="news")
    assert [m.body for m in localemu.messages(urls["dead"])] == ["news"]
    assert [m.body for m in localemu.messages(urls["open"])] == ["news"]
    assert localemu.messages(urls["closed"], count=0) == []
