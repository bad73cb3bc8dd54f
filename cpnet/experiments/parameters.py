"""Checks of notebook parameters: papermill injects unknown names, and values of any type, without complaint."""

from collections.abc import Collection, Mapping
from typing import Any

IPYTHON_NAMES = {"In", "Out", "exit", "quit", "open", "get_ipython", "check_parameters"}


def check_parameters(namespace: Mapping[str, Any], allowed: Mapping[str, type | Collection[Any]]) -> None:
    """Refuse parameters that a notebook does not have, and values it cannot use.

    Call it in the cell after the parameters, before any other name is defined or imported.

    Args:
        namespace: `globals()` of the notebook.
        allowed: for each parameter its type, or the values to choose from.

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
        value = given[name]
        if isinstance(values, type):
            if type(value) is not values:
                raise ValueError(f"{name}={value!r}: give a value of type {values.__name__}")
        elif isinstance(value, bool) or value not in values:
            raise ValueError(f"{name}={value!r}: choose one of {', '.join(map(str, values))}")
