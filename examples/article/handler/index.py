"""Fails 80 % of the time: with one retry, 64 % of the events fail for good."""

import random


def handler(event: dict[str, str], context: object) -> str:
    if random.random() < 0.8:
        raise RuntimeError("Something went wrong!")
    return f"Processed: {event['veryImportantData']}"
