"""Received messages, and the run that replays them."""
