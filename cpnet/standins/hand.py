"""A drawn hand."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from cpnet.standins.canvas import PATCH, Point, Random, blotchy, cut

SKIN = ((255, 219, 180), (222, 170, 125), (166, 116, 81), (110, 72, 48))
FINGERS = ("index", "middle", "ring", "little")


@dataclass(frozen=True)
class Pose:
    """How a hand is held: how far fingers are stretched, 0 to 1, how far apart they are, and where the thumb points.

    The palm faces the camera and the wrist is below. Turn the image for other directions.
    """

    index: float = 1.0
    middle: float = 1.0
    ring: float = 1.0
    little: float = 1.0
    spread: float = 0.5
    thumb: float = 1.0
    thumb_angle: float = -0.9  # radians from straight up


OPEN = Pose()
FLAT = Pose(spread=0.1, thumb=0.5)
TWO_FINGERS = Pose(ring=0.0, little=0.0, spread=0.3, thumb=0.15)
THUMB = Pose(0.0, 0.0, 0.0, 0.0, 0.0, 1.1, 0.0)
GRIP = Pose(0.6, 0.6, 0.6, 0.6, 0.1, 0.9, -1.2)


def skin(random: Random) -> np.ndarray:
    """Colours (PATCH, PATCH, 3) of a hand, slightly blotchy, so that parts of it can be told apart."""
    tone = np.array(SKIN[random.randint(len(SKIN))], dtype=np.float64)
    return np.clip(blotchy(tone, random, PATCH, 0.3, (4, 9)), 0, 255)


def draw_hand(colours: np.ndarray, pose: Pose) -> Image.Image:
    """A hand in the given pose, filling the patch."""

    def draw(canvas: ImageDraw.ImageDraw, half: float) -> None:
        def stroke(start: Point, angle: float, length: float, width: float) -> None:
            end = (start[0] + length * np.sin(angle), start[1] - length * np.cos(angle))
            (x0, y0), (x1, y1) = ((half * (1 + x), half * (1 + y)) for x, y in (start, end))
            canvas.line((x0, y0, x1, y1), fill=255, width=int(width * half))
            r = width * half / 2
            for x, y in ((x0, y0), (x1, y1)):
                canvas.ellipse((x - r, y - r, x + r, y + r), fill=255)

        canvas.rounded_rectangle([half * (1 + c) for c in (-0.4, -0.15, 0.4, 0.62)], half * 0.2, fill=255)
        stroke((0, 0.6), np.pi, 0.3, 0.42)  # wrist
        for i, name in enumerate(FINGERS):
            place = i - 1.5
            length = (0.68, 0.75, 0.7, 0.52)[i] * getattr(pose, name)
            stroke((0.21 * place, -0.08), 0.32 * place * pose.spread, 0.12 + length, 0.18)
        stroke((-0.3, 0.25), pose.thumb_angle, 0.2 + 0.5 * pose.thumb, 0.2)

    return cut(colours, draw)
