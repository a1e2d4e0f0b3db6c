"""Deployed stacks, channels, queues and handlers."""
