"""`failure-destinations runs`: past runs, and what became of each event."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import click

from failure_destinations.replay.options import option_words
from failure_destinations.replay.past_runs import PastRun, list_runs, read_run
from failure_destinations.text import printable

from ..completion import run_names
from ..output import note
from ..tables import print_table

# In the order in which a person wants to know.
_COUNTED = (
    "succeeded",
    "partial",
    "handed-over",
    "failed",
    "left",
    "discarded",
    "moved",
    "not-started",
    "unknown",
    "started",
)
_MAX_EVENTS = 1000

_EXAMPLES = """\b
Examples:
  failure-destinations runs
  failure-destinations runs replay-20261129-030512-7f3a2c
  failure-destinations runs replay-20261129-030512-7f3a2c --json | jq 'select(.became == "failed")'
  failure-destinations replay --resume replay-20261129-030512-7f3a2c --yes
"""


@click.command("runs", epilog=_EXAMPLES)
@click.argument("name", required=False, shell_complete=run_names)
@click.option(
    "--max",
    "at_most",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="List no more than the latest N runs.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line: a run, or one of its events."
)
def command(*, name: str | None, at_most: int, as_json: bool) -> None:
    """List past runs, the latest first, or show one: who started it, and what became of each event.

    An event `succeeded`, `failed`, was `left` because the first one of its group failed, or was
    `discarded`. `handed-over`: Lambda accepted it, with --asynchronous. `not-started`: Lambda
    refused. `unknown`: the answer was lost, so it may have run. `started`: the run was killed
    meanwhile, so it may have run. `partial`: the chosen records of a failed batch were handled, and
    its message stays. The records of a batch are counted from 1.
    With --to-source, only the number of messages that SQS `moved` is known.

    A run is `running`, or has `ended`, was `interrupted` by its user, `stopped` by itself, or was
    `killed`. `replay --resume NAME` goes on with it.

    The journals are in ~/.local/state/failure-destinations/runs, or below $XDG_STATE_HOME or
    $FAILURE_DESTINATIONS_STATE. Only you can read them. They hold ids and errors, and no payloads.
    Nothing deletes them: remove the files that you no longer need.
    """
    if name is not None:
        _show(read_run(name), as_json=as_json)
        return
    runs = list_runs(at_most + 1)
    if as_json:
        for run in runs[:at_most]:
            click.echo(json.dumps(_as_json(run)))
        return
    if not runs:
        note("no run has a journal here")
        return
    rows = [
        (
            run.name,
            run.started[:16].replace("T", " "),
            run.user or "?",
            _what(run),
            run.state,
            _counts(run.counts),
        )
        for run in runs[:at_most]
    ]
    print_table(
        ("RUN", "STARTED (UTC)", "BY", "OF", "STATE", "EVENTS"), rows, shrink=("OF", "EVENTS", "BY")
    )
    if len(runs) > at_most:
        note(f"only the latest {at_most:,} are listed: see --max")


def _as_json(run: PastRun) -> dict[str, Any]:
    return {**dataclasses.asdict(run), "counts": dict(run.counts)}


def _what(run: PastRun) -> str:
    return run.source.rpartition(":")[2]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[name]:,} {name}" for name in _COUNTED if counts.get(name)) or "none"


def _show(run: PastRun, *, as_json: bool) -> None:
    if as_json:
        for line in run.events():
            click.echo(json.dumps(line))
        return
    by = " on ".join(filter(None, (run.user, run.host)))
    known = [
        ("run", run.name),
        ("state", f"{run.state}: {run.why}" if run.why else run.state),
        ("started", f"{run.started}, by {by or '?'}"),
        ("identity", run.identity),
        ("of", run.source),
        ("options", shlex.join(option_words(run.options)) or "none"),
        ("resumed", f"{run.resumed} times" if run.resumed else None),
        ("edited", "the payload was edited by hand" if run.edited else None),
        ("events", _counts(run.counts)),
    ]
    for name, value in known:
        if value is not None:
            click.echo(f"{name:9} {printable(value)}")
    _show_events(line for line in run.outcomes().values() if line["became"] != "succeeded")


def _error(line: Mapping[str, Any]) -> str:
    """Return the error of an event; of a batch, also which of its records are handled."""
    error = str(line.get("error") or "")
    if not isinstance(line.get("handled"), str):
        return error
    handled = f"records {line['handled']} of {line.get('records')} are handled"
    return f"{handled}: {error}" if error else handled


def _show_events(lines: Iterable[Mapping[str, Any]]) -> None:
    """Print a table of the events that did not succeed."""
    shown = list(islice(lines, _MAX_EVENTS + 1))
    if not shown:
        return
    click.echo()
    rows = [(line["id"], line["became"], _error(line)) for line in shown]
    print_table(("ID", "BECAME", "ERROR"), rows[:_MAX_EVENTS], shrink=("ERROR",))
    if len(shown) > _MAX_EVENTS:
        note(f"only {_MAX_EVENTS:,} events are shown: --json prints all")
