"""The README's first example, pasted into an empty CDK app."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from failure_destinations.testing import LocalCloud

pytestmark = pytest.mark.integration

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.soak
def test_first_example_deploys_and_loses_nothing(ministack: LocalCloud, tmp_path: Path) -> None:
    """It is a whole app: deployed, its function fails and the event is in the queue."""
    first = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert first is not None
    (tmp_path / "app.py").write_text(first[1])
    (tmp_path / "cdk.json").write_text('{"app": "python3 app.py"}')
    outputs = ministack.deploy(tmp_path)["Reports"]
    ministack.invoke(ministack.physical_id("Reports", "Report"), {"order": 1})
    (message,) = ministack.messages(outputs["QueueUrl"])
    assert message.json()["requestPayload"] == {"order": 1}
    ministack.destroy(tmp_path)
