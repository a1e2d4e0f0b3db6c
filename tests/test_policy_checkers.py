"""Policy checkers find nothing that the library causes; apps suppress nothing."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from failure_destinations.constructs.suppressions import SUPPRESSIONS, Suppression

from .checked_apps import EXAMPLES, OF_THE_FUNCTION, OURS, VARIANTS
from .checkov_process import run_checkov

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "policy-checkers.md").read_text()
# One app is written by hand, and the other has its suppressions removed.
CLEAN = [example.parent.name for example in EXAMPLES] + sorted(
    VARIANTS.keys() - {"tutorial", "unsuppressed"}
)

# cdk-nag asks every function for a dead-letter queue, which only asynchronous events reach, and
# every mapping for a destination, also that of a queue, where Lambda has none.
OF_POLLED_FUNCTIONS = {"Serverless-LambdaDLQ", "Serverless-LambdaEventSourceMappingDestination"}

# A rule, and the path or logical id of what it is about.
Finding = tuple[str, str]


class Checked(NamedTuple):
    """Every app's templates, and what cdk-nag found in each."""

    directory: Path
    nag: dict[str, list[Finding]]

    def templates(self, app: str = "*") -> list[Path]:
        """Return the templates of an app, or of all."""
        return sorted(self.directory.glob(f"{app}.*.template.json"))


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """Synthesise the examples and variants in one program, with cdk-nag."""
    directory = tmp_path_factory.mktemp("checked")
    assemblies = tmp_path_factory.mktemp("assemblies")
    environment = os.environ | {
        "TMPDIR": str(assemblies),
        "PATH": f"{ROOT / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}",
    }
    command = [sys.executable, "-m", "tests.checked_apps", str(directory)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return Checked(directory, json.loads((directory / "cdk-nag.json").read_text()))


@pytest.fixture(scope="module")
def linted(checked: Checked) -> dict[str, list[Finding]]:
    """Run cfn-lint on every template, once, and return its findings by app."""
    program = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [str(program), "--format", "json", "--", *map(str, checked.templates())],
        capture_output=True,
        check=False,
    )
    return by_app(
        (each["Filename"], each["Rule"]["Id"], str(each["Location"]["Path"]))
        for each in json.loads(done.stdout)
    )


@pytest.fixture(scope="module")
def scanned(checked: Checked, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run checkov on every template, once, and return its report."""
    return run_checkov(checked.templates(), tmp_path_factory.mktemp("home"))


def by_app(found: Any) -> dict[str, list[Finding]]:
    """Return the findings of each app, from files, rules and what they are about."""
    findings: dict[str, list[Finding]] = {}
    for file, rule, about in found:
        findings.setdefault(Path(file).name.partition(".")[0], []).append((rule, about))
    return findings


def failed_checks(scanned: Any) -> dict[str, list[Finding]]:
    """Return the findings of checkov's report by app."""
    return by_app(
        (each["file_path"], each["check_id"], each["resource"])
        for each in scanned["results"]["failed_checks"]
    )


def not_of_the_function(checker: str, findings: Any) -> set[str]:
    """Return the rules, without those that the owner of a function decides on."""
    return {
        rule
        for rule, about in findings
        if any(part in str(about) for part in OURS) or (checker, rule) not in OF_THE_FUNCTION
    }


def table(heading: str) -> list[list[str]]:
    """Return the cells of the table of the page that begins with a heading."""
    rows = PAGE.partition(heading)[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def counts_of_page(checker: str) -> list[tuple[str, int, int]]:
    """Return the page's counts for a checker: rule, findings by hand and with the library."""
    return [
        (rule, int(by_hand), int(library))
        for each, rule, _, by_hand, library in table("| checker | rule | asks for")
        if each == checker
    ]


def counts_of(tutorial: list[Finding], library: list[Finding]) -> list[tuple[str, int, int]]:
    """Count findings of both stacks by rule."""
    by_hand, ours = (
        Counter(rule.partition("[")[0] for rule, _ in findings) for findings in (tutorial, library)
    )
    return [(rule, by_hand[rule], ours[rule]) for rule in sorted(by_hand | ours)]


@pytest.mark.soak
@pytest.mark.parametrize("app", CLEAN)
def test_cdk_nag_finds_nothing_of_the_library(checked: Checked, app: str) -> None:
    """Its AwsSolutions and Serverless packs report at most what is about the function."""
    polled = OF_POLLED_FUNCTIONS if app == "stream" else set()
    assert not_of_the_function("cdk-nag", checked.nag[app]) == polled


@pytest.mark.soak
def test_cdk_nag_lets_an_app_synthesise(checked: Checked) -> None:
    """With both packs as plugins, an owner decides about the function alone."""
    assert checked.nag["acknowledged"] == []
    assert len(checked.templates("acknowledged")) == 1


@pytest.mark.soak
def test_every_acknowledgment_is_needed(checked: Checked) -> None:
    """Without the acknowledgments, cdk-nag reports exactly these rules."""
    found = {
        # The bucket's logical id has a hash.
        re.sub(r"<\w*Batches\w*\.Arn>", "<Batches.Arn>", rule)
        for rule in not_of_the_function("cdk-nag", checked.nag["unsuppressed"])
    }
    assert found == {each.rule for each in SUPPRESSIONS if each.checker == "cdk-nag"}


@pytest.mark.soak
def test_cfn_lint_finds_nothing_of_the_library(linted: dict[str, list[Finding]]) -> None:
    """It warns at most about the dependency that CDK writes for each function."""
    assert not_of_the_function("cfn-lint", itertools.chain(*linted.values())) == set()


@pytest.mark.soak
def test_checkov_finds_nothing_of_the_library(scanned: Any) -> None:
    """It reports at most what is about the function."""
    failed = failed_checks(scanned)
    del failed["tutorial"]
    stream = failed["stream"]
    failed["stream"] = [(rule, about) for rule, about in stream if "Failures" in about]
    polled = [(rule, about) for rule, about in stream if "Failures" not in about]
    assert not_of_the_function("checkov", itertools.chain(*failed.values())) == set()
    # The example's own queue without a KMS key, and functions that no asynchronous event reaches.
    assert not_of_the_function("checkov", polled) == {"CKV_AWS_27", "CKV_AWS_116"}
    assert scanned["summary"]["parsing_errors"] == 0


@pytest.mark.soak
def test_checkov_reports_the_reasons(scanned: Any) -> None:
    """It skips exactly what the library suppresses, with the reason."""
    skipped = {
        (each["check_id"], each["check_result"]["suppress_comment"])
        for each in scanned["results"]["skipped_checks"]
    }
    assert skipped == {(each.rule, each.text) for each in SUPPRESSIONS if each.checker == "checkov"}


def test_page_lists_every_suppression() -> None:
    """The page's table lists what the library suppresses, word for word."""
    listed = [
        Suppression(checker, rule.strip("`"), resource, why, re.sub(r"[<>]", "", link))
        for checker, rule, resource, why, link in table("| checker | rule | resource")
    ]
    assert listed == list(SUPPRESSIONS)


@pytest.mark.soak
def test_page_compares_with_the_tutorials_stack(
    checked: Checked, linted: dict[str, list[Finding]]
) -> None:
    """The page's counts are those of cdk-nag and cfn-lint."""
    assert counts_of_page("cdk-nag") == counts_of(checked.nag["tutorial"], checked.nag["library"])
    assert counts_of_page("cfn-lint") == counts_of(linted["tutorial"], linted["library"])


@pytest.mark.soak
def test_page_compares_with_the_tutorials_stack_by_checkov(scanned: Any) -> None:
    """The page's counts are those of checkov."""
    failed = failed_checks(scanned)
    assert counts_of_page("checkov") == counts_of(failed["tutorial"], failed["library"])


def test_page_counts_twenty() -> None:
    """The sums that the page names are those of its table."""
    rows = table("| checker | rule | asks for")
    assert [sum(int(row[column]) for row in rows) for column in (3, 4)] == [20, 9]
