"""`make bench`: replay by the command and by a plain boto3 loop, against one local target.

The target answers each call after 20 ms, about what SQS and a warm function take within a Region.
The plain loop receives one message, invokes its function and deletes it, one at a time. The
command is measured as a process, start included, with 10,000 events, and with 100,000 for its peak
memory. The replayer's handler is called as Lambda calls it: 16 calls at once, with one event each.
Each side must run and delete every event exactly once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.replayer_handler import by_replayer_handler

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": "eu-west-1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
}
QUEUE = "failures"
# Runs a command and prints its peak memory, in kilobytes, as the last line.
MEASURED = (
    "import resource, subprocess, sys; "
    "code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
)


@contextmanager
def local_target(latency: float) -> Iterator[str]:
    """Run the target and yield its address."""
    script = Path(__file__).with_name("local_target.py")
    process = subprocess.Popen(
        [sys.executable, script, "--latency", str(latency)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


def ask(url: str, path: str, body: object = None) -> Any:
    """Call one of the target's control endpoints."""
    data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}{path}", data) as answer:
        return json.load(answer)


def by_plain_loop(url: str) -> None:
    """Replay as a simple script does: receive one message, invoke, delete."""
    import boto3  # noqa: PLC0415

    session = boto3.Session("local", "local", region_name="eu-west-1")
    sqs = session.client("sqs", endpoint_url=url)
    client = session.client("lambda", endpoint_url=url)
    queue = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    while messages := sqs.receive_message(QueueUrl=queue).get("Messages"):
        record = json.loads(messages[0]["Body"])
        answer = client.invoke(
            FunctionName=record["requestContext"]["functionArn"],
            Payload=json.dumps(record["requestPayload"]),
        )
        if "FunctionError" not in answer:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=messages[0]["ReceiptHandle"])


def by_command(url: str) -> int:
    """Replay with the command in a process, and return its peak memory in kilobytes."""
    command = [sys.executable, "-m", "failure_destinations", "replay", "--queue", QUEUE]
    options = ["--yes", "--concurrency", "16", "--endpoint-url", url]
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, *command, *options],
        env={**os.environ, **ENVIRONMENT},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return int(ended.stdout)


def measured(url: str, count: int, run: Any) -> tuple[float, Any]:
    """Return events a second and what the run returned; exit if it missed or repeated an event."""
    ask(url, "/fill", count)
    started = time.perf_counter()
    returned = run(url)
    seconds = time.perf_counter() - started
    state = ask(url, "/state")
    if (state["left"], state["invocations"]) != (0, count):
        raise SystemExit(f"{run.__name__} left {state} of {count} events")
    return count / seconds, returned


# Each takes the target's address and returns when its queue is empty.
CONTENDERS = {"command": by_command, "replayer's handler": by_replayer_handler}


def measure(*, latency: float, loop: int, few: int, many: int) -> dict[str, float]:
    """Measure every contender against one target."""
    with local_target(latency) as url:
        plain, _ = measured(url, loop, by_plain_loop)
        found = {"plain loop, events/s": round(plain, 1)}
        memory = {}
        for name, run in CONTENDERS.items():
            rate, kilobytes = measured(url, few, run)
            if kilobytes is not None:
                memory[few] = kilobytes
            found[f"{name}, events/s"] = round(rate, 1)
            found[f"{name} / plain loop"] = round(rate / plain, 2)
        if many:
            _, memory[many] = measured(url, many, by_command)
        for count, kilobytes in memory.items():
            found[f"command, peak MB at {count:,} events"] = round(kilobytes / 1024, 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds a call takes (0.02)")
    parser.add_argument("--loop", type=int, default=300, help="events of the plain loop (300)")
    parser.add_argument("--few", type=int, default=10_000, help="events of the command (10,000)")
    parser.add_argument(
        "--many", type=int, default=100_000, help="events for its peak memory (100,000); 0 skips"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = vars(parser.parse_args())
    as_json = arguments.pop("json")
    found = measure(**arguments)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name:45} {value}")
    print("\ntarget: command / plain loop over 10, memory the same")


if __name__ == "__main__":
    main()
