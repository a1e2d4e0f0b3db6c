"""LocalCloud on each engine, as tests use it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from failure_destinations.testing import LocalCloud, LocalCloudError, Mail

pytestmark = pytest.mark.integration

Deployed = tuple[LocalCloud, dict[str, str]]


@pytest.fixture(
    scope="module", params=[pytest.param("localemu", marks=pytest.mark.soak), "ministack"]
)
def cloud(request: pytest.FixtureRequest) -> LocalCloud:
    """Each engine in turn."""
    running: LocalCloud = request.getfixturevalue(request.param)
    return running


@pytest.fixture(scope="module")
def deployed(cloud: LocalCloud, failing_app: Path) -> Deployed:
    """The app with the failing function, and its outputs."""
    return cloud, cloud.deploy(failing_app)["Failing"]


def test_a_failure_reaches_queue_and_mailbox(deployed: Deployed) -> None:
    """A failing asynchronous run ends as the same record in the queue and in a mail."""
    cloud, outputs = deployed
    cloud.invoke(outputs["FunctionName"], {"order": 1})
    cloud.messages(outputs["QueueUrl"])
    records = [
        message
        for message in cloud.messages(outputs["QueueUrl"])
        if message.json()["requestPayload"] == {"order": 1}
    ]
    assert [record.json()["responsePayload"]["errorMessage"] for record in records] == [
        "no such order"
    ]
    assert records[0].body in [mail.body for mail in cloud.mails("ops@example.com")]


def test_runs_count_the_first_try_and_each_retry(deployed: Deployed) -> None:
    """One retry makes two runs, and the log shows what the handler printed."""
    cloud, outputs = deployed
    before = sum(cloud.runs(outputs["FunctionName"]).values())
    cloud.invoke(outputs["FunctionName"], {"order": 2})
    runs = cloud.runs(outputs["FunctionName"], count=before + 2)
    assert before + 2 == sum(runs.values())
    assert "got {'order': 2}" in cloud.logs(outputs["FunctionName"])


@pytest.mark.soak
def test_payload_may_be_text_bytes_or_json(
    ministack: LocalCloud, create_function: Callable[[LocalCloud, str, str], str]
) -> None:
    """Text and bytes are sent as they are, anything else as JSON, and nothing as {}."""
    name = create_function(ministack, "echo", "def handler(event, context): print('got', event)")
    for payload in ('{"a": 1}', b'{"a": 2}', {"a": 3}, [4], None):
        ministack.invoke(name, payload)
    ministack.runs(name, count=5)
    got = [line for line in ministack.logs(name).splitlines() if line.startswith("got")]
    expected = ["got [4]", "got {'a': 1}", "got {'a': 2}", "got {'a': 3}", "got {}"]
    assert expected == sorted(got)


@pytest.mark.soak
def test_looking_at_messages_leaves_them_and_their_receive_count(cloud: LocalCloud) -> None:
    """Messages stay in the queue, and their receive counts stay as they are."""
    sqs_client = cloud.client("sqs")
    url = sqs_client.create_queue(QueueName="looks")["QueueUrl"]
    attribute = {"Kind": {"DataType": "String", "StringValue": "order"}}
    for body in ("1", "2"):
        sqs_client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attribute)
    for _ in range(3):
        messages = cloud.messages(url, count=2)
    assert sorted(message.body for message in messages) == ["1", "2"]
    assert sorted(message.json() for message in messages) == [1, 2]
    assert [message.message_attributes for message in messages] == [{"Kind": "order"}] * 2
    received = sqs_client.receive_message(
        QueueUrl=url, MessageSystemAttributeNames=["ApproximateReceiveCount"]
    )["Messages"][0]
    assert received["Attributes"]["ApproximateReceiveCount"] == "1"


@pytest.mark.soak
def test_all_messages_of_a_long_queue_are_seen(cloud: LocalCloud) -> None:
    """All 50 messages are seen, where one receive returns ten at most."""
    sqs_client = cloud.client("sqs")
    url = sqs_client.create_queue(QueueName="long")["QueueUrl"]
    for ten in range(5):
        entries = [{"Id": str(n), "MessageBody": str(10 * ten + n)} for n in range(10)]
        sqs_client.send_message_batch(QueueUrl=url, Entries=entries)
    found = cloud.messages(url, count=50)
    assert sorted(message.json() for message in found) == list(range(50))


@pytest.mark.soak
def test_rejects_too_few_messages_and_shows_them(cloud: LocalCloud) -> None:
    """When the time is over, the error says how many were expected and shows what was found."""
    url = cloud.client("sqs").create_queue(QueueName="one")["QueueUrl"]
    cloud.client("sqs").send_message(QueueUrl=url, MessageBody="lonely")
    with pytest.raises(LocalCloudError, match=r"expected 2 messages in .*, found 1(.|\n)*lonely"):
        cloud.messages(url, count=2, timeout=0.5)


@pytest.mark.soak
def test_rejects_missing_mails_and_runs(
    cloud: LocalCloud, create_function: Callable[[LocalCloud, str, str], str]
) -> None:
    """Mails and runs that do not come in time are errors."""
    name = create_function(cloud, "idle", "def handler(event, context): pass")
    with pytest.raises(LocalCloudError, match="expected 1 e-mails to nobody"):
        cloud.mails("nobody@example.com", timeout=0.1)
    with pytest.raises(LocalCloudError, match="expected 1 runs of idle"):
        cloud.runs(name, count=1, timeout=0.1)
    assert cloud.runs(name) == {}


def test_mail_has_address_subject_and_body(ministack: LocalCloud) -> None:
    """The mailbox of ministack keeps the subject, too."""
    sns = ministack.client("sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="reader@example.com")
    sns.publish(TopicArn=topic, Subject="Today", Message="Rain")
    expected = [Mail(to="reader@example.com", subject="Today", body="Rain")]
    assert expected == ministack.mails("reader@example.com")


def test_physical_ids_are_found_by_path_or_logical_id(deployed: Deployed) -> None:
    """A construct's path leads to the same resource as its logical id."""
    cloud, outputs = deployed
    ids = cloud.resources("Failing")
    assert outputs["QueueUrl"] == cloud.physical_id("Failing", "Queue")
    assert outputs["FunctionName"] == cloud.physical_id("Failing", "Orders/Resource")
    logical_id = next(key for key, value in ids.items() if value == outputs["TopicArn"])
    assert outputs["TopicArn"] == cloud.physical_id("Failing", logical_id)


def test_rejects_unknown_physical_id(deployed: Deployed) -> None:
    """The error lists the paths that exist."""
    with pytest.raises(LocalCloudError, match=r"stack Failing has no 'Quque'; it has .*Queue"):
        deployed[0].physical_id("Failing", "Quque")


@pytest.mark.soak
def test_physical_ids_are_found_in_a_stage(ministack: LocalCloud, tmp_path: Path) -> None:
    """The stage is in the stack's name, and not in the path below it."""
    app = cdk.App(outdir=str(tmp_path), post_cli_context={"aws:cdk:enable-path-metadata": True})
    stack = cdk.Stack(cdk.Stage(app, "Prod"), "Orders")
    sqs.Queue(Construct(stack, "Inner"), "Queue")
    ministack.deploy(app, stacks=["Prod/*"])
    assert ministack.physical_id("Prod-Orders", "Inner/Queue").startswith("http")
    ministack.destroy(app, stacks=["Prod/*"])


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda cloud: cloud.physical_id("Faling", "Queue"), r"got 'Faling'; there are "),
        (lambda cloud: cloud.messages(None), r"queue_url must be a queue's URL, got None"),
        (lambda cloud: cloud.deploy(None), r"app must be a folder with .*, got None"),
    ],
)
def test_rejects_wrong_arguments(
    ministack: LocalCloud, use: Callable[[Any], object], message: str
) -> None:
    """The error says what the argument was, and what it must be."""
    with pytest.raises(LocalCloudError, match=message):
        use(ministack)


def test_nothing_is_written_to_the_apps_folder(deployed: Deployed, failing_app: Path) -> None:
    """A deployment leaves neither cdk.out nor a context file behind."""
    assert deployed
    assert sorted(path.name for path in failing_app.iterdir()) == ["app.py", "cdk.json", "orders"]


@pytest.mark.soak
def test_other_programs_use_the_engine(cloud: LocalCloud) -> None:
    """A program with these variables and no others uses the engine's account."""
    program = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env=cloud.environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert cloud.account == printed.strip()


@pytest.mark.soak
def test_users_aws_settings_do_not_matter(
    ministack: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients ignore a profile, an endpoint and a proxy of the user."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    identity = ministack.client("sts").get_caller_identity()
    assert ministack.account == identity["Account"]
    assert ministack.client("sts") is ministack.client("sts")


@pytest.mark.soak
def test_context_and_parameters_reach_the_app(ministack: LocalCloud, failing_app: Path) -> None:
    """Context names another stack, a parameter sets a property, and destroy deletes both."""
    context = {"name": "Second"}
    app = failing_app / "app.py"
    outputs = ministack.deploy(app, context=context, parameters={"Visibility": "77"})
    assert list(outputs) == ["Second"]
    attributes = ministack.client("sqs").get_queue_attributes(
        QueueUrl=outputs["Second"]["QueueUrl"], AttributeNames=["VisibilityTimeout"]
    )
    assert attributes["Attributes"] == {"VisibilityTimeout": "77"}

    ministack.destroy(app, context=context)
    queues = ministack.client("sqs").list_queues(QueueNamePrefix="Second").get("QueueUrls", [])
    assert queues == []


@pytest.mark.soak
def test_a_stack_reads_outputs_of_another(cloud: LocalCloud, tmp_path: Path) -> None:
    """With the flags of a new app, the CDK writes references between stacks as outputs."""
    context = {"@aws-cdk/core:defaultCrossStackReferences": "weak"}
    app = cdk.App(outdir=str(tmp_path), context=context)
    queue = sqs.Queue(cdk.Stack(app, "Defining"), "Queue", queue_name="referred")
    referring = cdk.Stack(app, "Referring")
    cdk.CfnOutput(referring, "Arn", value=f"<{queue.queue_arn}>")
    cdk.CfnOutput(referring, "Name", value=sqs.Queue(referring, "Queue").queue_name)
    outputs = cloud.deploy(app)
    assert outputs["Referring"]["Arn"] == (f"<arn:aws:sqs:{cloud.region}:{cloud.account}:referred>")
    cloud.destroy(app)


@pytest.mark.soak
def test_an_app_object_is_synthesised_in_process(cloud: LocalCloud, tmp_path: Path) -> None:
    """An aws_cdk.App needs no file, and only the named stacks are deployed."""
    app = cdk.App(outdir=str(tmp_path))
    for name in ("Wanted", "Other"):
        stack = cdk.Stack(app, name)
        cdk.CfnOutput(stack, "Url", value=sqs.Queue(stack, "Queue").queue_url)
    outputs = cloud.deploy(app, stacks=["Wanted"])
    assert list(outputs) == ["Wanted"]
    assert outputs["Wanted"]["Url"] == cloud.physical_id("Wanted", "Queue")
    cloud.destroy(app, stacks=["Wanted"])


@pytest.mark.soak
def test_progress_names_what_takes_long(failing_app: Path) -> None:
    """Starting and deploying say what they do and how long it took."""
    lines: list[str] = []
    with LocalCloud(engine="ministack", progress=lines.append) as cloud:
        cloud.deploy(failing_app)
    text = "\n".join(lines)
    for expected in ("starting ministack", "ministack was ready after", "cdk bootstrap", "took"):
        assert expected in text
    assert "CREATE_COMPLETE AWS::Lambda::Function Orders" in text
