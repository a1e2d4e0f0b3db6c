"""Messages of every shape, as SQS returns them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:nightly-report"
REQUEST_ID = "6f1d0c0e-5a7b-4f0f-9a53-0c6a3d1c7b11"
RECORDS = Path(__file__).parent / "records"


def stored(name: str) -> dict[str, Any]:
    """Return one of the stored messages."""
    message: dict[str, Any] = json.loads((RECORDS / f"{name}.json").read_text())
    return message


def record(payload: str, *, condition: str = "RetriesExhausted", qualifier: str = "$LATEST") -> str:
    """Write the invocation record of a payload, as Lambda does."""
    return (
        '{"version": "1.0", "timestamp": "2026-11-02T03:03:11.412Z", "requestContext": '
        f'{{"requestId": "{REQUEST_ID}", "functionArn": "{FUNCTION}:{qualifier}", '
        f'"condition": "{condition}", "approximateInvokeCount": 2}}, "requestPayload": {payload}, '
        '"responseContext": {"statusCode": 200, "functionError": "Unhandled"}, '
        '"responsePayload": {"errorMessage": "no data", "errorType": "RuntimeError"}}'
    )


def of_event_bridge(text: str) -> str:
    """Put a record into an EventBridge event."""
    return (
        '{"version": "0", "detail-type": "Lambda Function Invocation Result - Failure", '
        f'"source": "lambda", "resources": [], "detail": {text}}}'
    )


def envelope(text: str, attributes: dict[str, str] | None = None) -> str:
    """Put a text into an SNS envelope."""
    content: dict[str, Any] = {"Type": "Notification", "MessageId": "0b4f", "Message": text}
    if attributes:
        content["MessageAttributes"] = {
            name: {"Type": "String", "Value": value} for name, value in attributes.items()
        }
    return json.dumps(content)


def notification(text: str, **more: Any) -> str:
    """Put a text into a whole notification of SNS, as a queue gets it."""
    topic = "arn:aws:sns:eu-west-1:111122223333:orders"
    subscription = f"{topic}:2bcfbf39-0c1b-5d6e-8f90-5a2b3c4d5e6f"
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "0b4f3f0a-0c1b-5d6e-8f90-5a2b3c4d5e6f",
            "TopicArn": topic,
            "Message": text,
            "Timestamp": "2026-11-02T03:03:11.600Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLE",
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem",
            "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe"
            f"&SubscriptionArn={subscription}",
            **more,
        }
    )


def message(body: str, attributes: dict[str, str] | None = None, **noted: str) -> dict[str, Any]:
    """Return a message as SQS returns it."""
    return {
        "MessageId": "d3b07384-d9a0-4c1b-9f5e-2f6b3c1a0e55",
        "ReceiptHandle": "AQEBexample",
        "Body": body,
        "Attributes": {"SentTimestamp": "1793588591600", "ApproximateReceiveCount": "1", **noted},
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value}
            for name, value in (attributes or {}).items()
        },
    }


FUNCTION_DLQ = {"RequestID": REQUEST_ID, "ErrorCode": "200", "ErrorMessage": "no data"}
RULE_DLQ = {
    "RULE_ARN": "arn:aws:events:eu-west-1:111122223333:rule/nightly",
    "TARGET_ARN": f"{FUNCTION}:live",
    "ERROR_CODE": "NO_PERMISSIONS",
}
SCHEDULE_DLQ = {
    "SCHEDULE_ARN": "arn:aws:scheduler:eu-west-1:111122223333:schedule/default/nightly",
    "TARGET_ARN": FUNCTION,
    "ERROR_CODE": "AWS.Lambda.AccessDeniedException",
    "IS_PAYLOAD_TRUNCATED": "false",
}

# Each takes the text of a payload and returns the message that would hold it.
SHAPES = {
    "raw": lambda payload: message(record(payload)),
    "alias": lambda payload: message(record(payload, qualifier="live")),
    "in an envelope": lambda payload: message(envelope(record(payload))),
    "of EventBridge": lambda payload: message(of_event_bridge(record(payload))),
    "of EventBridge, in an envelope": lambda payload: message(
        envelope(of_event_bridge(record(payload)))
    ),
    "SNS's dead letter": lambda payload: message(record(payload), FUNCTION_DLQ, SenderId="AIDAEX"),
    "function's dead letter": lambda payload: message(
        payload, FUNCTION_DLQ, SenderId="AROAEX:nightly-report"
    ),
    "function's dead letter, in an envelope": lambda payload: message(
        envelope(payload, FUNCTION_DLQ)
    ),
    "rule's dead letter": lambda payload: message(payload, RULE_DLQ),
    "schedule's dead letter": lambda payload: message(payload, SCHEDULE_DLQ),
}

_SPACE = st.sampled_from(["", " ", "\n\t", "\r\n  "])
_ODD = ["null", "true", "-0", "1.0", "1e-7", "1E400", "9" * 5000, r'"\u00fc\ud83d"', r'"\/"', '""']
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_LEAVES = st.one_of(
    st.sampled_from(_ODD),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.builds(json.dumps, _TEXTS, ensure_ascii=st.booleans()),
)


def _joined(parts: list[str], brackets: str, space: str) -> str:
    return f"{brackets[0]}{space}{f'{space},'.join(parts)}{space}{brackets[1]}"


def _containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    keys = st.sampled_from(['"a"', '"a"', '"b"', '"requestPayload"', r'"\u0061"', '"Type"'])
    member = st.tuples(keys, _SPACE, inner).map(lambda part: f"{part[0]}{part[1]}:{part[2]}")
    return st.one_of(
        st.builds(_joined, st.lists(inner, max_size=4), st.just("[]"), _SPACE),
        # The same key may come twice.
        st.builds(_joined, st.lists(member, max_size=4), st.just("{}"), _SPACE),
    )


payloads: st.SearchStrategy[str] = st.recursive(_LEAVES, _containers, max_leaves=20)
"""JSON texts, written in every way that JSON allows."""

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Settings for properties on a busy machine: these tests do not measure time."""
