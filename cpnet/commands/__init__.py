"""Commands of `python -m cpnet`, one a module."""
