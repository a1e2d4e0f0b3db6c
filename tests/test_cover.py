"""cover: every asynchronous function below a scope gets a failure destination."""

from __future__ import annotations

from ast import literal_eval
from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as pipeline_actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as scheduler_targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from aws_cdk.assertions import Annotations, Match, Template
from constructs import Construct

from failure_destinations import FailureChannel, FailureMonitoring, FailureReplayer

from .conftest import define_handler
from .templates import assert_warns, is_reference, logical_id, resources_of

CONFIG = "AWS::Lambda::EventInvokeConfig"


def call_by_rule(
    scope: Construct, id: str, handler: lambda_.IFunction, *, enabled: bool = True
) -> None:
    """Have a rule call a handler."""
    events.Rule(
        scope,
        id,
        schedule=events.Schedule.rate(cdk.Duration.minutes(1)),
        targets=[targets.LambdaFunction(handler)],
        enabled=enabled,
    )


def configured(stack: cdk.Stack) -> dict[tuple[Any, Any], Any]:
    """Return where failures go, by function and qualifier."""
    return {
        (
            str(resource["Properties"]["FunctionName"]),
            str(resource["Properties"]["Qualifier"]),
        ): resource["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]
        for resource in resources_of(stack, CONFIG).values()
    }


def key(stack: cdk.Stack, handler: Any, qualifier: str = "$LATEST") -> tuple[str, str]:
    """Return what a configuration names a function by."""
    return str({"Ref": logical_id(stack, handler)}), qualifier


def test_covers_every_called_function(app: cdk.App, stack: cdk.Stack) -> None:
    """Each function that a rule, schedule, subscription or notification calls is attached."""
    by_rule, by_schedule, by_topic, by_bucket, by_nobody = (
        define_handler(stack, f"By{name}")
        for name in ("Rule", "Schedule", "Topic", "Bucket", "Nobody")
    )
    channel = FailureChannel(stack, "Channel")
    channel.cover(app)
    call_by_rule(stack, "Rule", by_rule)
    scheduler.Schedule(
        stack,
        "Schedule",
        schedule=scheduler.ScheduleExpression.rate(cdk.Duration.minutes(1)),
        target=scheduler_targets.LambdaInvoke(by_schedule),
    )
    topic = sns.Topic(stack, "Topic")
    topic.add_subscription(subscriptions.LambdaSubscription(by_topic))
    bucket = s3.Bucket(stack, "Bucket")
    bucket.add_event_notification(
        s3.EventType.OBJECT_CREATED, notifications.LambdaDestination(by_bucket)
    )
    arn = {"Ref": logical_id(stack, channel.topic)}
    assert configured(stack) == {
        key(stack, handler): arn for handler in (by_rule, by_schedule, by_topic, by_bucket)
    }
    assert key(stack, by_nobody) not in configured(stack)


def test_covers_the_alias_that_is_called(
    app: cdk.App, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """Lambda would ignore the function's configuration for events through the alias."""
    FailureChannel(stack, "Channel").cover(app)
    call_by_rule(stack, "Rule", handler.add_alias("live"))
    ((_, qualifier),) = configured(stack)
    assert "live" in qualifier or "Alias" in qualifier


def test_covers_an_alias_in_another_stack_than_its_function(app: cdk.App, stack: cdk.Stack) -> None:
    """The configuration is beside the alias, whose stack refers to the function's."""
    aliases, handlers = cdk.Stack(app, "Aliases"), cdk.Stack(app, "Handlers")
    FailureChannel(stack, "Channel").cover(app)
    handler = define_handler(handlers)
    alias = lambda_.Alias(aliases, "Live", alias_name="live", version=handler.current_version)
    call_by_rule(aliases, "Rule", alias)
    app.synth()
    ((function, qualifier),) = configured(aliases)
    assert is_reference(literal_eval(function))
    assert qualifier == "live"
    assert configured(handlers) == {}


def test_covers_what_is_called_through_an_export(app: cdk.App, stack: cdk.Stack) -> None:
    """A stack can import a function that another, separately deployed stack exports."""
    rules, handlers = cdk.Stack(app, "Rules"), cdk.Stack(app, "Handlers")
    FailureChannel(stack, "Channel").cover(app)
    handler = define_handler(handlers)
    cdk.CfnOutput(handlers, "Arn", value=handler.function_arn, export_name="handler-arn")
    arn = cdk.Fn.import_value("handler-arn")
    call_by_rule(rules, "Rule", lambda_.Function.from_function_arn(rules, "Handler", arn))
    app.synth()
    assert list(configured(handlers)) == [key(handlers, handler)]


@pytest.mark.parametrize("strength", ["strong", "weak"])
def test_covers_what_is_called_through_an_output(strength: str) -> None:
    """A stack can refer to an output of another one by the name that this is deployed with."""
    app = cdk.App(context={"@aws-cdk/core:defaultCrossStackReferences": strength})
    stack, rules = cdk.Stack(app, "Failures"), cdk.Stack(app, "Rules")
    handlers = cdk.Stack(app, "Handlers", stack_name="the-handlers")
    FailureChannel(stack, "Channel").cover(app)
    called = define_handler(handlers), define_handler(handlers, "Second")
    cdk.CfnOutput(handlers, "Arn", value=called[0].function_arn)
    cdk.CfnOutput(handlers, "SecondArn", value=cdk.Fn.get_stack_output("Rules", "Passed"))
    cdk.CfnOutput(rules, "Passed", value=called[1].function_arn)
    define_handler(handlers, "NotCalled")
    for id in ("Arn", "SecondArn"):
        arn = cdk.Fn.get_stack_output("the-handlers", id)
        call_by_rule(rules, f"Calls{id}", lambda_.Function.from_function_arn(rules, id + "F", arn))
    app.synth()
    assert list(configured(handlers)) == [key(handlers, each) for each in called]


def test_covers_the_function_that_an_output_of_a_region_names(app: cdk.App) -> None:
    """Stacks of several Regions can have one name."""
    rules = cdk.Stack(app, "Rules", env=cdk.Environment(region="eu-west-1"))
    stacks = [
        cdk.Stack(app, region, stack_name="handlers", env=cdk.Environment(region=region))
        for region in ("us-east-1", "eu-west-1")
    ]
    for stack in stacks:
        FailureChannel(stack, "Channel").cover(stack)
        cdk.CfnOutput(stack, "Arn", value=define_handler(stack).function_arn)
    arn = cdk.Fn.get_stack_output("handlers", "Arn", cdk.Aws.REGION)
    call_by_rule(rules, "Rule", lambda_.Function.from_function_arn(rules, "Handler", arn))
    app.synth()
    assert [len(configured(stack)) for stack in stacks] == [0, 1]


def test_covers_functions_of_other_stacks(app: cdk.App, stack: cdk.Stack) -> None:
    """A rule, the function it calls and the channel can each be in a stack of their own."""
    rules, handlers = cdk.Stack(app, "Rules"), cdk.Stack(app, "Handlers")
    FailureChannel(stack, "Channel").cover(app)
    handler = define_handler(handlers)
    call_by_rule(rules, "Rule", handler)
    app.synth()
    assert list(configured(handlers)) == [key(handlers, handler)]
    assert stack.dependencies == []


@pytest.mark.parametrize("kind", [cdk.NestedStack, cdk.Stack])
def test_covers_a_stack_within_the_channels(
    app: cdk.App, stack: cdk.Stack, kind: type[cdk.Stack]
) -> None:
    """A nested stack, and a stack defined within the channel's stack, are covered."""
    inner = kind(stack, "Inner")
    FailureChannel(stack, "Channel").cover(app)
    handler = define_handler(inner)
    call_by_rule(inner, "Rule", handler)
    app.synth()
    assert list(configured(inner)) == [key(inner, handler)]


def test_covers_a_stage(app: cdk.App) -> None:
    """A stage's channel covers the stage."""
    stage = cdk.Stage(app, "Production")
    stack = cdk.Stack(stage, "Stack")
    handler = define_handler(stack)
    FailureChannel(stack, "Channel").cover(stage)
    call_by_rule(stack, "Rule", handler)
    assert list(configured(stack)) == [key(stack, handler)]


def test_covers_nothing_above_its_scope(stack: cdk.Stack) -> None:
    """Functions outside the scope stay as they are, whoever calls them."""
    inside, outside = Construct(stack, "Inside"), Construct(stack, "InsideNot")
    FailureChannel(stack, "Channel").cover(inside)
    handlers = [define_handler(scope, "Handler") for scope in (inside, outside)]  # type: ignore[arg-type]
    for handler in handlers:
        call_by_rule(stack, f"Rule{handler.node.path}", handler)
    assert list(configured(stack)) == [key(stack, handlers[0])]


def test_leaves_what_is_covered(app: cdk.App, stack: cdk.Stack) -> None:
    """A failure destination or dead-letter queue that somebody chose stays."""
    queue = sqs.Queue(stack, "Queue")
    with_destination = define_handler(
        stack, "WithDestination", on_failure=destinations.SqsDestination(queue)
    )
    with_queue = define_handler(stack, "WithQueue", dead_letter_queue=queue)
    FailureChannel(stack, "Channel").cover(app)
    for id, handler in (("A", with_destination), ("B", with_queue)):
        call_by_rule(stack, id, handler)
    assert configured(stack) == {
        key(stack, with_destination): {"Fn::GetAtt": [logical_id(stack, queue), "Arn"]}
    }


def test_leaves_what_is_called_synchronously(app: cdk.App, stack: cdk.Stack) -> None:
    """An event source that polls a queue gets the failure as its answer."""
    handler = define_handler(stack)
    FailureChannel(stack, "Channel").cover(app)
    lambda_.EventSourceMapping(
        stack,
        "Mapping",
        target=handler,
        event_source_arn=sqs.Queue(stack, "Queue").queue_arn,
    )
    assert resources_of(stack, CONFIG) == {}


def test_covers_what_a_disabled_rule_calls(app: cdk.App, stack: cdk.Stack) -> None:
    """Enabling the rule must not lose events."""
    handler = define_handler(stack)
    channel = FailureChannel(stack, "Channel")
    channel.cover(app)
    call_by_rule(stack, "Rule", handler, enabled=False)
    assert configured(stack) == {key(stack, handler): {"Ref": logical_id(stack, channel.topic)}}


def test_covers_what_a_pipeline_calls(app: cdk.App, stack: cdk.Stack) -> None:
    """The failed action does not show the event."""
    handler = define_handler(stack)
    channel = FailureChannel(stack, "Channel")
    channel.cover(app)
    source = pipeline_actions.S3SourceAction(
        action_name="Source",
        bucket=s3.Bucket(stack, "Bucket", versioned=True),
        bucket_key="source.zip",
        output=codepipeline.Artifact(),
    )
    invoke = pipeline_actions.LambdaInvokeAction(action_name="Invoke", lambda_=handler)
    codepipeline.Pipeline(
        stack,
        "Pipeline",
        stages=[
            codepipeline.StageProps(stage_name="Source", actions=[source]),
            codepipeline.StageProps(stage_name="Invoke", actions=[invoke]),
        ],
    )
    assert configured(stack) == {key(stack, handler): {"Ref": logical_id(stack, channel.topic)}}


def test_leaves_what_is_acknowledged(app: cdk.App, stack: cdk.Stack) -> None:
    """A finding that somebody acknowledged stays acknowledged."""
    handler = define_handler(stack)
    cdk.Validations.of(handler).acknowledge(
        cdk.Acknowledgment(id="failure-destinations::uncovered", reason="a heartbeat")
    )
    FailureChannel(stack, "Channel").cover(app)
    call_by_rule(stack, "Rule", handler)
    assert resources_of(stack, CONFIG) == {}


def test_adds_the_destination_to_a_configuration_without_one(
    app: cdk.App, stack: cdk.Stack
) -> None:
    """The configuration keeps its own retries, age and success destination."""
    queue = sqs.Queue(stack, "Queue")
    handler = define_handler(
        stack,
        retry_attempts=0,
        max_event_age=cdk.Duration.minutes(5),
        on_success=destinations.SqsDestination(queue),
    )
    channel = FailureChannel(stack, "Channel")
    channel.cover(app)
    call_by_rule(stack, "Rule", handler)
    (config,) = resources_of(stack, CONFIG).values()
    assert config["Properties"] == {
        "DestinationConfig": {
            "OnFailure": {"Destination": {"Ref": logical_id(stack, channel.topic)}},
            "OnSuccess": {"Destination": {"Fn::GetAtt": [logical_id(stack, queue), "Arn"]}},
        },
        "FunctionName": {"Ref": logical_id(stack, handler)},
        "MaximumEventAgeInSeconds": 300,
        "MaximumRetryAttempts": 0,
        "Qualifier": "$LATEST",
    }


def test_leaves_what_an_override_sets(app: cdk.App, stack: cdk.Stack) -> None:
    """A destination or dead-letter queue set by add_property_override stays, too."""
    theirs = sqs.Queue(stack, "Theirs").queue_arn
    handler = define_handler(stack, retry_attempts=0)
    config = handler.node.find_child("EventInvokeConfig").node.default_child
    assert isinstance(config, lambda_.CfnEventInvokeConfig)
    config.add_property_override("DestinationConfig.OnFailure.Destination", theirs)
    function = handler.node.default_child
    assert isinstance(function, lambda_.CfnFunction)
    function.add_property_override("DeadLetterConfig.TargetArn", theirs)
    FailureChannel(stack, "Channel").cover(app)
    call_by_rule(stack, "Rule", handler)
    arn = stack.resolve(theirs)
    assert configured(stack) == {key(stack, handler): arn}
    properties = resources_of(stack)[logical_id(stack, handler)]["Properties"]
    assert properties["DeadLetterConfig"] == {"TargetArn": arn}


@pytest.mark.parametrize("configured_before", [False, True])
def test_defines_the_same_as_attaching_by_hand(configured_before: bool) -> None:
    """What cover attaches may publish, keeps copies and has alarms."""

    def resources(by_cover: bool) -> Any:
        app = cdk.App()
        stack = cdk.Stack(app, "Stack")
        channel = FailureChannel(stack, "Channel", encryption_key=kms.Key(stack, "Key"))
        FailureMonitoring(stack, "Monitoring", channel=channel)
        settings: dict[str, Any] = {"retry_attempts": 2} if by_cover and configured_before else {}
        handler = define_handler(stack, **settings)
        call_by_rule(stack, "Rule", handler)
        if by_cover:
            channel.cover(app)
        else:
            channel.notify_failures_of(handler)
        return resources_of(stack)

    assert resources(by_cover=True) == resources(by_cover=False)


def test_warns_of_replays_that_report_no_success(app: cdk.App, stack: cdk.Stack) -> None:
    """A replayer knows the success destination of a configuration that cover added to."""
    successes = destinations.SqsDestination(sqs.Queue(stack, "Successes"))
    handler = define_handler(stack, on_success=successes)
    channel = FailureChannel(stack, "Channel")
    channel.cover(app)
    FailureReplayer(stack, "Replayer", channel=channel)
    call_by_rule(stack, "Rule", handler)
    assert_warns(stack, "Stack/Handler has on_success")


def test_sets_retries_and_age(app: cdk.App, stack: cdk.Stack, handler: lambda_.Function) -> None:
    """They apply to functions that have no configuration of their own."""
    FailureChannel(stack, "Channel").cover(app, retries=0, max_event_age=cdk.Duration.hours(1))
    call_by_rule(stack, "Rule", handler)
    (config,) = resources_of(stack, CONFIG).values()
    assert config["Properties"]["MaximumRetryAttempts"] == 0
    assert config["Properties"]["MaximumEventAgeInSeconds"] == 3600


def test_covers_what_a_state_machine_of_another_stack_calls(app: cdk.App, stack: cdk.Stack) -> None:
    """Its definition is JSON text with escaped quotes."""
    machines, handlers = cdk.Stack(app, "Machines"), cdk.Stack(app, "Handlers")
    FailureChannel(stack, "Channel").cover(app)
    handler = define_handler(handlers)
    call = tasks.LambdaInvoke(
        machines,
        "Call",
        lambda_function=handler,
        invocation_type=tasks.LambdaInvocationType.EVENT,
    )
    sfn.StateMachine(machines, "Machine", definition_body=sfn.DefinitionBody.from_chainable(call))
    app.synth()
    assert list(configured(handlers)) == [key(handlers, handler)]


def test_covers_both_functions_of_a_name_exported_twice(app: cdk.App) -> None:
    """Each Region has its own exports, so the name alone does not say which one is meant."""
    stacks = [
        cdk.Stack(app, region, env=cdk.Environment(region=region))
        for region in ("us-east-1", "eu-west-1")
    ]
    arn = cdk.Fn.import_value("handler-arn")
    for stack in stacks:
        FailureChannel(stack, "Channel").cover(stack)
        cdk.CfnOutput(
            stack, "Arn", value=define_handler(stack).function_arn, export_name="handler-arn"
        )
        rules = cdk.Stack(app, f"Rules-{stack.region}", env=cdk.Environment(region=stack.region))
        call_by_rule(rules, "Rule", lambda_.Function.from_function_arn(rules, "Handler", arn))
    app.synth()
    assert [len(configured(stack)) for stack in stacks] == [1, 1]


def test_leaves_to_later_aspects_what_they_change(app: cdk.App, stack: cdk.Stack) -> None:
    """Once resolved too early, a policy's statement could not be changed any more."""
    FailureChannel(stack, "Channel").cover(app)
    call_by_rule(stack, "Rule", define_handler(stack))
    statement = iam.PolicyStatement(actions=["s3:GetObject"], resources=["first"])
    iam.ManagedPolicy(stack, "Policy", statements=[statement])
    cdk.CfnOutput(stack, "Late", value=cdk.Lazy.string(_Resources(statement)), export_name="late")

    @jsii.implements(cdk.IAspect)
    class Later:
        def visit(self, node: Any) -> None:
            if node.node.path.endswith("Policy"):
                statement.add_resources("second")

    cdk.Aspects.of(stack).add(Later())
    (policy,) = resources_of(stack, "AWS::IAM::ManagedPolicy").values()
    (written,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert written["Resource"] == ["first", "second"]
    (late,) = Template.from_stack(stack).to_json()["Outputs"].values()
    assert late["Value"] == "first,second"


@jsii.implements(cdk.IStableStringProducer)
class _Resources:
    """A statement's resources, produced when CDK resolves them."""

    def __init__(self, statement: iam.PolicyStatement) -> None:
        self._statement = statement

    def produce(self) -> str:
        """Called by CDK."""
        return ",".join(self._statement.resources)


def test_warns_of_a_function_of_another_region(app: cdk.App) -> None:
    """A function that cannot be attached does not stop the others."""
    here = cdk.Environment(account="111122223333", region="eu-west-1")
    there = cdk.Environment(account="111122223333", region="us-east-1")
    stack, far = cdk.Stack(app, "Here", env=here), cdk.Stack(app, "There", env=there)
    FailureChannel(stack, "Channel").cover(app)
    handlers = [define_handler(stack), define_handler(far)]
    for one, handler in zip((stack, far), handlers, strict=True):
        call_by_rule(one, "Rule", handler)
    app.synth()
    assert list(configured(stack)) == [key(stack, handlers[0])]
    assert_warns(far, "must be in the same Region")


@pytest.mark.parametrize("how", ["reference", "output", "dependency", "another stack between"])
def test_warns_of_a_function_of_a_stack_deployed_before(
    app: cdk.App, stack: cdk.Stack, how: str
) -> None:
    """It cannot refer to the channel without a cycle; the others are still attached."""
    before, after = cdk.Stack(app, "Before"), cdk.Stack(app, "After")
    early, late = define_handler(before, "Early"), define_handler(after, "Late")
    call_by_rule(before, "Rule", early)
    call_by_rule(after, "Rule", late)
    if how == "reference":
        sqs.Queue(stack, "Queue", queue_name=early.function_name)
    elif how == "output":
        cdk.CfnOutput(stack, "Name", value=early.function_name)
    elif how == "dependency":
        stack.add_dependency(before)
    else:
        between = cdk.Stack(app, "Between")
        queue = sqs.Queue(between, "Queue", queue_name=early.function_name)
        cdk.CfnOutput(stack, "Name", value=queue.queue_name)
    FailureChannel(stack, "Channel").cover(app)
    app.synth()
    assert configured(before) == {}
    assert_warns(before, "deployed before the channel's")
    assert list(configured(after)) == [key(after, late)]


@pytest.mark.parametrize("configured_before", [False, True])
def test_warns_of_a_role_that_cannot_be_changed(
    app: cdk.App, stack: cdk.Stack, configured_before: bool
) -> None:
    """Lambda may refuse its destination, so it does not count as attached."""
    role = iam.Role.from_role_arn(
        stack, "Fixed", "arn:aws:iam::111122223333:role/fixed", mutable=False
    )
    settings: dict[str, Any] = {"retry_attempts": 0} if configured_before else {}
    FailureChannel(stack, "Channel").cover(app)
    call_by_rule(stack, "Rule", define_handler(stack, role=role, **settings))
    assert len(configured(stack)) == 1
    assert_warns(stack, "role cannot be changed here: allow it to use sns:Publish")
    Annotations.from_stack(stack).has_no_info("*", Match.string_like_regexp("cover attached"))


def test_warns_of_destinations_chosen_at_deployment(app: cdk.App, stack: cdk.Stack) -> None:
    """Nothing can be added to what a condition chooses."""
    careful = cdk.CfnCondition(stack, "Careful", expression=cdk.Fn.condition_equals("a", "b"))
    handler = define_handler(stack, retry_attempts=0)
    config = handler.node.find_child("EventInvokeConfig").node.default_child
    assert isinstance(config, lambda_.CfnEventInvokeConfig)
    chosen = cdk.Fn.condition_if(careful.logical_id, {"OnSuccess": {}}, cdk.Aws.NO_VALUE)
    config.destination_config = chosen
    FailureChannel(stack, "Channel").cover(app)
    call_by_rule(stack, "Rule", handler)
    (resource,) = resources_of(stack, CONFIG).values()
    assert resource["Properties"]["DestinationConfig"] == stack.resolve(chosen)
    assert_warns(stack, "known destinations")


def test_follows_the_condition_of_a_function(app: cdk.App, stack: cdk.Stack) -> None:
    """The configuration is deployed only where its function is, whichever came first."""
    FailureChannel(stack, "Channel").cover(app)
    handler = define_handler(stack)
    call_by_rule(stack, "Rule", handler)
    wanted = cdk.CfnCondition(stack, "Wanted", expression=cdk.Fn.condition_equals("a", "b"))
    function = handler.node.default_child
    assert isinstance(function, lambda_.CfnFunction)
    function.cfn_options.condition = wanted
    (resource,) = resources_of(stack, CONFIG).values()
    assert resource["Condition"] == "Wanted"


@pytest.mark.parametrize("with_own", [False, True], ids=["of others", "one of its own"])
def test_distinguishes_functions_with_one_logical_id(app: cdk.App, with_own: bool) -> None:
    """Two stacks can share logical ids; a caller in another stack means one of them."""
    FailureChannel(cdk.Stack(app, "Failures"), "Channel").cover(app)
    rules = cdk.Stack(app, "Rules")
    if with_own:
        define_handler(rules)
    services = [cdk.Stack(app, f"Service{i}") for i in range(3)]
    for i, service in enumerate(services):
        function = define_handler(service)
        live = lambda_.Alias(service, "Live", alias_name="live", version=function.current_version)
        if i:
            call_by_rule(rules, f"Rule{i}", live if i == 1 else function)
    app.synth()
    assert [len(resources_of(service, CONFIG)) for service in services] == [0, 1, 1]
    assert resources_of(rules, CONFIG) == {}


def test_attaches_where_the_channels_stack_refers_to_a_namesake(app: cdk.App) -> None:
    """The channel's key is in one stack, and other stacks have keys of the same name."""
    key = kms.Key(cdk.Stack(app, "Keys"), "Key")
    channel = FailureChannel(cdk.Stack(app, "Failures"), "Channel", encryption_key=key)
    channel.cover(app)
    service = cdk.Stack(app, "Service")
    kms.Key(service, "Key")
    call_by_rule(service, "Rule", define_handler(service))
    assert len(resources_of(service, CONFIG)) == 1
    Annotations.from_stack(service).has_no_warning("*", Match.string_like_regexp("cover could not"))


def test_leaves_a_handler_whose_stack_must_come_first(app: cdk.App) -> None:
    """Also where the dependency is on the stack's node, which CDK treats differently."""
    channels, handlers = cdk.Stack(app, "Channels"), cdk.Stack(app, "Handlers")
    FailureChannel(channels, "Channel").cover(app)
    channels.node.add_dependency(handlers)
    call_by_rule(handlers, "Rule", define_handler(handlers))
    assert_warns(handlers, "deployed before the channel's")


def test_leaves_a_handler_that_the_monitorings_stack_refers_to(app: cdk.App) -> None:
    """A handler's alarms are in its stack and refer to the monitoring's topic."""
    channels, alarms, handlers = (cdk.Stack(app, id) for id in ("Channels", "Alarms", "Handlers"))
    channel = FailureChannel(channels, "Channel")
    FailureMonitoring(alarms, "Monitoring", channel=channel)
    handler = define_handler(handlers)
    call_by_rule(handlers, "Rule", handler)
    cdk.CfnOutput(alarms, "Watched", value=handler.function_name)
    channel.cover(app)
    assert_warns(handlers, "or that of its monitoring")


def test_leaves_a_function_without_a_construct(app: cdk.App, stack: cdk.Stack) -> None:
    """An L1 function is left to the check, and synthesis goes on."""
    function = lambda_.CfnFunction(
        stack,
        "Function",
        code=lambda_.CfnFunction.CodeProperty(zip_file="def handler(event, context): ..."),
        role="arn:aws:iam::111122223333:role/r",
        handler="index.handler",
        runtime="python3.13",
    )
    lambda_.CfnPermission(
        stack,
        "Permission",
        action="lambda:InvokeFunction",
        function_name=function.ref,
        principal="s3.amazonaws.com",
    )
    FailureChannel(stack, "Channel").cover(app)
    assert resources_of(stack, CONFIG) == {}


@pytest.mark.parametrize("scope", ["Stack", None, 1])
def test_rejects_a_scope_that_is_not_a_construct(stack: cdk.Stack, scope: Any) -> None:
    """A name is not a construct."""
    with pytest.raises(ValueError, match="scope must be a construct"):
        FailureChannel(stack, "Channel").cover(scope)


def test_rejects_covering_twice(app: cdk.App, stack: cdk.Stack) -> None:
    """One call is enough."""
    channel = FailureChannel(stack, "Channel")
    channel.cover(app)
    with pytest.raises(ValueError, match="scope must be covered once, got 'the app' again"):
        channel.cover(app)


def test_rejects_a_scope_of_another_stage(app: cdk.App, stack: cdk.Stack) -> None:
    """Stages are deployed separately and cannot refer to one another."""
    stage = cdk.Stage(app, "Production")
    with pytest.raises(ValueError, match="in the channel's app or stage, got 'Production'"):
        FailureChannel(stack, "Channel").cover(stage)


def test_rejects_bad_retries_of_cover(app: cdk.App, stack: cdk.Stack) -> None:
    """The settings have the bounds of notify_failures_of."""
    with pytest.raises(ValueError, match="retries must be an int from 0 to 2, got 3"):
        FailureChannel(stack, "Channel").cover(app, retries=3)


STREAM = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"


def map_stream(
    scope: Construct, id: str, function: lambda_.IFunction, **settings: Any
) -> lambda_.EventSourceMapping:
    """Let a function read a stream."""
    settings = {"event_source_arn": STREAM, "retry_attempts": 3, **settings}
    return lambda_.EventSourceMapping(
        scope,
        id,
        target=function,
        starting_position=lambda_.StartingPosition.LATEST,
        **settings,
    )


def batch_destinations(stack: cdk.Stack) -> dict[str, Any]:
    """Return where each mapping of a stack sends failed batches, by logical id."""
    return {
        id: resource["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]
        for id, resource in resources_of(stack, "AWS::Lambda::EventSourceMapping").items()
        if "DestinationConfig" in resource["Properties"]
    }


def test_covers_streams(app: cdk.App, stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Kinesis, DynamoDB and Kafka; the mapping keeps its retries, and waits as any other."""
    channel = FailureChannel(stack, "Channel")
    channel.cover(app)
    stream = kinesis.Stream(stack, "Stream")
    table = dynamodb.Table(
        stack,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        stream=dynamodb.StreamViewType.NEW_IMAGE,
    )
    latest = lambda_.StartingPosition.LATEST
    for source in (
        sources.KinesisEventSource(stream, starting_position=latest, retry_attempts=2),
        sources.DynamoEventSource(table, starting_position=latest, retry_attempts=2),
        sources.ManagedKafkaEventSource(
            cluster_arn="arn:aws:kafka:eu-west-1:111122223333:cluster/orders/751d2973-7",
            topic="orders",
            starting_position=latest,
            retry_attempts=2,
        ),
    ):
        handler.add_event_source(source)
    found = batch_destinations(stack)
    bucket = {"Fn::GetAtt": [logical_id(stack, channel.batch_bucket), "Arn"]}
    assert list(found.values()) == [bucket] * 3
    for id in found:
        mapping = resources_of(stack)[id]
        assert mapping["Properties"]["MaximumRetryAttempts"] == 2
        assert [each for each in mapping["DependsOn"] if "EventSourceFailuresRule" in each]
    Annotations.from_stack(stack).has_info(
        "*", Match.string_like_regexp("cover attached 3 of the app's event source mappings")
    )
    Annotations.from_stack(stack).has_no_warning("*", Match.any_value())


@pytest.mark.parametrize("kind", ["alias", "resource", "other stack"])
def test_covers_streams_however_they_are_mapped(kind: str, app: cdk.App, stack: cdk.Stack) -> None:
    """To an alias, by a bare resource, and for a function of another stack."""
    channel = FailureChannel(stack, "Channel")
    channel.cover(app)
    other = cdk.Stack(app, "Other")
    handler = define_handler(other)
    if kind == "resource":
        lambda_.CfnEventSourceMapping(
            other,
            "Mapping",
            function_name=handler.function_name,
            event_source_arn=STREAM,
            starting_position="LATEST",
            maximum_retry_attempts=1,
        )
    else:
        target = handler.add_alias("live") if kind == "alias" else handler
        where = cdk.Stack(app, "Mappings") if kind == "other stack" else other
        map_stream(where, "Mapping", target)
        other = where
    (destination,) = batch_destinations(other).values()
    assert is_reference(destination)
    may_write = [
        statement
        for policy in resources_of(other, "AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "s3:PutObject"
    ]
    assert len(may_write) == 1


def test_covers_streams_of_global_tables(
    app: cdk.App, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """Whose replicas CDK defines at synthesis."""
    FailureChannel(stack, "Channel").cover(app)
    table = dynamodb.TableV2(
        stack,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        dynamo_stream=dynamodb.StreamViewType.NEW_IMAGE,
    )
    handler.add_event_source(
        sources.DynamoEventSource(
            table, starting_position=lambda_.StartingPosition.LATEST, retry_attempts=2
        )
    )
    assert len(batch_destinations(stack)) == 1


def test_leaves_a_change_stream_of_documentdb(
    app: cdk.App, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """It has a starting position as streams have, but no failure destination."""
    FailureChannel(stack, "Channel").cover(app)
    cluster = cdk.CfnResource(stack, "Cluster", type="AWS::DocDB::DBCluster")
    lambda_.CfnEventSourceMapping(
        stack,
        "Mapping",
        function_name=handler.function_name,
        event_source_arn=cluster.get_att("Arn").to_string(),
        starting_position="LATEST",
        document_db_event_source_config=(
            lambda_.CfnEventSourceMapping.DocumentDBEventSourceConfigProperty(
                database_name="orders"
            )
        ),
    )
    assert batch_destinations(stack) == {}


@pytest.mark.parametrize(
    "settings",
    [
        {"event_source_arn": "arn:aws:sqs:eu-west-1:111122223333:orders"},
        {"event_source_arn": "arn:aws:mq:eu-west-1:111122223333:broker:b:b-1"},
        {"event_source_arn": "arn:aws:rds:eu-west-1:111122223333:cluster:docs"},
    ],
)
def test_leaves_sources_without_a_destination(
    settings: dict[str, Any], app: cdk.App, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """Lambda has none for them; nothing is defined either."""
    channel = FailureChannel(stack, "Channel")
    channel.cover(app)
    map_stream(stack, "Mapping", handler, **settings)
    assert batch_destinations(stack) == {}
    assert channel.batch_bucket is None


def test_leaves_streams_that_are_covered(
    app: cdk.App, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """A destination of the user's stays, and that of a channel that covers first."""
    queue = sqs.Queue(stack, "Failed")
    first, second = FailureChannel(stack, "A"), FailureChannel(stack, "B")
    second.cover(app)
    first.cover(app)
    taken = map_stream(stack, "Taken", handler, on_failure=sources.SqsDlq(queue))
    free = map_stream(stack, "Free", handler)
    found = batch_destinations(stack)
    assert found == {
        logical_id(stack, taken): {"Fn::GetAtt": [logical_id(stack, queue), "Arn"]},
        logical_id(stack, free): {"Fn::GetAtt": [logical_id(stack, first.batch_bucket), "Arn"]},
    }
    assert second.batch_bucket is None


@pytest.mark.parametrize(
    ("rule", "settings", "covered"),
    [
        ("stream-uncovered", {}, False),
        ("stream-uncovered", {"retry_attempts": -1}, False),
        ("endless-retries", {"retry_attempts": -1}, False),
        ("endless-retries", {}, True),
        ("uncovered", {}, True),
    ],
)
@pytest.mark.parametrize("where", ["mapping", "resource", "function", "stack"])
def test_leaves_streams_whose_finding_is_acknowledged(
    rule: str, settings: dict[str, Any], covered: bool, where: str, handler: lambda_.Function
) -> None:
    """On the mapping, its resource, the function that it is a child of, or a scope above."""
    stack = handler.stack
    FailureChannel(stack, "Channel").cover(stack)
    mapping = map_stream(handler, "Mapping", handler, **settings)
    scopes: dict[str, Any] = {
        "mapping": mapping,
        "resource": mapping.node.default_child,
        "function": handler,
        "stack": stack,
    }
    cdk.Validations.of(scopes[where]).acknowledge(
        cdk.Acknowledgment(id=f"failure-destinations::{rule}", reason="the stream is a sample")
    )
    assert bool(batch_destinations(stack)) == covered


def test_covers_only_streams_below_the_scope(stack: cdk.Stack, handler: lambda_.Function) -> None:
    """Others stay as they are."""
    FailureChannel(stack, "Channel").cover(handler)
    inside = map_stream(handler, "Mapping", handler)
    map_stream(stack, "Outside", handler)
    assert list(batch_destinations(stack)) == [logical_id(stack, inside)]


def test_warns_of_streams_that_cover_cannot_attach(app: cdk.App) -> None:
    """A mapping whose stack is deployed before the channel's."""
    first, second = cdk.Stack(app, "First"), cdk.Stack(app, "Second")
    second.add_dependency(first)
    FailureChannel(second, "Channel").cover(app)
    map_stream(first, "Mapping", define_handler(first))
    assert batch_destinations(first) == {}
    assert_warns(first, "cover could not attach it: handler must not be in a stack that is")


def test_covered_streams_that_retry_for_ever_are_a_warning(
    app: cdk.App, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """Their settings stay the user's."""
    FailureChannel(stack, "Channel").cover(app)
    map_stream(stack, "Mapping", handler, retry_attempts=None)
    assert len(batch_destinations(stack)) == 1
    assert_warns(stack, "Set retry_attempts or max_record_age")


def test_covers_no_stream_by_a_property_override(
    app: cdk.App, stack: cdk.Stack, handler: lambda_.Function
) -> None:
    """An override is not seen, but wins."""
    FailureChannel(stack, "Channel").cover(app)
    mapping: Any = map_stream(stack, "Mapping", handler).node.default_child
    mapping.add_property_override("DestinationConfig.OnFailure.Destination", "arn:aws:sqs:::mine")
    assert list(batch_destinations(stack).values()) == ["arn:aws:sqs:::mine"]
