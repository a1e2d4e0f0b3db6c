"""Check one unit: its functions, findings and refusals, and what the check could not judge."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from failure_destinations.check import Finding, find_lost_events_in
from failure_destinations.check.kinds import KINDS, UNKNOWN
from failure_destinations.check.paths import Checked
from failure_destinations.check.render import in_short
from failure_destinations.check.stacks import Stack

from .mapping_reading import read_losing_mappings
from .reading import read_uncovered

_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
# The kinds that say that batches or messages of an event source mapping are lost.
LOST_BY_MAPPING = frozenset({"stream-uncovered", "endless-retries", "no-redrive"})
_MAPPING = "AWS::Lambda::EventSourceMapping"
# The kinds that say that the failures of a function are lost.
LOST = frozenset(
    kind.id
    for kind in KINDS.values()
    if kind.severity == "error" and kind.id not in {*LOST_BY_MAPPING, "visibility-timeout"}
)


@dataclass(frozen=True)
class Found:
    """A finding.

    Attributes:
        kind: Its kind.
        file: The template that it is in.
        logical_id: The logical id of the function, or of the resource that it is about.
        is_function: Whether that is a function of this template.
        qualifier: The called qualifier.
        callers: The logical ids of the callers.
        why: For `unknown`, why it could not be judged, in a few words.
    """

    kind: str
    file: str
    logical_id: str
    is_function: bool
    qualifier: str
    callers: tuple[str, ...]
    why: str = ""


@dataclass
class Result:
    """What the check says about a unit.

    Attributes:
        path: The unit.
        functions: The number of functions in each of its templates, including nested ones, by file.
        mappings: The same of event source mappings, after the transform of AWS SAM.
        findings: The findings.
        refusals: One line for each file that the check refused.
        crash: The traceback of an error that the check did not expect, or empty.
        is_other: Whether it is not a template.
        seconds: How long the check took.
        missed: Functions, as `file: logical id`, that the other reading takes for uncovered, and
            about which the check says nothing.
        open: The same, where the check says that it does not know, or refuses the file.
        extra: Functions that only the check takes for uncovered.
        agreed: Functions that both take for uncovered.
        agreed_mappings: Event source mappings that both say lose batches or messages; the others
            are the same as for functions.
        missed_mappings: Only the other reading.
        open_mappings: The check does not know.
        extra_mappings: Only the check.
    """

    path: str
    functions: dict[str, int] = field(default_factory=dict)
    mappings: dict[str, int] = field(default_factory=dict)
    findings: list[Found] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    crash: str = ""
    is_other: bool = False
    seconds: float = 0.0
    missed: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    agreed: list[str] = field(default_factory=list)
    agreed_mappings: list[str] = field(default_factory=list)
    missed_mappings: list[str] = field(default_factory=list)
    open_mappings: list[str] = field(default_factory=list)
    extra_mappings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Judge:
    """Checks units.

    Attributes:
        root: The folder that must contain every file that a template names.
        compares: Whether to compare with the independent reading.
    """

    root: Path
    compares: bool = False

    def __call__(self, unit: str) -> Result:
        """Return the result of a unit. Errors are part of it."""
        started = time.perf_counter()
        result = Result(unit)
        try:
            self._check(result)
        except Exception:
            result.crash = traceback.format_exc()
        result.seconds = result.seconds or time.perf_counter() - started
        return result

    def _check(self, result: Result) -> None:
        started = time.perf_counter()
        checked = Checked(self.root)
        checked.add(Path(result.path), is_one_of_many=True)
        findings = find_lost_events_in(checked.stacks)
        result.seconds = time.perf_counter() - started
        result.is_other = bool(checked.skipped)
        result.refusals = list(checked.problems)
        functions = {
            file: {id for id, one in resources.items() if _is_function(one)}
            for file, resources in _resources(checked.stacks)
        }
        result.functions = {file: len(ids) for file, ids in functions.items()}
        result.findings = [_found(one, functions) for one in findings]
        result.mappings = {
            file: sum(_is_of_type(one, _MAPPING) for one in resources.values())
            for file, resources in _resources(checked.stacks)
        }
        if self.compares:
            _compare(result, functions)
            for file in functions:
                _compare_mappings(result, file)


def _is_function(resource: object) -> bool:
    return _is_of_type(resource, *_FUNCTIONS)


def _is_of_type(resource: object, *types: str) -> bool:
    return isinstance(resource, Mapping) and resource.get("Type") in types


def _resources(stacks: Iterable[Stack]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield the file and resources of each template."""
    for stack in stacks:
        resources = stack.template.get("Resources")
        yield os.path.normpath(stack.file), resources if isinstance(resources, Mapping) else {}
        yield from _resources(stack.nested.values())


def _found(finding: Finding, functions: Mapping[str, set[str]]) -> Found:
    file = os.path.normpath(finding.file)
    return Found(
        kind=finding.kind,
        file=file,
        logical_id=finding.logical_id,
        is_function=finding.logical_id in functions.get(file, ()),
        qualifier=finding.qualifier,
        callers=finding.invoked_by,
        why=in_short(finding) if finding.kind == UNKNOWN.id else "",
    )


def _compare(result: Result, functions: Mapping[str, set[str]]) -> None:
    for file, defined in functions.items():
        read = read_uncovered(Path(file)) & defined
        here = [one for one in result.findings if one.file == file]
        reported = {one.logical_id for one in here if one.kind in LOST} & defined
        unsure = {one.logical_id for one in here if one.kind == UNKNOWN.id}
        if any(os.path.normpath(line.split(":")[0]) == file for line in result.refusals):
            unsure |= defined
        result.agreed += [f"{file}: {id}" for id in sorted(read & reported)]
        result.extra += [f"{file}: {id}" for id in sorted(reported - read)]
        result.open += [f"{file}: {id}" for id in sorted((read - reported) & unsure)]
        result.missed += [f"{file}: {id}" for id in sorted(read - reported - unsure)]


def _compare_mappings(result: Result, file: str) -> None:
    read = read_losing_mappings(Path(file))
    here = [one for one in result.findings if one.file == file]
    reported = {one.logical_id for one in here if one.kind in LOST_BY_MAPPING}
    unsure = {one.logical_id for one in here if one.kind == UNKNOWN.id}
    is_refused = any(os.path.normpath(line.split(":")[0]) == file for line in result.refusals)
    result.agreed_mappings += [f"{file}: {id}" for id in sorted(read & reported)]
    result.extra_mappings += [f"{file}: {id}" for id in sorted(reported - read)]
    for id in sorted(read - reported):
        is_open = is_refused or any(id.startswith(one) for one in unsure)
        (result.open_mappings if is_open else result.missed_mappings).append(f"{file}: {id}")
