"""The functions that notify people of groups of failures."""
