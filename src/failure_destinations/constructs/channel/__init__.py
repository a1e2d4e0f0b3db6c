"""The failure channel, and how handlers are attached to it."""
