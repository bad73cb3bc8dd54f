"""The command line, one short module a command; `cpnet.__main__` finds them by name."""
