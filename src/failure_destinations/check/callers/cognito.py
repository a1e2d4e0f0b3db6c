"""Cognito: the triggers of user pools."""

from __future__ import annotations

from ..model import Waits
from ..resource import Resource
from ..values import items, mapping, member

# In lower case, as `Resource.is_text` compares.
CUSTOM_SENDERS = ("customemailsender", "customsmssender")


def read_user_pool(resource: Resource) -> None:
    """Read a user pool's triggers: Cognito waits for all of them but the custom senders.

    A code or password that a custom sender fails to send is lost, and the sign-in has already
    succeeded.
    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html
    """
    for config in items(resource.properties.get("LambdaConfig")):
        for trigger, value in mapping(config).items():
            waits = Waits.YES
            if isinstance(trigger, str) and trigger.lower() in CUSTOM_SENDERS:
                waits = Waits.NO
            for one in items(value):
                function = member(one, "LambdaArn") if "LambdaArn" in mapping(one) else one
                resource.calls(function, "cognito-idp", waits=waits, only_arns=True, is_sure=False)


CALLERS = {
    "AWS::Cognito::UserPool": read_user_pool,
    "AWS::Cognito::UserPoolRegionalConfigurationAttachment": read_user_pool,
}
