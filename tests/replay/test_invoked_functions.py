"""What a function's configuration means for a replay, and what an old boto3 cannot do."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest
from botocore.session import Session
from botocore.stub import Stubber

from failure_destinations.errors import CommandError
from failure_destinations.replay.invoked_functions import (
    UNKNOWN,
    FunctionSettings,
    check_tenant_support,
    read_settings,
)

from ..boto3_features import needs_tenants

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:orders"
MODEL = Path(botocore.__file__).parent / "data/lambda/2015-03-31/service-2.json.gz"


def lambda_(session: Session | None = None) -> Any:
    """Return a client of Lambda."""
    return boto3.Session("AKIAEXAMPLE", "secret", botocore_session=session).client(
        "lambda", region_name="eu-west-1"
    )


@pytest.mark.parametrize(
    ("arn", "asked"),
    [
        (FUNCTION, {"FunctionName": FUNCTION}),
        (
            f"{FUNCTION}:$LATEST.PUBLISHED",
            {"FunctionName": FUNCTION, "Qualifier": "$LATEST.PUBLISHED"},
        ),
        (f"{FUNCTION}:live", {"FunctionName": FUNCTION, "Qualifier": "live"}),
    ],
)
def test_reads_the_settings_of_the_version_that_is_invoked(arn: str, asked: dict[str, str]) -> None:
    """An alias may lead to a version with another timeout."""
    with Stubber(client := lambda_()) as stubber:
        stubber.add_response("get_function_configuration", {"Timeout": 1200}, asked)
        assert read_settings(client, arn) == FunctionSettings(1200)


@needs_tenants
def test_reads_whether_a_function_isolates_tenants() -> None:
    """Each invocation of it must name one."""
    answer = {"Timeout": 3, "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}
    with Stubber(client := lambda_()) as stubber:
        stubber.add_response("get_function_configuration", answer)
        assert read_settings(client, FUNCTION) == FunctionSettings(3, isolates_tenants=True)


@needs_tenants
def test_accepts_a_boto3_that_can_name_a_tenant() -> None:
    """The newest one can."""
    check_tenant_support(lambda_())


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_does_not_need_the_permission_to_read_settings(code: str) -> None:
    """The invocation itself shows what is wrong."""
    with Stubber(client := lambda_()) as stubber:
        stubber.add_client_error("get_function_configuration", code)
        assert read_settings(client, FUNCTION) == UNKNOWN


def test_reports_a_boto3_that_cannot_name_a_tenant(tmp_path: Path) -> None:
    """With the API's model as it was before tenant isolation."""
    model = json.loads(gzip.decompress(MODEL.read_bytes()))
    request = model["operations"]["Invoke"]["input"]["shape"]
    model["shapes"][request]["members"].pop("TenantId", None)
    folder = tmp_path / "lambda" / "2015-03-31"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(model))
    session = Session()
    session.get_component("data_loader").search_paths.insert(0, str(tmp_path))
    with pytest.raises(CommandError, match=r"--tenant-id needs a newer boto3, got \d"):
        check_tenant_support(lambda_(session))
