"""An account that answers boto3's requests, in pages: for what no engine shows."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"
REGION = "eu-west-1"
PAGE = 50
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:failures"

# It keeps what it has read: the descriptions of services take most of the time of a test.
_LOADER = botocore.loaders.create_loader()


def function_arn(name: str, region: str = REGION) -> str:
    """Return a function's ARN."""
    return f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}"


def _nothing(**_: Any) -> dict[str, Any]:
    return {}


class PaperAccount:
    """An account whose every second function has a destination, every tenth a permission for SES.

    Args:
        functions: How many functions there are.
        denied: Operations that are denied, such as `ListRules`.
        **answers: What operations answer instead, whatever is asked, or a function of it.

    Attributes:
        asked: Each question so far: operation and parameters.
    """

    def __init__(self, functions: int = 0, denied: tuple[str, ...] = (), **answers: Any) -> None:
        self.names = [f"function-{i:05}" for i in range(functions)]
        self.denied = denied
        self.answers = answers
        self.asked: Counter[tuple[str, str]] = Counter()
        self.interrupt_after: int | None = None
        self.error_code = "AccessDeniedException"
        self._lock = threading.Lock()

    @property
    def session(self) -> boto3.Session:
        """A session that leads here."""
        core = botocore.session.Session()
        core.register_component("data_loader", _LOADER)
        session = boto3.Session(
            aws_access_key_id="paper",
            aws_secret_access_key="paper",
            region_name=REGION,
            botocore_session=core,
        )
        events: Any = session.events
        events.register("before-parameter-build", self._remember)
        events.register("before-call", self._answer)
        return session

    def operations(self) -> set[str]:
        """Return the operations that were asked for."""
        return {operation for operation, _ in self.asked}

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["asked"] = dict(params)

    def _answer(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, Any]:
        parameters = context["asked"]
        with self._lock:
            if self.interrupt_after is not None and len(self.asked) >= self.interrupt_after:
                raise KeyboardInterrupt
            self.asked[model.name, json.dumps(parameters, sort_keys=True, default=str)] += 1
        if model.name in self.denied:
            self.refuse(model.name, self.error_code)
        answer = self.answers.get(model.name) or getattr(self, model.name, _nothing)
        parsed: Any = answer(**parameters) if callable(answer) else answer
        return type("Response", (), {"status_code": 200}), parsed

    def refuse(self, operation: str, code: str) -> None:
        """Raise the error that AWS answers with."""
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

    def GetCallerIdentity(self) -> dict[str, Any]:  # noqa: N802 - as AWS calls it
        """Return the account and the caller."""
        return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/auditor"}

    def DescribeRegions(self) -> dict[str, Any]:  # noqa: N802
        """Return two Regions."""
        return {"Regions": [{"RegionName": REGION}, {"RegionName": "us-east-1"}]}

    def ListEventBuses(self) -> dict[str, Any]:  # noqa: N802
        """Return the bus that every account has."""
        return {"EventBuses": [{"Name": "default"}]}

    def ListFunctions(self, Marker: str = "0", **_: Any) -> dict[str, Any]:  # noqa: N802, N803
        """Return a page of the functions."""
        start = int(Marker)
        functions = [
            {"FunctionName": name, "FunctionArn": function_arn(name), "Version": "$LATEST"}
            for name in self.names[start : start + PAGE]
        ]
        more = {"NextMarker": str(start + PAGE)} if start + PAGE < len(self.names) else {}
        return {"Functions": functions, **more}

    def ListFunctionEventInvokeConfigs(  # noqa: N802
        self,
        FunctionName: str,  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        """Return a destination, or none."""
        if int(FunctionName[-5:]) % 2:
            return {"FunctionEventInvokeConfigs": []}
        config = {
            "FunctionArn": f"{function_arn(FunctionName)}:$LATEST",
            "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}},
        }
        return {"FunctionEventInvokeConfigs": [config]}

    def GetPolicy(self, FunctionName: str, **_: Any) -> dict[str, Any]:  # noqa: N802, N803
        """Return a permission for SES, or none."""
        if int(FunctionName[-5:]) % 10 > 1:
            self.refuse("GetPolicy", "ResourceNotFoundException")
        statement = {
            "Sid": "mail",
            "Effect": "Allow",
            "Principal": {"Service": "ses.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": function_arn(FunctionName),
        }
        return {"Policy": json.dumps({"Statement": [statement]})}
