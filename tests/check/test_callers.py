"""Every asynchronous caller of a function is found, and so is what covers the function."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from failure_destinations.check import UncoveredFunction, find_uncovered_functions

from . import callers
from .callers import ALIAS, ARN, CALLERS, Resources, config, template, with_dead_letter

Caller = Callable[[Any], Resources]
each_caller = pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.__name__)


def errors(template: dict[str, Any]) -> list[UncoveredFunction]:
    """Return the gravest findings."""
    return [one for one in find_uncovered_functions(template) if one.severity == "error"]


@each_caller
def test_finds_who_calls(caller: Caller) -> None:
    """A function with nowhere for its failures to go is found, with its caller."""
    (finding,) = errors(template(caller(ARN)))
    assert (
        finding.logical_id,
        finding.qualifier,
        finding.invoked_by,
        finding.kind,
    ) == ("Function", "$LATEST", ("Caller",), "uncovered")


@each_caller
def test_accepts_a_failure_destination(caller: Caller) -> None:
    """A failure destination covers what is called."""
    assert errors(template(caller(ARN), config())) == []


@each_caller
def test_accepts_a_dead_letter_queue(caller: Caller) -> None:
    """So does the function's own dead-letter queue."""
    assert errors(template(with_dead_letter(), caller(ARN))) == []


@each_caller
def test_finds_the_destination_of_another_qualifier(caller: Caller) -> None:
    """A destination of the function covers nothing that comes through its alias."""
    (finding,) = errors(template(ALIAS, caller({"Ref": "Alias"}), config()))
    assert (
        finding.kind,
        finding.qualifier,
        finding.invoked_by,
    ) == ("other-qualifier", "live", ("Caller",))


@each_caller
def test_accepts_the_destination_of_the_alias(caller: Caller) -> None:
    """The alias that is called may have its own."""
    assert errors(template(ALIAS, caller({"Ref": "Alias"}), config("live"))) == []


@each_caller
def test_finds_who_calls_a_version(caller: Caller) -> None:
    """A version is named by its resource, since its number comes with the deployment."""
    (finding,) = errors(template(ALIAS, caller({"Ref": "Version"})))
    assert (finding.kind, finding.qualifier) == ("uncovered", "Version")


@each_caller
def test_accepts_the_destination_of_the_version(caller: Caller) -> None:
    """The version that is called may have its own."""
    version = {"Fn::GetAtt": ["Version", "Version"]}
    assert errors(template(ALIAS, caller({"Ref": "Version"}), config(version))) == []


@each_caller
def test_accepts_the_dead_letter_queue_for_all_versions(caller: Caller) -> None:
    """A function's dead-letter queue is for its aliases and versions too."""
    assert errors(template(ALIAS, with_dead_letter(), caller({"Ref": "Alias"}))) == []


def synchronous(name: str, resources: Resources) -> Any:
    """Return a case in which the caller learns of the failure."""
    return pytest.param(resources, id=name)


@pytest.mark.parametrize(
    "resources",
    [
        synchronous(str(principal), callers.permission(ARN, principal))
        for principal in (
            "apigateway.amazonaws.com",
            "elasticloadbalancing.amazonaws.com",
            "cognito-idp.amazonaws.com",
            "lex.amazonaws.com",
            "lexv2.amazonaws.com",
            "alexa-appkit.amazon.com",
            "connect.amazonaws.com",
            "firehose.amazonaws.com",
            "secretsmanager.amazonaws.com",
            "sqs.amazonaws.com",
            "vpc-lattice.amazonaws.com",
            "bedrock.amazonaws.com",
            "transfer.amazonaws.com",
            "edgelambda.amazonaws.com",
            "111122223333",
            "AROAEXAMPLEEXAMPLE123",
            {"Ref": "AWS::AccountId"},
            {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"},
            {"Fn::GetAtt": ["Role", "Arn"]},
            {"Fn::Join": ["", ["states.", {"Ref": "AWS::Region"}, ".amazonaws.com"]]},
            {"Fn::Sub": "apigateway.${AWS::URLSuffix}"},
            "arn:aws:iam::111122223333:role/caller",
        )
    ]
    + [
        synchronous("mail that waits", callers.receipt_rule(ARN, InvocationType="RequestResponse")),
        synchronous(
            "mail that waits, with its permission",
            callers.receipt_rule(ARN, InvocationType="RequestResponse")
            | {"Permission": callers.permission(ARN, "ses.amazonaws.com")["Caller"]},
        ),
        synchronous(
            "authorizer",
            {
                "Authorizer": callers.one(
                    "AWS::IoT::Authorizer",
                    {"AuthorizerFunctionArn": ARN, "SigningDisabled": True},
                ),
                "Permission": callers.permission(ARN, "iot.amazonaws.com")["Caller"],
            },
        ),
        synchronous(
            "function URL",
            callers.permission(
                ARN, "*", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE"
            ),
        ),
        synchronous(
            "event source mapping",
            {
                "Mapping": callers.one(
                    "AWS::Lambda::EventSourceMapping",
                    {"FunctionName": ARN, "EventSourceArn": callers.QUEUE_ARN},
                )
            },
        ),
        synchronous(
            "pipe that waits",
            {
                "Pipe": callers.one(
                    "AWS::Pipes::Pipe",
                    {
                        "RoleArn": callers.ROLE_ARN,
                        "Source": callers.QUEUE_ARN,
                        "Target": ARN,
                    },
                )
            },
        ),
        synchronous(
            "universal schedule that waits",
            callers.schedule(
                "arn:aws:scheduler:::aws-sdk:lambda:invoke",
                Input={"Fn::Sub": '{"FunctionName": "${Function}"}'},
            ),
        ),
        synchronous(
            "task that waits",
            {
                "StateMachine": callers.one(
                    "AWS::StepFunctions::StateMachine",
                    {
                        "RoleArn": callers.ROLE_ARN,
                        "Definition": {
                            "StartAt": "Wait",
                            "States": {
                                "Wait": {
                                    "Type": "Task",
                                    "Resource": "arn:aws:states:::lambda:invoke",
                                    "Parameters": {"FunctionName": ARN},
                                    "End": True,
                                }
                            },
                        },
                    },
                )
            },
        ),
    ],
)
def test_accuses_nobody_whose_caller_waits(resources: Resources) -> None:
    """A synchronous caller gets the error itself."""
    assert find_uncovered_functions(template(resources)) == []


SUFFIX = {"Ref": "AWS::URLSuffix"}
REGION = {"Ref": "AWS::Region"}
AWS_S3 = {"Fn::Join": ["", ["s3.", SUFFIX]]}


@pytest.mark.parametrize(
    "principal",
    [
        AWS_S3,
        "s3.amazonaws.com.cn",
        {"Fn::Sub": "logs.${AWS::Region}.${AWS::URLSuffix}"},
        {"Fn::Join": [".", ["sns", REGION, "amazonaws.com"]]},
        "sns.us-gov-west-1.amazonaws.com",
        {"Fn::Sub": "events.${Suffix}"},
        {"Fn::Sub": "logs.${Where}.amazonaws.com"},
        {"Fn::If": ["IsApi", "apigateway.amazonaws.com", AWS_S3]},
        {"Fn::FindInMap": ["Principals", {"Ref": "AWS::Partition"}, "Bucket"]},
    ],
)
def test_knows_a_service_however_its_principal_is_written(principal: Any) -> None:
    """A principal that differs by partition, Region or stage names the same service."""
    parameters = {"Suffix": {"Type": "String"}, "Where": {"Type": "String"}}
    principals = {"aws": {"Bucket": "s3.amazonaws.com"}, "aws-cn": {"Bucket": "s3.amazonaws.com"}}
    checked = template(
        callers.permission(ARN, principal),
        Parameters=parameters,
        Mappings={"Principals": principals},
    )
    assert [one.kind for one in errors(checked)] == ["uncovered"]


@pytest.mark.parametrize(
    "source",
    [
        {"Ref": "Topic"},
        {"Fn::GetAtt": ["LogGroup", "Arn"]},
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::${AWS::StackName}"},
        {"Fn::Sub": "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:a"},
    ],
)
@pytest.mark.parametrize("principal", ["*", {"Ref": "Principal"}])
def test_knows_the_service_by_the_source_of_a_permission(principal: Any, source: Any) -> None:
    """A permission for everybody belongs to the service of its source."""
    checked = template(
        callers.permission(ARN, principal, SourceArn=source),
        {"LogGroup": {"Type": "AWS::Logs::LogGroup"}},
        Parameters={"Principal": {"Type": "String"}},
    )
    assert [one.kind for one in errors(checked)] == ["uncovered"]


@pytest.mark.parametrize(
    "permission",
    [
        callers.permission(ARN, "*"),
        callers.permission(ARN, {"Ref": "Given"}),
        callers.permission(ARN, "new-service"),
        callers.permission(ARN, {"Fn::Sub": "new-service.${AWS::URLSuffix}"}),
        callers.permission(ARN, {"Fn::Sub": "${Given}.amazonaws.com"}),
        callers.permission(ARN, "*", SourceArn={"Ref": "Given"}),
    ],
)
def test_says_that_the_service_of_a_permission_is_not_known(permission: Resources) -> None:
    """Whether an unknown principal waits is not known."""
    checked = template(permission, Parameters={"Given": {"Type": "String"}})
    assert [one.kind for one in find_uncovered_functions(checked)] == ["unknown"]


def test_knows_a_permission_whose_action_is_given() -> None:
    """A permission for all actions includes the invocation."""
    checked = template(
        callers.permission(ARN, Action={"Ref": "Action"}), Parameters={"Action": {"Type": "String"}}
    )
    assert [one.kind for one in errors(checked)] == ["uncovered"]


@pytest.mark.parametrize(
    "principal",
    [
        {"Fn::Sub": "scheduler.${AWS::URLSuffix}"},
        {"Fn::Join": [".", ["scheduler", SUFFIX]]},
        "scheduler.amazonaws.com.cn",
        {"Fn::If": ["IsChina", "scheduler.amazonaws.com.cn", "scheduler.amazonaws.com"]},
    ],
)
def test_knows_a_role_of_scheduler_however_it_is_written(principal: Any) -> None:
    """Trust policies can be written in several ways."""
    (finding,) = errors(template(callers.role_of_schedules(ARN, principal)))
    assert finding.invoked_by == ("Caller",)


ALLOWED = {
    "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": ARN}],
}


@pytest.mark.parametrize(
    ("role", "policy"),
    [
        ({}, callers.one("AWS::IAM::Policy", {"Roles": [{"Ref": "Caller"}]})),
        ({}, callers.one("AWS::IAM::ManagedPolicy", {"Roles": [{"Ref": "Caller"}]})),
        ({}, callers.one("AWS::IAM::RolePolicy", {"RoleName": {"Ref": "Caller"}})),
        ({"RoleName": "r"}, callers.one("AWS::IAM::RolePolicy", {"RoleName": "r"})),
        (
            {"ManagedPolicyArns": [{"Ref": "Policy"}]},
            callers.one("AWS::IAM::ManagedPolicy", {}),
        ),
    ],
)
def test_knows_the_policies_of_a_role_of_scheduler(
    role: dict[str, Any], policy: dict[str, Any]
) -> None:
    """A policy may name its role, and a role its policies."""
    caller = callers.role("scheduler.amazonaws.com")
    caller["Properties"] |= role
    policy = {**policy, "Properties": {"PolicyDocument": ALLOWED, **policy["Properties"]}}
    (finding,) = errors(template({"Caller": caller, "Policy": policy}))
    assert finding.invoked_by == ("Caller",)


@pytest.mark.parametrize(
    "resources",
    [
        pytest.param(callers.state_machine(ARN, type="${Type}"), id="parameter"),
        pytest.param(callers.state_machine(ARN, "Arguments", "{% $type %}"), id="JSONata"),
        pytest.param(
            callers.state_machine(
                ARN, Parameters={"FunctionName": "${Name}", "InvocationType.$": "$.type"}
            ),
            id="path",
        ),
        pytest.param(
            callers.state_machine(
                ARN, Parameters={"FunctionName.$": "$.name", "InvocationType": "Event"}
            ),
            id="function by path",
        ),
        pytest.param(
            callers.state_machine(
                ARN,
                "Arguments",
                Arguments={"FunctionName": "{% $name %}", "InvocationType": "{% 'Event' %}"},
            ),
            id="function in JSONata",
        ),
        pytest.param(
            callers.state_machine(ARN, "Arguments", Arguments="{% $states.input %}"),
            id="all in JSONata",
        ),
        pytest.param(
            {
                "Caller": callers.one(
                    "AWS::StepFunctions::StateMachine",
                    {
                        "RoleArn": callers.ROLE_ARN,
                        "DefinitionS3Location": {"Bucket": "bucket", "Key": "definition.json"},
                    },
                )
            },
            id="definition in S3",
        ),
        pytest.param(
            {
                "Caller": callers.one(
                    "AWS::StepFunctions::StateMachine",
                    {"RoleArn": callers.ROLE_ARN, "DefinitionString": {"Ref": "Type"}},
                )
            },
            id="definition as parameter",
        ),
        pytest.param(callers.receipt_rule(ARN, InvocationType={"Ref": "Type"}), id="mail"),
        pytest.param(callers.channel_namespace(ARN, {"Ref": "Type"}), id="channel"),
        pytest.param(
            {
                "Caller": callers.one(
                    "AWS::Pipes::Pipe",
                    {
                        "Target": ARN,
                        "TargetParameters": {
                            "LambdaFunctionParameters": {"InvocationType": {"Ref": "Type"}}
                        },
                    },
                )
            },
            id="pipe",
        ),
        pytest.param(
            callers.schedule(
                "arn:aws:scheduler:::aws-sdk:lambda:invoke",
                Input={"Fn::Sub": '{"FunctionName": "${Function}", "InvocationType": "${Type}"}'},
            ),
            id="universal schedule",
        ),
    ],
)
def test_says_that_it_is_not_known_whether_a_caller_waits(resources: Resources) -> None:
    """What only a deployment or an execution decides is a note."""
    checked = template(resources, Parameters={"Type": {"Type": "String"}})
    assert [one.kind for one in find_uncovered_functions(checked)] == ["unknown"]


EITHER = {"Fn::If": ["Waits", "RequestResponse", "Event"]}


@pytest.mark.parametrize(
    "resources",
    [
        pytest.param(callers.receipt_rule(ARN, InvocationType=EITHER), id="mail"),
        pytest.param(
            callers.asynchronous_method(ARN, {"Fn::If": ["Waits", "'RequestResponse'", "'Event'"]}),
            id="API",
        ),
        pytest.param(
            callers.subscriber(ARN, {"Fn::If": ["Waits", "REQUEST_RESPONSE", "EVENT"]}),
            id="subscriber",
        ),
        pytest.param(
            callers.channel_namespace(ARN, {"Fn::If": ["Waits", "REQUEST_RESPONSE", "EVENT"]}),
            id="channel",
        ),
        pytest.param(
            callers.resolver({"Fn::If": ["Other", "arn:aws:lambda:::function:a", ARN]}),
            id="data source of either function",
        ),
        pytest.param(
            callers.subscription(ARN, Protocol={"Ref": "Type"}), id="protocol as parameter"
        ),
    ],
)
def test_finds_who_goes_on_in_one_branch(resources: Resources) -> None:
    """A caller that waits only under a condition does not wait without it."""
    checked = template(resources, Parameters={"Type": {"Type": "String"}})
    assert [one.kind for one in errors(checked)] == ["uncovered"]


@pytest.mark.parametrize(
    "task",
    [
        {"Parameters": {"FunctionName.$": "$.name"}},
        {"Parameters": {"FunctionName": "${Name}", "InvocationType": "RequestResponse"}},
        {"Arguments": {"FunctionName": "${Name}", "InvocationType": "{% 'RequestResponse' %}"}},
    ],
)
def test_accuses_no_task_that_waits(task: dict[str, Any]) -> None:
    """A task that waits fails the execution, whichever function it calls."""
    (arguments,) = task
    assert find_uncovered_functions(template(callers.state_machine(ARN, arguments, **task))) == []


def test_finds_a_task_by_any_branch_of_its_substitution() -> None:
    """A substitution under a condition may make a task not wait."""
    definition = callers.state_machine(ARN)["Caller"]["Properties"]["DefinitionString"]
    text = definition["Fn::Sub"][0].replace("${AWS::Partition}", "aws").replace("Event", "${Type}")
    properties = {
        "DefinitionString": text,
        "DefinitionSubstitutions": {
            "Name": ARN,
            "Type": {"Fn::If": ["IsSlow", "RequestResponse", "Event"]},
        },
    }
    machine = callers.one("AWS::StepFunctions::StateMachine", properties)
    (finding,) = errors(template({"Caller": machine}))
    assert finding.invoked_by == ("Caller",)


@pytest.mark.parametrize(
    "properties",
    [
        {"Definition": {"States": {"Tell": callers.EVENT_TASK}}},
        {"DefinitionString": {"Fn::ToJsonString": {"States": {"Tell": callers.EVENT_TASK}}}},
    ],
)
def test_finds_a_task_in_a_definition_that_is_no_text(properties: dict[str, Any]) -> None:
    """Definitions written as properties may have substitutions too."""
    properties = {**properties, "DefinitionSubstitutions": {"Name": ARN}}
    machine = callers.one("AWS::StepFunctions::StateMachine", properties)
    (finding,) = errors(template({"Caller": machine}))
    assert (finding.logical_id, finding.invoked_by) == ("Function", ("Caller",))


def test_finds_a_configuration_without_a_destination() -> None:
    """A function with an asynchronous configuration has asynchronous calls."""
    (finding,) = errors(template(config(destination="", MaximumRetryAttempts=0)))
    assert (finding.kind, finding.invoked_by) == ("uncovered", ("Config",))


def test_finds_each_qualifier_that_is_called() -> None:
    """A function called through two qualifiers is found for each that is not covered."""
    rule, bucket = callers.rule({"Ref": "Alias"}), callers.bucket(ARN)
    both = {"Rule": rule["Caller"], "Bucket": bucket["Caller"]}
    found = {(one.qualifier, one.invoked_by) for one in errors(template(ALIAS, both))}
    assert found == {("live", ("Rule",)), ("$LATEST", ("Bucket",))}
    (finding,) = errors(template(ALIAS, both, config()))
    assert finding.qualifier == "live"


def test_names_the_rule_and_not_its_permission() -> None:
    """The permission of a known rule is not another caller."""
    permission = callers.permission(
        ARN, "events.amazonaws.com", SourceArn={"Fn::GetAtt": ["Caller", "Arn"]}
    )
    resources = callers.rule(ARN) | {"Permission": permission["Caller"]}
    (finding,) = errors(template(resources))
    assert finding.invoked_by == ("Caller",)


def test_finds_a_permission_for_another_source_than_the_rule() -> None:
    """A rule of another stack may call another qualifier than the known rule."""
    permission = {"Permission": callers.permission_with_source(ARN)["Caller"]}
    rule = callers.rule({"Ref": "Alias"})
    (finding,) = errors(template(ALIAS, rule, permission, config("live")))
    assert (finding.qualifier, finding.invoked_by) == ("$LATEST", ("Permission",))


def test_names_a_custom_resource_without_accusing() -> None:
    """CloudFormation calls asynchronously, but the deployment fails if no answer arrives."""
    custom = {"Custom": callers.one("Custom::Seed", {"ServiceToken": ARN})}
    (finding,) = find_uncovered_functions(template(custom))
    assert (finding.kind, finding.severity) == ("custom-resource", "info")


@pytest.mark.parametrize(
    "resources",
    [
        callers.transfer_workflow(ARN),
        callers.permission(ARN, "cloudformation.amazonaws.com"),
        callers.state_machine(ARN, Resource="arn:aws:states:::lambda:invoke.waitForTaskToken"),
    ],
    ids=["workflow of Transfer Family", "permission for CloudFormation", "task with a token"],
)
def test_names_who_awaits_a_callback_without_accusing(resources: Resources) -> None:
    """A caller that fails without a later answer does not hide the failure."""
    (finding,) = find_uncovered_functions(template(resources))
    assert (finding.kind, finding.severity) == ("custom-resource", "info")


def test_does_not_know_who_uses_a_role_that_others_assume_too() -> None:
    """A role that Scheduler and a function share may be for the function's own calls."""
    shared = callers.role_of_schedules(ARN)
    trust = shared["Caller"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
    trust["Principal"] = {"Service": ["lambda.amazonaws.com", "scheduler.amazonaws.com"]}
    (finding,) = find_uncovered_functions(template(shared))
    assert (finding.kind, finding.invoked_by) == ("unknown", ("Caller",))
    both = {"Role": shared["Caller"], "Bucket": callers.bucket(ARN)["Caller"]}
    (finding,) = find_uncovered_functions(template(both))
    assert (finding.kind, finding.invoked_by) == ("uncovered", ("Bucket",))


def test_does_not_accuse_for_a_custom_resource_beside_what_is_not_known() -> None:
    """If neither of two callers is known to lose failures, neither is an error."""
    custom = {"Custom": callers.one("Custom::Seed", {"ServiceToken": ARN})}
    (finding,) = find_uncovered_functions(template(custom, callers.permission(ARN, "new-service")))
    assert (finding.kind, finding.invoked_by) == ("unknown", ("Caller",))


def test_accuses_no_step_of_a_runbook_that_waits() -> None:
    """A step without an invocation type waits, and fails the runbook."""
    runbook = callers.runbook(ARN)
    (step,) = runbook["Caller"]["Properties"]["Content"]["mainSteps"]
    del step["inputs"]["InvocationType"]
    assert find_uncovered_functions(template(runbook)) == []


def test_says_that_a_runbook_cannot_be_read() -> None:
    """A runbook in YAML may call any function."""
    content = "mainSteps: [{action: 'aws:invokeLambdaFunction', inputs: {FunctionName: a}}]"
    document = callers.one("AWS::SSM::Document", {"Content": content})
    assert [one.kind for one in find_uncovered_functions(template({"Caller": document}))] == [
        "unknown"
    ]


@pytest.mark.parametrize(
    "parameters",
    [{"FunctionName": "a"}, {"FunctionName": "a", "InvocationType": "RequestResponse"}, {}],
)
def test_accuses_no_sdk_call_that_waits(parameters: dict[str, str]) -> None:
    """A call at deployment that waits fails the deployment."""
    call = {"service": "Lambda", "action": "invoke", "parameters": parameters}
    resources = callers.sdk_call(ARN)
    resources["Caller"]["Properties"]["Create"] = json.dumps(call)
    assert errors(template(resources)) == []


def test_finds_a_custom_resource_behind_a_topic() -> None:
    """Behind a topic, SNS calls the function, and nobody learns of its failure."""
    custom = {"Custom": callers.one("Custom::Seed", {"ServiceToken": {"Ref": "Topic"}})}
    (finding,) = errors(template(callers.subscription(ARN), custom))
    assert finding.invoked_by == ("Caller",)


def test_leaves_cdks_own_functions_alone() -> None:
    """Users cannot change them, and see when they fail."""
    resources = callers.cdk_bucket(ARN)
    found = find_uncovered_functions(template(resources, config()))
    assert found == []


def test_leaves_serverless_frameworks_own_functions_alone() -> None:
    """Users cannot change those of Serverless Framework either."""
    found = find_uncovered_functions(template(callers.existing_bucket(ARN), config()))
    assert found == []
