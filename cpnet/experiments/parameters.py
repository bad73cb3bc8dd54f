"""Checks of notebook parameters: papermill injects unknown names, and values of any type, without complaint."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

IPYTHON_NAMES = {
    "In",
    "Out",
    "exit",
    "quit",
    "open",
    "get_ipython",
    "check_parameters",
    "OneOrMore",
    "VIDEO_PARAMETERS",
}
ALL = "all"


@dataclass(frozen=True)
class OneOrMore:
    """What a parameter takes that is one value, a list of values, or "all": their type, or those to choose from."""

    of: type | Collection[Any]


# What all chapters on videos take.
VIDEO_PARAMETERS: dict[str, type | Collection[Any] | OneOrMore] = {
    "profile": ("smoke", "cpu", "gpu", "paper"),
    "seed": OneOrMore(int),
    "rerun": bool,
    "dry_run": bool,
    "data_root": str,
    "device": str,
}


def chosen(value: Any, every: Sequence[Any]) -> list[Any]:
    """The values that a parameter of `OneOrMore` names; "all" names `every`."""
    if value == ALL:
        return list(every)
    return list(value) if isinstance(value, list | tuple) else [value]


def check_parameters(namespace: Mapping[str, Any], allowed: Mapping[str, type | Collection[Any] | OneOrMore]) -> None:
    """Refuse parameters that a notebook does not have, and values it cannot use.

    Call it in the cell after the parameters, before any other name is defined or imported.

    Args:
        namespace: `globals()` of the notebook.
        allowed: for each parameter its type, the values to choose from, or `OneOrMore` of either.

    Raises:
        ValueError: an unknown name, a wrong type or a value that is not allowed, by name.
    """
    given = {name: value for name, value in namespace.items() if name[0] != "_" and name not in IPYTHON_NAMES}
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        raise ValueError(f"unknown parameter {', '.join(unknown)}: this notebook takes {', '.join(allowed)}")
    for name, values in allowed.items():
        if name not in given:
            raise ValueError(f"parameter {name} is missing")
        if isinstance(values, OneOrMore):
            _check_several(name, given[name], values)
        else:
            _check(name, given[name], values)


def _check_several(name: str, value: Any, several: OneOrMore) -> None:
    if value == ALL:
        return
    parts = value if isinstance(value, list | tuple) else [value]
    if not parts or len(set(map(repr, parts))) < len(parts):
        raise ValueError(f"{name}={value!r}: give one value, a list of different ones, or {ALL!r}")
    for part in parts:
        _check(name, part, several.of)


def _check(name: str, value: Any, allowed: type | Collection[Any]) -> None:
    if isinstance(allowed, type):
        if type(value) is not allowed:
            raise ValueError(f"{name}={value!r}: give a value of type {allowed.__name__}")
    elif value not in allowed or type(value) not in {type(choice) for choice in allowed}:  # True == 1 == 1.0
        raise ValueError(f"{name}={value!r}: choose one of {', '.join(map(str, allowed))}")
