"""Fails for every event that says so."""


def handler(event: dict[str, object], context: object) -> str:
    if event.get("fail"):
        raise ValueError(f"cannot work on {event}")
    return "done"
