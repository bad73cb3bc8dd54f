"""A stand-in for Kinetics: most classes are told by object and scene, others share both and differ in motion."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cpnet.standins.canvas import Camera, Film, Layer, Random, even, odd_length, tremble
from cpnet.standins.classes import Action, Class
from cpnet.standins.pictures import OBJECTS, draw_object, draw_scene

RATES = (15.0, 24.0, 25.0, 30000 / 1001, 30.0)  # frames a second
LENGTHS = (97, 143)  # frames
ASPECTS = (3 / 4, 1.0, 4 / 3, 16 / 9)
GROWTH = 1.25  # of the short side, at most
CAMERA_MOTION = 0.3  # share of the clips in which the camera moves
TWIN_SIZES = (0.6, 0.9)  # of its own
TWINS = (1, 3)  # look-alikes of the thing that acts, fewest and most


@dataclass
class Shot:
    """A layer to be moved, in a clip of T frames."""

    random: Random
    T: int
    layer: Layer

    def cycles(self, period: float) -> np.ndarray:
        """A growing angle, from a random one, of about one turn in `period` frames."""
        turns = np.arange(self.T) / (period * self.random.uniform(0.8, 1.25)) + self.random.rand()
        return 2 * np.pi * turns

    def glide(self, way: float) -> None:
        """Move to the right, or to the left."""
        self.layer.x = self.layer.x + way * self.random.uniform(0.5, 0.7) * np.linspace(-0.5, 0.5, self.T)

    def progress(self) -> np.ndarray:
        """(T,) from -0.5 to 0.5: partners are the same film backwards."""
        return np.linspace(-0.5, 0.5, self.T)

    def side(self) -> float:
        """1 or -1: what looks the same in a mirror is not to be told by left and right."""
        return float(2 * self.random.randint(2) - 1)


def cross(shot: Shot) -> None:
    """To the left or to the right."""
    shot.glide(shot.side())


def lift(shot: Shot, way: int) -> None:
    """Upwards, or downwards."""
    middle = shot.layer.y + shot.random.uniform(-0.1, 0.1)
    shot.layer.y = middle - way * shot.random.uniform(0.5, 0.7) * shot.progress()


def rest(shot: Shot) -> None:
    """Not at all."""


def bounce(shot: Shot) -> None:
    """Up and down, as a ball does."""
    shot.layer.y = shot.layer.y + 0.15 - 0.36 * np.abs(np.sin(shot.cycles(64)))


def swing(shot: Shot) -> None:
    """As a pendulum."""
    angle = 0.7 * np.sin(shot.cycles(56))
    shot.layer.x, shot.layer.y = shot.layer.x + 0.28 * np.sin(angle), shot.layer.y + 0.28 * np.cos(angle) - 0.2
    shot.layer.angle = -angle


def circle(shot: Shot) -> None:
    """Round and round."""
    phase = shot.side() * shot.cycles(72)
    shot.layer.x, shot.layer.y = shot.layer.x + 0.2 * np.cos(phase), shot.layer.y + 0.2 * np.sin(phase)


def spin(shot: Shot) -> None:
    """On the spot."""
    shot.layer.angle = shot.side() * shot.cycles(80)


def approach(shot: Shot, way: int) -> None:
    """Towards the camera, or away from it."""
    shot.layer.radius = shot.layer.radius * 2.2 ** (way * shot.progress())


def rock(shot: Shot) -> None:
    """Tilting from side to side."""
    shot.layer.angle = 0.5 * np.sin(shot.cycles(44))


def roll(shot: Shot) -> None:
    """To the left or to the right, turning."""
    side = shot.side()
    shot.glide(side)
    shot.layer.angle = side * shot.cycles(70)


@dataclass(frozen=True)
class Picture(Class):
    """A class with its object and its scene."""

    object: str = ""
    scene: str = ""


rise, sink, grow, shrink = (partial(act, way=way) for act in (lift, approach) for way in (1, -1))
# What an object does, and what the same film shows played backwards.
BY_ORDER = (
    ("rising", rise, "sinking"),
    ("sinking", sink, "rising"),
    ("coming closer", grow, "going away"),
    ("going away", shrink, "coming closer"),
)
# Classes that object and scene decide: by object, what it does in which scene.
ALONE: dict[str, dict[str, tuple[str, Action]]] = {
    "ball": {"sky": ("circling", circle), "room": ("bouncing", bounce)},
    "car": {"meadow": ("driving", cross), "snow": ("driving", cross)},
    "boat": {"sea": ("rocking", rock), "night": ("gliding", cross), "room": ("standing", rest)},
    "kite": {"meadow": ("swinging", swing), "forest": ("sinking", sink)},
    "bird": {"sky": ("flying", cross), "forest": ("flying", cross), "sea": ("circling", circle)},
    "fish": {"night": ("flying", cross)},
    "balloon": {"sky": ("rising", rise), "road": ("swinging", swing), "snow": ("bouncing", bounce)},
    "rocket": {"snow": ("coming closer", grow), "road": ("rising", rise)},
    "wheel": {"road": ("rolling", roll), "forest": ("rolling", roll)},
    "flower": {"meadow": ("rocking", rock), "room": ("spinning", spin)},
    "lamp": {"room": ("swinging", swing), "night": ("standing", rest)},
    "bottle": {"sea": ("rocking", rock), "forest": ("falling", sink)},
}
# Four classes of one object in one scene: who sees no order of frames cannot tell two of them apart.
TOGETHER = {"ball": "meadow", "car": "road", "kite": "sky", "wheel": "room", "fish": "sea", "rocket": "night"}


def _title(object: str, scene: str, does: str) -> str:
    return f"{object} {does} ({scene})"


CLASSES: dict[str, Picture] = {
    _title(object, scene, does): Picture(act, decided_by="appearance", object=object, scene=scene)
    for object, scenes in ALONE.items()
    for scene, (does, act) in scenes.items()
} | {
    _title(object, scene, does): Picture(act, partner=_title(object, scene, other), object=object, scene=scene)
    for object, scene in TOGETHER.items()
    for does, act, other in BY_ORDER
}


def compose(name: str, height: int, random: Random) -> Film:
    """A clip of a class; `height` is the least short side."""
    chosen = CLASSES[name]
    T = odd_length(random, *LENGTHS)
    aspect = ASPECTS[random.randint(len(ASPECTS))]
    short = even(height * random.uniform(1, GROWTH))
    H, W = (short, even(short * aspect)) if aspect >= 1 else (even(short / aspect), short)
    radius = random.uniform(0.13, 0.22) * min(1, aspect)
    layer = Layer(draw_object(chosen.object, random), random.uniform(-0.08, 0.08), random.uniform(-0.08, 0.12), radius)
    chosen.act(Shot(random, T, layer))
    layer.x = layer.x * min(1, aspect)
    moving = random.rand() < CAMERA_MOTION
    way = np.linspace(-0.5, 0.5, T) * moving
    angle = random.uniform(0, 2 * np.pi)
    x, y = (tremble(random, T, 0.006) + 0.3 * part * way for part in (np.cos(angle), np.sin(angle)))
    camera = Camera(x, y, 1.35 ** (random.uniform(-1, 1) * way))  # in and out alike, or partners would differ in it
    layers = [*_bystanders(random), *_twins(random, T, layer.image, radius, W / H), layer]
    rate = RATES[random.randint(len(RATES))]
    return Film(draw_scene(chosen.scene, random, H), layers, camera, (T, H, W), rate=rate)


def compose_still(object: str, scene: str, height: int, random: Random) -> Film:
    """A square picture of an object in a scene."""
    x, y, angle, cx, cy = random.uniform(-1, 1, 5) * (0.3, 0.3, 0.6, 0.15, 0.15)
    layer = Layer(draw_object(object, random), x, y, random.uniform(0.12, 0.28), angle)
    camera = Camera(cx, cy, random.uniform(0.85, 1.2))
    picture = draw_scene(scene, random, height)
    return Film(picture, [*_bystanders(random), layer], camera, (1, height, height))


def _twins(random: Random, T: int, image: Any, radius: float, aspect: float) -> list[Layer]:
    """Look-alikes of the thing that acts, a little smaller: some stand still, some drift sideways."""
    twins = []
    for _ in range(random.randint(TWINS[0], TWINS[1] + 1)):
        x, y, drift = random.uniform(-1, 1, 3) * (0.45 * aspect, 0.45, 0.4)
        path = drift * np.linspace(-0.5, 0.5, T) * random.randint(2)
        twins.append(Layer(image, x + path, y, radius * random.uniform(*TWIN_SIZES), random.uniform(-0.3, 0.3)))
    return twins


def _bystanders(random: Random) -> list[Layer]:
    """Small other objects, which do not move."""
    names = sorted(OBJECTS)
    drawn = [draw_object(names[random.randint(len(names))], random) for _ in range(random.randint(3))]
    return [Layer(picture, random.uniform(-0.6, 0.6), random.uniform(-0.6, 0.6), 0.06) for picture in drawn]
