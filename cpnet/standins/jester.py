"""A stand-in for Jester: a drawn hand before a person acts out the 27 gestures of version 1.

Left and right are the picture's. Of a gesture with a partner, both are filmed alike, and one is played backwards.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, ImageDraw

from cpnet.standins.canvas import (
    PATCH,
    Camera,
    Film,
    Layer,
    Motion,
    Random,
    background,
    cut,
    even,
    odd_length,
    played,
    texture,
    tremble,
)
from cpnet.standins.classes import Class, pairs
from cpnet.standins.hand import FINGERS, FLAT, OPEN, THUMB, TWO_FINGERS, Pose, draw_hand, skin

FPS = 12.0
LENGTHS = (35, 41)  # frames
ACTION = (25.0, 34.0)  # frames
DRIFT = 2.0  # frames
ASPECT = 4 / 3


@dataclass
class Gesture:
    """A hand's pose, in each frame if it changes, and its motion; lengths as in `canvas`."""

    random: Random
    progress: np.ndarray  # (T,) from 0 to 1
    x: Motion
    y: Motion
    radius: Motion
    angle: Motion
    pose: Pose | list[Pose] | None = OPEN  # None: no hand is seen

    def wave(self, cycles: float) -> np.ndarray:
        """A sine of so many cycles from a random phase, over the time the gesture takes."""
        return np.sin(2 * np.pi * (cycles * self.progress + self.random.rand()))


def slide(gesture: Gesture, pose: Pose, x: float, y: float) -> None:
    """A pose moves in a direction."""
    path = gesture.random.uniform(0.35, 0.5) * (gesture.progress - 0.5)
    gesture.pose = pose
    gesture.x, gesture.y = gesture.x + x * path, gesture.y + y * path
    if pose == FLAT and y == 0:
        gesture.angle = gesture.angle + gesture.random.uniform(0.2, 0.6) * x


def push(gesture: Gesture, pose: Pose) -> None:
    """A pose comes towards the camera."""
    gesture.pose = pose
    gesture.radius = gesture.radius * gesture.random.uniform(1.8, 2.4) ** (gesture.progress - 0.5)


def spread(gesture: Gesture, two: bool) -> None:
    """Thumb and fingers, or thumb and index finger, come apart."""
    others = 0.0 if two else 1.0

    def pose(p: float) -> Pose:
        other = others * (0.4 + 0.6 * p)
        apart, thumb, thumb_angle = 1.3 * p * others - 0.3, 0.6 + 0.4 * p, 0.2 - 1.4 * p
        return Pose(0.5 + 0.5 * p, other, other, other, apart, thumb, thumb_angle)

    gesture.pose = [pose(p) for p in gesture.progress]


def turn(gesture: Gesture) -> None:
    """An open hand turns clockwise."""
    gesture.angle = gesture.angle + gesture.random.uniform(1.2, 1.8) * (gesture.progress - 0.5)


def roll(gesture: Gesture) -> None:
    """A flat hand goes round, towards the camera on its way down."""
    gesture.pose = FLAT
    phase = 2 * np.pi * (gesture.random.uniform(1.5, 2.2) * gesture.progress + gesture.random.rand())
    gesture.y = gesture.y + 0.13 * np.sin(phase)
    gesture.radius = gesture.radius * (1 + 0.3 * np.cos(phase))


def shake_hand(gesture: Gesture) -> None:
    """An open hand swings from side to side."""
    swing = gesture.wave(gesture.random.uniform(2.5, 4))
    gesture.angle = gesture.angle + 0.3 * swing
    gesture.x = gesture.x + 0.06 * swing


def drum(gesture: Gesture) -> None:
    """Fingers go down and up, one after the other."""
    phase = 2 * np.pi * (gesture.random.uniform(2.5, 4) * gesture.progress + gesture.random.rand())
    gesture.pose = [
        Pose(**{name: 0.65 + 0.35 * float(np.sin(p - 1.2 * i)) for i, name in enumerate(FINGERS)}, spread=0.3)
        for p in phase
    ]


def do_other_things(gesture: Gesture) -> None:
    """A hand wanders about, changing its pose."""
    start, end = gesture.random.uniform(0, 1, (2, 6))
    bend = (1 + gesture.wave(1.0)) / 2
    gesture.pose = [Pose(*(start + b * (end - start))) for b in bend]
    gesture.x = gesture.x + gesture.random.uniform(0.08, 0.2) * gesture.wave(gesture.random.uniform(0.7, 1.6))
    gesture.y = gesture.y + gesture.random.uniform(0.08, 0.2) * gesture.wave(gesture.random.uniform(0.7, 1.6))


def do_nothing(gesture: Gesture) -> None:
    """No hand is seen."""
    gesture.pose = None


def show(gesture: Gesture, pose: Pose, angle: float = 0.0) -> None:
    """A pose is held still."""
    gesture.pose = pose
    gesture.angle = gesture.angle + angle


CLASSES: dict[str, Class] = pairs(
    ("Swiping Right", "Swiping Left", partial(slide, pose=FLAT, x=1, y=0)),
    ("Swiping Down", "Swiping Up", partial(slide, pose=FLAT, x=0, y=1)),
    ("Sliding Two Fingers Right", "Sliding Two Fingers Left", partial(slide, pose=TWO_FINGERS, x=1, y=0)),
    ("Sliding Two Fingers Down", "Sliding Two Fingers Up", partial(slide, pose=TWO_FINGERS, x=0, y=1)),
    ("Pushing Hand Away", "Pulling Hand In", partial(push, pose=OPEN)),
    ("Pushing Two Fingers Away", "Pulling Two Fingers In", partial(push, pose=TWO_FINGERS)),
    ("Rolling Hand Forward", "Rolling Hand Backward", roll),
    ("Turning Hand Clockwise", "Turning Hand Counterclockwise", turn),
    ("Zooming In With Full Hand", "Zooming Out With Full Hand", partial(spread, two=False)),
    ("Zooming In With Two Fingers", "Zooming Out With Two Fingers", partial(spread, two=True)),
) | {
    "Drumming Fingers": Class(drum),
    "Shaking Hand": Class(shake_hand),
    "Doing other things": Class(do_other_things),
    "No gesture": Class(do_nothing, decided_by="appearance"),
    "Stop Sign": Class(partial(show, pose=OPEN), decided_by="nothing moves"),
    "Thumb Up": Class(partial(show, pose=THUMB), decided_by="appearance"),
    "Thumb Down": Class(partial(show, pose=THUMB, angle=np.pi), decided_by="appearance"),
}


def compose(name: str, height: int, random: Random) -> Film:
    """A clip of a gesture."""
    chosen = CLASSES[name]
    T = odd_length(random, *LENGTHS)
    progress = played(random, T, ACTION, DRIFT)
    colours = skin(random)
    x, y, radius, angle = (
        random.uniform(*between) for between in ((-0.15, 0.15), (-0.05, 0.15), (0.2, 0.28), (-0.2, 0.2))
    )
    gesture = Gesture(random, progress, x, y, radius, angle)
    chosen.act(gesture)
    person = _person(random, colours)
    wall = background(random, height, 0.4)
    shape = (T, height, even(ASPECT * height))
    sway = tremble(random, T, 0.006)
    layers = [Layer(person, random.uniform(-0.1, 0.1) + sway, random.uniform(0.05, 0.15), 0.6)]
    if gesture.pose is not None:
        poses = gesture.pose if isinstance(gesture.pose, list) else [gesture.pose] * T
        drawn = {pose: draw_hand(colours, pose) for pose in set(poses)}
        xs, ys = (place + tremble(random, T, 0.005) for place in (gesture.x, gesture.y))
        layers.append(Layer([drawn[pose] for pose in poses], xs, ys, gesture.radius, gesture.angle))
    return Film(wall, layers, Camera(), shape, chosen.backwards, FPS)


def _person(random: Random, colours: np.ndarray) -> Image.Image:
    """Head and shoulders."""
    shirt = texture(random, 2 * PATCH, 0.5)
    face = np.asarray(Image.fromarray(colours.astype(np.uint8)).resize((2 * PATCH, 2 * PATCH)), dtype=np.float64)
    head = np.arange(2 * PATCH)[:, None, None] < 0.52 * 2 * PATCH

    def draw(canvas: ImageDraw.ImageDraw, half: float) -> None:
        def box(x0: float, y0: float, x1: float, y1: float) -> list[float]:
            return [half * (1 + c) for c in (x0, y0, x1, y1)]

        canvas.ellipse(box(-0.28, -0.75, 0.28, 0.05), fill=255)
        canvas.rectangle(box(-0.1, -0.1, 0.1, 0.2), fill=255)
        canvas.rounded_rectangle(box(-0.75, 0.06, 0.75, 1.4), half * 0.3, fill=255)

    return cut(np.where(head, face, shirt), draw)
