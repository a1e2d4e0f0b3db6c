"""Fails for orders that are not in stock."""


def handler(event: dict[str, int], context: object) -> int:
    if event.get("stock", 0) < 1:
        raise ValueError(f"no stock for order {event['order']}")
    return event["order"]
