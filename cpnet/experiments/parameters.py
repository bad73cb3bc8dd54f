"""Checks of notebook parameters: papermill injects unknown names, and values of any type, without complaint."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cpnet.engine.machine import Machine

IPYTHON_NAMES = {
    "In",
    "Out",
    "exit",
    "quit",
    "open",
    "get_ipython",
    "check_device",
    "check_parameters",
    "OneOrMore",
    "VIDEO_PARAMETERS",
}
ALL = "all"


@dataclass(frozen=True)
class OneOrMore:
    """What a parameter takes that is one value, a list of values, or "all": their type, or those to choose from."""

    of: type | Collection[Any]


class ParameterError(ValueError):
    """A parameter that a notebook cannot use; shown in one line there."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


def check_device(device: object) -> None:
    """ValueError if there is no such device here."""
    if not isinstance(device, str):
        raise ValueError(f"device={device!r}: give a text, such as 'cpu'")
    Machine(device)


Allowed = type | Collection[Any] | OneOrMore | Callable[[object], None]

# What all chapters on videos take.
VIDEO_PARAMETERS: dict[str, Allowed] = {
    "profile": ("smoke", "cpu", "gpu", "paper"),
    "seed": OneOrMore(range(1000)),
    "rerun": bool,
    "dry_run": bool,
    "data_root": str,
    "device": check_device,
}


def chosen(value: Any, every: Sequence[Any]) -> list[Any]:
    """The values that a parameter of `OneOrMore` names; "all" names `every`."""
    if value == ALL:
        return list(every)
    return list(value) if isinstance(value, list | tuple) else [value]


def check_parameters(namespace: Mapping[str, Any], allowed: Mapping[str, Allowed]) -> None:
    """Refuse parameters that a notebook does not have, and values it cannot use.

    Call it in the cell after the parameters, before any other name is defined or imported.

    Args:
        namespace: `globals()` of the notebook.
        allowed: for each parameter its type, the values to choose from, `OneOrMore` of either, or a check.

    Raises:
        ParameterError: an unknown name, a wrong type or a value that is not allowed, by name.
    """
    try:
        _check_all(namespace, allowed)
    except ValueError as error:
        raise ParameterError(str(error)) from None


def _check_all(namespace: Mapping[str, Any], allowed: Mapping[str, Allowed]) -> None:
    given = {name: value for name, value in namespace.items() if name[0] != "_" and name not in IPYTHON_NAMES}
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        raise ValueError(f"unknown parameter {', '.join(unknown)}: this notebook takes {', '.join(allowed)}")
    for name, values in allowed.items():
        if name not in given:
            raise ValueError(f"parameter {name} is missing")
        if isinstance(values, OneOrMore):
            _check_several(name, given[name], values)
        elif isinstance(values, type | Collection):
            _check(name, given[name], values)
        else:
            values(given[name])


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
    elif isinstance(allowed, range):
        if type(value) is not int or value not in allowed:
            raise ValueError(f"{name}={value!r}: give a whole number from {allowed[0]} to {allowed[-1]}")
    elif value not in allowed or type(value) not in {type(choice) for choice in allowed}:  # True == 1 == 1.0
        raise ValueError(f"{name}={value!r}: choose one of {', '.join(map(str, allowed))}")
