"""The boto3 session and clients of an account and Region, configured as in every AWS tool."""

from __future__ import annotations

import functools
import os
import re
import shlex
from typing import TYPE_CHECKING, Any, Literal, overload
from urllib.parse import urlsplit

from failure_destinations.errors import CommandError, is_aws_error, without_password

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

_QUICK_SECONDS = 3
_ENDPOINT = re.compile(r"https?://[^\s/]+[^\s]*")


class Aws:
    """An account and Region to work in; boto3 is imported when the first client is made.

    Args:
        profile: A profile of the AWS configuration. Default: `AWS_PROFILE`, else the default one.
        region: A Region. Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, else the profile's.
        endpoint_url: The URL of every service. Default: `AWS_ENDPOINT_URL`, else AWS.

    Raises:
        CommandError: An endpoint is not a URL, or the Region is empty.
    """

    def __init__(
        self, profile: str | None = None, region: str | None = None, endpoint_url: str | None = None
    ) -> None:
        _check_endpoint("--endpoint-url", endpoint_url)
        _check_endpoint("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT_URL"))
        if region is not None and not region.strip():
            raise CommandError("--region must name a Region, got '': leave it out or name one")
        self._profile = profile
        self._region = region
        self._endpoint_url = endpoint_url
        self._clients: dict[tuple[str, int], Any] = {}

    @functools.cached_property
    def session(self) -> boto3.Session:
        """The boto3 session."""
        import boto3  # noqa: PLC0415 - start-up time

        # boto3 only reads AWS_DEFAULT_REGION.
        region = self._region or os.environ.get("AWS_REGION") or None
        return boto3.Session(profile_name=self._profile, region_name=region)

    @property
    def options(self) -> str:
        """The options that point other commands, such as the AWS CLI, to the same place."""
        endpoint = self._endpoint_url
        options = {
            "--profile": self._profile,
            "--region": self.session.region_name,
            "--endpoint-url": None if endpoint is None else without_password(endpoint),
        }
        return shlex.join(word for pair in options.items() if pair[1] for word in pair if word)

    def again(self) -> Aws:
        """Return another connection to the same place, for another thread."""
        return Aws(self._profile, self._region, self._endpoint_url)

    if TYPE_CHECKING:

        @overload
        def client(
            self, service: Literal["cloudformation"], *, connections: int = ...
        ) -> CloudFormationClient: ...
        @overload
        def client(
            self, service: Literal["cloudwatch"], *, connections: int = ...
        ) -> CloudWatchClient: ...
        @overload
        def client(
            self, service: Literal["events"], *, connections: int = ...
        ) -> EventBridgeClient: ...
        @overload
        def client(self, service: Literal["iam"], *, connections: int = ...) -> IAMClient: ...
        @overload
        def client(self, service: Literal["kms"], *, connections: int = ...) -> KMSClient: ...
        @overload
        def client(self, service: Literal["lambda"], *, connections: int = ...) -> LambdaClient: ...
        @overload
        def client(self, service: Literal["s3"], *, connections: int = ...) -> S3Client: ...
        @overload
        def client(
            self, service: Literal["scheduler"], *, connections: int = ...
        ) -> EventBridgeSchedulerClient: ...
        @overload
        def client(
            self,
            service: Literal["dynamodbstreams", "kinesis", "secretsmanager", "ssm"],
            *,
            connections: int = ...,
        ) -> Any: ...
        @overload
        def client(self, service: Literal["sns"], *, connections: int = ...) -> SNSClient: ...
        @overload
        def client(self, service: Literal["sqs"], *, connections: int = ...) -> SQSClient: ...
        @overload
        def client(self, service: Literal["sts"], *, connections: int = ...) -> STSClient: ...

    def client(self, service: str, *, connections: int = 10) -> Any:
        """Return the client of a service, created once. Call this from one thread only.

        Args:
            service: boto3's name of the service, such as `sqs`.
            connections: The number of threads that use the client at once.
        """
        if (service, connections) not in self._clients:
            from botocore.config import Config  # noqa: PLC0415 - start-up time

            config = Config(
                retries={"mode": "standard", "total_max_attempts": 5},
                max_pool_connections=connections,
            )
            # boto3's stubs have an overload for each service, but none for an arbitrary one.
            session: Any = self.session
            try:
                client = session.client(service, config=config, endpoint_url=self._endpoint_url)
            except ValueError as error:
                # botocore's own check of an endpoint is stricter than ours.
                raise CommandError(without_password(str(error))) from None
            self._clients[service, connections] = client
        return self._clients[service, connections]

    def caller_arn(self) -> str | None:
        """Return the ARN of the operator's identity; None if AWS does not say within seconds.

        It needs no permission.
        https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
        """
        from botocore.config import Config  # noqa: PLC0415 - start-up time

        quick = Config(
            connect_timeout=_QUICK_SECONDS,
            read_timeout=_QUICK_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        session: Any = self.session
        try:
            client = session.client("sts", config=quick, endpoint_url=self._endpoint_url)
            return str(client.get_caller_identity()["Arn"])
        except Exception as error:
            if not is_aws_error(error) and not isinstance(error, (KeyError, ValueError)):
                raise
            return None

    def lambda_client(self, *, connections: int = 10, read_timeout: float) -> LambdaClient:
        """Return a Lambda client that never retries, so that each call starts a handler once.

        Args:
            connections: The number of threads that use it at once.
            read_timeout: The number of seconds to wait for a response.
        """
        from failure_destinations.runtime import lambda_client  # noqa: PLC0415 - start-up time

        return lambda_client(
            self.session,
            connections=connections,
            read_timeout=read_timeout,
            endpoint_url=self._endpoint_url,
        )


def _check_endpoint(name: str, url: str | None) -> None:
    if url is not None and not _is_endpoint(url):
        raise CommandError(f"{name} must be like https://host:port, got {without_password(url)!r}")


def _is_endpoint(url: str) -> bool:
    if _ENDPOINT.fullmatch(url) is None:
        return False
    try:
        parts = urlsplit(url)
        # A port that is not a number raises a separate error.
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
