"""Renders a finding: its sentence and its fix, the same in text, JSON and notices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from failure_destinations.text import printable

from .commands import in_shell, words
from .findings import Finding
from .sentences import ADVICE, NOT_JUDGED, SENTENCES

# Wide enough for every severity.
SEVERITY_WIDTH = 8
FIX_INDENT = " " * (SEVERITY_WIDTH + 2)


class Lines(NamedTuple):
    """A finding as printable lines.

    Attributes:
        severity: Its severity, padded.
        text: The resource and the sentence.
        fixes: The commands that fix it, or else what to do; without indent.
    """

    severity: str
    text: str
    fixes: tuple[str, ...]


def sentence(finding: Finding) -> str:
    """Return a finding's sentence, in one line; it may contain untrusted text."""
    if finding.unknown is not None:
        error = finding.unknown.error
        return f"could not be read: {error or f'{finding.unknown.action} is not permitted'}"
    if finding.severity == "unknown":
        return NOT_JUDGED[finding.kind.id](finding)
    return SENTENCES[finding.kind.id](finding)


def advice(finding: Finding) -> str | None:
    """Return what to do if no command fixes it; None if there is nothing to do."""
    if finding.fix or finding.unknown is not None or finding.severity in ("ok", "unknown"):
        return None
    say = ADVICE.get(finding.kind.id)
    return None if say is None else say(finding)


def commands(finding: Finding, place: Sequence[str]) -> list[list[str]]:
    """Return the commands of a finding's fix, as argument lists, in the order to run them.

    Args:
        finding: The finding.
        place: The profile and Region options, which the AWS CLI and this program share.
    """
    return [words(step, place) for step in finding.fix]


def fix(finding: Finding, place: Sequence[str]) -> str | None:
    """Return the fix in one line: commands or else advice; None if there is nothing to do.

    Args:
        finding: The finding.
        place: As for `commands`.
    """
    written = [in_shell(command) for command in commands(finding, place)]
    return " && ".join(written) or advice(finding)


def lines(finding: Finding, place: Sequence[str]) -> Lines:
    """Return a finding as printable lines.

    Args:
        finding: The finding.
        place: As for `commands`.
    """
    fixes = [in_shell(words) for words in commands(finding, place)]
    return Lines(
        f"{finding.severity:{SEVERITY_WIDTH}}",
        printable(f"{finding.subject.name}: {sentence(finding)}"),
        tuple(printable(fix) for fix in fixes or [advice(finding) or ""] if fix),
    )


def as_text(findings: Iterable[Finding], place: Sequence[str]) -> str:
    """Return findings as the lines that `doctor` prints, with a line break after each.

    Args:
        findings: The findings.
        place: As for `commands`.
    """
    written = []
    for finding in findings:
        severity, text, fixes = lines(finding, place)
        written += [f"  {severity}{text}", *(f"{FIX_INDENT}{fix}" for fix in fixes)]
    return "".join(f"{line}\n" for line in written)


def to_json(channel: str, finding: Finding, place: Sequence[str]) -> dict[str, Any]:
    """Return a finding as a JSON object.

    Args:
        channel: The channel's construct path.
        finding: The finding.
        place: As for `commands`.
    """
    fixed_by = fix(finding, place)
    return {
        "channel": channel,
        "severity": finding.severity,
        "kind": finding.kind.id,
        "resource": finding.subject.name,
        "text": sentence(finding),
        "fix": fixed_by,
        # The earlier names of `kind` and `fix`, which programs may still read.
        "check": finding.kind.id,
        "mend": fixed_by,
        "commands": commands(finding, place),
        "action": finding.action,
        "help": finding.kind.page,
    }
