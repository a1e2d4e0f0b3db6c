"""A patch that makes localemu's CloudFormation read outputs of other stacks.

localemu 1.3.2 does not know `Fn::GetStackOutput`, which the CDK writes for references between
stacks if an app has the `cdk.json` of a new one.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getstackoutput.html
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from typing import Any

from localemu.services.cloudformation.engine.v2.change_set_model import INTRINSIC_FUNCTIONS
from localemu.services.cloudformation.engine.v2.change_set_model_preproc import (
    ChangeSetModelPreproc,
)
from localemu.services.cloudformation.engine.v2.change_set_model_visitor import (
    ChangeSetModelVisitor,
)
from localemu.services.cloudformation.engine.validations import ValidationError
from localemu.services.cloudformation.stores import get_cloudformation_store

_FUNCTION = "Fn::GetStackOutput"
# localemu derives the names of its methods from those of the functions.
_METHOD = "visit_node_intrinsic_function_fn_get_stack_output"
# arn:partition:service:region:account:rest
_ARN_ACCOUNT = 4


def apply() -> None:
    """Patch localemu."""
    INTRINSIC_FUNCTIONS.add(_FUNCTION)
    setattr(ChangeSetModelVisitor, _METHOD, ChangeSetModelVisitor.visit_children)
    setattr(ChangeSetModelPreproc, _METHOD, _visit)


def _visit(model: Any, function: Any) -> Any:
    def output(arguments: dict[str, Any]) -> Any:
        role = str(arguments.get("RoleArn") or "").split(":")
        return _output(
            role[_ARN_ACCOUNT] if len(role) > _ARN_ACCOUNT else model._change_set.account_id,
            arguments.get("Region") or model._change_set.region_name,
            arguments["StackName"],
            arguments["OutputName"],
        )

    return model._cached_apply(
        scope=function.scope,
        arguments_delta=model.visit(function.arguments),
        resolver=output,
    )


def _output(account: str, region: str, stack: str, output: str) -> Any:
    for each in get_cloudformation_store(account, region).stacks_v2.values():
        if each.stack_name == stack and each.status != "DELETE_COMPLETE":
            for one in each.resolved_outputs:
                if one["OutputKey"] == output:
                    return one["OutputValue"]
    raise ValidationError(f"Stack {stack} has no output {output} in {region}")
