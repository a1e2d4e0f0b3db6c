"""Functions that received asynchronous events, according to CloudWatch.

A program that calls with `InvocationType=Event` leaves no other trace in an account.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from failure_destinations.check.model import LATEST

from .account import Account
from .actions import GET_METRICS, LIST_METRICS
from .inventory import Inventory

_NAMESPACE, _METRIC = "AWS/Lambda", "AsyncEventsReceived"
# Older metrics are not listed.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
DAYS = 14
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
_QUERIES = 500


@dataclass(frozen=True)
class Received:
    """Asynchronous events that a function received.

    Attributes:
        region: The Region.
        function: The function's name.
        qualifier: The qualifier that was called; begins with `?` where it is not known.
        events: The number of events.
        days: The number of days over which they were counted.
    """

    region: str
    function: str
    qualifier: str
    events: int
    days: int = DAYS


def read_metrics(
    account: Account, inventory: Inventory, region: str, received: list[Received]
) -> None:
    """Add the asynchronous events that a Region's functions received in the last two weeks.

    Args:
        account: The account.
        inventory: The functions.
        region: The Region.
        received: Collects what is found.

    Raises:
        RefusedError: CloudWatch refuses to answer.
    """
    known = set(inventory.functions.get(region, ()))
    wanted = [
        dimensions
        for dimensions in account.pages(
            LIST_METRICS, region, _dimensions, Namespace=_NAMESPACE, MetricName=_METRIC
        )
        if set(dimensions) <= {"FunctionName", "Resource"} and dimensions["FunctionName"] in known
    ]
    # Rounded to the hour, so that a resumed audit sends the same request.
    end = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    totals: dict[tuple[str, str], int] = {}
    for start in range(0, len(wanted), _QUERIES):
        some = wanted[start : start + _QUERIES]
        sums = account.pages(
            GET_METRICS,
            region,
            lambda result: [result["Id"], sum(result.get("Values") or ())],
            MetricDataQueries=[_query(i, dimensions) for i, dimensions in enumerate(some)],
            StartTime=(end - timedelta(days=DAYS)).isoformat(),
            EndTime=end.isoformat(),
        )
        for id, events in sums:
            dimensions = some[int(id[1:])]
            name = dimensions["FunctionName"]
            # Each event counts for the function and for the qualifier that was called.
            called = dimensions.get("Resource", "").partition(":")[2]
            qualifier = called or ("?" if "Resource" not in dimensions else LATEST)
            key = (name, qualifier)
            totals[key] = totals.get(key, 0) + int(events)
    with_qualifier = {name for name, qualifier in totals if qualifier != "?"}
    received += (
        Received(region, name, f"?{_METRIC} does not say" if qualifier == "?" else qualifier, sum_)
        for (name, qualifier), sum_ in sorted(totals.items())
        if sum_ and (qualifier != "?" or name not in with_qualifier)
    )


def _dimensions(metric: Any) -> dict[str, str] | None:
    dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions") or ()}
    return dimensions if "FunctionName" in dimensions else None


def _query(i: int, dimensions: dict[str, str]) -> dict[str, Any]:
    metric = {
        "Namespace": _NAMESPACE,
        "MetricName": _METRIC,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
    }
    return {
        "Id": f"q{i}",
        "MetricStat": {"Metric": metric, "Period": 86_400, "Stat": "Sum"},
    }
