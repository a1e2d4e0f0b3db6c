"""CloudFormation: functions behind custom resources, and CDK's triggers.

CloudFormation calls the function asynchronously, but it waits for the answer at a URL, and the
deployment fails where none comes: the failure is seen, by the one who deploys. So such a function
gets a note and no more, and CDK's own, which their user cannot mend, get none. Behind a topic it
is called by SNS, which is a subscription like any other.
https://docs.aws.amazon.com/lambda/latest/dg/services-cloudformation.html
"""

from __future__ import annotations

from ..model import Waits
from ..reader import Resource


def read(resource: Resource) -> None:
    """Read whom a custom resource calls."""
    resource.calls(
        resource.properties.get("ServiceToken"),
        "cloudformation",
        waits=Waits.FOR_CALLBACK,
        only_arns=True,
        is_sure=False,
    )


def read_trigger(resource: Resource) -> None:
    """Read a trigger of CDK's, which may call a function of the user's and not wait.

    https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.triggers-readme.html
    """
    read(resource)
    type = resource.properties.get("InvocationType")
    waits = resource.waits(resource.known_texts(type), "event")
    if waits is not Waits.YES:
        handler = resource.properties.get("HandlerArn")
        resource.calls(handler, "triggers", waits=waits, only_arns=True)


CALLERS = {
    "AWS::CloudFormation::CustomResource": read,
    "Custom::Trigger": read_trigger,
}
