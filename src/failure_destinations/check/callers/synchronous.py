"""Callers that wait for a function in every trigger, by the properties that name the function.

They lose nothing. But a function that only they call needs no failure destination, even if it has
an asynchronous configuration.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
"""

from __future__ import annotations

from collections.abc import Callable

from ..model import Waits
from ..resource import Resource
from ..values import members

_APPSYNC_AUTHORIZER = ("LambdaAuthorizerConfig", "AuthorizerUri")
_FUNCTIONS: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "AWS::AppSync::GraphQLApi": (
        "appsync",
        (_APPSYNC_AUTHORIZER, ("AdditionalAuthenticationProviders", *_APPSYNC_AUTHORIZER)),
    ),
    "AWS::Bedrock::Agent": ("bedrock", (("ActionGroups", "ActionGroupExecutor", "Lambda"),)),
    "AWS::CloudFormation::LambdaHook": ("hooks.cloudformation", (("LambdaFunction",),)),
    "AWS::CloudFormation::Macro": ("cloudformation", (("FunctionName",),)),
    "AWS::CloudFront::Distribution": (
        "edgelambda",
        tuple(
            ("DistributionConfig", behavior, "LambdaFunctionAssociations", "LambdaFunctionARN")
            for behavior in ("DefaultCacheBehavior", "CacheBehaviors")
        ),
    ),
    "AWS::EC2::ClientVpnEndpoint": (
        "clientvpn",
        (("ClientConnectOptions", "LambdaFunctionArn"),),
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("elasticloadbalancing", (("Targets", "Id"),)),
    "AWS::IoTAnalytics::Pipeline": (
        "iotanalytics",
        (("PipelineActivities", "Lambda", "LambdaName"),),
    ),
    "AWS::Lambda::Url": ("lambda", (("TargetFunctionArn",),)),
    "AWS::S3ObjectLambda::AccessPoint": (
        "s3-object-lambda",
        (
            (
                "ObjectLambdaConfiguration",
                "TransformationConfigurations",
                "ContentTransformation",
                "AwsLambda",
                "FunctionArn",
            ),
        ),
    ),
    "AWS::SecretsManager::RotationSchedule": ("secretsmanager", (("RotationLambdaARN",),)),
    "AWS::Transfer::Server": ("transfer", (("IdentityProviderDetails", "Function"),)),
    "AWS::VpcLattice::TargetGroup": ("vpc-lattice", (("Targets", "Id"),)),
}


def _reader(service: str, places: tuple[tuple[str, ...], ...]) -> Callable[[Resource], None]:
    def read(resource: Resource) -> None:
        for names in places:
            for function in members(resource.properties, *names):
                resource.calls(
                    function, service, waits=Waits.YES, only_arns="Id" in names, is_sure=False
                )

    return read


CALLERS = {type: _reader(service, places) for type, (service, places) in _FUNCTIONS.items()}
