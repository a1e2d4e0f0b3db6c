"""`make bench`: what `channel.cover(app)` adds to the synthesis of an app.

Both sides define the same app of about 500 resources, whose functions are attached by hand but for
one of five, and synthesise it as CDK does by default, alternating in one process. One side also
covers the app, which finds and attaches the rest.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import tempfile
import time
from typing import Any

from failure_destinations.testing.node import find_node

os.environ["JSII_NODE"] = str(find_node())

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from failure_destinations import FailureChannel

STACKS = 5
FUNCTIONS = 16
LEFT_OUT = 5


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


def measure(rounds: int) -> dict[str, Any]:
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for i in range(-1, rounds):
        for covered in (False, True) if i % 2 else (True, False):
            taken = seconds_to_synthesise(covered)
            if i >= 0:
                seconds[covered].append(taken)
    best = {covered: min(each) for covered, each in seconds.items()}
    return {
        "resources": count_resources(),
        "rounds": rounds,
        "seconds to synthesise, median": {
            "without": round(statistics.median(seconds[False]), 3),
            "with cover": round(statistics.median(seconds[True]), 3),
        },
        "ratio": round(best[True] / best[False], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each side does (5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    measured = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps(measured, indent=2))
        return
    for name, value in measured.items():
        print(f"{name:45} {value}")
    print("\nratio: with cover / without; to reach: at most 1.15")


if __name__ == "__main__":
    main()
