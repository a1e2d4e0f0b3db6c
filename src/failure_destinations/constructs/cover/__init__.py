"""Attaches a channel to every uncovered asynchronous function of an app."""
