"""What the settings of functions mean for a replay: how long they run, and for whom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from failure_destinations.deployed.aws_errors import is_not_found
from failure_destinations.deployed.function_names import function_parts, without_latest
from failure_destinations.errors import CommandError
from failure_destinations.runtime.replay import SYNCHRONOUS_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# The longest timeout of a function.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
_MAX_TIMEOUT_SECONDS = 5400
# A timeout does not count the start, of up to 10 seconds.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
_MARGIN_SECONDS = 30
# The wait for any shorter handler: to give up too early is worse than to wait for a lost answer.
_MIN_WAIT_SECONDS = 910

# A synchronous invocation of a durable function ends with its execution.
# https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
_DURABLE_SECONDS = 900
# The longest execution timeout.
# https://docs.aws.amazon.com/lambda/latest/api/API_DurableConfig.html
_YEAR_SECONDS = 31_622_400
_LATEST = "$LATEST"

FunctionRefusal = Literal["too-long", "without-tenant", "without-destination"]
"""`too-long`: the function may run longer than a synchronous invocation; `without-destination`: an
event that is handed over and fails again would be lost."""


@dataclass(frozen=True)
class FunctionSettings:
    """The settings of a function that matter for a replay.

    Attributes:
        timeout: How many seconds the function may run; None if it is not known.
        isolates_tenants: Whether each invocation must name a tenant.
        execution_seconds: For a durable function, how many seconds a whole execution may take;
            None for others.
        keeps_failures: Whether Lambda keeps an asynchronous event that fails, in a failure
            destination or dead-letter queue; None if it is not known.
    """

    timeout: int | None = None
    isolates_tenants: bool = False
    execution_seconds: int | None = None
    keeps_failures: bool | None = None

    @property
    def is_durable(self) -> bool:
        """Whether it is a durable function."""
        return self.execution_seconds is not None

    @property
    def run_seconds(self) -> int | None:
        """How many seconds a run may take; None if it is not known."""
        return self.execution_seconds if self.is_durable else self.timeout


UNKNOWN = FunctionSettings()


class InvokedFunctions:
    """Knows the settings of the functions of a run. May be used from several threads.

    Args:
        read: Returns the settings of a function, by its ARN with or without a qualifier. Called
            once for each.
        tenant_id: The tenant that the operator named; None if none.
        asynchronous: Whether they are invoked asynchronously.

    Attributes:
        tenant_id: The same.
    """

    def __init__(
        self,
        read: Callable[[str], FunctionSettings],
        tenant_id: str | None = None,
        *,
        asynchronous: bool = False,
    ) -> None:
        self.tenant_id = tenant_id
        self._asynchronous = asynchronous
        self._read = read
        self._known: dict[str, FunctionSettings] = {}
        self._lock = threading.Lock()

    @property
    def asynchronous(self) -> bool:
        """Whether they are invoked asynchronously."""
        return self._asynchronous

    def settings(self, function_arn: str) -> FunctionSettings:
        """Return a function's settings.

        Args:
            function_arn: Its ARN, with or without a qualifier.
        """
        with self._lock:
            if function_arn not in self._known:
                self._known[function_arn] = self._read(function_arn)
            return self._known[function_arn]

    def refusal(self, function_arn: str) -> FunctionRefusal | None:
        """Return why a replay cannot invoke a function; None if it can."""
        settings = self.settings(function_arn)
        if self._asynchronous:
            if not settings.is_durable and not settings.keeps_failures:
                return "without-destination"
        elif (settings.run_seconds or 0) > _longest(settings):
            return "too-long"
        return "without-tenant" if settings.isolates_tenants and not self.tenant_id else None

    def wait_seconds(self, function_arn: str) -> int:
        """Return how long to wait for a function's answer."""
        timeout = self.settings(function_arn).run_seconds
        longest = SYNCHRONOUS_SECONDS if timeout is None else timeout
        return max(_MIN_WAIT_SECONDS, longest + _MARGIN_SECONDS)

    def may_run_seconds(self, function_arn: str | None) -> int:
        """Return how long a function may still run after its answer was lost.

        Args:
            function_arn: Its ARN; None if it is not known.
        """
        timeout = None if function_arn is None else self.settings(function_arn).run_seconds
        longest = _MAX_TIMEOUT_SECONDS if timeout is None else timeout
        return max(_MIN_WAIT_SECONDS, longest + _MARGIN_SECONDS)


def _longest(settings: FunctionSettings) -> int:
    return _DURABLE_SECONDS if settings.is_durable else SYNCHRONOUS_SECONDS


def read_settings(
    client: LambdaClient, function_arn: str, *, with_destination: bool = False
) -> FunctionSettings:
    """Return a function's settings; `UNKNOWN` if it does not exist or they may not be read.

    Args:
        client: A boto3 client of Lambda in the function's account and Region.
        function_arn: Its ARN, with or without a qualifier.
        with_destination: Whether to read whether it keeps failures.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
    https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionEventInvokeConfig.html
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    parts = function_parts(function_arn)
    if parts is None:
        return UNKNOWN
    is_latest = parts.qualifier is None
    bare = without_latest(function_arn) if is_latest else function_arn.rpartition(":")[0]
    try:
        if parts.qualifier is None:
            answer = client.get_function_configuration(FunctionName=bare)
        else:
            answer = client.get_function_configuration(FunctionName=bare, Qualifier=parts.qualifier)
    except ClientError:
        # The invocation shows why.
        return UNKNOWN
    durable = answer.get("DurableConfig")
    keeps_failures = None
    if with_destination and not durable:
        keeps_failures = bool(answer.get("DeadLetterConfig", {}).get("TargetArn")) or (
            _has_failure_destination(client, bare, parts.qualifier or _LATEST)
        )
    return FunctionSettings(
        timeout=answer.get("Timeout"),
        isolates_tenants=answer.get("TenancyConfig", {}).get("TenantIsolationMode") == "PER_TENANT",
        execution_seconds=durable.get("ExecutionTimeout", _YEAR_SECONDS) if durable else None,
        keeps_failures=keeps_failures,
    )


def _has_failure_destination(client: LambdaClient, function: str, qualifier: str) -> bool | None:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up time

    try:
        config = client.get_function_event_invoke_config(FunctionName=function, Qualifier=qualifier)
    except ClientError as error:
        return False if is_not_found(error) else None
    return bool(config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"))


def check_tenant_support(client: LambdaClient) -> None:
    """Raise CommandError if the installed boto3 cannot name a tenant in an invocation.

    Args:
        client: A boto3 client of Lambda.
    """
    import boto3  # noqa: PLC0415 - start-up time

    request = client.meta.service_model.operation_model("Invoke").input_shape
    if request is None or "TenantId" not in request.members:
        raise CommandError(
            f"--tenant-id needs a newer boto3, got {boto3.__version__}, whose Invoke has no "
            "TenantId: pip install --upgrade boto3"
        )
