"""Alarms and a dashboard for a failure channel."""
