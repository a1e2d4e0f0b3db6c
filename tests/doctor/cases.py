"""All cases on paper."""

from __future__ import annotations

from . import event_source_paper, paper

CASES = [*paper.CASES, *event_source_paper.CASES]
