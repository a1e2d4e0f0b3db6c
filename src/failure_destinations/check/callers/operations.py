"""Deployment and operations: CodeCommit, CodePipeline, AppConfig, SSM, Auto Scaling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..causes import Open
from ..model import Waits
from ..resource import Resource
from ..values import items, mapping, member, members

_STEP = "aws:invokelambdafunction"


def read_repository(resource: Resource) -> None:
    """Read a repository's triggers, whose targets may also be topics.

    https://docs.aws.amazon.com/lambda/latest/dg/services-codecommit.html
    """
    for target in members(resource.properties, "Triggers", "DestinationArn"):
        resource.calls(target, "codecommit", only_arns=True)


def read_pipeline(resource: Resource) -> None:
    """Read a pipeline's Invoke actions: the pipeline waits for the job's result, not the function.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-invoke-lambda-function.html
    """
    for action in members(resource.properties, "Stages", "Actions"):
        if resource.is_text(member(action, "ActionTypeId", "Provider"), "lambda"):
            for name in members(action, "Configuration", "FunctionName"):
                resource.calls(name, "codepipeline")


def read_extension(resource: Resource) -> None:
    """Read an AppConfig extension, which ignores errors at `ON_…` and `AT_…` action points.

    https://docs.aws.amazon.com/appconfig/latest/userguide/working-with-appconfig-extensions-creating-custom-extensions.html
    """
    for actions in items(resource.properties.get("Actions")):
        for point, action in mapping(actions).items():
            waits = Waits.NO
            if isinstance(point, str) and not point.startswith("ON_"):
                waits = Waits.YES if point.startswith("PRE_") else Waits.UNKNOWN
            for target in members(action, "Uri"):
                resource.calls(target, "appconfig", waits=waits, only_arns=True)


def read_maintenance_task(resource: Resource) -> None:
    """Read a maintenance window task; AWS does not document whether it waits."""
    if resource.is_text(resource.properties.get("TaskType"), "lambda"):
        parameters = resource.properties.get("TaskInvocationParameters")
        qualifier = member(parameters, "MaintenanceWindowLambdaParameters", "Qualifier")
        resource.calls(
            resource.properties.get("TaskArn"),
            "ssm",
            waits=Waits.UNKNOWN,
            qualifier=next(iter(resource.known_texts(qualifier)), ""),
        )


def read_document(resource: Resource) -> None:
    """Read a Systems Manager runbook, whose steps wait unless they say otherwise.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-lamb.html
    """
    for content in items(resource.properties.get("Content")):
        if isinstance(content, Mapping) and "mainSteps" in content:
            _read_steps(resource, content, resource.known_texts)
            continue
        for text in resource.known_texts(content):
            if _STEP not in text.lower():
                continue
            parsed = resource.parse_json(text)
            if parsed is None:
                resource.leaves_open(Open.CONTENT_NOT_READABLE)
            _read_steps(resource, mapping(parsed), _as_is)


def _as_is(value: Any) -> list[str]:
    """Return a value that was resolved before it was parsed."""
    return [value] if isinstance(value, str) else []


def _read_steps(
    resource: Resource, content: Mapping[str, Any], texts: Callable[[Any], list[str]]
) -> None:
    for step in members(content, "mainSteps"):
        if not resource.is_text(mapping(step).get("action"), _STEP):
            continue
        inputs = mapping(mapping(step).get("inputs"))
        waits = resource.waits(texts(inputs.get("InvocationType")), "event")
        if waits is not Waits.YES:
            qualifier = next(iter(texts(inputs.get("Qualifier"))), "")
            for function in texts(inputs.get("FunctionName")):
                resource.calls_text(function, "ssm", waits=waits, qualifier=qualifier)


def read_lifecycle_hooks(resource: Resource) -> None:
    """Read EC2 Auto Scaling hooks, whose targets may be functions."""
    hooks = [resource.properties, *items(resource.properties.get("LifecycleHookSpecificationList"))]
    for hook in hooks:
        if isinstance(hook, Mapping):
            resource.calls(
                hook.get("NotificationTargetARN"),
                "autoscaling",
                waits=Waits.UNKNOWN,
                only_arns=True,
                is_sure=False,
            )


CALLERS = {
    "AWS::CodeCommit::Repository": read_repository,
    "AWS::CodePipeline::Pipeline": read_pipeline,
    "AWS::AppConfig::Extension": read_extension,
    "AWS::SSM::Document": read_document,
    "AWS::SSM::MaintenanceWindowTask": read_maintenance_task,
    "AWS::AutoScaling::LifecycleHook": read_lifecycle_hooks,
    "AWS::AutoScaling::AutoScalingGroup": read_lifecycle_hooks,
}
