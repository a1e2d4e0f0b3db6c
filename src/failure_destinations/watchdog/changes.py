"""What has changed since the last run: what is new, and what is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from failure_destinations.doctor.findings import Finding, Noun
from failure_destinations.doctor.render import sentence
from failure_destinations.text import cut

PUBLISHED_SEVERITIES = ("error", "warning", "unknown")
_MAX_TEXT = 300

# What a resource that could not be read hides, besides findings about itself.
_HIDDEN: Mapping[Noun, frozenset[str]] = {
    "topic": frozenset({"subscription"}),
    "alarm topic": frozenset({"subscription"}),
    "notifier's topic": frozenset({"subscription"}),
    "notifier": frozenset({"webhook"}),
    "monitoring": frozenset({"alarm", "alarm topic", "subscription"}),
    "channel": frozenset({"handler", "event source"}),
    "source dead-letter queue": frozenset({"event source", "source queue"}),
    "source queue": frozenset({"event source"}),
}


@dataclass(frozen=True)
class Problem:
    """A finding that was published, as it was then.

    Attributes:
        noun: What kind of thing it is about.
        name: The name of that thing.
        severity: Its severity.
        text: Its sentence, at most 300 characters.
        since: When a run found it first, as ISO 8601 in UTC.
    """

    noun: str
    name: str
    severity: str
    text: str
    since: str


@dataclass(frozen=True)
class Known:
    """What the earlier runs have published.

    Attributes:
        problems: What is not over yet, by `key`.
        unsure: The keys of what could not be read in the last run for the first time.
    """

    problems: Mapping[str, Problem] = field(default_factory=dict)
    unsure: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Changes:
    """What a run has to publish.

    Attributes:
        new: The findings that were not published yet.
        over: What was published and is over.
        known: What is published then.
    """

    new: tuple[Finding, ...]
    over: tuple[Problem, ...]
    known: Known


def key(finding: Finding) -> str:
    """Return what makes a finding the same in the next run, whatever its figures are then."""
    unknown = "unknown " if finding.severity == "unknown" else ""
    return f"{unknown}{finding.kind.id} {finding.subject.noun} {finding.subject.name}"


def compare(known: Known, findings: Iterable[Finding], now: datetime) -> Changes:
    """Compare the findings of a run with what was published.

    What cannot be read is published in the second run in a row that cannot read it, since AWS may
    fail to answer once. Nothing is over that such a finding may hide.

    Args:
        known: What was published.
        findings: The findings of this run.
        now: The time of this run, in UTC.
    """
    found = {
        key(finding): finding for finding in findings if finding.severity in PUBLISHED_SEVERITIES
    }
    unknown = [finding for finding in found.values() if finding.severity == "unknown"]
    new = {
        each: finding
        for each, finding in found.items()
        if each not in known.problems and (finding.severity != "unknown" or each in known.unsure)
    }
    over = {
        each: problem
        for each, problem in known.problems.items()
        if each not in found and not any(_hides(finding, problem) for finding in unknown)
    }
    problems = {each: problem for each, problem in known.problems.items() if each not in over}
    problems.update((each, _problem(finding, now)) for each, finding in new.items())
    unsure = frozenset(
        each
        for each, finding in found.items()
        if finding.severity == "unknown" and each not in problems
    )
    return Changes(tuple(new.values()), tuple(over.values()), Known(problems, unsure))


def unpublished(before: Known, changes: Changes) -> Known:
    """Return what is published if a run cannot publish its changes: they stay new.

    Args:
        before: What was published before the run.
        changes: The changes of the run.
    """
    unknown = {key(finding) for finding in changes.new if finding.severity == "unknown"}
    return Known(before.problems, changes.known.unsure | unknown)


def _hides(unknown: Finding, problem: Problem) -> bool:
    if problem.noun in _HIDDEN.get(unknown.subject.noun, ()):
        return True
    return (unknown.subject.noun, unknown.subject.name) == (problem.noun, problem.name)


def _problem(finding: Finding, now: datetime) -> Problem:
    return Problem(
        finding.subject.noun,
        finding.subject.name,
        finding.severity,
        cut(sentence(finding), _MAX_TEXT),
        now.isoformat(timespec="seconds"),
    )
