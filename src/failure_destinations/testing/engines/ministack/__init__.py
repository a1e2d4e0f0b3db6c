"""ministack, the small and quick engine.

`adapter` describes it to `LocalCloud`. `main` runs in ministack's own environment and starts it.
"""
