"""Serves an SQS queue and a Lambda function on loopback that answer after a fixed time.

Just enough of both protocols to measure who talks to them, cheap enough not to be what is
measured. Payloads are small; the handler does nothing but take its time.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import json
import re
import time
from collections import deque
from typing import Any

ACCOUNT = "111122223333"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:orders"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"x-amz-target: *AmazonSQS\.(\w+)", re.IGNORECASE)


class Target:
    """The queue's messages, and how often the function ran.

    Args:
        latency: Seconds from a request to its answer.
    """

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._numbers = itertools.count()
        self._waiting: deque[int] = deque()
        self._hidden: dict[str, tuple[float, int]] = {}
        self.invocations = 0
        self.received = 0

    def fill(self, count: int) -> None:
        """Replace the queue's messages and reset the counters."""
        self._waiting = deque(next(self._numbers) for _ in range(count))
        self._hidden.clear()
        self.invocations = 0
        self.received = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                if b"100-continue" in head.lower():
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                await asyncio.sleep(self._latency)
                writer.write(self._answer(head, body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, head: bytes, body: bytes) -> bytes:
        path = head.split(b" ", 2)[1]
        if path.endswith(b"/invocations"):
            self.invocations += 1
            return _http(b"null")
        if path == b"/fill":
            self.fill(json.loads(body))
            return _http(b"{}")
        if path == b"/state":
            state = {
                "left": len(self._waiting) + len(self._hidden),
                "hidden": len(self._hidden),
                "received": self.received,
                "invocations": self.invocations,
            }
            return _http(json.dumps(state).encode())
        if b"event-source-mappings" in path:
            return _http(b'{"EventSourceMappings": []}')
        action = _TARGET.search(head)
        if action is None:
            return _http(b"{}", b"404 Not Found")
        request = json.loads(body)
        answer = getattr(self, f"_{action[1].decode()}")(request)
        return _http(json.dumps(answer).encode())

    def _GetQueueUrl(self, request: dict[str, Any]) -> Any:  # noqa: N802
        return {"QueueUrl": f"http://127.0.0.1/{ACCOUNT}/{request['QueueName']}"}

    def _GetQueueAttributes(self, _request: dict[str, Any]) -> Any:  # noqa: N802
        known = {
            "QueueArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:failures",
            "ApproximateNumberOfMessages": str(len(self._waiting)),
        }
        return {"Attributes": known}

    def _ReceiveMessage(self, request: dict[str, Any]) -> Any:  # noqa: N802
        count = min(int(request.get("MaxNumberOfMessages", 1)), len(self._waiting))
        self.received += count
        until = time.monotonic() + int(request.get("VisibilityTimeout", 30))
        messages = []
        for _ in range(count):
            number = self._waiting.popleft()
            self._hidden[str(number)] = until, number
            messages.append(_message(number))
        return {"Messages": messages} if messages else {}

    def _DeleteMessage(self, request: dict[str, Any]) -> Any:  # noqa: N802
        self._hidden.pop(request["ReceiptHandle"], None)
        return {}

    def _DeleteMessageBatch(self, request: dict[str, Any]) -> Any:  # noqa: N802
        for entry in request["Entries"]:
            self._hidden.pop(entry["ReceiptHandle"], None)
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}

    def _ChangeMessageVisibility(self, request: dict[str, Any]) -> Any:  # noqa: N802
        known = self._hidden.pop(request["ReceiptHandle"], None)
        if known is not None and int(request["VisibilityTimeout"]) == 0:
            self._waiting.append(known[1])
        elif known is not None:
            self._hidden[request["ReceiptHandle"]] = known
        return {}

    def _ChangeMessageVisibilityBatch(self, request: dict[str, Any]) -> Any:  # noqa: N802
        for entry in request["Entries"]:
            self._ChangeMessageVisibility(entry)
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}


def record(number: int) -> str:
    """Return the invocation record of one failed event."""
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": "2026-11-02T03:03:11.412Z",
            "requestContext": {
                "requestId": f"{number:08x}-5a7b-4f0f-9a53-0c6a3d1c7b11",
                "functionArn": f"{FUNCTION}:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": {"order": number, "customer": "x" * 200},
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": {"errorType": "RuntimeError", "errorMessage": "no data"},
        }
    )


def _message(number: int) -> dict[str, Any]:
    body = record(number)
    return {
        "MessageId": f"{number:08x}-d9a0-4c1b-9f5e-2f6b3c1a0e55",
        "ReceiptHandle": str(number),
        "MD5OfBody": hashlib.md5(body.encode()).hexdigest(),
        "Body": body,
        "Attributes": {"SentTimestamp": "1793588591600", "ApproximateReceiveCount": "1"},
    }


def _http(body: bytes, status: bytes = b"200 OK") -> bytes:
    return (
        b"HTTP/1.1 " + status + b"\r\nContent-Type: application/x-amz-json-1.0\r\n"
        b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    )


async def main() -> None:
    """Listen on a free port of 127.0.0.1 and print its number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds a call takes (0.02)")
    target = Target(parser.parse_args().latency)
    server = await asyncio.start_server(target.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
