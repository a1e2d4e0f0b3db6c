"""Deploys the README's first example and replays its failed event, in the rehearsal's environment.

The app is deployed to an engine; the installed command lists and replays the event.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from failure_destinations.testing import LocalCloud

COMMAND = Path(sys.executable).with_name("failure-destinations")
EVENT = {"order": 42}
FIXED = "def handler(event, context): return event"


def command(cloud: LocalCloud, *arguments: str) -> list[Any]:
    """Run the installed command on the stack, and return the JSON objects it prints."""
    ended = subprocess.run(
        [COMMAND, *arguments, "--stack", "Reports", "--json"],
        env=os.environ | cloud.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in ended.stdout.splitlines()]


def fix(cloud: LocalCloud, function: str) -> None:
    """Update the function's code to a handler that succeeds."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", FIXED)
    cloud.client("lambda").update_function_code(FunctionName=function, ZipFile=code.getvalue())


def main() -> None:
    """Let an event fail, find it in the queue, fix the handler, and replay the event."""
    with LocalCloud(engine="ministack") as cloud:
        queue_url = cloud.deploy(".")["Reports"]["QueueUrl"]
        function = cloud.physical_id("Reports", "Report")
        cloud.invoke(function, EVENT)
        cloud.messages(queue_url)

        listed = command(cloud, "list")
        assert [event["payload"] for event in listed] == [EVENT], listed
        fix(cloud, function)
        (replayed,) = command(cloud, "replay", "--yes")
        assert replayed["succeeded"] == 1, replayed
        assert command(cloud, "list") == []


if __name__ == "__main__":
    main()
