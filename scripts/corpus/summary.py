"""Sum up the results of all units, as a table and as JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from failure_destinations.check.kinds import KINDS, UNKNOWN
from failure_destinations.text import printable

from .crew import Failed
from .judging import Found, Result

_VARYING = re.compile(r"\[[^\]]*\]|'[^']*'|\"[^\"]*\"|(?<!\w)\d[\d,.]*")
_REASON_LENGTH = 90
_LISTED = 20
_COMPARED = {
    "agreed": "functions that both readings find uncovered",
    "missed": "that only the independent reading finds",
    "open": "that the independent reading finds, and the check leaves open",
    "extra": "that only the check finds",
    "agreed_mappings": "event source mappings that both readings find to lose something",
    "missed_mappings": "mappings that only the independent reading finds",
    "open_mappings": "mappings that the independent reading finds, and the check leaves open",
    "extra_mappings": "mappings that only the check finds",
}


@dataclass
class Summary:
    """Everything that was found in the units so far.

    Attributes:
        compares: Whether units are compared with the independent reading.
        results: The results of the units that the check read, or tried to.
        late: The units that took too long.
        crashes: The units on which the check failed with an error of its own, with the error.
        seconds: How long all of it took.
    """

    compares: bool = False
    results: list[Result] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    crashes: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, unit: str, result: Result | Failed) -> None:
        """Add the result of a unit."""
        if isinstance(result, Failed):
            if result.is_late:
                self.late.append(unit)
            else:
                self.crashes.append((unit, result.why))
        elif not result.is_other:
            self.results.append(result)
            if result.crash:
                self.crashes.append((unit, result.crash))

    def functions(self) -> dict[str, int]:
        """Return the number of functions in each template, by file.

        A nested template is read with its parent and on its own, but counts once.
        """
        return {file: count for one in self.results for file, count in one.functions.items()}

    def mappings(self) -> int:
        """Return the number of event source mappings in all templates."""
        files = {file: count for one in self.results for file, count in one.mappings.items()}
        return sum(files.values())

    def found(self) -> set[Found]:
        """Return the findings, each once."""
        return {one for result in self.results for one in result.findings}

    def findings(self) -> dict[str, int]:
        """Return the number of findings of each kind."""
        counts = Counter(one.kind for one in self.found())
        return {kind: counts[kind] for kind in KINDS}

    def refusals(self) -> dict[str, int]:
        """Return the number of refused files by reason, the most frequent first."""
        lines = {line for result in self.results for line in result.refusals}
        reasons = (_reason(line) for line in lines)
        return _counted(reasons)

    def not_judged(self) -> tuple[int, dict[str, int], dict[str, int]]:
        """Return how many functions were not judged, and why; and the same of other resources."""
        unknown = [one for one in self.found() if one.kind == UNKNOWN.id]
        functions = _counted(one.why for one in unknown if one.is_function)
        others = _counted(one.why for one in unknown if not one.is_function)
        count = len({(one.file, one.logical_id) for one in unknown if one.is_function})
        return count, functions, others

    def as_json(self) -> dict[str, Any]:
        """Return the summary and each result, as JSON has them."""
        count, functions, others = self.not_judged()
        return {
            "units": len(self.results),
            "templates": len(self.functions()),
            "functions": sum(self.functions().values()),
            "eventSourceMappings": self.mappings(),
            "findings": self.findings(),
            "refusals": self.refusals(),
            "notJudged": {"functions": count, "reasons": functions, "otherResources": others},
            "crashes": [{"path": path, "error": error} for path, error in self.crashes],
            "late": self.late,
            "seconds": round(self.seconds, 1),
            **(self._comparison() if self.compares else {}),
            "results": [asdict(one) for one in self.results],
        }

    def _comparison(self) -> dict[str, Any]:
        lists = {
            name: list(dict.fromkeys(line for one in self.results for line in getattr(one, name)))
            for name in _COMPARED
        }
        return {name: len(one) if name.startswith("agreed") else one for name, one in lists.items()}

    def lines(self) -> Iterator[str]:
        """Yield the lines of a table for people."""
        functions = self.functions()
        yield f"{len(functions):>9,} templates in {len(self.results):,} files and cdk.out folders"
        yield f"{sum(functions.values()):>9,} functions"
        yield f"{self.mappings():>9,} event source mappings"
        count, reasons, others = self.not_judged()
        yield from _section("findings by kind", self.findings())
        yield f"{count:>9,} functions that could not be judged"
        yield from _counts(reasons)
        yield from _section("other resources that could not be judged", others)
        yield from _section("refused files", self.refusals())
        yield f"{len(self.crashes):>9,} crashes"
        for path, error in self.crashes:
            yield f"          {printable(path)}: {printable(error.strip().splitlines()[-1])}"
        yield f"{len(self.late):>9,} files that took too long"
        yield from (f"          {printable(path)}" for path in self.late)
        if self.compares:
            yield from self._compared()
        slowest = max(self.results, key=lambda one: one.seconds, default=None)
        place = f", at most {slowest.seconds:.1f} s for {slowest.path}" if slowest else ""
        yield f"{self.seconds:>9,.0f} s{printable(place)}"

    def _compared(self) -> Iterator[str]:
        comparison = self._comparison()
        for name, said in _COMPARED.items():
            listed = comparison[name]
            if isinstance(listed, int):
                yield f"{listed:>9,} {said}"
                continue
            yield f"{len(listed):>9,} {said}"
            yield from (f"          {printable(line)}" for line in listed[:_LISTED])
            if len(listed) > _LISTED:
                yield f"          and {len(listed) - _LISTED:,} more: --json lists all"


def _counted(names: Iterable[str]) -> dict[str, int]:
    """Return how often each name occurs, the most frequent first."""
    return dict(sorted(Counter(names).items(), key=lambda one: (-one[1], one[0])))


def _section(title: str, counts: dict[str, int]) -> Iterator[str]:
    yield f"{sum(counts.values()):>9,} {title}"
    yield from _counts(counts)


def _counts(counts: dict[str, int]) -> Iterator[str]:
    for name, count in counts.items():
        yield f"{count:>17,} {printable(name)}"


def _reason(line: str) -> str:
    """Return a refusal without the path and names in it, so that refusals share it."""
    said = line.partition(": ")[2] or line
    return _VARYING.sub("…", said)[:_REASON_LENGTH]
