"""A stand-in for Something-Something: a hand and objects act out templates of version 2.

Every clip shows a textured background, a hand, an object A, an object B and some clutter, all drawn at random, whatever
the class. Of the classes that motion decides, each is filmed exactly like its partner, and played backwards.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from cpnet.standins.canvas import (
    PATCH,
    Camera,
    Film,
    Layer,
    Random,
    background,
    even,
    odd_length,
    played,
    thing,
    tremble,
)
from cpnet.standins.classes import Class, pairs
from cpnet.standins.hand import GRIP, draw_hand, skin

# How hard the data are is frozen: book/data.md says how these were chosen.
FPS = 12.0
LENGTHS = (33, 41)  # frames
ACTION = (10.0, 13.0)  # frames: two or three of a clip of every fourth one, so that things jump
DRIFT = 2.0  # frames: the whole action is in every clip of 29 frames
ASPECT = 4 / 3
ROOM = 0.3  # how far from the centre things are that do not move, at most
PATHS = 0.15  # how far from the centre the middle of a path is, at most
TRAVEL = (0.66, 0.84)
ZOOM = (1.8, 2.4)
RADII = (0.15, 0.22)
HAND = 0.18
TOUCH = 0.75  # distance of touching things, of the sum of their half sides
LEFT, RIGHT, ABOVE = np.pi, 0.0, -np.pi / 2  # directions from a thing


@dataclass
class Stage:
    """What is on stage, to be moved by an action; lengths as in `canvas`."""

    random: Random
    progress: np.ndarray  # (T,) from 0 to 1
    a: Layer
    b: Layer
    hand: Layer
    camera: Camera
    order: str = "bah"  # which layers are drawn first: B, A, hand

    def travel(self) -> np.ndarray:
        """Progress as a length from minus to plus half of a distance that is the same for all directions."""
        return self.random.uniform(*TRAVEL) * (self.progress - 0.5)

    def along(self, path: np.ndarray) -> np.ndarray:
        """A path at a random place: its ends may leave the frame, or its start would give away its direction."""
        return path + self.random.uniform(-PATHS, PATHS)

    def hold(self, angle: float) -> None:
        """Put the hand beside A, seen from A in direction `angle`, its fingers towards A."""
        distance = TOUCH * (np.asarray(self.a.radius) + self.hand.radius)
        self.hand.x = self.a.x + distance * np.cos(angle)
        self.hand.y = self.a.y + distance * np.sin(angle)
        self.hand.angle = angle - np.pi / 2

    def set_aside(self) -> None:
        """Put B where A and the hand never are, if there is such a place, or else as far away as can be."""
        places = self.random.uniform(-ROOM, ROOM, (40, 2))
        gaps = [
            min(float(np.hypot(layer.x - x, layer.y - y).min()) for layer in (self.a, self.hand)) for x, y in places
        ]
        free = [place for place, gap in zip(places, gaps, strict=True) if gap > 0.34]
        self.b.x, self.b.y = free[0] if free else places[int(np.argmax(gaps))]


def shift(stage: Stage, hand: float) -> None:
    """A moves right, or down if the hand is above; `hand` is its direction from A."""
    path, still = stage.along(stage.travel()), stage.random.uniform(-ROOM, ROOM)
    stage.a.x, stage.a.y = (still, path) if hand == ABOVE else (path, still)
    stage.hold(hand)
    stage.set_aside()


def fly(stage: Stage) -> None:
    """The hand lifts A slowly, and lets it drop."""
    rise = stage.random.uniform(*TRAVEL)
    height = np.clip(stage.progress / 0.6, 0, 1), np.clip((stage.progress - 0.7) / 0.2, 0, 1) ** 2
    stage.a.x = stage.random.uniform(-ROOM, ROOM)
    stage.a.y = stage.along(rise * (0.5 - height[0]))
    stage.hold(ABOVE)
    stage.a.y = stage.a.y + rise * height[1]
    stage.set_aside()


def resize(stage: Stage) -> None:
    """A comes towards the camera, with the hand."""
    growth = stage.random.uniform(*ZOOM) ** (stage.progress - 0.5)
    _place(stage)
    hand = stage.hand.radius
    stage.a.radius, stage.hand.radius = stage.a.radius * growth, hand * growth
    stage.hold(_anywhere(stage))
    stage.set_aside()


def meet(stage: Stage, both: bool) -> None:
    """A moves until it touches B, aslant; so does B if `both`."""
    angle = _aslant(stage)
    gap = TOUCH * (stage.a.radius + stage.b.radius)
    distance = gap + stage.random.uniform(*TRAVEL) * (1 - stage.progress)
    share = 0.5 if both else 1.0
    _along_line(stage, angle, -share * distance, (1 - share) * distance)
    stage.hold(angle + np.pi)


def hide(stage: Stage, order: str) -> None:
    """A moves until it is before or behind B."""
    angle = _aslant(stage)
    distance = (stage.random.uniform(*TRAVEL) + 0.1) * (1 - stage.progress)
    front, hidden = (stage.a, stage.b) if order == "bah" else (stage.b, stage.a)
    front.radius, hidden.radius = max(front.radius, hidden.radius), min(front.radius, hidden.radius)
    _along_line(stage, angle, -distance, 0 * distance)
    stage.hold(angle + np.pi)
    stage.order = order


def pan(stage: Stage, x: float, y: float) -> None:
    """The camera moves; the hand holds A still."""
    hold_still(stage)
    path = stage.travel()
    stage.camera.x, stage.camera.y = x * path, y * path


def zoom(stage: Stage) -> None:
    """The camera comes closer; the hand holds A still."""
    hold_still(stage)
    stage.camera.zoom = stage.random.uniform(*ZOOM) ** (stage.progress - 0.5)


def hold_still(stage: Stage) -> None:
    """The hand holds A, and B lies elsewhere."""
    _place(stage)
    stage.hold(_anywhere(stage))
    stage.set_aside()


def hold_near(stage: Stage, gap: float, order: str = "bah") -> None:
    """The hand holds A next to B, or half hidden behind it."""
    angle = _anywhere(stage)
    _along_line(stage, angle, np.full(1, -gap * (stage.a.radius + stage.b.radius)), np.zeros(1))
    stage.hold(angle + np.pi)
    stage.order = order


def show_photo(stage: Stage) -> None:
    """A is a photo, with a white border, held from below."""
    photo = Image.new("RGBA", (PATCH, PATCH), (245, 245, 240, 255))
    inside = Film(background(stage.random, 60), [Layer(thing(stage.random), 0, 0, 0.35)], Camera(), (1, 48, 48))
    photo.paste(Image.fromarray(inside.frames()[0]), (8, 8))
    stage.a.image, stage.a.radius = photo, stage.random.uniform(0.2, 0.26)
    stage.a.angle = stage.random.uniform(-0.15, 0.15)
    _place(stage)
    stage.hold(np.pi / 2)
    stage.set_aside()


def _point(random: Random, reach: float) -> tuple[float, float]:
    return random.uniform(-reach, reach), random.uniform(-reach, reach)


def _place(stage: Stage) -> None:
    stage.a.x, stage.a.y = _point(stage.random, ROOM)


def _anywhere(stage: Stage) -> float:
    return stage.random.uniform(0, 2 * np.pi)


def _aslant(stage: Stage) -> float:
    """A direction that is neither horizontal nor vertical."""
    return stage.random.randint(4) * np.pi / 2 + stage.random.uniform(0.45, np.pi / 2 - 0.45)


def _along_line(stage: Stage, angle: float, a: np.ndarray, b: np.ndarray) -> None:
    """A and B on a line through a random place, at the given distances from a point of it."""
    both = np.concatenate([a, b])
    for axis, part in (("x", np.cos(angle)), ("y", np.sin(angle))):
        low, high = (part * both).min(), (part * both).max()
        middle = stage.random.uniform(-PATHS, PATHS) - (low + high) / 2
        setattr(stage.a, axis, middle + part * a)
        setattr(stage.b, axis, middle + part * b)


CLASSES: dict[str, Class] = pairs(
    ("Pushing something from left to right", "Pulling something from right to left", partial(shift, hand=LEFT)),
    ("Pulling something from left to right", "Pushing something from right to left", partial(shift, hand=RIGHT)),
    ("Moving something down", "Moving something up", partial(shift, hand=ABOVE)),
    (
        "Lifting something up completely, then letting it drop down",
        "Throwing something in the air and catching it",
        fly,
    ),
    ("Moving something towards the camera", "Moving something away from the camera", resize),
    ("Moving something closer to something", "Moving something away from something", partial(meet, both=False)),
    (
        "Moving something and something closer to each other",
        "Moving something and something away from each other",
        partial(meet, both=True),
    ),
    ("Putting something behind something", "Pulling something from behind of something", partial(hide, order="ahb")),
    ("Covering something with something", "Uncovering something", partial(hide, order="bah")),
    (
        "Turning the camera right while filming something",
        "Turning the camera left while filming something",
        partial(pan, x=1, y=0),
    ),
    (
        "Turning the camera downwards while filming something",
        "Turning the camera upwards while filming something",
        partial(pan, x=0, y=1),
    ),
    ("Approaching something with your camera", "Moving away from something with your camera", zoom),
) | {
    "Holding something": Class(hold_still, decided_by="nothing moves"),
    "Holding something next to something": Class(partial(hold_near, gap=TOUCH), decided_by="nothing moves"),
    "Holding something behind something": Class(partial(hold_near, gap=0.45, order="ahb"), decided_by="nothing moves"),
    "Showing a photo of something to the camera": Class(show_photo, decided_by="appearance"),
}


def compose(name: str, height: int, random: Random) -> Film:
    """A clip of a class."""
    chosen = CLASSES[name]
    T = odd_length(random, *LENGTHS)
    progress = played(random, T, ACTION, DRIFT)
    image = background(random, height, 0.35)
    a, b = (Layer(thing(random), 0, 0, random.uniform(*RADII), random.uniform(-0.6, 0.6)) for _ in range(2))
    stage = Stage(random, progress, a, b, Layer(draw_hand(skin(random), GRIP), 0, 0, HAND), Camera())
    chosen.act(stage)
    clutter = [
        Layer(thing(random), *_point(random, 0.6), random.uniform(0.04, 0.08), random.uniform(-3, 3))
        for _ in range(random.randint(3))
    ]
    stage.camera.x, stage.camera.y = (c + tremble(random, T, 0.008) for c in (stage.camera.x, stage.camera.y))
    layers = clutter + [{"a": stage.a, "b": stage.b, "h": stage.hand}[which] for which in stage.order]
    return Film(image, layers, stage.camera, (T, height, even(ASPECT * height)), chosen.backwards, FPS)
