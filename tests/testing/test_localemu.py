"""What localemu does as AWS does, and ministack does not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from failure_destinations.runtime import FailedEvent, replay
from failure_destinations.testing import LocalCloud, engines
from failure_destinations.testing.engines import ENGINES
from failure_destinations.testing.environments import python_for

from ..waiting import eventually

pytestmark = pytest.mark.integration

# Prints how many of eight writes over each version succeed.
RACE = """
import json, runpy, sys, threading
from moto.dynamodb.models import DynamoDBBackend

runpy.run_path(sys.argv[1])["apply"]()
backend = DynamoDBBackend("eu-west-1", "000000000000")
key = {"AttributeName": "Id", "KeyType": "HASH"}
backend.create_table(
    "table", [key], None, [{"AttributeName": "Id", "AttributeType": "S"}], [], [], None,
    "PAY_PER_REQUEST", None, [], None, None,
)
backend.put_item("table", {"Id": {"S": "1"}, "Version": {"N": "1"}})
sys.setswitchinterval(1e-5)
succeeded = []

def write(version, start):
    start.wait()
    try:
        backend.put_item(
            "table",
            {"Id": {"S": "1"}, "Version": {"N": str(version + 1)}},
            condition_expression="#version = :version",
            expression_attribute_names={"#version": "Version"},
            expression_attribute_values={":version": {"N": str(version)}},
        )
    except Exception as error:
        assert "conditional request failed" in str(error), error
    else:
        succeeded[-1] += 1

for version in range(1, 101):
    succeeded.append(0)
    start = threading.Barrier(8)
    threads = [threading.Thread(target=write, args=(version, start)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(json.dumps(succeeded))
"""


@pytest.mark.soak
def test_runs_of_one_event_share_the_returned_request_id(
    localemu: LocalCloud, create_function: Callable[[LocalCloud, str, str], str]
) -> None:
    """On the faithful engine the retries run under the id that invoke returned."""
    name = create_function(localemu, "same-id", "def handler(event, context): raise RuntimeError")
    request_id = localemu.invoke(name)
    assert {request_id: 3} == localemu.runs(name, count=3)


def test_a_handler_gets_the_client_context_of_a_replay(
    localemu: LocalCloud, create_function: Callable[[LocalCloud, str, str], str]
) -> None:
    """Of a synchronous invocation only, as AWS does; other handlers find None as before."""
    code = "def handler(event, context): raise ValueError(context.client_context and "
    code += "context.client_context.custom)"
    name = create_function(localemu, "context", code)
    client = localemu.client("lambda")
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
    event = FailedEvent("{}", arn, None, "destination", "6f1d0c0e")
    replayed = replay(event, client, run="nightly")
    assert replayed.error_message == str(
        {
            "failure_destinations_replay": "nightly",
            "failure_destinations_request_id": "6f1d0c0e",
        }
    )
    plain = client.invoke(FunctionName=name, Payload=b"{}")
    assert json.load(plain["Payload"])["errorMessage"] == "None"


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


def test_of_writes_over_the_same_version_one_succeeds() -> None:
    """As DynamoDB promises: what the notifier counts depends on it.

    Threads that take turns very often show what on a busy machine happens once in a while.
    """
    python = python_for(ENGINES["localemu"], print)
    raced = subprocess.run(
        [python, "-I", "-c", RACE, conditional_writes()], stdout=subprocess.PIPE, check=True
    )
    assert json.loads(raced.stdout) == [1] * 100


def conditional_writes() -> Path:
    """Return the file of the patch, which only the engine's Python can import."""
    return Path(engines.__file__).parent / "localemu" / "conditional_writes.py"


@pytest.mark.soak
def test_cloudwatch_gets_every_metric(
    localemu: LocalCloud, create_function: Callable[[LocalCloud, str, str], str]
) -> None:
    """Of queues and functions, with the right number, sum and maximum."""
    start = datetime.now(timezone.utc) - timedelta(minutes=1)
    sqs_client = localemu.client("sqs")
    url = sqs_client.create_queue(QueueName="measured")["QueueUrl"]
    for number in range(7):
        sqs_client.send_message(QueueUrl=url, MessageBody="x" * (number + 1))
    name = create_function(localemu, "measured", "def handler(event, context): pass")
    for _ in range(3):
        localemu.client("lambda").invoke(FunctionName=name)

    def metric(service: str, name: str, dimension: str) -> list[float]:
        points = localemu.client("cloudwatch").get_metric_statistics(
            Namespace=f"AWS/{service}",
            MetricName=name,
            Dimensions=[{"Name": dimension, "Value": "measured"}],
            StartTime=start,
            EndTime=start + timedelta(minutes=10),
            Period=3600,
            Statistics=["SampleCount", "Sum", "Maximum"],
        )["Datapoints"]
        return [value for p in points for value in (p["SampleCount"], p["Sum"], p["Maximum"])]

    def metrics() -> list[list[float]]:
        return [
            metric("SQS", "NumberOfMessagesSent", "QueueName"),
            metric("SQS", "SentMessageSize", "QueueName"),
            metric("Lambda", "Invocations", "FunctionName"),
        ]

    eventually(metrics, lambda seen: seen == [[7, 7, 1], [7, 28, 7], [3, 3, 1]])


@pytest.mark.soak
def test_a_rule_hears_of_api_calls_a_minute_later(localemu: LocalCloud) -> None:
    """As from CloudTrail, and only of calls since the rule was there."""
    sqs_client, events = localemu.client("sqs"), localemu.client("events")
    url = sqs_client.create_queue(QueueName="heard")["QueueUrl"]
    pattern = {"source": ["aws.sqs"], "detail-type": ["AWS API Call via CloudTrail"]}
    events.put_rule(Name="calls", EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:{localemu.region}:{localemu.account}:heard"
    events.put_targets(Rule="calls", Targets=[{"Id": "queue", "Arn": arn}])
    sqs_client.create_queue(QueueName="told")
    heard = [message.json()["detail"] for message in localemu.messages(url, timeout=120)]
    assert [detail["eventName"] for detail in heard] == ["CreateQueue"]
    assert heard[0]["requestParameters"]["queueName"] == "told"
    events.remove_targets(Rule="calls", Ids=["queue"])
    events.delete_rule(Name="calls")
