"""What covers a function, what does not, and what is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from failure_destinations.check import (
    KINDS,
    Stack,
    UncoveredFunction,
    find_uncovered_functions,
    find_uncovered_functions_in,
)

from . import callers
from .callers import ALIAS, ARN, QUEUE_ARN, Resources, config, one, template, with_dead_letter

FIFO = {"Fifo": one("AWS::SQS::Queue", {"FifoQueue": True})}
FIFO_TOPIC = {"Fifo": one("AWS::SNS::Topic", {"FifoTopic": True})}
FIFO_ARN = {"Fn::GetAtt": ["Fifo", "Arn"]}
BUCKET = {"Bucket": {"Type": "AWS::S3::Bucket"}}
KEPT = callers.rule(ARN, DeadLetterConfig={"Arn": QUEUE_ARN})


def kinds(template: dict[str, Any]) -> list[str]:
    """Return the kinds of the findings."""
    return [one.kind for one in find_uncovered_functions(template)]


def only(template: dict[str, Any], kind: str) -> UncoveredFunction:
    """Return the one finding of a kind."""
    (finding,) = [one for one in find_uncovered_functions(template) if one.kind == kind]
    return finding


# What covers.


@pytest.mark.parametrize(
    "destination",
    [
        QUEUE_ARN,
        {"Ref": "Topic"},
        {"Fn::GetAtt": ["Topic", "TopicArn"]},
        {"Fn::GetAtt": ["Bucket", "Arn"]},
        {"Fn::GetAtt": ["Bus", "Arn"]},
        "arn:aws:sqs:eu-west-1:111122223333:failures",
        {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:failures"},
        {"Fn::Sub": "arn:aws:sqs:eu-west-1:111122223333:${Queue.QueueName}"},
        {"Fn::Join": [":", ["arn:aws:sns", {"Ref": "AWS::Region"}, "111122223333", "failed"]]},
        {"Fn::If": ["IsProd", QUEUE_ARN, {"Ref": "Topic"}]},
        {"Ref": "Given"},
        {"Fn::FindInMap": ["Queues", {"Ref": "AWS::Region"}, "Arn"]},
    ],
)
def test_accepts_every_destination_of_lambdas(destination: Any) -> None:
    """Queues, topics, buckets and event buses keep failures, however they are referred to."""
    checked = template(
        KEPT,
        config(destination=destination),
        BUCKET,
        {"Bus": one("AWS::Events::EventBus", {"Name": "bus"})},
        Parameters={
            "Given": {"Type": "String", "Default": "arn:aws:sqs:eu-west-1:111122223333:given"}
        },
        Mappings={"Queues": {"eu-west-1": {"Arn": "arn:aws:sqs:eu-west-1:111122223333:queue"}}},
        Conditions={"IsProd": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}},
    )
    assert find_uncovered_functions(checked) == []


@pytest.mark.parametrize(
    "function",
    [
        {"Ref": "Function"},
        ARN,
        {"Fn::Sub": "${Function}"},
        {"Fn::Sub": "${Function.Arn}"},
        {"Fn::Join": ["", ["", {"Ref": "Function"}]]},
        {"Fn::Select": [6, {"Fn::Split": [":", ARN]}]},
    ],
)
def test_knows_the_function_of_a_configuration(function: Any) -> None:
    """A configuration names its function by name or ARN."""
    assert kinds(template(KEPT, config(FunctionName=function))) == []


def test_knows_functions_by_the_name_they_are_given() -> None:
    """A name that is written out twice is the same function."""
    named = {
        "Function": one(
            "AWS::Lambda::Function", {**callers.FUNCTION["Properties"], "FunctionName": "report"}
        )
    }
    rule = callers.rule(
        {"Fn::Sub": "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:report"},
        DeadLetterConfig={"Arn": QUEUE_ARN},
    )
    assert only(template(named, rule), "uncovered").logical_id == "Function"
    assert kinds(template(named, rule, config(FunctionName="report"))) == []


def test_knows_functions_by_a_name_that_comes_with_the_deployment() -> None:
    """A name with the stack's in it is the same wherever it is written."""
    name = {"Fn::Sub": "${AWS::StackName}-report"}
    named = one("AWS::Lambda::Function", {**callers.FUNCTION["Properties"], "FunctionName": name})
    resources = template({"Function": named}, callers.runbook(name))
    assert only(resources, "uncovered").logical_id == "Function"
    assert kinds(template({"Function": named}, callers.pipeline(name), config())) == []


@pytest.mark.parametrize(
    "function",
    [
        {"Fn::Sub": "${Function.Arn}:live"},
        {"Fn::Join": [":", [ARN, "live"]]},
        {"Fn::GetAtt": ["Alias", "AliasArn"]},
        {"Fn::Sub": "${Alias}"},
        {"Fn::Sub": ["${Arn}:${Stage}", {"Arn": ARN, "Stage": {"Ref": "Stage"}}]},
    ],
)
def test_knows_the_alias_that_is_called(function: Any) -> None:
    """An alias is called by its ARN, however that is put together."""
    rule = callers.rule(function, DeadLetterConfig={"Arn": QUEUE_ARN})
    stage = {"Stage": {"Type": "String", "Default": "live"}}
    assert only(template(ALIAS, rule, Parameters=stage), "uncovered").qualifier == "live"
    assert kinds(template(ALIAS, rule, config("live"), Parameters=stage)) == []


def test_knows_the_same_parameter_as_qualifier() -> None:
    """Two uses of one parameter are one qualifier, whatever its value will be."""
    rule = callers.rule(
        {"Fn::Sub": "${Function.Arn}:${Stage}"}, DeadLetterConfig={"Arn": QUEUE_ARN}
    )
    checked = template(rule, config({"Ref": "Stage"}), Parameters={"Stage": {"Type": "String"}})
    assert kinds(checked) == []


def test_accepts_a_configuration_that_exists_when_the_function_does() -> None:
    """A shared condition leaves no doubt."""
    resources = template(KEPT, config())
    resources["Resources"]["Config"] |= {"Condition": "IsProd"}
    resources["Resources"]["Function"] = callers.FUNCTION | {"Condition": "IsProd"}
    assert kinds(resources) == []


# What does not.


@pytest.mark.parametrize(("fifo", "arn"), [(FIFO, FIFO_ARN), (FIFO_TOPIC, {"Ref": "Fifo"})])
def test_finds_a_fifo_destination(fifo: Resources, arn: Any) -> None:
    """Lambda cannot send failures to FIFO queues and topics."""
    finding = only(template(KEPT, fifo, config(destination=arn)), "lost-destination")
    assert (
        finding.severity,
        finding.logical_id,
        finding.invoked_by,
    ) == ("error", "Function", ("Caller",))


def test_finds_a_fifo_destination_by_its_name() -> None:
    """The name of a FIFO queue ends in `.fifo`."""
    arn = "arn:aws:sqs:eu-west-1:111122223333:failures.fifo"
    assert kinds(template(KEPT, config(destination=arn))) == ["lost-destination"]


def test_finds_a_fifo_dead_letter_queue() -> None:
    """Lambda cannot send dead letters to a FIFO queue."""
    assert kinds(template(KEPT, FIFO, with_dead_letter(FIFO_ARN))) == ["lost-destination"]


def test_finds_s3_for_successes() -> None:
    """A bucket can receive failures, not successes."""
    destinations = {
        "OnFailure": {"Destination": QUEUE_ARN},
        "OnSuccess": {"Destination": {"Fn::GetAtt": ["Bucket", "Arn"]}},
    }
    finding = only(
        template(KEPT, BUCKET, config(DestinationConfig=destinations)), "lost-destination"
    )
    assert "OnSuccess" in finding.reason


def test_finds_a_destination_for_successes_only() -> None:
    """A destination for successes does not receive failures."""
    destinations = {"OnSuccess": {"Destination": QUEUE_ARN}}
    assert kinds(template(KEPT, config(DestinationConfig=destinations))) == ["uncovered"]


def test_finds_a_destination_that_is_left_out() -> None:
    """AWS::NoValue is not a destination."""
    nothing = {"Ref": "AWS::NoValue"}
    assert kinds(template(KEPT, config(destination=nothing))) == ["uncovered"]


BY_LATEST = callers.rule(
    {"Fn::Sub": "${Function.Arn}:$LATEST"}, DeadLetterConfig={"Arn": QUEUE_ARN}
)
BY_ALIAS = callers.rule({"Ref": "Alias"}, DeadLetterConfig={"Arn": QUEUE_ARN})


def durable(config: Any = None, **more: Any) -> Resources:
    """Return a durable function."""
    settings = {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 7}
    properties = callers.FUNCTION["Properties"] | {"DurableConfig": config or settings, **more}
    return {"Function": callers.FUNCTION | {"Properties": properties}}


def test_finds_a_durable_function_with_a_destination_only() -> None:
    """Lambda sends its failures to its dead-letter queue and to no destination."""
    for rest in (config(), {}):
        finding = only(template(BY_LATEST, durable(), rest), "durable")
        assert finding.severity == "error"
        assert "has no dead-letter queue: it is a durable function" in finding.reason
        assert "dead_letter_queue=" in finding.fix


def test_accepts_the_dead_letter_queue_of_a_durable_function() -> None:
    """It gets the event of a failed execution, whichever qualifier is called."""
    kept = durable(DeadLetterConfig={"TargetArn": QUEUE_ARN})
    assert kinds(template(ALIAS, BY_ALIAS, kept)) == []
    assert kinds(template(BY_LATEST, kept)) == []


def test_finds_a_durable_function_that_is_called_without_a_qualifier() -> None:
    """Lambda rejects each such invocation, also where its failures are kept."""
    kept = durable(DeadLetterConfig={"TargetArn": QUEUE_ARN})
    finding = only(template(KEPT, kept), "durable-unqualified")
    assert finding.severity == "error"
    assert "is called by Caller (AWS::Events::Rule) without a version or alias" in finding.reason
    assert "add_alias(" in finding.fix


def test_accuses_no_caller_of_any_other_function_without_a_qualifier() -> None:
    """For them, no qualifier means `$LATEST`."""
    assert kinds(template(KEPT, with_dead_letter())) == []


def isolating(config: Any) -> Resources:
    """Return a function that isolates tenants and keeps its failures."""
    kept = {"TenancyConfig": config, "DeadLetterConfig": {"TargetArn": QUEUE_ARN}}
    return {"Function": callers.FUNCTION | {"Properties": callers.FUNCTION["Properties"] | kept}}


PER_TENANT = {"TenantIsolationMode": "PER_TENANT"}
NO_VALUE = {"Ref": "AWS::NoValue"}


@pytest.mark.parametrize(
    "calls",
    [
        callers.rule,
        callers.schedule,
        callers.universal_schedule,
        callers.subscription,
        callers.subscription_in_topic,
        callers.bucket,
        callers.cdk_bucket,
    ],
)
def test_finds_a_function_that_isolates_tenants_and_gets_none(
    calls: Callable[[Any], Resources],
) -> None:
    """Lambda rejects each such invocation, also where its failures are kept."""
    finding = only(template(calls(ARN), isolating(PER_TENANT)), "tenant-missing")
    assert finding.severity == "error"
    assert "without a tenant's id: it isolates tenants" in finding.reason
    assert "or remove its tenancy_config" in finding.fix
    assert "or remove its TenancyConfig" in finding.cloudformation_fix
    assert "tenant-missing" not in kinds(template(calls(ARN), isolating(NO_VALUE)))


FOR_TENANT = callers.schedule(
    "arn:aws:scheduler:::aws-sdk:lambda:invoke",
    Input={
        "Fn::Sub": '{"FunctionName": "${Function}", "InvocationType": "Event", "TenantId": "blue"}'
    },
)


@pytest.mark.parametrize(
    "rest",
    [
        (FOR_TENANT, isolating(PER_TENANT)),
        (callers.state_machine(ARN), isolating(PER_TENANT)),
        (callers.asynchronous_method(ARN), isolating(PER_TENANT)),
        (callers.permission(ARN), isolating(PER_TENANT)),
        (KEPT, isolating({"Fn::If": ["Is", PER_TENANT, NO_VALUE]})),
        (KEPT, isolating({})),
    ],
)
def test_accuses_no_caller_that_may_name_a_tenant(rest: tuple[Resources, Resources]) -> None:
    """An API, a workflow or a universal target passes its id, and not all functions need one."""
    assert "tenant-missing" not in kinds(template(*rest))


@pytest.mark.parametrize(
    "maybe",
    [
        {"Ref": "AWS::NoValue"},
        {"Fn::If": ["IsDurable", {"ExecutionTimeout": 60}, {"Ref": "AWS::NoValue"}]},
    ],
)
def test_accuses_no_function_that_may_not_be_durable(maybe: Any) -> None:
    """Its destination counts where it is an ordinary function."""
    assert kinds(template(KEPT, durable(maybe), config())) == []


def test_accepts_the_dead_letter_queue_beside_a_bad_destination() -> None:
    """The dead-letter queue keeps what the destination loses, but the mistake is reported."""
    found = kinds(template(KEPT, FIFO, with_dead_letter(), config(destination=FIFO_ARN)))
    assert found == ["lost-destination"]


# Lesser findings.


@pytest.mark.parametrize(
    "caller", [callers.rule, callers.schedule, callers.subscription, callers.subscription_in_topic]
)
def test_warns_of_deliveries_that_nothing_keeps(caller: Any) -> None:
    """A rule, schedule or subscription without dead-letter queue is a warning."""
    finding = only(template(caller(ARN), config()), "delivery")
    assert (
        finding.severity,
        finding.logical_id,
        finding.invoked_by,
    ) == ("warning", "Function", ("Caller",))


@pytest.mark.parametrize(
    "caller",
    [
        callers.rule(ARN, DeadLetterConfig={"Arn": QUEUE_ARN}),
        callers.schedule(ARN, DeadLetterConfig={"Arn": QUEUE_ARN}),
        callers.subscription(ARN, RedrivePolicy={"deadLetterTargetArn": QUEUE_ARN}),
    ],
)
def test_accepts_deliveries_with_a_dead_letter_queue(caller: Resources) -> None:
    """The queue keeps undelivered events."""
    assert kinds(template(caller, config())) == []


def test_warns_of_a_fifo_queue_behind_a_rule() -> None:
    """EventBridge sends to standard queues only."""
    rule = callers.rule(ARN, DeadLetterConfig={"Arn": FIFO_ARN})
    assert kinds(template(rule, FIFO, config())) == ["delivery"]


@pytest.mark.parametrize("caller", [callers.rule, callers.schedule])
def test_warns_of_retries_on_the_delivery(caller: Any) -> None:
    """One retry of the delivery leaves three runs of the function."""
    target = {
        "DeadLetterConfig": {"Arn": QUEUE_ARN},
        "RetryPolicy": {"MaximumRetryAttempts": 1},
    }
    finding = only(template(caller(ARN, **target), config()), "delivery-retries")
    assert "MaximumRetryAttempts to 1" in finding.reason
    assert "MaximumRetryAttempts: 1" in finding.cloudformation_fix
    assert kinds(template(caller(ARN, **target), config(MaximumRetryAttempts=1))) == []


# What is not known.


@pytest.mark.parametrize(
    "destination",
    [
        {"Ref": "Given"},
        {"Fn::ImportValue": "failures"},
        {"Fn::Sub": "arn:aws:sqs:eu-west-1:111122223333:${Given}"},
        {"Fn::GetAtt": ["Custom", "QueueArn"]},
        {"Fn::Transform": {"Name": "Macro"}},
        {"Fn::If": ["IsProd", QUEUE_ARN, {"Ref": "AWS::NoValue"}]},
        "{{resolve:ssm:/failures/arn}}",
        {"Ref": "FromParameterStore"},
        {"Ref": "Optional"},
        {"Fn::If": ["IsGiven", {"Ref": "Optional"}, {"Ref": "AWS::NoValue"}]},
    ],
)
def test_neither_covers_nor_accuses_what_it_cannot_tell(destination: Any) -> None:
    """A destination that is only known at deployment is a note."""
    checked = template(
        KEPT,
        config(destination=destination),
        {"Custom": one("Custom::Queue", {"ServiceToken": "arn:aws:sns:eu-west-1:1:topic"})},
        Parameters={
            "Given": {"Type": "String"},
            "Optional": {"Type": "String", "Default": ""},
            "FromParameterStore": {
                "Type": "AWS::SSM::Parameter::Value<String>",
                "Default": "/failures/arn",
            },
        },
    )
    finding = only(checked, "unknown")
    assert (
        finding.logical_id,
        finding.severity,
        finding.invoked_by,
    ) == ("Function", "info", ("Caller",))
    assert kinds(checked) == ["unknown"]


def test_neither_covers_nor_accuses_under_a_condition() -> None:
    """A configuration that exists under a condition covers under that condition."""
    checked = template(KEPT, config())
    checked["Resources"]["Config"] |= {"Condition": "IsProd"}
    assert "IsProd" in only(checked, "unknown").reason
    assert kinds(checked) == ["unknown"]


def test_says_that_the_qualifier_is_not_known() -> None:
    """The qualifier that is called may be a parameter."""
    rule = callers.rule(
        {"Fn::Sub": "${Function.Arn}:${Stage}"}, DeadLetterConfig={"Arn": QUEUE_ARN}
    )
    checked = template(rule, config(), Parameters={"Stage": {"Type": "String"}})
    assert only(checked, "unknown").qualifier == ""
    assert kinds(checked) == ["unknown"]


def test_says_that_the_function_is_not_known() -> None:
    """If the function is not known, its caller is reported."""
    checked = template(
        callers.subscription({"Ref": "Given"}), Parameters={"Given": {"Type": "String"}}
    )
    assert only(checked, "unknown").logical_id == "Caller"


def test_says_that_the_function_is_defined_elsewhere() -> None:
    """A function of another template may be covered there."""
    rule = callers.rule(
        "arn:aws:lambda:eu-west-1:111122223333:function:elsewhere",
        DeadLetterConfig={"Arn": QUEUE_ARN},
    )
    finding = only(template(rule), "unknown")
    assert "elsewhere" in finding.reason
    assert finding.logical_id == "Caller"
    assert kinds(template(rule, config(FunctionName="elsewhere"))) == []


def test_says_that_a_service_is_not_documented() -> None:
    """Whether a permission's service waits may be unknown."""
    checked = template(callers.permission(ARN, "new-service.amazonaws.com"))
    assert kinds(checked) == ["unknown"]


def test_says_that_sam_has_not_run() -> None:
    """A template of SAM cannot be judged before its transform."""
    sam = {"Sam": one("AWS::Serverless::Function", {"Handler": "index.handler"})}
    assert [one.logical_id for one in find_uncovered_functions(template(sam))] == ["Sam"]


def test_says_that_a_loop_has_not_run() -> None:
    """A loop cannot be judged before it is expanded."""
    assert kinds({"Resources": {"Fn::ForEach::Functions": ["Name", ["A"], {}]}}) == ["unknown"]


# What other checkers miss or accuse.


def test_finds_a_schedule_that_needs_no_permission() -> None:
    """Scheduler calls with a role: nothing in the function's policy shows it."""
    assert only(template(callers.schedule(ARN)), "uncovered").invoked_by == ("Caller",)


def test_finds_a_function_without_any_configuration() -> None:
    """There need not be an EventInvokeConfig for something to be missing in it."""
    assert kinds(template(callers.bucket(ARN))) == ["uncovered"]


def test_does_not_accuse_consumers_of_a_queue() -> None:
    """SQS does not call asynchronously, whatever the policy says."""
    source = {"Fn::GetAtt": ["Queue", "Arn"]}
    checked = template(callers.permission(ARN, "sqs.amazonaws.com", SourceArn=source))
    assert kinds(checked) == []


def test_accepts_a_dead_letter_queue_without_destination() -> None:
    """A dead-letter queue is enough."""
    assert kinds(template(KEPT, with_dead_letter())) == []


def test_accepts_a_destination_without_dead_letter_queue() -> None:
    """A destination is enough."""
    assert kinds(template(KEPT, config())) == []


# Several stacks.


def nested(**outputs: Any) -> Stack:
    """Return a stack with a function of its own."""
    return Stack(
        template(
            Parameters={"QueueArn": {"Type": "String"}},
            Outputs={name: {"Value": value} for name, value in outputs.items()},
        ),
        file="nested.json",
    )


def parent(*resources: Resources) -> dict[str, Any]:
    """Return the template of a stack with a nested one."""
    below = one(
        "AWS::CloudFormation::Stack",
        {"TemplateURL": "https://example.com/a", "Parameters": {"QueueArn": QUEUE_ARN}},
    )
    return template(*resources, {"Nested": below})


def test_follows_outputs_of_nested_stacks() -> None:
    """A rule may call a function of a nested stack."""
    rule = callers.rule({"Fn::GetAtt": ["Nested", "Outputs.FunctionArn"]})
    stack = Stack(parent(rule), "Parent", nested={"Nested": nested(FunctionArn=ARN)})
    (finding, _) = find_uncovered_functions_in([stack])
    assert (
        finding.kind,
        finding.file,
        finding.invoked_by,
    ) == ("uncovered", "nested.json", ("Caller",))


def test_follows_parameters_of_nested_stacks() -> None:
    """A queue may come from the stack above."""
    below = nested()
    below.template["Resources"].update(KEPT | config(destination={"Ref": "QueueArn"}))
    stack = Stack(parent(), "Parent", nested={"Nested": below})
    assert find_uncovered_functions_in([stack]) == []


def test_says_that_a_nested_template_is_not_given() -> None:
    """What a nested stack calls is not known without its template."""
    (finding,) = find_uncovered_functions(parent())
    assert (finding.kind, finding.logical_id) == ("unknown", "Nested")


def test_follows_imports() -> None:
    """A queue may come from another stack."""
    exports = {"Failures": {"Value": QUEUE_ARN, "Export": {"Name": "failures"}}}
    exporting = Stack(template(Outputs=exports), "Exporting")
    importing = Stack(
        template(KEPT, config(destination={"Fn::ImportValue": "failures"})), "Importing"
    )
    assert find_uncovered_functions_in([importing, exporting]) == []
    assert [one.kind for one in find_uncovered_functions_in([importing])] == ["unknown"]


def test_follows_each_export_of_a_name() -> None:
    """Stacks of several Regions and accounts may export one name: any of them may be called."""
    arn = {"Value": {"Fn::GetAtt": ["Function", "Arn"]}, "Export": {"Name": "handler"}}
    exporting = [
        Stack({"Resources": {"Function": callers.FUNCTION}, "Outputs": {"Arn": arn}}, name)
        for name in ("Ireland", "Virginia")
    ]
    calling = {"Resources": {"Rule": callers.rule({"Fn::ImportValue": "handler"})["Caller"]}}
    findings = find_uncovered_functions_in([*exporting, Stack(calling, "Calling")])
    uncovered = [one.stack for one in findings if one.kind == "uncovered"]
    assert uncovered == ["Ireland", "Virginia"]


def output(**place: Any) -> dict[str, Any]:
    """Return a reference to an output of the stack `functions`."""
    return {"Fn::GetStackOutput": {"StackName": "functions", "OutputName": "Arn"} | place}


def functions(name: str = "functions", **place: Any) -> Stack:
    """Return a stack with a function and an output: its ARN."""
    outputs = {"Arn": {"Value": ARN}}
    resources = {"Function": callers.FUNCTION}
    return Stack({"Resources": resources, "Outputs": outputs}, name, f"{place}", **place)


def calling(function: Any, **place: Any) -> Stack:
    """Return a stack with a rule that calls a function."""
    return Stack({"Resources": {"Caller": callers.rule(function)["Caller"]}}, "rules", **place)


IRELAND: dict[str, Any] = {"account": "111122223333", "region": "eu-west-1"}
VIRGINIA: dict[str, Any] = {"account": "111122223333", "region": "us-east-1"}
OTHER_ACCOUNT: dict[str, Any] = {"account": "444455556666", "region": "eu-west-1"}
OTHER_ROLE = "arn:aws:iam::444455556666:role/reads-outputs"


@pytest.mark.parametrize(
    "reference",
    [
        output(),
        output(Region={"Ref": "AWS::Region"}),
        output(Region="eu-west-1"),
        output(Region={"Ref": "Given"}),
        output(StackName={"Fn::Sub": "func${Suffix}"}),
        {"Fn::Sub": ["${Arn}", {"Arn": output()}]},
        {"Fn::Join": ["", [output(), ":$LATEST"]]},
        {"Fn::Join": [":", {"Fn::Split": [":", output()]}]},
        {"Fn::If": ["IsProd", output(), output(Region={"Ref": "AWS::Region"})]},
    ],
    ids=str,
)
def test_follows_outputs_of_other_stacks(reference: Any) -> None:
    """A stack may refer to another one's output, which is not exported."""
    rules = calling(reference)
    rules.template["Parameters"] = {  # type: ignore[index]
        "Given": {"Type": "String"},
        "Suffix": {"Type": "String", "Default": "tions"},
    }
    found = find_uncovered_functions_in([rules, functions()])
    assert [(one.stack, one.invoked_by) for one in found if one.kind == "uncovered"] == [
        ("functions", ("Caller",))
    ]
    assert "uncovered" not in [one.kind for one in find_uncovered_functions_in([rules])]


def test_accepts_a_destination_in_another_stack() -> None:
    """A queue may come from an output of another stack."""
    queue = Stack(
        {"Resources": {"Queue": callers.BASE["Queue"]}, "Outputs": {"Arn": {"Value": QUEUE_ARN}}},
        "functions",
    )
    referring = Stack(template(KEPT, config(destination=output())), "referring")
    assert find_uncovered_functions_in([referring, queue]) == []
    assert [one.kind for one in find_uncovered_functions_in([referring])] == ["unknown"]


@pytest.mark.parametrize(
    ("reference", "own", "called"),
    [
        (output(), IRELAND, [IRELAND]),
        (output(Region={"Ref": "AWS::Region"}), VIRGINIA, [VIRGINIA]),
        (output(Region="us-east-1"), IRELAND, [VIRGINIA]),
        (output(RoleArn=OTHER_ROLE), IRELAND, [OTHER_ACCOUNT]),
        (output(Region="us-east-1"), {}, [VIRGINIA]),
        (output(Region={"Ref": "Given"}), IRELAND, [IRELAND, VIRGINIA]),
        (output(RoleArn={"Ref": "Given"}), IRELAND, [IRELAND, OTHER_ACCOUNT]),
        (output(), {}, [IRELAND, VIRGINIA, OTHER_ACCOUNT]),
        (output(Region="eu-central-1"), IRELAND, []),
        (output(Region="us-east-1", RoleArn=OTHER_ROLE), IRELAND, []),
    ],
    ids=str,
)
def test_follows_the_place_of_an_output(
    reference: Any, own: dict[str, str], called: list[dict[str, str]]
) -> None:
    """Stacks of several Regions and accounts may have one name; each that may be meant counts."""
    stacks = [functions(**place) for place in (IRELAND, VIRGINIA, OTHER_ACCOUNT)]
    found = find_uncovered_functions_in([*stacks, calling(reference, **own)])
    assert [one.file for one in found if one.kind == "uncovered"] == [str(one) for one in called]
    assert ("unknown" in [one.kind for one in found]) == (not called)


def test_follows_outputs_of_stacks_that_can_be_deployed_anywhere() -> None:
    """An account or Region that is not known may be the one that is meant."""
    ireland = [functions(region="eu-west-1"), functions(account="111122223333"), functions()]
    far = functions(region="us-east-1")
    rules = calling(output(), **IRELAND)
    found = find_uncovered_functions_in([*ireland, far, rules])
    uncovered = [one.file for one in found if one.kind == "uncovered"]
    assert uncovered == [one.file for one in ireland]
    # But one that is known to be meant goes before them.
    found = find_uncovered_functions_in([*ireland, functions(**IRELAND), rules])
    assert [one.file for one in found if one.kind == "uncovered"] == [str(IRELAND)]


def test_follows_outputs_of_templates_without_a_stack_name() -> None:
    """A template's file does not say the name of its stack, so it may be the one that is meant."""
    rules = calling(output())
    rules.name = ""
    rules.template["Outputs"] = {"Arn": {"Value": output()}}  # type: ignore[index]
    found = find_uncovered_functions_in([functions(""), rules])
    assert [one.kind for one in found] == ["uncovered", "delivery"]
    # One with the name goes before it.
    found = find_uncovered_functions_in([functions(""), functions(), rules])
    assert [one.stack for one in found if one.kind == "uncovered"] == ["functions"]
    (unknown,) = find_uncovered_functions_in([rules])
    assert unknown.reason == ("It may call a function: output Arn of stack functions is not known.")


def test_matches_the_name_that_a_stack_is_deployed_with() -> None:
    """Findings may name a stack otherwise, for example by its path."""
    there = functions("App/Functions", **IRELAND)
    there.deployed_name = "functions"
    found = find_uncovered_functions_in([there, calling(output())])
    assert [one.stack for one in found if one.kind == "uncovered"] == ["App/Functions"]


def test_follows_outputs_into_and_out_of_nested_stacks() -> None:
    """A nested stack is in the Region and account of the stack that it is deployed with."""
    inner = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": "https://s3.amazonaws.com/bucket/nested.json"},
    }
    outputs = {"Arn": {"Value": {"Fn::GetAtt": ["Inner", "Outputs.Arn"]}}}
    outer = {"Resources": {"Inner": inner}, "Outputs": outputs}
    producers = [
        Stack(outer, "functions", nested={"Inner": functions("functions/Inner")}, **place)
        for place in (IRELAND, VIRGINIA)
    ]
    consumer = Stack(
        {"Resources": {"Inner": inner}}, "rules", nested={"Inner": calling(output())}, **VIRGINIA
    )
    found = find_uncovered_functions_in([*producers, consumer])
    assert [one.kind for one in found if one.kind != "delivery"] == ["uncovered"]


def test_survives_outputs_that_refer_to_one_another() -> None:
    """CloudFormation cannot deploy such stacks."""
    stacks = [functions(), calling(output())]
    stacks[0].template["Outputs"]["Arn"] = {"Value": output()}
    assert [one.kind for one in find_uncovered_functions_in(stacks)] == ["unknown"]


# The finding.


def test_says_what_calls_and_what_fixes_it() -> None:
    """A finding says which resource calls, through what, what is missing, and the fix."""
    checked = template(ALIAS, callers.rule({"Ref": "Alias"}))
    checked["Resources"]["Function"] = callers.FUNCTION | {
        "Metadata": {"aws:cdk:path": "Stack/Report/Resource"}
    }
    finding = only(checked, "uncovered")
    assert finding.shown == "Stack/Report"
    assert "Caller (AWS::Events::Rule) through live" in finding.reason
    assert finding.fix.startswith("channel.notify_failures_of(report_alias)")
    assert "FunctionName: !Ref Function, Qualifier: 'live'" in finding.cloudformation_fix


def test_accepts_what_the_template_acknowledges() -> None:
    """A template's author may accept a finding, with the reason."""
    checked = template(KEPT)
    checked["Resources"]["Function"] = callers.FUNCTION | {
        "Metadata": {"failure-destinations": {"acknowledge": {"uncovered": "only hints"}}}
    }
    assert kinds(checked) == []


def test_gives_each_kind_a_severity() -> None:
    """An event that is lost is an error, one that may be is a warning, the rest is a note."""
    assert {kind.id: kind.severity for kind in KINDS.values()} == {
        "uncovered": "error",
        "other-qualifier": "error",
        "durable": "error",
        "durable-unqualified": "error",
        "tenant-missing": "error",
        "lost-destination": "error",
        "stream-uncovered": "error",
        "endless-retries": "error",
        "no-redrive": "error",
        "visibility-timeout": "error",
        "delivery": "warning",
        "queue-policy": "warning",
        "queue-key": "warning",
        "metadata-only": "warning",
        "destination-permission": "warning",
        "blocked-shard": "warning",
        "dead-letter-retention": "warning",
        "delivery-retries": "warning",
        "no-subscriber": "info",
        "visibility-margin": "info",
        "unwatched": "info",
        "custom-resource": "info",
        "disabled": "info",
        "unknown": "info",
    }


def test_rejects_what_is_not_a_template() -> None:
    """Text must be read first."""
    with pytest.raises(ValueError, match=r"template must be a mapping, got str: read it with"):
        find_uncovered_functions("Resources: {}")  # type: ignore[arg-type]


def test_says_that_a_configuration_does_not_call() -> None:
    """A configuration is not reported as a caller."""
    given = {"Parameters": {"Queue2": {"Type": "String"}}}
    finding = only(template(config(destination={"Ref": "Queue2"}), **given), "unknown")
    assert finding.reason.startswith(
        "It is configured for asynchronous calls by Config (AWS::Lambda::EventInvokeConfig), and "
    )


TRANSFORM = {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/k"}}}


@pytest.mark.parametrize(
    "caller",
    [
        one("AWS::Events::Rule", TRANSFORM),
        one("AWS::S3::Bucket", {"NotificationConfiguration": TRANSFORM}),
        {**one("AWS::SNS::Topic", {}), **TRANSFORM},
        one("AWS::Lambda::EventInvokeConfig", TRANSFORM),
    ],
)
def test_does_not_know_what_a_transform_adds(caller: dict[str, Any]) -> None:
    """What a transform makes a resource call is only known at deployment."""
    assert kinds(template({"Caller": caller})) == ["unknown"]


def test_does_not_know_what_a_transform_gives_to_a_function() -> None:
    """It may be a dead-letter queue."""
    function = {"Function": one("AWS::Lambda::Function", TRANSFORM)}
    assert kinds(template(KEPT, function)) == ["unknown"]


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"Transform": "AWS::LanguageExtensions"}, []),
        ({"Transform": ["AWS::LanguageExtensions", "AddQueues"]}, ["unknown"]),
        ({"Transform": {"Name": "AWS::Include", "Parameters": {"Location": "a"}}}, ["unknown"]),
        (TRANSFORM, ["unknown"]),
    ],
)
def test_does_not_know_what_a_macro_changes(sections: dict[str, Any], expected: list[str]) -> None:
    """A custom macro may change any resource."""
    assert kinds(template(**sections)) == expected
