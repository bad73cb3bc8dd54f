"""Names of models: a function decorated with `register_model` is found by its name."""

from collections.abc import Callable
from dataclasses import fields
from fnmatch import fnmatch
from typing import Any, TypeVar

from torch import nn

F = TypeVar("F", bound=Callable[..., nn.Module])

_models: dict[str, Callable[..., nn.Module]] = {}


def register_model(function: F) -> F:
    """Make `function` available under its own name; its one parameter is `options`, annotated with a data class.

    Raises:
        ValueError: the name is taken.
    """
    name = function.__name__
    if name in _models:
        raise ValueError(f"a model named {name} exists already: {_models[name]}")
    _models[name] = function
    return function


def create_model(name: str, **arguments: Any) -> nn.Module:
    """Build a model by name, its options from keyword arguments.

    Raises:
        ValueError: unknown model, or an argument it does not take; the message lists what there is.
    """
    options = _options(name, arguments)
    return _models[name](options)


def resolve_arguments(name: str, **arguments: Any) -> dict[str, Any]:
    """All arguments of a model, those not given at their defaults. Raises as `create_model`."""
    return dict(vars(_options(name, arguments)))


def create_for_clips(name: str, num_frames: int, **arguments: Any) -> nn.Module:
    """`create_model` for clips of `num_frames`, which only those are told that are built for one number of frames."""
    if "num_frames" in resolve_arguments(name):
        arguments = {"num_frames": num_frames} | arguments
    return create_model(name, **arguments)


def list_models(pattern: str = "*") -> list[str]:
    """Sorted names of the models that match a shell-style pattern."""
    return sorted(name for name in _models if fnmatch(name, pattern))


def _options(name: str, arguments: dict[str, Any]) -> Any:
    if name not in _models:
        raise ValueError(f"unknown model {name!r}: choose one of {', '.join(list_models())}")
    options = _models[name].__annotations__["options"]
    takes = [field.name for field in fields(options)]
    unknown = sorted(set(arguments) - set(takes))
    if unknown:
        raise ValueError(f"{name} takes no argument {', '.join(unknown)}: it takes {', '.join(takes)}")
    return options(**arguments)
