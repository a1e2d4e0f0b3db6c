"""ministack, the small and quick engine.

Here it is described (`adapter`): what `LocalCloud` needs to know about it. `main` runs in
ministack's own environment and starts it.
"""
