"""Input from outside that is meant to break something."""
