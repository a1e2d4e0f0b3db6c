"""Replay, discard and export: first a plan, then the run with its progress, then a summary."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nicegui import run, ui

from failure_destinations.errors import CommandError
from failure_destinations.text import plural, printable

from ..desk import Desk
from ..jobs import DiscardJob, ExportJob, Job, JobPlan, ReplayJob, as_line
from ..snapshot import Row
from .frame import NEWS_SECONDS

Selected = Callable[[], Awaitable[list[Row]]]


def bar(desk: Desk, selected: Selected, what: str) -> None:
    """Show the buttons for what can be done with some rows.

    Args:
        desk: The state behind the page.
        selected: Returns the rows.
        what: What they are, for people, such as `the selected groups`.
    """
    if desk.read_only:
        return

    async def begin(ask: Callable[[Desk, list[Row]], Awaitable[None]]) -> None:
        rows = await selected()
        if not rows:
            ui.notify(f"First choose {what}.", type="warning")
            return
        # Not within what a new snapshot shows anew, which would take an open dialog away.
        with ui.context.client.content:
            await ask(desk, rows)

    with ui.row().classes("actions wide"):
        ui.button("Replay", icon="replay", on_click=lambda: begin(replay)).props(
            "no-caps unelevated"
        ).props("data-part=replay")
        ui.button("Discard", icon="delete", on_click=lambda: begin(discard)).props(
            "no-caps outline"
        ).classes("plain").props("data-part=discard")
        ui.button("Export", icon="download", on_click=lambda: begin(export)).props(
            "no-caps outline"
        ).classes("plain").props("data-part=export")


async def replay(desk: Desk, rows: list[Row]) -> None:
    """Plan a replay of some rows, and run it if the operator agrees."""
    anonymous = [row for row in rows if not row.names_function]
    hint = anonymous[0].function if anonymous else ""
    fields: dict[str, ui.input] = {}

    def job() -> Job:
        return ReplayJob(
            desk.connection,
            rows,
            function_name=(fields["function"].value or None) if anonymous else None,
            to=fields["to"].value or None,
            all_groups=bool(every.value),
        )

    with _dialog(f"Replay {plural(len(rows), 'event')}") as dialog:
        with ui.expansion("Where they go").classes("wide").props("dense") as options:
            if anonymous:
                options.open()
                fields["function"] = ui.input(
                    f"Function of {plural(len(anonymous), 'event')} that do not name theirs",
                    value=hint,
                ).classes("wide")
            fields["to"] = ui.input(
                "Send every one to this function instead (name, NAME:ALIAS or ARN)"
            ).classes("wide")
        every = ui.checkbox("Run all, also if the first of a group fails again")
        ui.label(
            "One event of each group runs first, then ten, then the rest. A group whose first "
            "event fails again is left."
        ).classes("quiet")
        await _plan_and_run(desk, dialog, job, "Replay", "would be replayed")


async def replay_edited(desk: Desk, row: Row, payload: str) -> None:
    """Run one event with another payload; the original stays until that succeeded."""

    def job() -> Job:
        return ReplayJob(
            desk.connection,
            [row],
            function_name=None if row.names_function else row.function or None,
            payload=payload,
        )

    with _dialog("Replay with the edited payload") as dialog:
        await _plan_and_run(desk, dialog, job, "Replay", "would be replayed")


async def discard(desk: Desk, rows: list[Row]) -> None:
    """Save some rows to a file, and delete them."""
    with _dialog(f"Discard {plural(len(rows), 'event')}") as dialog:
        path = _file("File to save them in", "discarded.jsonl")
        ui.label(
            "Each is in this file before it is deleted; an existing backup is added to. "
            "`failure-destinations replay --from-backup FILE` still runs them."
        ).classes("quiet")

        def job() -> Job:
            return DiscardJob(desk.connection, rows, Path(path.value))

        await _plan_and_run(desk, dialog, job, "Discard", "would be deleted")


async def export(desk: Desk, rows: list[Row]) -> None:
    """Save some rows to a file."""
    with _dialog(f"Export {plural(len(rows), 'event')}") as dialog:
        path = _file("File to write", "failed-events.jsonl")
        ui.label("One event a line, with its payload. Nothing is run or deleted.").classes("quiet")

        def job() -> Job:
            return ExportJob(desk.connection, rows, Path(path.value))

        await _plan_and_run(desk, dialog, job, "Export", "would be saved")


@contextmanager
def _dialog(title: str) -> Iterator[ui.dialog]:
    """Define a dialog, and show in it what is defined in the block."""
    with ui.dialog() as dialog, ui.card().classes("wide").props("flat bordered"):
        ui.label(title).classes("title")
        yield dialog


def _file(label: str, name: str) -> ui.input:
    path = ui.input(label, value=str(Path.cwd() / name))
    return path.classes("wide").props("data-part=path")


async def _plan_and_run(
    desk: Desk, dialog: ui.dialog, make: Callable[[], Job], verb: str, would: str
) -> None:
    """Fill in the rest of a dialog: the plan, and the button that runs it."""
    place = ui.column().classes("wide")
    with ui.row().classes("actions wide"):
        again = ui.button("Plan again").props("no-caps flat").classes("plain")
        ui.space()
        ui.button("Cancel", on_click=dialog.close).props("no-caps flat").classes("plain")
        go = ui.button(verb).props("no-caps unelevated").props("data-part=go")
    state: dict[str, Job] = {}

    async def plan() -> None:
        go.disable()
        place.clear()
        with place:
            ui.spinner()
            ui.label("Counting what would happen; nothing is run.").classes("quiet")
        try:
            state["job"] = job = make()
            found = await run.io_bound(job.plan)
        except Exception as error:
            place.clear()
            with place:
                ui.label(printable(as_line(error))).classes("warning").props("data-part=refused")
            return
        if found is None:
            # The command ends.
            return
        place.clear()
        with place:
            _show_plan(found, would)
        go.set_text(f"{verb} {found.total:,}")
        go.set_enabled(found.total > 0)

    def start() -> None:
        try:
            desk.start(state["job"])
        except CommandError as error:
            ui.notify(str(error), type="negative")
        dialog.close()

    again.on_click(plan)
    go.on_click(start)
    dialog.open()
    await plan()


def _show_plan(plan: JobPlan, would: str) -> None:
    ui.label(f"{plural(plan.total, 'event')} {would}:").classes("section").props("data-part=plan")
    rows: list[dict[str, Any]] = [
        {"count": f"{line.count:,}", "what": line.what, "error": line.error_type}
        for line in plan.does
    ]
    if rows:
        ui.table(
            columns=[
                {"name": "count", "label": "Events", "field": "count", "align": "right"},
                {"name": "what", "label": "Function or queue", "field": "what", "align": "left"},
                {"name": "error", "label": "Error", "field": "error", "align": "left"},
            ],
            rows=rows,
        ).classes("wide common").props("dense flat")
    for line in plan.leaves:
        ui.label(f"{line.count:,} would stay: {printable(line.what)}").classes("warning")
    for warning in plan.warnings:
        ui.label(printable(warning)).classes("warning")


def show_jobs(desk: Desk) -> None:
    """Show what was done, and how far it is that runs; it stays until the command ends."""

    @ui.refreshable
    def jobs() -> None:
        for job in reversed(desk.jobs):
            _job(job)

    jobs()
    shown: dict[str, Any] = {"states": None}

    def news() -> None:
        now = [(job.state, job.progress.done) for job in desk.jobs]
        if now != shown["states"]:
            shown["states"] = now
            jobs.refresh()

    ui.timer(NEWS_SECONDS, news)


def _job(job: Job) -> None:
    with ui.card().classes("wide").props("flat bordered").props("data-part=job"):
        with ui.row().classes("actions wide"):
            ui.label(job.title).classes("section")
            ui.badge(job.state).props("outline").props("data-part=job-state")
            ui.space()
            if job.state == "running":
                ui.button("Stop", icon="stop", on_click=job.stop).props(
                    "no-caps flat dense color=negative"
                ).props("data-part=stop")
        if job.state == "running":
            progress = job.progress
            ui.linear_progress(progress.share or 0, show_value=False).props(
                "" if progress.share else "indeterminate"
            )
            ui.label(
                " ".join(filter(None, (progress.what, f"{progress.done:,}", progress.note)))
            ).classes("quiet")
        for line in job.summary:
            ui.label(printable(line))
        for count, function, error in job.failures:
            ui.label(printable(f"{count:,} {function}: {error}")).classes("mono")
