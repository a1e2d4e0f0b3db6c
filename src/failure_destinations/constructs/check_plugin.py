"""Check at synthesis for asynchronous functions whose failures would be lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import jsii
from aws_cdk import (
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
    Validations,
)
from constructs import IConstruct

from failure_destinations import __version__
from failure_destinations.check import KINDS, Finding, find_lost_events_in, render
from failure_destinations.check.assembly import read_templates
from failure_destinations.check.kinds import ERROR, INFO, SEVERITIES, UNKNOWN
from failure_destinations.text import printable

from .refusals import shown

_NAME = "failure-destinations"
# The maximum number of resources in the note about what could not be judged.
_MAX_LISTED = 10


@jsii.implements(IPolicyValidationPlugin)
class FailureDestinationCheck:
    """Fails the synth of an app in which a failure of an asynchronous function would be lost.

    It reads the templates of all stacks, including stages and nested stacks, and follows
    references from stack to stack. Register it once, on the app::

        Validations.of(app).add_plugins(FailureDestinationCheck())

    A finding names the function's construct path, its callers and a fix. Findings of severity
    `error` fail the synth, so that `app.synth()` raises; `warning` and `info` are only shown.
    https://docs.aws.amazon.com/cdk/v2/guide/policy-validation-synthesis.html

    Acknowledge a finding on the construct or any scope above it, with a reason::

        Validations.of(function).acknowledge(
            Acknowledgment(id="failure-destinations::uncovered", reason="its events are hints")
        )

    Args:
        fail_on: Kinds of findings that also fail the synth, such as `delivery` or `unknown`.
            Default: none.
        show: The lowest severity to show: `error`, `warning` or `info`. Default:
            `warning`. One note says how much could not be judged, and why, also if notes are not
            shown.

    Raises:
        ValueError: `fail_on` names an unknown kind, or `show` an unknown severity.
    """

    def __init__(self, *, fail_on: Iterable[str] = (), show: str = "warning") -> None:
        """Raise ValueError for unknown kinds and severities."""
        if isinstance(fail_on, str) or not isinstance(fail_on, Iterable):
            raise ValueError(
                f"fail_on must be a list of kinds, got {shown(fail_on)}: write for example "
                "['delivery']"
            )
        self._fail_on = frozenset(fail_on)
        for kind in sorted(self._fail_on, key=str):
            if kind not in KINDS:
                raise ValueError(
                    f"fail_on must name kinds of findings, got {shown(kind)}: {_one_of(KINDS)}"
                )
        if show not in SEVERITIES:
            raise ValueError(f"show must be a severity, got {shown(show)}: {_one_of(SEVERITIES)}")
        self._shown = SEVERITIES[: SEVERITIES.index(show) + 1]

    @property
    def name(self) -> str:
        """The plugin's name in reports and acknowledgements."""
        return _NAME

    @property
    def version(self) -> str:
        """The version of this library."""
        return __version__

    @property
    def rule_ids(self) -> list[str]:
        """The kinds of findings."""
        return list(KINDS)

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        """Check the templates of an app; the CDK calls it at the end of the synth."""
        assembly = read_templates([Path(path) for path in context.template_paths])
        accepted = {kind for kinds in assembly.acknowledged.values() for kind in kinds}
        violations, hidden = [], []
        for finding in find_lost_events_in(assembly.stacks):
            rule = finding.kind
            is_accepted = bool(assembly.reason_for(finding)) or _is_acknowledged_above(
                context.app_construct, finding
            )
            if self._severity(finding) not in self._shown:
                if rule == UNKNOWN.id and not is_accepted:
                    hidden.append(finding)
                continue
            if rule in accepted and not is_accepted:
                # Older CDK versions apply an acknowledgement on one scope everywhere.
                rule = f"{rule}[{finding.resource.shown}]"
            violations.append(self._violation(finding, rule))
        if hidden:
            violations.append(_not_judged(hidden))
        return PolicyValidationPluginReport(
            success=all(violation.severity != ERROR for violation in violations),
            violations=violations,
            plugin_version=__version__,
        )

    def _severity(self, finding: Finding) -> str:
        return ERROR if finding.kind in self._fail_on else finding.severity

    def _violation(self, finding: Finding, rule: str) -> PolicyViolation:
        return PolicyViolation(
            rule_name=rule,
            description=printable(render.message(finding)),
            fix=printable(finding.fix) or None,
            severity=self._severity(finding),
            violating_resources=[_violating(finding)],
        )


def _not_judged(findings: list[Finding]) -> PolicyViolation:
    """Return one note for all that could not be judged, because it may hide an error."""
    return PolicyViolation(
        rule_name=UNKNOWN.id,
        description=f"{printable(render.not_judged_text(findings))} show='info' lists them",
        severity=INFO,
        violating_resources=[_violating(finding) for finding in findings[:_MAX_LISTED]],
    )


def _violating(finding: Finding) -> PolicyViolatingResource:
    return PolicyViolatingResource(
        locations=[], resource_logical_id=finding.logical_id, template_path=finding.file
    )


def _is_acknowledged_above(app: IConstruct, finding: Finding) -> bool:
    """Return whether a finding is acknowledged on the app or a stage, which have no metadata."""
    id = f"{_NAME}::{finding.kind}"
    construct: IConstruct | None = app
    for name in finding.path.split("/"):
        if construct is None:
            return False
        for entry in construct.node.metadata:
            if entry.type == Validations.ACKNOWLEDGED_RULES_METADATA_KEY and id in entry.data:
                return True
        construct = construct.node.try_find_child(name)
    return False


def _one_of(names: Collection[str]) -> str:
    return f"write one of {', '.join(map(repr, names))}"
