"""Fails for every batch with a record or message that says so."""

import base64


def handler(event: dict[str, list[dict[str, dict[str, str]]]], context: object) -> None:
    for record in event["Records"]:
        data = record["kinesis"]["data"] if "kinesis" in record else None
        text = base64.b64decode(data).decode() if data else str(record["body"])
        if "fail" in text:
            raise ValueError(f"cannot work on {text}")
        print(f"worked on {text}")
