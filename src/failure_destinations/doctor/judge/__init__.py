"""Judges the facts: takes facts, yields findings, and never calls AWS."""
