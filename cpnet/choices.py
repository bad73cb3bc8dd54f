"""Settings that are one of a few words."""

from collections.abc import Collection


def check_choice(name: str, value: object, choices: Collection[object]) -> None:
    """ValueError, which names setting, value and choices, if a value is none of these."""
    if value not in choices:
        raise ValueError(f"{name}={value!r}: choose one of {', '.join(map(str, choices))}")
