"""Links into the AWS console."""

from __future__ import annotations

import urllib.parse

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
_CONSOLES = {
    "aws": "https://{region}.console.aws.amazon.com",
    "aws-cn": "https://console.amazonaws.cn",
    "aws-us-gov": "https://console.amazonaws-us-gov.com",
}


def log_link(partition: str, region: str, log_group: str, request_id: str | None) -> str | None:
    """Return the page with a log group's lines; None in a partition without a public console.

    Args:
        partition: Such as `aws`.
        region: The Region.
        log_group: The log group's name.
        request_id: The request whose lines to show; None to show the log group.
    """
    page = f"logsV2:log-groups/log-group/{_twice(log_group)}"
    if request_id is not None:
        quoted = f'"{request_id}"'
        page += f"/log-events$3FfilterPattern$3D{_twice(quoted)}"
    return _link(partition, region, "cloudwatch", page)


def queue_link(partition: str, region: str, queue_url: str) -> str | None:
    """Return a queue's page; None in a partition without a public console.

    Args:
        partition: Such as `aws`.
        region: The Region.
        queue_url: The queue's URL.
    """
    page = f"/queues/{urllib.parse.quote(queue_url, safe='')}"
    return _link(partition, region, "sqs/v3", page)


def function_link(partition: str, region: str, name: str) -> str | None:
    """Return a function's page; None in a partition without a public console.

    Args:
        partition: Such as `aws`.
        region: The Region.
        name: The function's name.
    """
    return _link(partition, region, "lambda", f"/functions/{urllib.parse.quote(name, safe='')}")


def _link(partition: str, region: str, service: str, page: str) -> str | None:
    console = _CONSOLES.get(partition)
    if console is None:
        return None
    return f"{console.format(region=region)}/{service}/home?region={region}#{page}"


def _twice(text: str) -> str:
    """Quote as CloudWatch's console does: twice, with `$` for the percent sign."""
    return urllib.parse.quote(urllib.parse.quote(text, safe=""), safe="").replace("%", "$")
