"""What the rehearsal's fresh environment does in a folder with the README's first example.

It deploys the app to an engine, and lists and replays the failed event with the installed command.
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
MENDED = "def handler(event, context): return event"


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


def mend(cloud: LocalCloud, function: str) -> None:
    """Deploy the function's handler anew, without what made it fail."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", MENDED)
    cloud.client("lambda").update_function_code(FunctionName=function, ZipFile=code.getvalue())


def main() -> None:
    """Lose nothing, and run again what failed."""
    with LocalCloud(engine="ministack") as cloud:
        queue_url = cloud.deploy(".")["Reports"]["QueueUrl"]
        function = cloud.physical_id("Reports", "Report")
        cloud.invoke(function, EVENT)
        cloud.messages(queue_url)

        listed = command(cloud, "list")
        assert [event["payload"] for event in listed] == [EVENT], listed
        mend(cloud, function)
        (replayed,) = command(cloud, "replay", "--yes")
        assert replayed["succeeded"] == 1, replayed
        assert command(cloud, "list") == []


if __name__ == "__main__":
    main()
