"""One module a command. Each imports what it needs inside the function, because `--help` must not wait for it."""
