"""Formats of a report: text, JSON, SARIF and GitHub annotations.

The sentences come from `check.render`. A format lays them out, and escapes what its reader would
interpret.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import click

from failure_destinations import __version__
from failure_destinations.check import KINDS, Finding, render
from failure_destinations.check.kinds import ERROR, INFO, SEVERITIES, WARNING
from failure_destinations.text import printable

_URI = "https://pypi.org/project/failure-destinations/"
_COLOURS = {ERROR: "red", WARNING: "yellow", INFO: "cyan"}
_SARIF_LEVELS = {ERROR: "error", WARNING: "warning", INFO: "note"}
_GITHUB_COMMANDS = {ERROR: "error", WARNING: "warning", INFO: "notice"}


@dataclass(frozen=True)
class Reported:
    """A finding in a report.

    Attributes:
        finding: The finding.
        line: The line of its resource in the file, or None.
        accepted: Why it is accepted, or empty.
    """

    finding: Finding
    line: int | None = None
    accepted: str = ""

    @property
    def file(self) -> str:
        """The file, relative to the working directory if possible; empty if there is none."""
        if not self.finding.file:
            return ""
        path = Path(self.finding.file)
        try:
            return path.resolve().relative_to(Path.cwd()).as_posix()
        except ValueError:
            return path.as_posix()

    @property
    def uri(self) -> str:
        """The file as a percent-encoded URI reference."""
        uri = quote_from_bytes(os.fsencode(self.file))
        return f"file://{uri}" if uri.startswith("/") else uri


@dataclass(frozen=True)
class Report:
    """All findings of a run.

    Attributes:
        count: The number of templates or functions that were checked.
        reported: The findings.
        unit: The unit of `count`.
    """

    count: int
    reported: list[Reported]
    unit: str = "template"

    @property
    def open(self) -> list[Reported]:
        """The findings that are not accepted, the most severe first."""
        order = {severity: i for i, severity in enumerate(SEVERITIES)}
        return sorted(
            (one for one in self.reported if not one.accepted),
            key=lambda one: order[one.finding.severity],
        )


def as_text(report: Report) -> str:
    """Write findings for people, each with its fix."""
    blocks = [_block(one) for one in report.open]
    return "".join(f"{block}\n\n" for block in blocks) + _end(report)


def _end(report: Report) -> str:
    """Write the last lines of a report for people."""
    return "".join(f"{line}\n" for line in (_summary(report), _not_judged(report)) if line)


def _block(one: Reported) -> str:
    finding = one.finding
    head = f"{finding.severity} {finding.kind}"
    name = click.style(printable(render.shown(finding)), bold=True)
    lines = [
        f"{click.style(head, fg=_COLOURS[finding.severity], bold=True)}  "
        f"{name}  {printable(finding.qualifier)}".rstrip(),
        f"  {printable(render.reason(finding))}",
    ]
    if finding.severity != INFO:
        lines += [f"  {where:9} {printable(fix)}" for where, fix in render.fixes(finding)]
    place = f"{one.file}:{one.line}" if one.line else one.file or finding.stack
    if place:
        lines.append(f"  in        {printable(place)}")
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


def _not_judged(report: Report) -> str:
    """Say how much could not be judged, because an `unknown` may hide an error."""
    said = render.not_judged_text(one.finding for one in report.open)
    return said and f"{said} --fail-on {INFO} fails on these too."


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
    not_judged = render.not_judged(one.finding for one in report.open)
    return _json({f"{report.unit}s": report.count, "findings": findings, "not_judged": not_judged})


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
    return _json(document)


def _json(document: Any) -> str:
    """Return ASCII JSON in which GitHub does not find a command."""
    text = json.dumps(document, indent=2)
    return text.replace("##[", r"##\u005b") + "\n"


def _sarif_result(one: Reported) -> dict[str, Any]:
    finding = one.finding
    location: dict[str, Any] = {
        "logicalLocations": [
            {"fullyQualifiedName": printable(finding.resource.shown), "kind": "resource"}
        ]
    }
    if one.file:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": one.uri},
            # Without a line, GitHub shows nothing.
            "region": {"startLine": one.line or 1},
        }
    fingerprint = hashlib.sha256(finding.fingerprint.encode(errors="backslashreplace")).hexdigest()
    result: dict[str, Any] = {
        "ruleId": finding.kind,
        "ruleIndex": list(KINDS).index(finding.kind),
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": _sarif_text(" ".join((render.message(finding), *_fixes(finding))))},
        "locations": [location],
        "partialFingerprints": {"failureDestinations/v1": fingerprint},
    }
    if one.accepted:
        justification = printable(one.accepted)
        result["suppressions"] = [{"kind": "external", "justification": justification}]
    return result


def _fixes(finding: Finding) -> list[str]:
    return [f"Fix ({where}): {fix}." for where, fix in render.fixes(finding)]


def _sarif_text(text: str) -> str:
    """Return text in which a viewer does not find links from untrusted sources."""
    return printable(text).replace("](", r"\](")


def as_github(report: Report) -> str:
    """Write annotations of GitHub Actions.

    https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
    """
    return "".join(_annotation(one) for one in report.open) + _end(report)


def _annotation(one: Reported) -> str:
    finding = one.finding
    properties = {
        "file": one.file,
        "line": str(one.line) if one.line else "",
        "title": KINDS[finding.kind].title,
    }
    written = ",".join(
        f"{name}={_command_data(value).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in properties.items()
        if value
    )
    lines = [render.message(finding), *(f"{where}: {fix}" for where, fix in render.fixes(finding))]
    message = "%0A".join(map(_command_data, lines))
    return f"::{_GITHUB_COMMANDS[finding.severity]} {written}::{message}{os.linesep}"


def _command_data(text: str) -> str:
    """Escape text for a workflow command; it has no line breaks left to escape."""
    return printable(text).replace("%", "%25")


FORMATS: dict[str, Callable[[Report], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}
