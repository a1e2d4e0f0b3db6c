"""`make bench`: look at a queue with the command and with a plain boto3 loop, at one local target.

The target answers each call after 20 ms, about what SQS takes within a Region. The plain loop
receives ten messages, one request after the other, and gives them back the same way. The command is
`list`, measured as a process, start included, with 20,000 messages, and with 2,000 to compare its
peak memory: a look keeps a row for each message, not its body. Each side must give every message
back.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.replay import ENVIRONMENT, MEASURED, QUEUE, ask, local_target


def by_plain_loop(url: str) -> None:
    """Look as a simple script does: receive ten until there are none, then give back ten each."""
    import boto3  # noqa: PLC0415

    sqs = boto3.Session("local", "local", region_name="eu-west-1").client("sqs", endpoint_url=url)
    queue = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    batches = []
    while messages := sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=600
    ).get("Messages"):
        batches.append(messages)
    for batch in batches:
        sqs.change_message_visibility_batch(
            QueueUrl=queue,
            Entries=[
                {"Id": str(n), "ReceiptHandle": one["ReceiptHandle"], "VisibilityTimeout": 0}
                for n, one in enumerate(batch)
            ],
        )


def by_list(url: str) -> int:
    """List with the command in a process, and return its peak memory in kilobytes."""
    command = [sys.executable, "-m", "failure_destinations", "list", "--queue", QUEUE]
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, *command, "--max", "1000000", "--endpoint-url", url],
        env={**os.environ, **ENVIRONMENT},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return int(ended.stdout)


def measured(url: str, count: int, look: Callable[[str], Any]) -> tuple[float, Any]:
    """Return messages a second and what the look returned; exit unless all were given back."""
    ask(url, "/fill", count)
    started = time.perf_counter()
    returned = look(url)
    seconds = time.perf_counter() - started
    state = ask(url, "/state")
    if (state["left"], state["hidden"]) != (count, 0) or state["received"] < count:
        raise SystemExit(f"{look.__name__} left {state} of {count} messages")
    return count / seconds, returned


def measure(*, latency: float, loop: int, few: int, many: int) -> dict[str, float]:
    """Measure both against one target."""
    with local_target(latency) as url:
        plain, _ = measured(url, loop, by_plain_loop)
        _, least = measured(url, few, by_list)
        rate, most = measured(url, many, by_list)
    return {
        "plain loop, messages/s": round(plain, 1),
        "list, messages/s": round(rate, 1),
        "list / plain loop": round(rate / plain, 2),
        f"list, peak MB at {few:,} messages": round(least / 1024, 1),
        f"list, peak MB at {many:,} messages": round(most / 1024, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds a call takes (0.02)")
    parser.add_argument("--loop", type=int, default=2000, help="messages of the plain loop (2,000)")
    parser.add_argument("--few", type=int, default=2000, help="messages for memory (2,000)")
    parser.add_argument("--many", type=int, default=20_000, help="messages of list (20,000)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = vars(parser.parse_args())
    as_json = arguments.pop("json")
    found = measure(**arguments)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name:45} {value}")
    print("\ntarget: list / plain loop at least 5, memory without the messages' bodies")


if __name__ == "__main__":
    main()
