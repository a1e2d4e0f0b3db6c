"""The help of commands that have many options: in sections."""

from __future__ import annotations

import click

# Options that are in none of these are under "Options".
SECTIONS = {
    "Where to look": (
        "--stack",
        "--channel",
        "--queue",
        "--from",
        "--spend-receives",
        "--from-backup",
        "--from-files",
    ),
    "What to choose": (
        "--function",
        "--error-type",
        "--group",
        "--search",
        "--where",
        "--expiring",
        "--since",
        "--until",
        "--id",
        "--record",
        "--only-latest",
        "--everything",
        "--not-failed-events",
        "--max",
    ),
    "Which function to invoke": (
        "--function-name",
        "--to",
        "--any-sender",
        "--allow-function",
        "--tenant-id",
    ),
    "Options": (),
    "AWS": ("--profile", "--region", "--endpoint-url"),
}

_SECTION_OF = {option: title for title, options in SECTIONS.items() for option in options}


class SectionedCommand(click.Command):
    """A command whose help lists its options in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section that has options."""
        rows: dict[str, list[tuple[str, str]]] = {title: [] for title in SECTIONS}
        for parameter in self.get_params(ctx):
            # Newer versions of click also return a row for each argument.
            is_option = isinstance(parameter, click.Option)
            row = parameter.get_help_record(ctx) if is_option else None
            if row is not None:
                title = _SECTION_OF.get(parameter.opts[-1], "Options")
                rows[title].append(row)
        for title, section in rows.items():
            if section:
                with formatter.section(title):
                    formatter.write_dl(section)
