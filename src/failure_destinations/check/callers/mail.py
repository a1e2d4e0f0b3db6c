"""SES: rules for incoming e-mail."""

from __future__ import annotations

from ..resource import Resource
from ..values import items, mapping, members


def read_receipt_rule(resource: Resource) -> None:
    """Read a receipt rule: SES waits only if the rule says so.

    https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-lambda.html
    """
    for rule in items(resource.properties.get("Rule")):
        is_disabled = resource.is_certainly(mapping(rule).get("Enabled"), "false")
        for action in members(rule, "Actions", "LambdaAction"):
            type = mapping(action).get("InvocationType")
            resource.calls(
                mapping(action).get("FunctionArn"),
                "ses",
                waits=resource.waits_only_if(type, "requestresponse"),
                is_disabled=is_disabled,
            )


def read_mail_manager_rules(resource: Resource) -> None:
    """Read Mail Manager rules, each of which says whether it waits."""
    for action in members(resource.properties, "Rules", "Actions", "InvokeLambda"):
        type = mapping(action).get("InvocationType")
        waits = resource.waits_only_if(type, "request_response")
        resource.calls(mapping(action).get("FunctionArn"), "ses", waits=waits)


CALLERS = {
    "AWS::SES::ReceiptRule": read_receipt_rule,
    "AWS::SES::MailManagerRuleSet": read_mail_manager_rules,
}
