"""A patch for stack updates, in which localemu 1.3.2 loses resources or ignores changes.

CloudFormation replaces a resource when an update changes one of its create-only properties.
localemu also does so when a property refers to a resource that changes: it creates the "new"
resource, which is the same one, and then deletes it as the old one. So the EventInvokeConfig of an
updated function disappears. And some resources are not updated at all.
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from typing import Any

from localemu.services.cloudformation.engine.v2.change_set_model_executor import (
    ChangeSetModelExecutor,
)
from localemu.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProviderExecutor,
)
from localemu.services.lambda_.resource_providers.aws_lambda_eventinvokeconfig import (
    LambdaEventInvokeConfigProvider,
)
from localemu.services.scheduler.resource_providers.aws_scheduler_schedule import (
    SchedulerScheduleProvider,
)

_SCHEDULE_PROPERTIES = {
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "Name",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "State",
    "Target",
}


def apply() -> None:
    """Patch localemu."""
    execute_resource_change = ChangeSetModelExecutor._execute_resource_change

    def execute_unless_identical(executor: Any, name: str, before: Any, after: Any) -> None:
        if getattr(after, "requires_replacement", False) and _is_same_resource(before, after):
            after.requires_replacement = False
        execute_resource_change(executor, name, before, after)

    ChangeSetModelExecutor._execute_resource_change = execute_unless_identical
    LambdaEventInvokeConfigProvider.update = _update_event_invoke_config
    SchedulerScheduleProvider.update = _update_schedule


def _is_same_resource(before: Any, after: Any) -> bool:
    """Return whether all create-only properties keep their values when references are resolved."""
    if getattr(before, "resource_type", None) != after.resource_type:
        return False
    provider = ResourceProviderExecutor.try_load_resource_provider(after.resource_type)
    names = [path.split("/")[2] for path in provider.SCHEMA.get("createOnlyProperties", [])]
    old, new = before.properties.properties, after.properties.properties
    return all(old.get(name) == new.get(name) for name in names)


def _update_event_invoke_config(_provider: Any, request: Any) -> Any:
    model = {**request.desired_state}
    model.pop("Id", None)
    request.aws_client_factory.lambda_.put_function_event_invoke_config(**model)
    return _updated({**model, "Id": request.previous_state["Id"]})


def _update_schedule(_provider: Any, request: Any) -> Any:
    previous = request.previous_state
    model = {"Name": previous["Name"], **request.desired_state}
    settings = {name: model[name] for name in _SCHEDULE_PROPERTIES & model.keys()}
    request.aws_client_factory.scheduler.update_schedule(**settings)
    return _updated({**model, "Arn": previous["Arn"]})


def _updated(model: dict[str, Any]) -> Any:
    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)
