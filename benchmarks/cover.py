"""`make bench`: what `channel.cover(app)` adds to the synthesis of an app.

Both sides define the same app of about 500 resources, attach four of five functions by hand, and
synthesise it with the CDK's defaults. One side also covers the app, which finds and attaches the
other functions. The sides alternate, each time in a new process, as `cdk synth` starts one: users
wait for the first synthesis of a process. A second one in the same process, which only tests have,
does not load the CDK's template checks again. Loading them takes most of the time, uses all cores
and varies by more than cover takes; hence many rounds and a confidence interval of the median.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, cast

from failure_destinations.testing.node import find_node

os.environ["JSII_NODE"] = str(find_node())

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from failure_destinations import FailureChannel

STACKS = 4
FUNCTIONS = 16
LEFT_OUT = 5
WHICH = ("first synthesis of a process", "second synthesis")


def define_app(outdir: str, covered: bool) -> cdk.App:
    app = cdk.App(outdir=outdir)
    channel = FailureChannel(cdk.Stack(app, "Failures"), "Channel")
    if covered:
        channel.cover(app)
    for s in range(STACKS):
        stack = cdk.Stack(app, f"Stack{s}")
        for f in range(FUNCTIONS):
            function = lambda_.Function(
                stack,
                f"Function{f}",
                runtime=lambda_.Runtime.PYTHON_3_14,
                handler="index.handler",
                code=lambda_.Code.from_inline("def handler(event, context): ..."),
            )
            queue = sqs.Queue(stack, f"Queue{f}", enforce_ssl=True)
            queue.grant_send_messages(function)
            events.Rule(
                stack,
                f"Rule{f}",
                schedule=events.Schedule.rate(cdk.Duration.minutes(1)),
                targets=[targets.LambdaFunction(function)],
            )
            if f % LEFT_OUT:
                channel.notify_failures_of(function)
    return app


def seconds_to_synthesise(covered: bool) -> float:
    with tempfile.TemporaryDirectory() as outdir:
        app = define_app(outdir, covered)
        gc.collect()
        started = time.perf_counter()
        app.synth()
        return time.perf_counter() - started


def count_resources() -> int:
    with tempfile.TemporaryDirectory() as outdir:
        app = define_app(outdir, covered=False)
        return sum(
            len(Template.from_stack(stack).to_json()["Resources"])
            for stack in app.node.children
            if isinstance(stack, cdk.Stack)
        )


def measure_here(covered: bool) -> dict[str, float]:
    return {which: seconds_to_synthesise(covered) for which in WHICH}


def measure_in_process(covered: bool) -> dict[str, float]:
    command = [sys.executable, __file__, "--side", "with cover" if covered else "without"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return cast(dict[str, float], json.loads(done.stdout))


def measure(rounds: int) -> dict[str, Any]:
    seconds: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    for i in range(rounds):
        for covered in (False, True) if i % 2 else (True, False):
            seconds[covered].append(measure_in_process(covered))
            print(f"cover: round {i + 1} of {rounds}", file=sys.stderr)
    measured: dict[str, Any] = {"resources": count_resources(), "rounds": rounds}
    for which in WHICH:
        without, with_cover = ([each[which] for each in seconds[side]] for side in (False, True))
        measured[f"{which}, seconds, median"] = {
            "without": round(statistics.median(without), 3),
            "with cover": round(statistics.median(with_cover), 3),
        }
        # Ratios of neighbours: what slows the machine for a while slows both.
        ratios = [b / a for a, b in zip(without, with_cover, strict=True)]
        low, high = interval_of_median(ratios)
        measured[f"{which}, ratio, median"] = round(statistics.median(ratios), 3)
        measured[f"{which}, ratio, 90 % interval"] = f"{low:.3f} to {high:.3f}"
    return measured


def interval_of_median(values: list[float]) -> tuple[float, float]:
    """Return the bootstrapped 90 % confidence interval of the median."""
    chance = random.Random(1)
    medians = [statistics.median(chance.choices(values, k=len(values))) for _ in range(2_000)]
    twentieths = statistics.quantiles(medians, n=20)
    return twentieths[0], twentieths[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how often to run each side (20)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--side", choices=["with cover", "without"], help="measure one side in this process"
    )
    arguments = parser.parse_args()
    if arguments.side is not None:
        print(json.dumps(measure_here(arguments.side == "with cover")))
        return
    measured = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps(measured, indent=2))
        return
    for name, value in measured.items():
        print(f"{name:50} {value}")
    print("\nratio: with cover / without; target: at most 1.15 in a process's first synthesis")


if __name__ == "__main__":
    main()
