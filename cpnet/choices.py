"""Settings that are one of a few words."""

from typing import Any, get_args


def check_choice(name: str, value: object, choices: Any) -> None:
    """ValueError, which names both, if a value is none of those of a `Literal`."""
    if value not in get_args(choices):
        raise ValueError(f"{name}={value!r}: choose one of {', '.join(get_args(choices))}")
