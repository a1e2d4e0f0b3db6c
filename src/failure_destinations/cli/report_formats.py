"""How findings are written: for people, for programs, for GitHub."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from failure_destinations import __version__
from failure_destinations.check import KINDS, Finding
from failure_destinations.check.kinds import ERROR, INFO, SEVERITIES, WARNING

_URI = "https://pypi.org/project/failure-destinations/"
_COLOURS = {ERROR: "red", WARNING: "yellow", INFO: "cyan"}
_SARIF_LEVELS = {ERROR: "error", WARNING: "warning", INFO: "note"}
_GITHUB_COMMANDS = {ERROR: "error", WARNING: "warning", INFO: "notice"}


@dataclass(frozen=True)
class Reported:
    """A finding as it is reported.

    Attributes:
        finding: The finding.
        line: The line of its resource in the file, or None.
        accepted: Why it is accepted, or nothing.
    """

    finding: Finding
    line: int | None = None
    accepted: str = ""

    @property
    def file(self) -> str:
        """The file, from the working folder on where it is below it."""
        if not self.finding.file:
            return ""
        path = Path(self.finding.file)
        try:
            return path.resolve().relative_to(Path.cwd()).as_posix()
        except ValueError:
            return path.as_posix()


@dataclass(frozen=True)
class Report:
    """All findings of a run.

    Attributes:
        count: How many things were looked at.
        reported: The findings.
        unit: What was looked at.
    """

    count: int
    reported: list[Reported]
    unit: str = "template"

    @property
    def open(self) -> list[Reported]:
        """The findings that nobody has accepted, the gravest first."""
        order = {severity: i for i, severity in enumerate(SEVERITIES)}
        return sorted(
            (one for one in self.reported if not one.accepted),
            key=lambda one: order[one.finding.severity],
        )


def as_text(report: Report) -> str:
    """Write findings for people, with what mends each."""
    blocks = [_block(one) for one in report.open]
    return "".join(f"{block}\n\n" for block in blocks) + _summary(report) + "\n"


def _block(one: Reported) -> str:
    finding = one.finding
    head = f"{finding.severity} {finding.kind}"
    place = f"{one.file}:{one.line}" if one.line else one.file or finding.stack
    lines = [
        f"{click.style(head, fg=_COLOURS[finding.severity], bold=True)}  "
        f"{click.style(finding.shown, bold=True)}  {finding.qualifier}".rstrip(),
        f"  {finding.reason}",
    ]
    if finding.fix and finding.severity != INFO:
        lines += [f"  CDK       {finding.fix}", f"  template  {finding.cloudformation_fix}"]
    if place:
        lines.append(f"  in        {place}")
    return "\n".join(lines)


def _summary(report: Report) -> str:
    counts = [
        (sum(one.finding.severity == severity for one in report.open), name)
        for severity, name in ((ERROR, "error"), (WARNING, "warning"), (INFO, "note"))
    ]
    found = ", ".join(_count(number, name) for number, name in counts if number)
    accepted = len(report.reported) - len(report.open)
    return (
        f"{found or 'No findings'} in {_count(report.count, report.unit)}"
        f"{f', {accepted} accepted' if accepted else ''}"
    )


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def as_json(report: Report) -> str:
    """Write findings for programs."""
    findings = [
        {
            **one.finding.to_dict(),
            "file": one.file,
            "line": one.line,
            "accepted": one.accepted or None,
            "fingerprint": one.finding.fingerprint,
        }
        for one in report.reported
    ]
    return json.dumps({f"{report.unit}s": report.count, "findings": findings}, indent=2) + "\n"


def as_sarif(report: Report) -> str:
    """Write SARIF 2.1.0, which GitHub and other code scanners read.

    https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    rules = [
        {
            "id": kind.id,
            "name": "".join(word.capitalize() for word in kind.id.split("-")),
            "shortDescription": {"text": kind.title},
            "helpUri": kind.help,
            "defaultConfiguration": {"level": _SARIF_LEVELS[kind.severity]},
        }
        for kind in KINDS.values()
    ]
    driver = {
        "name": "failure-destinations",
        "version": __version__,
        "informationUri": _URI,
        "rules": rules,
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(one) for one in report.reported],
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(document, indent=2) + "\n"


def _sarif_result(one: Reported) -> dict[str, Any]:
    finding = one.finding
    fix = f" Fix: {finding.fix}, or in a template: {finding.cloudformation_fix}."
    location: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": finding.shown, "kind": "resource"}]
    }
    if one.file:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": one.file},
            # Without a line, GitHub shows nothing.
            "region": {"startLine": one.line or 1},
        }
    fingerprint = hashlib.sha256(finding.fingerprint.encode()).hexdigest()
    result: dict[str, Any] = {
        "ruleId": finding.kind,
        "ruleIndex": list(KINDS).index(finding.kind),
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": f"{finding.shown}: {finding.reason}{fix if finding.fix else ''}"},
        "locations": [location],
        "partialFingerprints": {"failureDestinations/v1": fingerprint},
    }
    if one.accepted:
        result["suppressions"] = [{"kind": "external", "justification": one.accepted}]
    return result


def as_github(report: Report) -> str:
    """Write annotations of GitHub Actions.

    https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
    """
    return "".join(_annotation(one) for one in report.open) + _summary(report) + "\n"


def _annotation(one: Reported) -> str:
    finding = one.finding
    properties = {
        "file": one.file,
        "line": str(one.line) if one.line else "",
        "title": KINDS[finding.kind].title,
    }
    written = ",".join(
        f"{name}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in properties.items()
        if value
    )
    message = f"{finding.shown}: {finding.reason}"
    if finding.fix:
        message += f"\nCDK: {finding.fix}\nTemplate: {finding.cloudformation_fix}"
    return f"::{_GITHUB_COMMANDS[finding.severity]} {written}::{_escaped(message)}{os.linesep}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


FORMATS: dict[str, Callable[[Report], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}
