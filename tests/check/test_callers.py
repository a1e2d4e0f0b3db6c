"""Every asynchronous caller of a function is found, and so is what covers the function."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from failure_destinations.check import (
    Stack,
    UncoveredFunction,
    find_uncovered_functions,
    find_uncovered_functions_in,
)

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
        synchronous("triggers of a user pool", callers.user_pool(ARN)),
        synchronous(
            "triggers of a user pool, with the permission",
            callers.user_pool(ARN)
            | {"Permission": callers.permission(ARN, "cognito-idp.amazonaws.com")["Caller"]},
        ),
        synchronous("trigger of an existing pool", callers.existing_user_pool(ARN, "PreSignUp")),
        *(
            synchronous(
                f"AppConfig's {point}",
                {
                    "Caller": callers.one(
                        "AWS::AppConfig::Extension",
                        {"Name": "a", "Actions": {point: [{"Name": "a", "Uri": ARN}]}},
                    )
                },
            )
            for point in ("PRE_START_DEPLOYMENT", "AT_DEPLOYMENT_TICK")
        ),
        *(
            synchronous(
                f"permission for {source}",
                {
                    "Authorizer": callers.one("AWS::IoT::Authorizer", {}),
                    "Caller": callers.permission(ARN, "iot.amazonaws.com", SourceArn=source)[
                        "Caller"
                    ],
                },
            )
            for source in (
                {"Fn::GetAtt": ["Authorizer", "Arn"]},
                {"Fn::Sub": "arn:aws:iot:${AWS::Region}:1:authorizer/${Authorizer}"},
                "arn:aws:iot:eu-west-1:111122223333:authorizer/orders",
                "arn:aws:iot:eu-west-1:111122223333:provisioningtemplate/fleet",
                {"Fn::Sub": "arn:${AWS::Partition}:iot:*:*:certificateprovider/*"},
            )
        ),
        synchronous(
            "operation of a runbook that waits",
            callers.runbook_with_operation(ARN, InvocationType="RequestResponse"),
        ),
        synchronous(
            "another operation of a runbook", callers.runbook_with_operation(ARN, "GetFunction")
        ),
        synchronous(
            "operation of another service", callers.runbook_with_operation(ARN, Service="sns")
        ),
        synchronous(
            "macro",
            {
                "Macro": callers.one(
                    "AWS::CloudFormation::Macro", {"Name": "macro", "FunctionName": ARN}
                ),
                "Caller": callers.permission(ARN, "cloudformation.amazonaws.com")["Caller"],
            },
        ),
        *(
            synchronous(f"code with {code}", callers.resolver(ARN, code))
            for code in (
                "// invocationType: 'Event'",
                "/* {invocationType: 'Event'} */",
                "const help = \"set invocationType: 'Event'\";",
                "const help = `set ${name}: invocationType: 'Event'`;",
                "export const request = () => ({invocationType: 'RequestResponse'});",
                "if (ctx.stash.invocationType === 'Event') {}",
            )
        ),
        *(
            synchronous(
                f"mapping template with {template}",
                callers.resolver_with_mapping_template(ARN, template),
            )
            for template in (
                '## "invocationType": "Event"\n{"operation": "Invoke"}',
                '#* "invocationType": "Event" *# {"operation": "Invoke"}',
                '{"operation": "Invoke", "payload": "invocationType: \'Event\'"}',
            )
        ),
        *(
            synchronous(
                f"API's mapping template with {override}",
                callers.override_in_mapping_template(ARN, override),
            )
            for override in (
                "header['X-Amz-Invocation-Type'] = \"'RequestResponse'\"",
                "header['X-Request'] = 'Event'",
                "path.a = 'b') ## $context.requestOverride.header['X-Amz-Invocation-Type'] = 'a'",
            )
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
            "function URL, since October 2025",
            callers.permission(ARN, "*", InvokedViaFunctionUrl=True),
        ),
        synchronous(
            "function URL, as text",
            callers.permission(ARN, "*", InvokedViaFunctionUrl="true"),
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
        pytest.param(
            callers.resolver(ARN, "export const request = () => ({invocationType: type});"),
            id="computed in a resolver",
        ),
        pytest.param(
            callers.resolver(ARN, "const a = {operation: 'Invoke', invocationType};"),
            id="variable in a resolver",
        ),
        pytest.param(
            callers.resolver_with_mapping_template(ARN, '{"invocationType": "$ctx.args.type"}'),
            id="mapping template",
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


@pytest.mark.parametrize("topic", [{"Ref": "Topic"}, {"Ref": "Given"}, {"Fn::Sub": "${Topic}"}])
def test_names_the_subscription_and_not_its_topics_permission(topic: Any) -> None:
    """The permission of a topic that calls an alias is no call of the unqualified function."""
    parameters = {"Given": {"Type": "String"}}
    permission = callers.permission(ARN, "sns.amazonaws.com", SourceArn=topic)
    resources = {"Permission": permission["Caller"]}
    subscription = callers.subscription({"Ref": "Alias"}, TopicArn=topic)
    checked = template(ALIAS, subscription, resources, config("live"), Parameters=parameters)
    assert errors(checked) == []


def test_finds_a_permission_for_another_topic_than_the_subscriptions() -> None:
    """Another topic may call another qualifier than the known subscription."""
    other = callers.permission(ARN, "sns.amazonaws.com", SourceArn={"Ref": "Given"})
    subscription = callers.subscription({"Ref": "Alias"})
    checked = template(
        ALIAS,
        subscription,
        {"Permission": other["Caller"]},
        config("live"),
        Parameters={"Given": {"Type": "String"}},
    )
    assert [one.qualifier for one in errors(checked)] == ["$LATEST"]


def test_finds_a_permission_for_another_source_than_the_rule() -> None:
    """A rule of another stack may call another qualifier than the known rule."""
    permission = {"Permission": callers.permission_with_source(ARN)["Caller"]}
    rule = callers.rule({"Ref": "Alias"})
    (finding,) = errors(template(ALIAS, rule, permission, config("live")))
    assert (finding.qualifier, finding.invoked_by) == ("$LATEST", ("Permission",))


def another_target(type: str, properties: dict[str, Any]) -> Resources:
    """Return a permission for a source that calls another function."""
    source = {"Fn::GetAtt": ["Source", "Arn"]}
    return {
        "Source": callers.one(type, properties),
        "Other": callers.FUNCTION,
        "Permission": callers.permission(ARN, "*", SourceArn=source)["Caller"],
    }


OTHER = {"Fn::GetAtt": ["Other", "Arn"]}


@pytest.mark.parametrize(
    ("type", "properties"),
    [
        ("AWS::Events::Rule", {"Targets": [{"Id": "a", "Arn": OTHER}]}),
        ("AWS::Events::Rule", {"Targets": [{"Id": "a", "Arn": callers.QUEUE_ARN}]}),
        (
            "AWS::Events::Rule",
            {"Targets": [{"Id": "a", "Arn": "arn:aws:lambda:eu-west-1:1:function:elsewhere"}]},
        ),
        (
            "AWS::IoT::TopicRule",
            {"TopicRulePayload": {"Actions": [{"Lambda": {"FunctionArn": OTHER}}]}},
        ),
        ("AWS::CloudWatch::Alarm", {"AlarmActions": [{"Ref": "Topic"}]}),
    ],
)
def test_does_not_count_a_permission_for_what_calls_another(
    type: str, properties: dict[str, Any]
) -> None:
    """A rule, topic rule or alarm names all that it calls: its permission alone calls nothing."""
    found = find_uncovered_functions(template(another_target(type, properties)))
    assert [one for one in found if one.logical_id == "Function"] == []


@pytest.mark.parametrize(
    "targets",
    [
        [],
        [{"Id": "a", "Arn": {"Ref": "Given"}}],
        [{"Id": "a", "Arn": OTHER}, {"Id": "b", "Arn": {"Fn::ImportValue": "handler"}}],
    ],
)
def test_counts_a_permission_for_a_rule_whose_targets_are_not_known(targets: list[Any]) -> None:
    """A rule without targets gets them elsewhere."""
    checked = template(
        another_target("AWS::Events::Rule", {"Targets": targets}),
        Parameters={"Given": {"Type": "String"}},
    )
    checked["Resources"]["Permission"]["Properties"]["Principal"] = "events.amazonaws.com"
    found = errors(checked)
    assert ("Function", ("Permission",)) in [(one.logical_id, one.invoked_by) for one in found]


def disabled(caller: Resources, **properties: Any) -> Resources:
    """Return a caller with more properties."""
    caller = {**caller, "Caller": {**caller["Caller"]}}
    caller["Caller"]["Properties"] = {**caller["Caller"]["Properties"], **properties}
    return caller


OFF = {"Type": "String", "Default": "DISABLED"}
DISABLED = [
    disabled(callers.rule(ARN), State="DISABLED"),
    disabled(callers.rule(ARN), State={"Fn::If": ["IsProd", "DISABLED", "DISABLED"]}),
    disabled(callers.schedule(ARN), State="DISABLED"),
    disabled(callers.universal_schedule(ARN), State="DISABLED"),
    disabled(callers.pipe(ARN), DesiredState="STOPPED"),
    disabled(callers.alarm(ARN), ActionsEnabled=False),
    disabled(
        callers.receipt_rule(ARN),
        Rule={"Enabled": False, "Actions": [{"LambdaAction": {"FunctionArn": ARN}}]},
    ),
    disabled(
        callers.topic_rule(ARN),
        TopicRulePayload={
            "Sql": "SELECT * FROM 'a'",
            "RuleDisabled": True,
            "Actions": [{"Lambda": {"FunctionArn": ARN}}],
        },
    ),
    disabled(
        callers.rule_without_cloudformation(ARN),
        EventBridgeConfig={"RuleName": "rule", "State": "DISABLED"},
    ),
]


@pytest.mark.parametrize("resources", DISABLED)
def test_notes_a_caller_that_is_disabled(resources: Resources) -> None:
    """It calls nothing until someone enables it, which must not come as a surprise."""
    found = [
        one
        for one in find_uncovered_functions(template(resources))
        if one.kind != "custom-resource"
    ]
    assert [(one.kind, one.severity, one.invoked_by) for one in found] == [
        ("disabled", "info", ("Caller",))
    ]
    assert find_uncovered_functions(template(resources, config())) == []


def test_notes_a_caller_that_the_stack_above_disables() -> None:
    """A parameter that the template above gives has that value only."""
    below = template(disabled(callers.rule(ARN), State={"Ref": "State"}), Parameters={"State": OFF})
    for given, kind in (("DISABLED", "disabled"), ({"Ref": "Off"}, "uncovered")):
        nested = callers.one(
            "AWS::CloudFormation::Stack", {"TemplateURL": "a", "Parameters": {"State": given}}
        )
        above = {"Resources": {"Nested": nested}, "Parameters": {"Off": OFF}}
        stack = Stack(above, nested={"Nested": Stack(below)})
        assert kind in [one.kind for one in find_uncovered_functions_in([stack])]


@pytest.mark.parametrize(
    "state",
    [
        "ENABLED",
        {"Fn::If": ["IsProd", "ENABLED", "DISABLED"]},
        {"Ref": "Given"},
        {"Ref": "Off"},
        {"Fn::Sub": "${Off}"},
        {"Fn::FindInMap": ["States", {"Ref": "Stage"}, "Of"]},
    ],
)
def test_counts_a_caller_that_may_be_enabled(state: Any) -> None:
    """A rule may be enabled by a condition, or by a parameter whatever its default is."""
    rule = disabled(callers.rule(ARN), State=state)
    stage = {"Type": "String", "Default": "test"}
    checked = template(
        rule,
        Parameters={"Given": {"Type": "String"}, "Off": OFF, "Stage": stage},
        Mappings={"States": {"test": {"Of": "DISABLED"}, "prod": {"Of": "ENABLED"}}},
    )
    assert [one.kind for one in errors(checked)] == ["uncovered"]


def test_names_only_the_enabled_caller() -> None:
    """Beside a caller that is enabled, the disabled one changes nothing."""
    off = {"Off": disabled(callers.rule(ARN), State="DISABLED")["Caller"]}
    (finding,) = errors(template(off, callers.bucket(ARN)))
    assert finding.invoked_by == ("Caller",)


def test_does_not_count_the_permission_of_a_disabled_rule() -> None:
    """The permission lets the rule call once it is enabled, and nobody else."""
    rule = disabled(callers.rule(ARN), State="DISABLED")
    source = {"Fn::GetAtt": ["Caller", "Arn"]}
    permission = callers.permission(ARN, "events.amazonaws.com", SourceArn=source)["Caller"]
    found = find_uncovered_functions(template(rule, {"Permission": permission}))
    assert [one.kind for one in found] == ["disabled"]


OPTIONS = config(destination={"Ref": "AWS::NoValue"}, MaximumRetryAttempts=0)


@pytest.mark.parametrize(
    ("type", "properties"),
    [
        ("AWS::Lambda::EventSourceMapping", {"FunctionName": ARN, "EventSourceArn": "a"}),
        ("AWS::Lambda::Url", {"TargetFunctionArn": ARN, "AuthType": "NONE"}),
        ("AWS::ElasticLoadBalancingV2::TargetGroup", {"Targets": [{"Id": ARN}]}),
        ("AWS::SecretsManager::RotationSchedule", {"RotationLambdaARN": ARN}),
        ("AWS::Cognito::UserPool", {"LambdaConfig": {"PreSignUp": ARN}}),
        ("AWS::ApiGatewayV2::Integration", {"IntegrationUri": {"Fn::Sub": "${Uri}"}}),
        (
            "AWS::Lambda::Permission",
            {
                "FunctionName": ARN,
                "Action": "lambda:InvokeFunction",
                "Principal": "apigateway.amazonaws.com",
            },
        ),
    ],
)
def test_notes_options_where_every_caller_waits(type: str, properties: dict[str, Any]) -> None:
    """Retries alone do not say that anybody calls asynchronously."""
    uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/${Arn}/invocations"
    if "IntegrationUri" in properties:
        properties = {"IntegrationUri": {"Fn::Sub": [uri, {"Arn": ARN}]}}
    caller = {"Caller": callers.one(type, properties)}
    (finding,) = find_uncovered_functions(template(caller, OPTIONS))
    assert (finding.kind, finding.severity, finding.invoked_by) == ("unknown", "info", ("Config",))
    assert "every known caller waits" in finding.reason


def test_finds_options_beside_an_asynchronous_caller() -> None:
    """One caller that does not wait is enough."""
    url = {"Url": callers.one("AWS::Lambda::Url", {"TargetFunctionArn": ARN})}
    (finding,) = errors(template(callers.bucket(ARN), url, OPTIONS))
    assert finding.invoked_by == ("Caller",)


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
        callers.pipeline({"Ref": "Function"}),
        callers.permission(ARN, "codepipeline.amazonaws.com"),
        callers.permission(ARN, "codedeploy.amazonaws.com"),
        callers.channel_flow(ARN, "ABORT"),
    ],
    ids=[
        "workflow of Transfer Family",
        "permission for CloudFormation",
        "task with a token",
        "pipeline",
        "permission for CodePipeline",
        "permission for CodeDeploy",
        "processor whose message fails without an answer",
    ],
)
def test_names_who_awaits_a_callback_without_accusing(resources: Resources) -> None:
    """A caller that fails without a later answer does not hide the failure."""
    (finding,) = find_uncovered_functions(template(resources))
    assert (finding.kind, finding.severity) == ("custom-resource", "info")


@pytest.mark.parametrize("name", ["BeforeAllowTrafficHook", "AfterAllowTrafficHook"])
def test_names_the_hook_of_a_deployment_without_accusing(name: str) -> None:
    """CodeDeploy waits for a status, and fails the deployment without one."""
    (finding,) = find_uncovered_functions(template(callers.alias_with_hooks({"Ref": "Hook"}, name)))
    assert (finding.kind, finding.logical_id, finding.invoked_by) == (
        "custom-resource",
        "Hook",
        ("Alias",),
    )


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
