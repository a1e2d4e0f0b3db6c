"""An app with the CDK's constructs: exactly the uncovered functions are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_appsync as appsync
from aws_cdk import aws_cloudwatch_actions as alarm_actions
from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as pipeline_actions
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_config as config
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_logs_destinations as log_destinations
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as deployment
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as schedule_targets
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ses as ses
from aws_cdk import aws_ses_actions as mail_actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from aws_cdk import aws_stepfunctions_tasks as tasks
from aws_cdk import custom_resources, triggers

from failure_destinations.check import UncoveredFunction, find_uncovered_functions_in
from failure_destinations.check.assembly import read_assembly

from ..conftest import define_handler

HOURLY = events.Schedule.rate(cdk.Duration.hours(1))
Found = dict[str, list[UncoveredFunction]]


def define_asynchronous(stack: cdk.Stack) -> None:
    """Define functions that services call asynchronously, with nowhere for failures to go."""

    def function(id: str) -> lambda_.Function:
        return define_handler(stack, f"Lost{id}")

    queue = sqs.Queue(stack, "Queue")
    events.Rule(stack, "Rule", schedule=HOURLY, targets=[targets.LambdaFunction(function("Rule"))])
    scheduler.Schedule(
        stack,
        "Schedule",
        schedule=scheduler.ScheduleExpression.rate(cdk.Duration.hours(1)),
        target=schedule_targets.LambdaInvoke(function("Schedule")),
    )
    scheduler.Schedule(
        stack,
        "VersionSchedule",
        schedule=scheduler.ScheduleExpression.rate(cdk.Duration.hours(1)),
        target=schedule_targets.LambdaInvoke(function("Version").current_version),
    )
    sns.Topic(stack, "Topic").add_subscription(
        subscriptions.LambdaSubscription(function("Subscription"))
    )
    bucket = s3.Bucket(stack, "Bucket")
    bucket.add_event_notification(
        s3.EventType.OBJECT_CREATED, notifications.LambdaDestination(function("Notification"))
    )
    logs.SubscriptionFilter(
        stack,
        "Filter",
        log_group=logs.LogGroup(stack, "Logs"),
        destination=log_destinations.LambdaDestination(function("Logs")),
        filter_pattern=logs.FilterPattern.all_events(),
    )
    source = pipeline_actions.S3SourceAction(
        action_name="Source", bucket=bucket, bucket_key="a", output=codepipeline.Artifact()
    )
    job = lambda_.Function(
        stack,
        "Job",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
    )
    invoke = pipeline_actions.LambdaInvokeAction(action_name="Invoke", lambda_=job)
    codepipeline.Pipeline(
        stack,
        "Pipeline",
        stages=[
            codepipeline.StageProps(stage_name="Source", actions=[source]),
            codepipeline.StageProps(stage_name="Invoke", actions=[invoke]),
        ],
    )
    mail = mail_actions.Lambda(function=function("Mail"))
    ses.ReceiptRuleSet(stack, "Mail", rules=[ses.ReceiptRuleOptions(actions=[mail])])
    triggers.Trigger(
        stack,
        "Trigger",
        handler=function("Trigger"),
        invocation_type=triggers.InvocationType.EVENT,
    )
    queue.metric_number_of_messages_sent().create_alarm(
        stack, "Alarm", threshold=1, evaluation_periods=1
    ).add_alarm_action(alarm_actions.LambdaAction(function("Alarm")))
    codecommit.Repository(stack, "Repository", repository_name="code").on_commit(
        "OnCommit", target=targets.LambdaFunction(function("Commit"))
    )
    config.CustomRule(
        stack, "Config", lambda_function=function("Config"), configuration_changes=True
    )
    define_handler(
        stack,
        "KeptOrigin",
        on_success=destinations.LambdaDestination(function("Destination")),
        on_failure=destinations.SqsDestination(queue),
    )
    aliased = define_handler(
        stack, "LostAlias", on_failure=destinations.SqsDestination(queue)
    ).add_alias("live")
    events.Rule(stack, "AliasRule", schedule=HOURLY, targets=[targets.LambdaFunction(aliased)])
    task = tasks.LambdaInvoke(
        stack,
        "Task",
        lambda_function=function("Task"),
        invocation_type=tasks.LambdaInvocationType.EVENT,
    )
    stepfunctions.StateMachine(
        stack, "Machine", definition_body=stepfunctions.DefinitionBody.from_chainable(task)
    )
    integration = apigateway.LambdaIntegration(
        function("Api"),
        proxy=False,
        request_parameters={"integration.request.header.X-Amz-Invocation-Type": "'Event'"},
    )
    apigateway.RestApi(stack, "Api").root.add_method("POST", integration)
    channels = appsync.EventApi(stack, "Channels", api_name="channels")
    data_source = channels.add_lambda_data_source("DataSource", function("Channel"))
    channels.add_channel_namespace(
        "channel",
        publish_handler_config=appsync.HandlerConfig(
            data_source=data_source,
            direct=True,
            lambda_invoke_type=appsync.LambdaInvokeType.EVENT,
        ),
    )


def define_synchronous(stack: cdk.Stack) -> None:
    """Define functions whose callers wait, and those that the CDK defines for itself."""

    def function(id: str) -> lambda_.Function:
        return define_handler(stack, f"Kept{id}")

    apigateway.LambdaRestApi(stack, "RestApi", handler=function("RestApi"))
    function("Queue").add_event_source(sources.SqsEventSource(sqs.Queue(stack, "Work")))
    cognito.UserPool(
        stack,
        "Users",
        lambda_triggers=cognito.UserPoolTriggers(pre_sign_up=function("SignUp")),
    )
    task = tasks.LambdaInvoke(stack, "WaitingTask", lambda_function=function("Task"))
    stepfunctions.StateMachine(
        stack, "Waiting", definition_body=stepfunctions.DefinitionBody.from_chainable(task)
    )
    function("Url").add_function_url()
    secretsmanager.Secret(stack, "Secret").add_rotation_schedule(
        "Rotation", rotation_lambda=function("Rotation")
    )
    provider = custom_resources.Provider(
        stack,
        "Provider",
        on_event_handler=function("OnEvent"),
        is_complete_handler=function("IsComplete"),
    )
    cdk.CustomResource(stack, "Custom", service_token=provider.service_token)
    custom_resources.AwsCustomResource(
        stack,
        "Call",
        on_update=custom_resources.AwsSdkCall(
            service="SSM",
            action="GetParameter",
            parameters={"Name": "a"},
            physical_resource_id=custom_resources.PhysicalResourceId.of("a"),
        ),
        policy=custom_resources.AwsCustomResourcePolicy.from_sdk_calls(resources=["*"]),
    )
    triggers.Trigger(stack, "WaitingTrigger", handler=function("Trigger"))
    site = s3.Bucket(
        stack, "Site", auto_delete_objects=True, removal_policy=cdk.RemovalPolicy.DESTROY
    )
    deployment.BucketDeployment(
        stack,
        "Deployment",
        sources=[deployment.Source.data("a", "b")],
        destination_bucket=site,
    )


def define_covered(stack: cdk.Stack, queue: sqs.IQueue) -> None:
    """Define functions with somewhere for their failures to go, in another stack."""

    def called(handler: lambda_.IFunction) -> None:
        target = targets.LambdaFunction(handler, dead_letter_queue=dead_letters)
        events.Rule(stack, f"Rule{len(stack.node.children)}", schedule=HOURLY, targets=[target])

    dead_letters = sqs.Queue(stack, "DeadLetters")
    far = destinations.SqsDestination(queue)
    called(define_handler(stack, "KeptDestination", on_failure=far))
    called(define_handler(stack, "KeptDeadLetters", dead_letter_queue_enabled=True))
    called(define_handler(stack, "KeptAlias").add_alias("live", on_failure=far))


def define_nested(stack: cdk.Stack) -> None:
    """Define functions in nested stacks that are called from above, with a queue from above."""
    queue = sqs.Queue(stack, "NestedFailures")
    nested = cdk.NestedStack(stack, "Nested")
    kept = define_handler(nested, "Kept", on_failure=destinations.SqsDestination(queue))
    inner = cdk.NestedStack(nested, "Inner")
    lost = define_handler(inner, "Lost")
    for id, handler in {"KeptRule": kept, "LostRule": lost}.items():
        target = targets.LambdaFunction(handler, dead_letter_queue=queue)
        events.Rule(stack, id, schedule=HOURLY, targets=[target])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """The findings of the whole app by severity, synthesised as the CDK CLI does."""
    out = tmp_path_factory.mktemp("cdk.out")
    app = cdk.App(outdir=str(out))
    services = cdk.Stack(app, "Services")
    define_asynchronous(services)
    define_synchronous(services)
    failures = cdk.Stack(app, "Failures")
    define_covered(cdk.Stack(app, "Covered"), sqs.Queue(failures, "Queue"))
    define_nested(cdk.Stack(cdk.Stage(app, "Prod"), "Above"))
    app.synth()
    findings = find_uncovered_functions_in(read_assembly(Path(out)).stacks)
    return {
        severity: [finding for finding in findings if finding.severity == severity]
        for severity in ("error", "warning", "info")
    }


def functions(define: Callable[[cdk.Stack], None]) -> set[str]:
    """Return the ids of the functions that `define` leaves uncovered."""
    stack = cdk.Stack()
    define(stack)
    return {
        child.node.path
        for child in stack.node.find_all()
        if isinstance(child, lambda_.Function) and child.node.id.startswith("Lost")
    }


def test_finds_every_function_and_no_other(found: Found) -> None:
    """Exactly the uncovered functions are found, by their construct paths."""
    lost = {f"Services/{path.rpartition('/')[2]}" for path in functions(define_asynchronous)}
    assert {finding.shown for finding in found["error"]} == {
        *lost,
        "Prod/Above/Nested/Inner/Lost",
    }


def test_knows_everything_in_an_app(found: Found) -> None:
    """Nothing is unknown in an app of which all stacks are read; a pipeline waits for a result."""
    assert [(one.kind, one.shown) for one in found["info"]] == [("custom-resource", "Services/Job")]


def test_names_callers_by_their_constructs(found: Found) -> None:
    """A finding names the caller by its construct path."""
    (finding,) = [one for one in found["error"] if one.shown.startswith("Prod/")]
    assert "Prod/Above/LostRule (AWS::Events::Rule)" in finding.reason
    assert finding.stack.startswith("Prod-Above/")
