"""Sessions and clients, found as every AWS tool finds them."""

from __future__ import annotations

import functools
import os
import re
import shlex
from collections.abc import Callable
from typing import Any

import click

from failure_destinations.errors import CommandError

_ENDPOINT = re.compile(r"https?://[^\s/]+[^\s]*")


class Aws:
    """An account and Region to work in; boto3 is imported when the first client is made.

    Args:
        profile: A profile of the AWS configuration. Default: `AWS_PROFILE`, else the default one.
        region: A Region. Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, else the profile's.
        endpoint_url: Where every service is. Default: `AWS_ENDPOINT_URL`, else AWS.
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
    def session(self) -> Any:
        """The boto3 session."""
        import boto3  # noqa: PLC0415 - it takes longer than all else

        # boto3 knows AWS_DEFAULT_REGION only.
        region = self._region or os.environ.get("AWS_REGION") or None
        return boto3.Session(profile_name=self._profile, region_name=region)

    @property
    def options(self) -> str:
        """The options that lead another command, also the AWS CLI's, to the same place."""
        options = {
            "--profile": self._profile,
            "--region": self.session.region_name,
            "--endpoint-url": self._endpoint_url,
        }
        return shlex.join(word for pair in options.items() if pair[1] for word in pair if word)

    def client(self, service: str, *, connections: int = 10) -> Any:
        """Return the client of a service, always the same one.

        Args:
            service: As boto3 calls it, such as `sqs`.
            connections: How many threads use it at once.
        """
        if (service, connections) not in self._clients:
            from botocore.config import Config  # noqa: PLC0415

            config = Config(
                retries={"mode": "standard", "total_max_attempts": 5},
                max_pool_connections=connections,
            )
            self._clients[service, connections] = self.session.client(
                service, config=config, endpoint_url=self._endpoint_url
            )
        return self._clients[service, connections]

    def lambda_client(self, *, connections: int = 10) -> Any:
        """Return a Lambda client that starts a handler once for each call.

        Args:
            connections: How many threads use it at once.
        """
        from failure_destinations.runtime import lambda_client  # noqa: PLC0415

        return lambda_client(self.session, connections=connections, endpoint_url=self._endpoint_url)


def _check_endpoint(name: str, url: str | None) -> None:
    if url is not None and _ENDPOINT.fullmatch(url) is None:
        raise CommandError(f"{name} must be like https://host:port, got {url!r}")


def aws_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --profile, --region and --endpoint-url, and pass it them as `aws`."""

    @click.option("--profile", metavar="NAME", help="Profile of the AWS configuration.")
    @click.option("--region", metavar="NAME", help="AWS Region.")
    @click.option("--endpoint-url", metavar="URL", help="Where AWS is, if it is elsewhere.")
    @functools.wraps(command)
    def with_aws(
        *, profile: str | None, region: str | None, endpoint_url: str | None, **options: Any
    ) -> Any:
        return command(aws=Aws(profile, region, endpoint_url), **options)

    return with_aws
