"""A handler of records and messages that tests break and mend, and what it has handled."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

HANDLER = """
import json, os, pathlib

def handler(event, context):
    folder, name = pathlib.Path(os.environ["FOLDER"]), os.environ["NAME"]
    bad, records = folder / f"{name}.bad", event["Records"]
    mark = bad.read_text() if bad.exists() else None
    failed = [record for record in records if mark is not None and mark in json.dumps(record)]
    if failed and "PARTIAL" not in os.environ:
        raise RuntimeError("cannot handle this batch")
    handled = records[: records.index(failed[0])] if failed else records
    with (folder / f"{name}.handled").open("a") as ledger:
        ledger.write(json.dumps({**event, "Records": handled}) + "\\n")
    return {"batchItemFailures": [{"itemIdentifier": identifier(record)} for record in failed]}

def identifier(record):
    return record["kinesis"]["sequenceNumber"] if "kinesis" in record else record["messageId"]
"""


class Handlers(NamedTuple):
    """The folder in which tests break handlers, and handlers write what they have handled."""

    folder: Path

    def define(
        self, stack: cdk.Stack, name: str, *, partial: bool = False, **settings: Any
    ) -> lambda_.Function:
        """Define the handler of that name, which raises an error, or answers what failed."""
        return lambda_.Function(
            stack,
            name,
            runtime=lambda_.Runtime.PYTHON_3_14,
            handler="index.handler",
            code=lambda_.Code.from_inline(HANDLER),
            environment={
                "FOLDER": str(self.folder),
                "NAME": name,
                **({"PARTIAL": "1"} if partial else {}),
            },
            **settings,
        )

    def breaks(self, name: str, at: str = "") -> None:
        """Let a handler fail, or only where the event's text has a certain part."""
        (self.folder / f"{name}.bad").write_text(at)

    def mend(self, name: str) -> None:
        """Let a handler succeed from now on."""
        (self.folder / f"{name}.bad").unlink(missing_ok=True)

    def handled(self, name: str) -> list[Any]:
        """Return the events that a handler has handled, oldest first."""
        ledger = self.folder / f"{name}.handled"
        return (
            [json.loads(line) for line in ledger.read_text().splitlines()]
            if ledger.exists()
            else []
        )

    def texts(self, name: str) -> list[str]:
        """Return the text of each record or message that a handler has handled, oldest first."""
        return [text_of(record) for event in self.handled(name) for record in event["Records"]]


def text_of(record: Any) -> str:
    """Return the text that a test put into a stream, a table or a queue."""
    if "kinesis" in record:
        return base64.b64decode(record["kinesis"]["data"]).decode()
    if "dynamodb" in record:
        return str(record["dynamodb"]["NewImage"]["text"]["S"])
    return str(record["body"])
