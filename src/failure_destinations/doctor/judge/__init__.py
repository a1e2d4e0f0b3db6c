"""Judges what was read."""
