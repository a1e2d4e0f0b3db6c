"""Keeps the failed batches of streams, with their records."""
