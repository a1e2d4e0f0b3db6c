"""What the installed boto3 can do: the lowest version that the package allows lacks some of it."""

from __future__ import annotations

import botocore.session
import pytest

_INVOKE = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke")
needs_tenants = pytest.mark.skipif(
    _INVOKE.input_shape is None or "TenantId" not in _INVOKE.input_shape.members,
    reason="this boto3 does not know tenants",
)
