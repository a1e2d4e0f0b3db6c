"""A patch that makes localemu write the metrics of SQS and Lambda once a second.

localemu 1.3.2 makes a request and a transaction for each metric: two for each message that is
sent, and one for each poll of an empty queue.
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from datetime import datetime, timezone
from typing import Any, NamedTuple

from botocore.config import Config
from localemu.aws.connect import connect_to
from localemu.services.cloudtrail.recording_hook import INTERNAL_CALL_USER_AGENT_EXTRA
from localemu.services.lambda_.invocation import metrics as lambda_metrics
from localemu.services.sqs import provider as sqs_provider

_LOG = logging.getLogger(__name__)
_SECONDS = 1
_MOST_IN_A_REQUEST = 1_000
# CloudTrail does not record the requests of such a client.
_INTERNAL = Config(user_agent_extra=INTERNAL_CALL_USER_AGENT_EXTRA)


class _Metric(NamedTuple):
    account: str
    region: str
    namespace: str
    name: str
    dimension: str
    of: str
    unit: str | None = None


_values: defaultdict[_Metric, list[float]] = defaultdict(list)
_lock = threading.Lock()


def apply() -> None:
    """Patch localemu."""
    sqs_provider.publish_sqs_metric = _of_queue
    lambda_metrics.publish_lambda_metric = _of_function
    threading.Thread(target=_write_each_second, name="metrics", daemon=True).start()


def _of_queue(
    *,
    account_id: str,
    region: str,
    queue_name: str,
    metric: str,
    value: float = 1,
    unit: str = "Count",
) -> None:
    _add(_Metric(account_id, region, "AWS/SQS", metric, "QueueName", queue_name, unit), value)


def _of_function(
    metric: str, value: float, kwargs: dict[str, Any], account_id: str, region_name: str
) -> None:
    function = kwargs["func_name"]
    _add(_Metric(account_id, region_name, "AWS/Lambda", metric, "FunctionName", function), value)


def _add(metric: _Metric, value: float) -> None:
    with _lock:
        _values[metric].append(value)


def _write_each_second() -> None:
    while True:
        time.sleep(_SECONDS)
        with _lock:
            added = dict(_values)
            _values.clear()
        requests: defaultdict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
        for metric, values in added.items():
            requests[metric[:3]].append(_datum(metric, values))
        for where, data in requests.items():
            for start in range(0, len(data), _MOST_IN_A_REQUEST):
                _put(*where, data[start : start + _MOST_IN_A_REQUEST])


def _datum(metric: _Metric, values: list[float]) -> dict[str, Any]:
    return {
        "MetricName": metric.name,
        "Dimensions": [{"Name": metric.dimension, "Value": metric.of}],
        "Timestamp": datetime.now(timezone.utc),
        "StatisticValues": {
            "SampleCount": len(values),
            "Sum": sum(values),
            "Minimum": min(values),
            "Maximum": max(values),
        },
        **({"Unit": metric.unit} if metric.unit else {}),
    }


def _put(account: str, region: str, namespace: str, data: list[dict[str, Any]]) -> None:
    try:
        client = connect_to(aws_access_key_id=account, region_name=region, config=_INTERNAL)
        client.cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    except Exception as error:
        _LOG.info("could not write %d metrics to CloudWatch: %s", len(data), error)
