"""Examines what is deployed on an engine, with answers of AWS that the engine does not give."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from failure_destinations.deployed.session import Aws
from failure_destinations.doctor.examine import examine
from failure_destinations.doctor.findings import Finding
from failure_destinations.doctor.render import commands
from failure_destinations.progress import NO_PROGRESS
from failure_destinations.testing import LocalCloud

from .fixing import Call, do

# S3 has other names for these permissions.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_ACTIONS = {
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
}


class Examiner:
    """Examines a channel of a stack on an engine.

    Attributes:
        called: The IAM actions of all that was called, with how often.
    """

    def __init__(self, cloud: LocalCloud, stack: str, channel: str) -> None:
        self.cloud = cloud
        self.called: Counter[str] = Counter()
        self._stack = stack
        self._channel = channel
        self._denied: set[str] = set()
        self._sender: str | None = None

    def deny(self, action: str) -> None:
        """Have AWS deny an IAM action."""
        self._denied.add(action)

    def send_as(self, sender: str) -> None:
        """Have SQS name a sender, as it does: on the engine every sender is the account."""
        self._sender = sender

    def findings(self, channel: str | None = None, *, quick: bool = False) -> list[Finding]:
        """Return what doctor finds, also of what is well."""
        aws = self._aws()
        examined = examine(
            aws,
            self._stack,
            NO_PROGRESS,
            channel=channel or self._channel,
            compare_at_most=None if quick else 5000,
        )
        return [finding for each in examined for finding in each.findings]

    def problems(self, channel: str | None = None, *, quick: bool = False) -> list[Finding]:
        """Return what doctor finds that is not well."""
        found = self.findings(channel, quick=quick)
        return [finding for finding in found if finding.severity != "ok"]

    def commands(self, finding: Finding) -> list[list[str]]:
        """Return the commands that fix a finding."""
        return commands(finding, ["--region", self.cloud.region])

    def fix(self, finding: Finding) -> list[Call]:
        """Do on the engine what fixes a finding."""
        return [do(self.cloud, command) for command in self.commands(finding)]

    def _aws(self) -> Aws:
        aws = Aws(None, self.cloud.region, self.cloud.url)
        events: Any = aws.session.events
        events.register("before-call", self._before_call)
        events.register("after-call.sqs.ReceiveMessage", self._received)
        return aws

    def _before_call(self, model: Any, **_given: Any) -> tuple[Any, Any] | None:
        service = model.service_model.signing_name
        service = {"monitoring": "cloudwatch"}.get(service, service)
        action = f"{service}:{_ACTIONS.get(model.name, model.name.removesuffix('Batch'))}"
        self.called[action] += 1
        if action not in self._denied:
            return None
        error = {"Code": "AccessDenied", "Message": "no"}
        return SimpleNamespace(status_code=403), {"Error": error, "ResponseMetadata": {}}

    def _received(self, parsed: Any, **_given: Any) -> None:
        for message in parsed.get("Messages", ()):
            if self._sender is not None:
                message["Attributes"]["SenderId"] = self._sender


def kinds_of(findings: list[Finding]) -> list[tuple[str, str]]:
    """Return the severity and kind of each finding."""
    return [(finding.severity, finding.kind.id) for finding in findings]


@pytest.fixture
def credentials(ministack: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's credentials, and nobody's own configuration."""
    use_credentials(ministack, monkeypatch)


def use_credentials(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use an engine's credentials, and nobody's own configuration."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
