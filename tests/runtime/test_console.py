"""Links into the console."""

from __future__ import annotations

import pytest

from failure_destinations.runtime.console import log_link, queue_link


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "https://eu-west-1.console.aws.amazon.com/"),
        ("aws-cn", "cn-north-1", "https://console.amazonaws.cn/"),
        ("aws-us-gov", "us-gov-west-1", "https://console.amazonaws-us-gov.com/"),
    ],
)
def test_links_to_the_console_of_the_partition(partition: str, region: str, host: str) -> None:
    """With its Region."""
    for link in (
        log_link(partition, region, "/aws/lambda/orders", None),
        queue_link(partition, region, "https://sqs/1/q"),
    ):
        assert link is not None
        assert link.startswith(host)
        assert f"?region={region}#" in link


def test_links_to_the_lines_of_one_request() -> None:
    """Quoted twice, as CloudWatch's console reads it."""
    assert log_link("aws", "eu-west-1", "/aws/lambda/a b", "6f1d") == (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
        "#logsV2:log-groups/log-group/$252Faws$252Flambda$252Fa$2520b"
        "/log-events$3FfilterPattern$3D$25226f1d$2522"
    )


def test_links_to_no_console_of_an_isolated_partition() -> None:
    """None is public."""
    assert log_link("aws-iso", "us-iso-east-1", "g", None) is None
