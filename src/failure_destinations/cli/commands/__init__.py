"""The commands: each one parses arguments, calls the library and prints the result."""
