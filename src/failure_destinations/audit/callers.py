"""Read what calls functions: one generator of tasks for each service.

Each lists the resources when it starts, and yields a task for each that needs its own request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from failure_destinations.check.json_values import load_json

from .account import Account, RefusedError
from .actions import (
    DESCRIBE_ALARMS,
    DESCRIBE_PIPE,
    DESCRIBE_STATE_MACHINE,
    GET_BUCKET_LOCATION,
    GET_NOTIFICATION,
    GET_PIPELINE,
    GET_SCHEDULE,
    GET_SUBSCRIPTION,
    LIST_BUCKETS,
    LIST_BUSES,
    LIST_MAPPINGS,
    LIST_PIPELINES,
    LIST_PIPES,
    LIST_RULES,
    LIST_SCHEDULES,
    LIST_STATE_MACHINES,
    LIST_SUBSCRIPTIONS,
    LIST_TARGETS,
    LIST_USER_POOLS,
    Action,
)
from .concurrency import Task
from .event_sources import read_alarms, read_mappings
from .inventory import Inventory

# A Scheduler target that calls a Lambda operation.
_UNIVERSAL = ":aws-sdk:lambda:"
# The maximum.
_POOLS_IN_PAGE = 60


def read_rules(account: Account, inventory: Inventory, region: str) -> Iterator[Task]:
    """Yield tasks that read the targets of the rules of every event bus."""
    try:
        buses = list(account.pages(LIST_BUSES, region, lambda bus: bus["Name"]))
    except RefusedError:
        buses = ["default"]
    for bus in buses:
        # A journal of an older version does not have the state.
        for rule in account.pages(
            LIST_RULES,
            region,
            lambda rule: [rule["Name"], rule["Arn"], rule.get("State")],
            EventBusName=bus,
        ):
            yield partial(_read_targets, account, inventory, region, bus, rule)


def _read_targets(
    account: Account, inventory: Inventory, region: str, bus: str, rule: list[Any]
) -> None:
    name, arn, *state = rule
    targets = list(account.pages(LIST_TARGETS, region, _target, Rule=name, EventBusName=bus))
    if targets:
        functions = [target["Arn"] for target in targets]
        properties = {"Targets": targets, **_state(*state)}
        inventory.add_caller(arn, "AWS::Events::Rule", properties, *functions)


def _state(state: str | None = None) -> dict[str, str]:
    """Return the state of a rule or schedule as a property; none if it is not known."""
    return {"State": state} if state else {}


def _target(target: Any) -> Any:
    return _delivery(target) if _is_function(target["Arn"]) else None


def _delivery(target: Any) -> dict[str, Any]:
    """Return the delivery settings of an EventBridge target."""
    names = ("Arn", "DeadLetterConfig", "RetryPolicy")
    return {name: target[name] for name in names if target.get(name)}


def read_schedules(account: Account, inventory: Inventory, region: str) -> Iterator[Task]:
    """Yield tasks that read the schedules of every group."""
    for name, group in account.pages(LIST_SCHEDULES, region, _schedule):
        yield partial(_read_schedule, account, inventory, region, name, group)


def _schedule(schedule: Any) -> Any:
    target = (schedule.get("Target") or {}).get("Arn") or ""
    if not _is_function(target) and _UNIVERSAL not in target.lower():
        return None
    return [schedule["Name"], schedule.get("GroupName") or "default"]


def _read_schedule(
    account: Account, inventory: Inventory, region: str, name: str, group: str
) -> None:
    def keep(answer: Any) -> list[Any]:
        target = _delivery(answer["Target"])
        if not _is_function(target["Arn"]):
            target["Input"] = answer["Target"].get("Input", "")
        return [answer["Arn"], target, answer.get("State")]

    found = account.ask(GET_SCHEDULE, region, keep, Name=name, GroupName=group)
    if found is not None:
        arn, target, *state = found
        properties = {"Target": target, **_state(*state)}
        if _is_function(target["Arn"]):
            inventory.add_caller(arn, "AWS::Scheduler::Schedule", properties, target["Arn"])
        else:
            inventory.add(region, arn, "AWS::Scheduler::Schedule", properties)


def read_subscriptions(account: Account, inventory: Inventory, region: str) -> Iterator[Task]:
    """Yield tasks that read the topic subscriptions of functions."""
    for arn, function in account.pages(LIST_SUBSCRIPTIONS, region, _subscription):
        yield partial(_read_subscription, account, inventory, region, arn, function)


def _subscription(subscription: Any) -> Any:
    arn = subscription["SubscriptionArn"]
    # Nothing is delivered while it is `PendingConfirmation`.
    is_one = subscription.get("Protocol") == "lambda" and arn.startswith("arn:")
    return [arn, subscription["Endpoint"]] if is_one else None


def _read_subscription(
    account: Account, inventory: Inventory, region: str, arn: str, function: str
) -> None:
    properties = {"Protocol": "lambda", "Endpoint": function}
    try:
        policy = account.ask(GET_SUBSCRIPTION, region, _redrive_policy, SubscriptionArn=arn)
    except RefusedError:
        # The call is known even so. A reference to nothing makes the queue unknown.
        policy = {"deadLetterTargetArn": {"Ref": GET_SUBSCRIPTION.permission}}
    inventory.add_caller(
        arn, "AWS::SNS::Subscription", {**properties, "RedrivePolicy": policy or {}}, function
    )


def _redrive_policy(answer: Any) -> Any:
    try:
        return load_json(answer.get("Attributes", {}).get("RedrivePolicy") or "{}")
    except (ValueError, RecursionError):
        return {}


def read_buckets(account: Account, inventory: Inventory, home: str) -> Iterator[Task]:
    """Yield tasks that read the notifications of the buckets in all Regions.

    Args:
        account: The account.
        inventory: Collects what is found.
        home: The Region to query: one list has the buckets of all Regions.
    """
    for name, region in account.pages(
        LIST_BUCKETS, home, lambda bucket: [bucket["Name"], bucket.get("BucketRegion")],
        MaxBuckets=1000,
    ):  # fmt: skip
        if region is None or region in inventory.regions:
            yield partial(_read_bucket, account, inventory, home, name, region)


def _read_bucket(
    account: Account, inventory: Inventory, home: str, name: str, region: str | None
) -> None:
    if region is None:
        region = account.ask(
            GET_BUCKET_LOCATION,
            home,
            # Old Regions differ: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
            lambda answer: {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}.get(
                answer.get("LocationConstraint"), answer.get("LocationConstraint")
            ),
            Bucket=name,
        )
    if region not in inventory.regions:
        return
    functions = account.ask(GET_NOTIFICATION, region, _notified_functions, Bucket=name)
    if functions:
        configurations = [{"Function": function} for function in functions]
        inventory.add_caller(
            f"arn:{inventory.partition}:s3:::{name}",
            "AWS::S3::Bucket",
            {"NotificationConfiguration": {"LambdaConfigurations": configurations}},
            *functions,
        )


def _notified_functions(answer: Any) -> list[str]:
    return [one["LambdaFunctionArn"] for one in answer.get("LambdaFunctionConfigurations") or ()]


def read_pipes(account: Account, inventory: Inventory, region: str) -> Iterator[Task]:
    """Yield tasks that read the pipes to functions."""
    for name, arn, *queue in account.pages(LIST_PIPES, region, _pipe):
        inventory.readers.update(queue)
        if name:
            yield partial(_read_pipe, account, inventory, region, name, arn)


def _pipe(pipe: Any) -> Any:
    """Return the name and ARN of a pipe to a function, and the ARN of the queue that it reads."""
    source = pipe.get("Source") or ""
    queue = [source] if ":sqs:" in source else []
    if _is_function(pipe.get("Target")):
        return [pipe["Name"], pipe["Arn"], *queue]
    return ["", "", *queue] if queue else None


def _read_pipe(account: Account, inventory: Inventory, region: str, name: str, arn: str) -> None:
    names = ("Target", "TargetParameters", "DesiredState")
    properties = account.ask(
        DESCRIBE_PIPE,
        region,
        lambda answer: {one: answer[one] for one in names if one in answer},
        Name=name,
    )
    if properties is not None:
        inventory.add_caller(arn, "AWS::Pipes::Pipe", properties, properties["Target"])


def read_pipelines(account: Account, inventory: Inventory, region: str) -> Iterator[Task]:
    """Yield tasks that read the actions of pipelines."""
    for name in account.pages(LIST_PIPELINES, region, lambda pipeline: pipeline["name"]):
        yield partial(_read_pipeline, account, inventory, region, name)


def _read_pipeline(account: Account, inventory: Inventory, region: str, name: str) -> None:
    for there, function in account.ask(GET_PIPELINE, region, _invoked_functions, name=name) or ():
        where = there or region
        if where in inventory.regions:
            arn = f"arn:{inventory.partition}:codepipeline:{region}:{inventory.account}:{name}"
            action = {
                "ActionTypeId": {"Provider": "Lambda"},
                "Configuration": {"FunctionName": function},
            }
            inventory.add(
                where,
                f"{arn}/{function}",
                "AWS::CodePipeline::Pipeline",
                {"Stages": [{"Actions": [action]}]},
            )


def _invoked_functions(answer: Any) -> list[list[Any]]:
    return [
        [action.get("region"), action["configuration"]["FunctionName"]]
        for stage in answer["pipeline"].get("stages") or ()
        for action in stage.get("actions") or ()
        if action["actionTypeId"]["provider"] == "Lambda"
        and "FunctionName" in (action.get("configuration") or {})
    ]


def read_state_machines(account: Account, inventory: Inventory, region: str) -> Iterator[Task]:
    """Yield tasks that read the definitions of state machines."""
    for arn in account.pages(
        LIST_STATE_MACHINES, region, lambda machine: machine["stateMachineArn"]
    ):
        yield partial(_read_state_machine, account, inventory, region, arn)


def _read_state_machine(account: Account, inventory: Inventory, region: str, arn: str) -> None:
    definition = account.ask(DESCRIBE_STATE_MACHINE, region, _definition, stateMachineArn=arn)
    if definition:
        inventory.add(
            region, arn, "AWS::StepFunctions::StateMachine", {"DefinitionString": definition}
        )


def _definition(answer: Any) -> str:
    text = str(answer.get("definition") or "")
    # All other definitions wait for their functions, and some are large.
    return text if any(word in text for word in _MAY_GO_ON) else ""


_MAY_GO_ON = ("Event", "Async", "InvocationType", '"Arguments": "{%', '"Arguments":"{%')


def read_user_pools(account: Account, inventory: Inventory, region: str) -> Iterator[Task]:
    """Read the custom senders of user pools; Cognito waits for all other triggers.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ListUserPools.html
    """
    for pool, senders in account.pages(
        LIST_USER_POOLS, region, _custom_senders, MaxResults=_POOLS_IN_PAGE
    ):
        arn = f"arn:{inventory.partition}:cognito-idp:{region}:{inventory.account}:userpool/{pool}"
        functions = [sender["LambdaArn"] for sender in senders.values()]
        inventory.add_caller(arn, "AWS::Cognito::UserPool", {"LambdaConfig": senders}, *functions)
    yield from ()


def _custom_senders(pool: Any) -> Any:
    config = pool.get("LambdaConfig") or {}
    senders = {
        trigger: {"LambdaArn": config[trigger]["LambdaArn"]}
        for trigger in ("CustomEmailSender", "CustomSMSSender")
        if (config.get(trigger) or {}).get("LambdaArn")
    }
    return [pool["Id"], senders] if senders else None


def _is_function(arn: str | None) -> bool:
    return arn is not None and ":lambda:" in arn and ":function:" in arn


Reads = Callable[[Account, Inventory, str], Iterator[Task]]
CALLERS: dict[Action, Reads] = {
    LIST_RULES: read_rules,
    LIST_SCHEDULES: read_schedules,
    LIST_SUBSCRIPTIONS: read_subscriptions,
    LIST_PIPES: read_pipes,
    LIST_PIPELINES: read_pipelines,
    LIST_STATE_MACHINES: read_state_machines,
    LIST_USER_POOLS: read_user_pools,
    LIST_MAPPINGS: read_mappings,
    DESCRIBE_ALARMS: read_alarms,
}
"""The readers for each Region, by the first action that each calls."""
