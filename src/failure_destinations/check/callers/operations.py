"""Deployment and operations: CodeCommit, CodeDeploy, CodePipeline, AppConfig, SSM, Auto Scaling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..causes import Open
from ..model import Waits
from ..resource import Resource
from ..values import items, mapping, member, members

_STEP = "aws:invokelambdafunction"
# A step that can call any operation of any service.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeAwsApi.html
_API_STEP = "aws:executeawsapi"


def read_repository(resource: Resource) -> None:
    """Read a repository's triggers, whose targets may also be topics.

    https://docs.aws.amazon.com/lambda/latest/dg/services-codecommit.html
    """
    for target in members(resource.properties, "Triggers", "DestinationArn"):
        resource.calls(target, "codecommit", only_arns=True)


def read_pipeline(resource: Resource) -> None:
    """Read a pipeline's Invoke actions: the pipeline waits for the job's result, not the function.

    Without a result, the action fails after a timeout.
    https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-invoke-lambda-function.html
    """
    for action in members(resource.properties, "Stages", "Actions"):
        if resource.is_text(member(action, "ActionTypeId", "Provider"), "lambda"):
            for name in members(action, "Configuration", "FunctionName"):
                resource.calls(name, "codepipeline", waits=Waits.FOR_CALLBACK)


def read_extension(resource: Resource) -> None:
    """Read an AppConfig extension: AppConfig waits at all action points but `ON_…`.

    https://docs.aws.amazon.com/appconfig/latest/userguide/working-with-appconfig-extensions-creating-custom-extensions.html
    """
    for actions in items(resource.properties.get("Actions")):
        for point, action in mapping(actions).items():
            waits = Waits.UNKNOWN
            if isinstance(point, str) and point.startswith(("ON_", "PRE_", "AT_")):
                waits = Waits.NO if point.startswith("ON_") else Waits.YES
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
            lower = text.lower()
            if _STEP not in lower and not (_API_STEP in lower and "lambda" in lower):
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
        if not resource.is_text(mapping(step).get("action"), _STEP, _API_STEP):
            continue
        inputs = mapping(mapping(step).get("inputs"))
        waits = resource.waits(texts(inputs.get("InvocationType")), "event")
        if resource.is_text(mapping(step).get("action"), _API_STEP):
            if not resource.is_text(inputs.get("Service"), "lambda"):
                continue
            if resource.is_text(inputs.get("Api"), "invokeasync", "invoke_async"):
                waits = Waits.NO
            elif not resource.is_text(inputs.get("Api"), "invoke"):
                continue
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


def read_alias(resource: Resource) -> None:
    """Read the hooks of a CodeDeploy deployment, which waits for a status of each.

    Without the status, the deployment fails after an hour.
    https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
    """
    update = mapping(resource.definition.get("UpdatePolicy")).get("CodeDeployLambdaAliasUpdate")
    for hook in ("BeforeAllowTrafficHook", "AfterAllowTrafficHook"):
        for function in members(update, hook):
            resource.calls(function, "codedeploy", waits=Waits.FOR_CALLBACK)


CALLERS = {
    "AWS::Lambda::Alias": read_alias,
    "AWS::CodeCommit::Repository": read_repository,
    "AWS::CodePipeline::Pipeline": read_pipeline,
    "AWS::AppConfig::Extension": read_extension,
    "AWS::SSM::Document": read_document,
    "AWS::SSM::MaintenanceWindowTask": read_maintenance_task,
    "AWS::AutoScaling::LifecycleHook": read_lifecycle_hooks,
    "AWS::AutoScaling::AutoScalingGroup": read_lifecycle_hooks,
}
