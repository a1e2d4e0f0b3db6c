"""What an audit asks and finds about event source mappings, in cases that no engine can show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from failure_destinations.audit import Audit
from failure_destinations.check import Finding, render

from .account_of_paper import ACCOUNT, REGION, PaperAccount, function_arn
from .test_audit import audit, functions

SQS = f"arn:aws:sqs:{REGION}:{ACCOUNT}"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/stream/2026"
BUCKET = "arn:aws:s3:::failures"
URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}"


def mapping(source: str, id: str = "one", **properties: Any) -> dict[str, Any]:
    """Return a mapping as Lambda lists it."""
    return {
        "UUID": id,
        "EventSourceArn": source,
        "FunctionArn": function_arn("orders"),
        "State": "Enabled",
        # As AWS answers for a stream without limits.
        **({} if ":sqs:" in source else {"StartingPosition": "LATEST", "MaximumRetryAttempts": -1,
           "MaximumRecordAgeInSeconds": -1, "DestinationConfig": {"OnFailure": {}}}),
        **properties,
    }  # fmt: skip


def to(destination: str, source: str = STREAM, **properties: Any) -> dict[str, Any]:
    """Return a mapping with a failure destination and a limit of retries."""
    config = {"OnFailure": {"Destination": destination}}
    return mapping(source, **{"MaximumRetryAttempts": 3, "DestinationConfig": config, **properties})


class _Queues:
    """Answers of SQS for queues with given attributes."""

    def __init__(self, account: dict[str, dict[str, Any]], refuse: Any) -> None:
        self._queues = account
        self.refuse = refuse

    def url(self, QueueName: str) -> dict[str, Any]:  # noqa: N803 - as AWS calls it
        if QueueName not in self._queues:
            self.refuse("GetQueueUrl", "QueueDoesNotExist")
        return {"QueueUrl": f"{URL}/{QueueName}"}

    def attributes(self, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        given = self._queues[QueueUrl.rpartition("/")[2]]
        return {
            "Attributes": {
                "VisibilityTimeout": "30",
                "MessageRetentionPeriod": "345600",
                **{name: str(value) for name, value in given.items()},
            }
        }


def redrive(name: str) -> dict[str, str]:
    """Return the attribute that names a dead-letter queue."""
    policy = {"deadLetterTargetArn": f"{SQS}:{name}", "maxReceiveCount": 5}
    return {"RedrivePolicy": json.dumps(policy)}


def account(
    *mappings: dict[str, Any],
    queues: dict[str, dict[str, Any]] | None = None,
    denied: tuple[str, ...] = (),
    timeout: int = 3,
    **answers: Any,
) -> PaperAccount:
    """Return an account with one function, mappings and queues."""
    given: dict[str, Any] = {
        "ListFunctions": functions("orders", Timeout=timeout),
        "GetPolicy": {"Policy": "{}"},
        "ListFunctionEventInvokeConfigs": {"FunctionEventInvokeConfigs": []},
        "ListEventSourceMappings": {"EventSourceMappings": list(mappings)},
        "DescribeStreamSummary": {"StreamDescriptionSummary": {"RetentionPeriodHours": 24}},
        **answers,
    }
    paper = PaperAccount(0, denied, **given)
    known = _Queues(queues or {}, paper.refuse)
    paper.answers |= {"GetQueueUrl": known.url, "GetQueueAttributes": known.attributes} | answers
    return paper


def found(paper: PaperAccount, folder: Path) -> list[Finding]:
    """Return the findings in an account."""
    audited: Audit = audit(paper, folder / "state")
    return audited.findings


def kinds(paper: PaperAccount, folder: Path) -> list[str]:
    """Return their kinds."""
    return [one.kind for one in found(paper, folder)]


ALARM = {
    "MetricAlarms": [
        {"AlarmArn": "alarm", "Dimensions": [{"Name": "QueueName", "Value": "dead"}]},
        {"AlarmArn": "other", "Dimensions": [{"Name": "FunctionName", "Value": "orders"}]},
    ]
}
DEAD: dict[str, Any] = {"dead": {"MessageRetentionPeriod": 1_209_600}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (mapping(STREAM), ["endless-retries"]),
        (mapping(TABLE), ["endless-retries"]),
        (mapping(f"{STREAM}/consumer/fast:1"), ["endless-retries"]),
        (mapping(STREAM, MaximumRetryAttempts=0), ["stream-uncovered"]),
        (to(BUCKET), []),
        (to(BUCKET, MaximumRetryAttempts=-1), ["blocked-shard"]),
        (to(f"{SQS}:dead"), ["metadata-only"]),
        (to(f"{SQS}:dead", TABLE), ["metadata-only"]),
        (to(f"{SQS}:dead", f"{STREAM}/consumer/fast:1"), ["metadata-only"]),
        (to(f"arn:aws:sns:{REGION}:{ACCOUNT}:failures"), ["metadata-only"]),
        (to(f"{SQS}:gone"), ["lost-destination"]),
        (to(f"{SQS}:dead".replace(ACCOUNT, "444455556666")), ["unknown"]),
        (mapping(STREAM, State="Disabled"), ["disabled"]),
        (mapping(STREAM, State="Deleting"), []),
    ],
)
def test_judges_streams(tmp_path: Path, given: dict[str, Any], expected: list[str]) -> None:
    """As the check judges a template."""
    assert kinds(account(given, queues=DEAD), tmp_path) == expected


def test_names_function_mapping_and_region(tmp_path: Path) -> None:
    """The function by its name, the mapping by its UUID."""
    (finding,) = found(account(mapping(STREAM)), tmp_path)
    assert (finding.function, finding.logical_id, finding.stack) == ("orders", "one", REGION)
    assert finding.reason.startswith("one (AWS::Lambda::EventSourceMapping) reads Kinesis stream ")


def test_knows_how_long_a_stream_keeps(tmp_path: Path) -> None:
    """A stream that keeps its records as long as the queue its messages is enough."""
    long: dict[str, Any] = {
        "DescribeStreamSummary": {"StreamDescriptionSummary": {"RetentionPeriodHours": 336}}
    }
    assert kinds(account(to(f"{SQS}:dead"), queues=DEAD, **long), tmp_path) == []


def test_says_that_a_destination_does_not_exist(tmp_path: Path) -> None:
    """Somebody deleted the queue."""
    (finding,) = found(account(to(f"{SQS}:gone")), tmp_path)
    assert "Lambda cannot send failed batches to a resource that does not exist" in finding.reason


@pytest.mark.parametrize(
    ("queues", "timeout", "expected"),
    [
        ({"orders": {}}, 3, ["no-redrive"]),
        ({"orders": redrive("dead"), **DEAD}, 3, []),
        ({"orders": redrive("dead"), "dead": {}}, 3, []),
        ({"orders": redrive("dead"), "dead": {"MessageRetentionPeriod": 60}}, 3,
         ["dead-letter-retention"]),
        ({"orders": redrive("dead"), **DEAD}, 30, ["visibility-margin"]),
        ({"orders": redrive("dead"), **DEAD}, 31, ["visibility-timeout"]),
        ({"orders": redrive("gone")}, 3, []),
        ({"orders": redrive("unseen"), "unseen": {}}, 3, ["unwatched"]),
        ({"orders": {"RedrivePolicy": "nonsense"}}, 3, ["no-redrive"]),
    ],
)  # fmt: skip
def test_judges_queues(
    tmp_path: Path, queues: dict[str, Any], timeout: int, expected: list[str]
) -> None:
    """As the check judges a template."""
    paper = account(mapping(f"{SQS}:orders"), queues=queues, timeout=timeout, DescribeAlarms=ALARM)
    assert kinds(paper, tmp_path) == expected


def test_asks_for_each_queue_once(tmp_path: Path) -> None:
    """Many queues may share a dead-letter queue."""
    queues = {"a": redrive("dead"), "b": redrive("dead"), **DEAD}
    paper = account(
        mapping(f"{SQS}:a", "1"), mapping(f"{SQS}:b", "2"), mapping(f"{SQS}:a", "3"),
        queues=queues, DescribeAlarms=ALARM,
    )  # fmt: skip
    assert kinds(paper, tmp_path) == []
    assert set(paper.asked.values()) == {1}


@pytest.mark.parametrize(
    "reader",
    [
        {"DescribeAlarms": ALARM},
        {"DescribeAlarms": {"MetricAlarms": [{"AlarmArn": "all", "Metrics": [
            {"Expression": 'SELECT MAX(ApproximateNumberOfMessagesVisible) FROM "AWS/SQS"'}]}]}},
        {"ListPipes": {"Pipes": [{"Name": "a", "Arn": "a", "Source": f"{SQS}:dead"}]}},
    ],
)  # fmt: skip
def test_accepts_a_dead_letter_queue_that_is_watched(tmp_path: Path, reader: Any) -> None:
    """An alarm or a pipe."""
    paper = account(mapping(f"{SQS}:orders"), queues={"orders": redrive("dead"), **DEAD}, **reader)
    assert kinds(paper, tmp_path) == []


def test_accepts_a_function_that_reads_dead_letters(tmp_path: Path) -> None:
    """It watches the queue, which needs no redrive policy of its own."""
    paper = account(
        mapping(f"{SQS}:orders"),
        mapping(f"{SQS}:dead", "two"),
        queues={"orders": redrive("dead"), **DEAD},
    )
    assert kinds(paper, tmp_path) == []


def test_knows_dead_letter_queues_of_queues_that_no_function_reads(tmp_path: Path) -> None:
    """SQS says which queues move messages there."""
    answer: dict[str, Any] = {
        "ListDeadLetterSourceQueues": {"queueUrls": [f"{URL}/read-by-a-program"]}
    }
    assert kinds(account(mapping(f"{SQS}:dead"), queues=DEAD, **answer), tmp_path) == []


@pytest.mark.parametrize(
    ("denied", "given", "expected"),
    [
        ("GetQueueUrl", mapping(f"{SQS}:orders"), "queue defined elsewhere"),
        ("GetQueueAttributes", mapping(f"{SQS}:orders"), "queue defined elsewhere"),
        ("ListDeadLetterSourceQueues", mapping(f"{SQS}:orders"), "request not allowed"),
        ("DescribeStreamSummary", to(f"{SQS}:orders"), "retention of records not known"),
    ],
)
def test_accuses_nobody_without_permission(
    tmp_path: Path, denied: str, given: dict[str, Any], expected: str
) -> None:
    """What is not known is said, with the action that is denied."""
    paper = account(given, queues={"orders": {}}, denied=(denied,))
    unknown = found(paper, tmp_path)
    assert {one.kind for one in unknown} == {"unknown"}
    assert [render.in_short(one) for one in unknown] == [expected, "request not allowed"]
    assert "is denied in eu-west-1" in unknown[-1].reason


@pytest.mark.parametrize("denied", ["DescribeAlarms", "ListPipes"])
def test_does_not_say_that_nobody_watches_without_permission(tmp_path: Path, denied: str) -> None:
    """An alarm or pipe that cannot be listed may watch the queue."""
    paper = account(
        mapping(f"{SQS}:orders"), queues={"orders": redrive("dead"), **DEAD}, denied=(denied,)
    )
    assert kinds(paper, tmp_path) == ["unknown"]


def test_says_that_mappings_cannot_be_listed(tmp_path: Path) -> None:
    """The rest is audited."""
    (finding,) = found(account(denied=("ListEventSourceMappings",)), tmp_path)
    assert "which streams and queues functions read" in finding.reason


def test_takes_the_timeout_of_the_version(tmp_path: Path) -> None:
    """An alias may invoke a version with another timeout than $LATEST."""
    versions = {
        "Functions": [
            {"FunctionName": "orders", "FunctionArn": f"{function_arn('orders')}:{version}",
             "Version": version, "Timeout": timeout}
            for version, timeout in (("$LATEST", 3), ("1", 60))
        ]
    }  # fmt: skip
    aliased = mapping(f"{SQS}:orders", FunctionArn=f"{function_arn('orders')}:live")
    paper = account(
        aliased,
        queues={"orders": redrive("dead"), **DEAD},
        ListFunctions=versions,
        ListAliases={"Aliases": [{"Name": "live", "FunctionVersion": "1"}]},
        DescribeAlarms=ALARM,
    )
    (finding,) = found(paper, tmp_path)
    assert (finding.kind, finding.qualifier) == ("visibility-timeout", "live")


def test_leaves_the_librarys_own_functions_alone(tmp_path: Path) -> None:
    """They read queues that hold what already failed."""
    own = functions("orders", Timeout=3, Handler="runtime.replayer.handler")
    paper = account(mapping(f"{SQS}:orders"), queues={"orders": {}}, ListFunctions=own)
    assert kinds(paper, tmp_path) == []


def test_a_mapping_does_not_explain_asynchronous_events(tmp_path: Path) -> None:
    """Lambda waits for a batch: what CloudWatch counts comes from somebody else."""
    paper = account(
        to(BUCKET),
        ListMetrics={"Metrics": [{"Dimensions": [{"Name": "FunctionName", "Value": "orders"}]}]},
        GetMetricData={"MetricDataResults": [{"Id": "q0", "Values": [2.0]}]},
    )
    audited = audit(paper, tmp_path / "state", metrics=True)
    assert [one.logical_id for one in audited.findings] == ["orders"]
