"""The public API is on record, and the changelog names each change of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.changelog import read_changelog, version_key
from scripts.public_api import (
    MODULES,
    PACKAGE,
    RECORD,
    changed_names,
    from_text,
    is_named,
    read_api,
    to_text,
)

ROOT = Path(__file__).parents[2]
API = {
    "failure_destinations.Channel": "class(Construct)",
    "failure_destinations.Channel(emails)": "keyword Sequence[str] = ()",
    "failure_destinations.Channel.add_email": "() -> None",
    "failure_destinations.Channel.add_email(address)": "at 1 str",
    "failure-destinations list": "command",
    "failure-destinations list --json": "flag",
}


def last_released() -> dict[str, str]:
    """Return the API of the newest release; empty before the first one."""
    records = RECORD.parent.glob("[0-9]*/api.txt")
    newest = max(records, key=lambda path: version_key(path.parent.name), default=None)
    return {} if newest is None else from_text(newest.read_text())


@pytest.fixture(scope="module")
def api() -> dict[str, str]:
    """Read the API once."""
    return read_api()


def test_is_on_record(api: dict[str, str]) -> None:
    """The record is of the code as it is; `make api` writes it anew."""
    assert to_text(api) == RECORD.read_text(), "after a wanted change: make api"


def test_changelog_names_each_change() -> None:
    """Each public name that is new, gone or changed is listed under [Unreleased]."""
    unreleased = read_changelog(ROOT)[0].text
    changed = changed_names(last_released(), from_text(RECORD.read_text()))
    assert {n: word for n, word in changed.items() if not is_named(word, unreleased)} == {}


def test_record_has_everything_that_is_exported(api: dict[str, str]) -> None:
    """Names come from the package and from what tests import, parameters and fields with them."""
    assert api["failure_destinations.FailureChannel(retention)"] == "keyword Duration | None = None"
    assert api["failure_destinations.FailureChannel.queue"] == "property sqs.IQueue"
    assert "failure_destinations.MonitoringThresholds.failed_events_waiting" in api
    assert "failure_destinations.check.find_uncovered_functions_in" in api
    assert "failure_destinations.runtime.parse" in api
    assert "failure_destinations.testing.LocalCloud.messages(queue_url)" in api
    assert "failure-destinations --version" in api
    assert [name for name in api if "._" in name] == []


def test_records_every_documented_module() -> None:
    """A module with a page in docs/reference is on record."""
    pages = (ROOT / "docs" / "reference").glob("*.md")
    documented = {
        module
        for page in pages
        for module in re.findall(r"currentmodule:: (\S+)", page.read_text(encoding="utf-8"))
    }
    assert documented == {PACKAGE, *MODULES}


def test_names_what_is_new_with_its_module_once() -> None:
    """A new module with its functions has one word."""
    module = {"failure_destinations.new": "module", "failure_destinations.new.f": "() -> None"}
    assert set(changed_names(API, API | module).values()) == {"new"}


def test_reads_what_it_writes() -> None:
    """Writing and reading a record gives the same API."""
    assert from_text(to_text(API)) == API


@pytest.mark.parametrize(
    ("name", "form", "named"),
    [
        ("failure_destinations.Channel(emails)", "keyword Sequence[str]", {"emails"}),
        ("failure_destinations.Channel(emails)", None, {"emails"}),
        ("failure_destinations.Channel.add_email(address)", None, {"address"}),
        ("failure_destinations.Channel.queue", "property IQueue", {"queue"}),
        ("failure-destinations list --json", None, {"--json"}),
        ("failure-destinations list --limit", "integer", {"--limit"}),
    ],
)
def test_names_a_change(name: str, form: str | None, named: set[str]) -> None:
    """A parameter, member or option that changed has its own word."""
    after = {**API, name: form}
    changed = changed_names(API, {n: f for n, f in after.items() if f is not None})
    assert set(changed.values()) == named


def test_names_what_is_new_or_gone_once() -> None:
    """A class with its members, or a command with its options, has one word."""
    assert set(changed_names({}, API).values()) == {"Channel", "list"}
    assert set(changed_names(API, {}).values()) == {"Channel", "list"}


def test_demands_whole_words() -> None:
    """A part of a longer name does not count."""
    assert is_named("queue", "`FailureChannel.queue` is new.")
    assert not is_named("queue", "`copy_queue` is new.")
    assert not is_named("--json", "`--json-lines` is new.")
