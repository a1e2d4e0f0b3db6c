"""What the installed boto3 can do: the lowest version that the package allows lacks some of it."""

from __future__ import annotations

import botocore.session
import pytest

_INVOKE = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke")
needs_tenants = pytest.mark.skipif(
    _INVOKE.input_shape is None or "TenantId" not in _INVOKE.input_shape.members,
    reason="this boto3 does not know tenants",
)
needs_durable_executions = pytest.mark.skipif(
    _INVOKE.input_shape is None or "DurableExecutionName" not in _INVOKE.input_shape.members,
    reason="this boto3 does not know durable executions",
)
_CLOUDWATCH = botocore.session.get_session().get_service_model("cloudwatch")
KNOWS_MUTE_RULES = "ListAlarmMuteRules" in _CLOUDWATCH.operation_names
needs_mute_rules = pytest.mark.skipif(
    not KNOWS_MUTE_RULES,
    reason="this boto3 does not know mute rules",
)
