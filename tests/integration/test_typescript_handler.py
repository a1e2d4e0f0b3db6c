"""The example with a handler in TypeScript, deployed."""

from __future__ import annotations

from pathlib import Path

import pytest

from failure_destinations.testing import LocalCloud

pytestmark = pytest.mark.integration

EXAMPLE = Path(__file__).parents[2] / "examples" / "typescript_handler"


@pytest.mark.soak
def test_typescript_handler_fails_into_the_queue(localemu: LocalCloud) -> None:
    """The article's TypeScript handler, bundled by esbuild, fails for good sooner or later."""
    outputs = localemu.deploy(EXAMPLE)["TypescriptHandler"]
    payload = {"veryImportantData": "this should not be lost !!!"}
    for _ in range(25):
        localemu.invoke(outputs["FunctionName"], payload)
    record = localemu.messages(outputs["QueueUrl"])[0].json()
    assert record["requestPayload"] == payload
    assert record["responsePayload"]["errorMessage"] == "Something went wrong!"
    assert record["requestContext"]["approximateInvokeCount"] == 2
