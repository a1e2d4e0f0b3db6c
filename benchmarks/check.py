"""`make bench`: the check's time for templates of 500 to 50,000 resources.

Each template has functions with the usual callers, aliases, roles, queues and permissions, with
references in every form; half of the functions are covered. It measures processor time, without
imports.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from typing import Any

from failure_destinations.check import find_uncovered_functions

SIZES = (500, 5_000, 50_000)
LIMIT_MS = 50.0
# How much the time per resource may grow from the smallest to the largest template.
LIMIT_GROWTH = 1.5


def resources_of_function(i: int) -> dict[str, Any]:
    name = f"Function{i}"
    arn = {"Fn::GetAtt": [name, "Arn"]}
    alias = {"Ref": f"Alias{i}"}
    queue = {"Fn::GetAtt": [f"Queue{i}", "Arn"]}
    trust = {"Statement": [{"Principal": {"Service": "scheduler.amazonaws.com"}}]}
    allowed = {"Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction"}]}
    permission = {"Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"}
    resources: dict[str, tuple[str, dict[str, Any]]] = {
        name: ("AWS::Lambda::Function", {"Role": {"Fn::GetAtt": [f"Role{i}", "Arn"]}}),
        f"Version{i}": ("AWS::Lambda::Version", {"FunctionName": {"Ref": name}}),
        f"Alias{i}": ("AWS::Lambda::Alias", {"FunctionName": {"Ref": name}, "Name": "live"}),
        f"Queue{i}": ("AWS::SQS::Queue", {}),
        f"Role{i}": ("AWS::IAM::Role", {"AssumeRolePolicyDocument": trust}),
        f"Policy{i}": (
            "AWS::IAM::Policy",
            {"Roles": [{"Ref": f"Role{i}"}], "PolicyDocument": allowed},
        ),
        f"Rule{i}": (
            "AWS::Events::Rule",
            {"Targets": [{"Id": "A", "Arn": alias, "DeadLetterConfig": {"Arn": queue}}]},
        ),
        f"Subscription{i}": (
            "AWS::SNS::Subscription",
            {"Protocol": "lambda", "Endpoint": {"Fn::Sub": f"${{{name}.Arn}}:live"}},
        ),
        f"Permission{i}": ("AWS::Lambda::Permission", {"FunctionName": arn, **permission}),
        f"Config{i}": (
            "AWS::Lambda::EventInvokeConfig",
            {
                "FunctionName": {"Fn::Select": [6, {"Fn::Split": [":", arn]}]},
                "Qualifier": "live",
                "DestinationConfig": {"OnFailure": {"Destination": queue}} if i % 2 else {},
            },
        ),
    }
    return {
        id: {"Type": type, "Properties": properties} for id, (type, properties) in resources.items()
    }


def template_of(size: int) -> dict[str, Any]:
    resources: dict[str, Any] = {}
    i = 0
    while len(resources) < size:
        resources |= resources_of_function(i)
        i += 1
    return {"Resources": resources}


def milliseconds(template: dict[str, Any], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        gc.collect()
        started = time.process_time()
        find_uncovered_functions(template)
        times.append((time.process_time() - started) * 1000)
    return statistics.median(times)


def measure(rounds: int) -> dict[str, float]:
    return {
        f"{size:,}": round(milliseconds(template_of(size), rounds) / size * SIZES[0], 2)
        for size in SIZES
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=5, help="how often to check each template (5)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    measured = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps(measured, indent=2))
    else:
        print("check: milliseconds for 500 resources, in a template of")
        for size, value in measured.items():
            print(f"{size:>10} resources {value:8}")
        print(f"target: at most {LIMIT_MS:g} at 500, and {LIMIT_GROWTH:g} times as much at 50,000")
    smallest, *_, largest = measured.values()
    if smallest > LIMIT_MS or largest > smallest * LIMIT_GROWTH:
        sys.exit("the check is too slow")


if __name__ == "__main__":
    main()
