"""The command line; `cpnet.__main__` finds each command by its name, in the module of its first word."""
