"""What receivers of webhooks document, as JSON schemas of what is sent here.

They are strict: a member that a receiver does not document is refused.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def text(longest: int, shortest: int = 1) -> Schema:
    """Return the schema of a text."""
    return {"type": "string", "minLength": shortest, "maxLength": longest}


def strict(properties: dict[str, Schema], required: str = "") -> Schema:
    """Return the schema of an object with these members and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split() if required else list(properties),
        "additionalProperties": False,
    }


# https://api.slack.com/messaging/webhooks and https://api.slack.com/reference/block-kit/blocks
SLACK = strict(
    {
        "text": text(40_000),
        "unfurl_links": {"const": False},
        "unfurl_media": {"const": False},
        "blocks": {
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "items": {
                "oneOf": [
                    strict(
                        {
                            "type": {"const": "header"},
                            "text": strict(
                                {
                                    "type": {"const": "plain_text"},
                                    "text": text(150),
                                    "emoji": {"type": "boolean"},
                                }
                            ),
                        }
                    ),
                    strict(
                        {
                            "type": {"const": "section"},
                            "text": strict(
                                {
                                    "type": {"const": "mrkdwn"},
                                    "text": text(3000),
                                    "verbatim": {"const": True},
                                }
                            ),
                        }
                    ),
                ]
            },
        },
    }
)

# https://adaptivecards.io/explorer/AdaptiveCard.html, RichTextBlock.html and TextRun.html; the
# message around it: https://learn.microsoft.com/connectors/teams
TEAMS = strict(
    {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": strict(
                {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "contentUrl": {"type": "null"},
                    "content": strict(
                        {
                            "$schema": {
                                "const": "http://adaptivecards.io/schemas/adaptive-card.json"
                            },
                            "type": {"const": "AdaptiveCard"},
                            "version": {"const": "1.4"},
                            "fallbackText": text(1000),
                            "msteams": strict({"width": {"const": "Full"}}),
                            "body": {
                                "type": "array",
                                "minItems": 1,
                                "items": strict(
                                    {
                                        "type": {"const": "RichTextBlock"},
                                        "separator": {"type": "boolean"},
                                        "inlines": {
                                            "type": "array",
                                            "minItems": 1,
                                            "items": strict(
                                                {
                                                    "type": {"const": "TextRun"},
                                                    "text": text(4000),
                                                    "weight": {"enum": ["Bolder"]},
                                                    "size": {"enum": ["Medium"]},
                                                    "fontType": {"enum": ["Monospace"]},
                                                },
                                                "type text",
                                            ),
                                        },
                                    },
                                    "type inlines",
                                ),
                            },
                            "actions": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 6,
                                "items": strict(
                                    {
                                        "type": {"const": "Action.OpenUrl"},
                                        "title": text(50),
                                        "url": {"type": "string", "pattern": "^https://"},
                                    }
                                ),
                            },
                        },
                        "$schema type version body fallbackText",
                    ),
                }
            ),
        },
    }
)

# https://developer.pagerduty.com/docs/send-alert-event
PAGERDUTY = strict(
    {
        "routing_key": text(32, 32),
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": text(255),
        "client": text(100),
        "payload": strict(
            {
                "summary": text(1024),
                "source": text(1024),
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
                "custom_details": {"type": "object"},
            },
            "summary source severity",
        ),
        "links": {
            "type": "array",
            "items": strict(
                {"href": {"type": "string", "pattern": "^https://"}, "text": text(100)}
            ),
        },
    },
    "routing_key event_action dedup_key payload",
)

# https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
CHAT = strict(
    {
        "version": {"const": "1.0"},
        "source": {"const": "custom"},
        "id": text(100),
        "content": strict(
            {
                "textType": {"const": "client-markdown"},
                "title": text(250),
                "description": text(8000),
                "nextSteps": {"type": "array", "maxItems": 10, "items": text(350)},
            },
            "description",
        ),
        "metadata": strict(
            {"threadId": text(500), "summary": text(250), "eventType": text(100)}, "threadId"
        ),
    },
    "version source content",
)

NULLABLE = {"type": ["string", "null"]}
# This library's own; docs/notifications.md describes it.
JSON: Schema = {
    "oneOf": [
        strict(
            {
                "version": {"const": 1},
                "id": text(36, 36),
                "kind": {"enum": ["failures", "reminder", "over"]},
                "time": {"type": "string", "pattern": "Z$"},
                "subject": text(99),
                "headline": text(99),
                "stack": text(128),
                "channel": text(1000),
                "account": text(12, 12),
                "region": text(30),
                "failures": {"type": "integer", "minimum": 0},
                "groupCount": {"type": "integer", "minimum": 0},
                "waiting": {"type": ["integer", "null"], "minimum": 0},
                "since": NULLABLE,
                "queueLink": NULLABLE,
                "groups": {
                    "type": "array",
                    "maxItems": 20,
                    "items": strict(
                        {
                            "id": text(10),
                            "function": NULLABLE,
                            "qualifier": NULLABLE,
                            "errorType": NULLABLE,
                            "message": text(500, 0),
                            "frame": NULLABLE,
                            "new": {"type": "boolean"},
                            "failures": {"type": "integer", "minimum": 1},
                            "total": {"type": "integer", "minimum": 1},
                            "first": {"type": "string", "pattern": "Z$"},
                            "last": {"type": "string", "pattern": "Z$"},
                            "attempts": {"type": ["integer", "null"]},
                            "requestId": NULLABLE,
                            "payload": NULLABLE,
                            "logLink": NULLABLE,
                            "records": {"type": ["integer", "null"], "minimum": 1},
                            "queue": NULLABLE,
                            "listCommand": text(500),
                            "replayCommand": text(500),
                            "title": text(500),
                            "counts": text(500),
                        }
                    ),
                },
            }
        ),
        strict(
            {
                "version": {"const": 1},
                "kind": {"const": "message"},
                "subject": text(200),
                "headline": text(200),
                "text": text(4000, 0),
                "groups": {"type": "array", "maxItems": 0},
            }
        ),
    ]
}

SCHEMAS = {"slack": SLACK, "teams": TEAMS, "pagerduty": PAGERDUTY, "chat": CHAT, "json": JSON}
