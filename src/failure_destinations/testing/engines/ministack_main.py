"""Starts ministack with a mailbox.

Run by file path with the interpreter of its environment, and with -I, because the directory of
this file holds another `ministack`.

ministack 1.5.33 only logs that SNS would send an e-mail. Here each one becomes a line of JSON in
the file that FAILURE_DESTINATIONS_MAILS names. Every other setting is ministack's own.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ministack import app  # type: ignore[import-not-found]
from ministack.services import sns  # type: ignore[import-not-found]

_notification = ContextVar("notification", default=("", "", ""))


class _Mailbox(logging.Handler):
    """Notes each e-mail at the moment ministack logs that it does not send it.

    At that moment SNS has already decided by the filter policy that this address gets it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        if "email" not in str(record.msg) or not isinstance(record.args, tuple):
            return
        message, subject, structure = _notification.get()
        mail = {
            "to": str(record.args[0]),
            "subject": subject,
            "body": sns._resolve_message_for_protocol(message, structure, "email"),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(mail) + "\n")


def main() -> None:
    """Puts the mailbox in place and runs ministack until it is told to end."""
    fan_out = sns._fanout

    def remember(
        topic: str,
        message_id: str,
        message: str,
        subject: str,
        message_structure: str = "",
        *arguments: Any,
        **options: Any,
    ) -> None:
        token = _notification.set((message, subject or "", message_structure or ""))
        try:
            fan_out(topic, message_id, message, subject, message_structure, *arguments, **options)
        finally:
            _notification.reset(token)

    sns._fanout = remember
    mailbox = _Mailbox(Path(os.environ["FAILURE_DESTINATIONS_MAILS"]))
    sns.logger.addHandler(mailbox)
    sys.argv = ["ministack"]
    app.main()


if __name__ == "__main__":
    main()
