"""What a rendered class is: how it is acted out, and what tells it from others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Action = Callable[[Any], None]  # moves what a stand-in puts on stage

DecidedBy = Literal["motion", "appearance", "nothing moves"]


@dataclass(frozen=True)
class Class:
    """How a class is acted out.

    Attributes:
        act: function that moves what is on stage.
        backwards: whether the film is played backwards.
        decided_by: what tells the class from others.
        partner: the class that is filmed alike, and played the other way.
    """

    act: Action
    backwards: bool = False
    decided_by: DecidedBy = "motion"
    partner: str | None = None


def pairs(*filmed_alike: tuple[str, str, Action]) -> dict[str, Class]:
    """Classes by name, from names of films played forwards and backwards."""
    classes = {}
    for forwards, backwards, act in filmed_alike:
        classes[forwards] = Class(act, partner=backwards)
        classes[backwards] = Class(act, backwards=True, partner=forwards)
    return classes
