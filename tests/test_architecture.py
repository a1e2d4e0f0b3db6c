"""The pictures in docs/images show the examples' templates."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from scripts.draw_architecture import IMAGES, PICTURES, Template, picture, synthesise


def without(type: str) -> Mapping[str, Any]:
    """Return the article's template without its resources of one type."""
    template = copy.deepcopy(dict(synthesise("article")))
    resources = template["Resources"].items()
    template["Resources"] = {id: each for id, each in resources if each["Type"] != type}
    return template


def names(template: Mapping[str, Any]) -> set[str]:
    """Return the names that a picture of the template shows."""
    return {node.name for node in Template(template).nodes.values()}


@pytest.mark.soak
@pytest.mark.parametrize("name", PICTURES)
def test_committed_picture_is_fresh(name: str) -> None:
    """A picture drawn from its example is the committed one; if not: make diagrams."""
    assert picture(name) == (IMAGES / name).read_text(encoding="utf-8")


@pytest.mark.soak
def test_shows_every_stop() -> None:
    """The picture shows each resource that a failure can reach."""
    stops = {"Schedule", "Handler", "Topic", "Queue", "Mailbox", "Copy queue", "Dead-letter queue"}
    assert names(synthesise("article")) == stops


@pytest.mark.soak
def test_shows_nothing_that_the_template_lacks() -> None:
    """A topic without subscriptions leads nowhere."""
    assert {"Queue", "Mailbox"} & names(without("AWS::SNS::Subscription")) == set()


@pytest.mark.soak
def test_counts_the_runs_by_lambdas_retries() -> None:
    """The arrow from the handler says how often it ran before the failure counts."""
    labels = {arrow.label for arrow in Template(synthesise("article")).arrows}
    assert "fails 2 times" in labels
