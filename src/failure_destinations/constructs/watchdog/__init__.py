"""The function that examines a channel on a schedule."""
