"""The function that replays failed events."""
