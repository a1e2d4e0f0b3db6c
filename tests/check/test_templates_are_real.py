"""The templates of the tests are ones that CloudFormation accepts."""

from __future__ import annotations

import json
from typing import Any

from cfnlint.api import ManualArgs, lint  # type: ignore[import-untyped]

from .callers import ALIAS, ARN, CALLERS, config, detector, template


def all_callers() -> dict[str, Any]:
    """Return one template with every way of calling."""
    merged: dict[str, Any] = {}
    # AWS has discontinued IoT Events; only old templates have it.
    for i, caller in enumerate(caller for caller in CALLERS if caller is not detector):
        resources = caller(ARN)
        # All of them have the same ids.
        names = {
            id: id if id.startswith("Bucket") and len(id) > 10 else f"{id}{i}" for id in resources
        }
        text = json.dumps(resources)
        for id, name in names.items():
            text = text.replace(f'"{id}"', f'"{name}"')
        merged |= json.loads(text)
    return template(ALIAS, merged, config())


def test_uses_real_properties() -> None:
    """cfn-lint finds no error in the resources of any caller."""
    matches = lint(json.dumps(all_callers()), config=ManualArgs(regions=["us-east-1"]))
    errors = [match for match in matches if match.rule.id.startswith("E")]
    assert [f"{match.rule.id} {match.path} {match.message}" for match in errors] == []
