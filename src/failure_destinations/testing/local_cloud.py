"""The local cloud: an AWS emulator on this machine for tests of failure paths."""

from __future__ import annotations

import atexit
import secrets
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .errors import LocalCloudError

try:
    import boto3
    import botocore.config
    import botocore.session

    from .environments import NoPythonError
except ImportError as error:
    raise ImportError(
        f"LocalCloud needs {error.name}: pip install 'failure-destinations[testing]'"
    ) from None

from .cdk_cli import CdkCli, locate_app
from .engines import ENGINES, Engine
from .engines.base import ACCOUNT
from .observer import Observer
from .running_engine import RunningEngine

if TYPE_CHECKING:
    import os

    import aws_cdk


_SECRET = "local"  # noqa: S105 - the engines accept any


def _quiet(_line: str) -> None:
    """Ignore a line of progress."""


class LocalCloud(Observer):
    """An AWS emulator on this machine, to which CDK apps are deployed.

    It does not need Docker or an account. The first use on a machine installs the engine in the
    user's cache directory. Everything that it starts ends with the `with` block, or when the
    program is interrupted or killed.

    It listens only on 127.0.0.1, and refuses requests from web pages of other machines with status
    403. Lambda functions run as the user's processes, but get neither the program's environment
    variables nor the user's home directory in `HOME`.

    Args:
        engine: `"best"`, `"localemu"` or `"ministack"`.
            `best` is localemu if there is a Python that can run it, or uv can download one;
            else ministack, with a warning. `LocalCloud.engine.differences` lists how an engine
            differs from AWS.
        progress: Gets a line about everything that takes longer than two seconds; for example
            `print`. Default: prints nothing.
        region: The Region that it emulates; stacks must not name another one.
        cdk: The CDK CLI's script, such as `node_modules/.bin/cdk`.
            Default: the one in the app's `node_modules`, or else a recent version 2 on PATH, or
            else one that is installed in the cache.

    Attributes:
        region: The Region that it emulates.

    Raises:
            LocalCloudError: No engine has that name.
        ImportError: The extra `testing` is not installed.

    Example:
        >>> from failure_destinations.testing import LocalCloud
        >>> with LocalCloud() as cloud:
        ...     outputs = cloud.deploy("examples/article")["Article"]
        ...     request_id = cloud.invoke(outputs["FunctionName"], {"order": 1})
        ...     record = cloud.messages(outputs["QueueUrl"])[0].json()
        >>> record["requestContext"]["condition"]
        'RetriesExhausted'
    """

    def __init__(
        self,
        *,
        engine: str = "best",
        progress: Callable[[str], None] | None = None,
        region: str = "eu-west-1",
        cdk: str | os.PathLike[str] | None = None,
    ) -> None:
        if engine != "best" and engine not in ENGINES:
            raise LocalCloudError(
                f"engine must be 'best' or one of {', '.join(map(repr, ENGINES))}, got {engine!r}"
            )
        self._wanted = engine
        self._progress = progress or _quiet
        self.region = region
        self._program = None if cdk is None else Path(cdk).resolve()
        self._access_key = f"local{secrets.token_hex(6)}"
        self._running: RunningEngine | None = None
        self._clients: dict[str, Any] = {}
        self._bootstrapped = False

    def start(self) -> LocalCloud:
        """Start the engine unless it is already running, and return this cloud.

        Raises:
            LocalCloudError: The engine cannot be installed or started.
        """
        if self._running is None:
            names = list(ENGINES) if self._wanted == "best" else [self._wanted]
            for name in names:
                try:
                    self._running = RunningEngine(ENGINES[name], self.region, self._progress)
                except NoPythonError as error:
                    if name == names[-1]:
                        raise
                    warnings.warn(f"{error}; using {names[-1]} instead", stacklevel=2)
                    continue
                # For a program that uses neither `with` nor stop().
                atexit.register(self.stop)
                break
        return self

    def stop(self) -> None:
        """Stop the engine and all that it started, and remove its data, unless already stopped."""
        running, self._running = self._running, None
        self._bootstrapped = False
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        if running is not None:
            running.stop()
            atexit.unregister(self.stop)

    def __enter__(self) -> LocalCloud:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def engine(self) -> Engine:
        """The running engine: its `name`, `version` and `differences`."""
        return self._started().engine

    @property
    def url(self) -> str:
        """The URL of every service."""
        return self._started().place.url

    @property
    def account(self) -> str:
        """The account that it emulates."""
        return ACCOUNT

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that make SDKs, the AWS CLI and the CDK CLI use this cloud."""
        return {
            "AWS_ACCESS_KEY_ID": self._access_key,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DEFAULT_ACCOUNT": ACCOUNT,
            "CDK_DEFAULT_REGION": self.region,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    @property
    def engine_output(self) -> str:
        """The output of the engine itself, for troubleshooting."""
        return self._started().output

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service, created once.

        Args:
            service: The service's name in boto3, such as `"sqs"`.
        """
        if service not in self._clients:
            # The user's own profile and configuration must not be used or even parsed.
            core = botocore.session.Session(
                session_vars={
                    "profile": (None, None, None, None),
                    "config_file": (None, None, "/dev/null", None),
                    "credentials_file": (None, None, "/dev/null", None),
                }
            )
            session = boto3.Session(
                aws_access_key_id=self._access_key,
                aws_secret_access_key=_SECRET,
                region_name=self.region,
                botocore_session=core,
            )
            self._clients[service] = session.client(
                service,  # type: ignore[call-overload]
                endpoint_url=self.url,
                config=botocore.config.Config(proxies={}, s3={"addressing_style": "path"}),
            )
        return self._clients[service]

    def deploy(
        self,
        app: str | os.PathLike[str] | aws_cdk.App,
        *,
        stacks: Sequence[str] = (),
        context: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> dict[str, dict[str, str]]:
        """Deploy an app with the CDK CLI; the first call also bootstraps the account.

        Nothing is written to the app's folder.

        Args:
            app: A folder with `cdk.json`, a `.py` file, a cloud assembly, or an `aws_cdk.App`.
            stacks: The stacks to deploy. Default: all.
            context: CDK context values for the app.
            parameters: CloudFormation parameters, as `{"Name": value}` or `{"Stack:Name": value}`.

        Returns:
            The stacks' outputs: `outputs["StackName"]["Key"]`.

        Raises:
            LocalCloudError: The app cannot be synthesised, or a resource cannot be created.
        """
        cli = self._cli()
        located = locate_app(app, self._started().place.state)
        if not self._bootstrapped:
            cli.bootstrap(ACCOUNT, self.region)
            self._bootstrapped = True
        return cli.deploy(
            located, stacks=stacks, context=context or {}, parameters=parameters or {}
        )

    def destroy(
        self,
        app: str | os.PathLike[str] | aws_cdk.App,
        *,
        stacks: Sequence[str] = (),
        context: Mapping[str, str] | None = None,
    ) -> None:
        """Delete an app's stacks with the CDK CLI.

        Args:
            app: As for `deploy`.
            stacks: The stacks to delete. Default: all.
            context: CDK context values for the app.

        Raises:
            LocalCloudError: The app cannot be synthesised, or a resource cannot be deleted.
        """
        located = locate_app(app, self._started().place.state)
        self._cli().destroy(located, stacks=stacks, context=context or {})

    def _started(self) -> RunningEngine:
        if self._running is None:
            raise LocalCloudError(
                "the local cloud is not running; use it in a `with` block, or call start() first"
            )
        return self._running

    def _cli(self) -> CdkCli:
        return CdkCli(
            environment=self.environment,
            scratch=self._started().place.state,
            progress=self._progress,
            program=self._program,
        )
