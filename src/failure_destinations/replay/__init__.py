"""Receive failed events and replay them."""
