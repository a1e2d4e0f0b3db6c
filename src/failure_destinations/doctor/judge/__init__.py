"""Judges what was read: facts in, findings out. Knows nothing of AWS's clients."""
