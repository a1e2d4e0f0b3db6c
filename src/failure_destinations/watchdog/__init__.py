"""Runs `doctor` on a schedule in Lambda, and publishes what is new and what is over.

`handler.handler` is the entry point, which `FailureWatchdog` defines a function for.
"""
