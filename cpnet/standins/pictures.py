"""Objects and scenes of the stand-in for Kinetics, as pictures that a person recognises."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from cpnet.standins.canvas import PATCH, SHAPES, WORLD, Point, Random, blotchy, corners, cut_polygon, regular, to_image

Colour = tuple[int, int, int]
Part = tuple[Sequence[Point], Colour]
Details = Callable[[ImageDraw.ImageDraw, Random, float], None]  # draws in pixels; the number is a frame's height


def ellipse(x: float, y: float, rx: float, ry: float) -> list[Point]:
    """Corners of an ellipse."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return [(x + rx * np.cos(a), y + ry * np.sin(a)) for a in angles]


WHITE, BLACK, GREY, BROWN = (245, 245, 245), (35, 35, 40), (130, 130, 135), (120, 75, 40)
RED, YELLOW, GREEN = (205, 45, 45), (240, 205, 50), (50, 150, 60)
BLUE, ORANGE, PINK = (50, 90, 190), (235, 130, 40), (235, 140, 170)

# Each object is painted from back to front; of the first part, the colour changes from clip to clip.
OBJECTS: dict[str, list[Part]] = {
    "ball": [(regular(24), RED), (regular(5), WHITE), (regular(5, 0.4), BLACK)],
    "car": [
        (corners("-0.95,0.35 -0.95,-0.05 -0.5,-0.1 -0.25,-0.5 0.4,-0.5 0.65,-0.1 0.95,0 0.95,0.35"), BLUE),
        (corners("-0.3,-0.12 -0.15,-0.4 0.35,-0.4 0.5,-0.12"), WHITE),
        (ellipse(-0.5, 0.4, 0.22, 0.22), BLACK),
        (ellipse(0.5, 0.4, 0.22, 0.22), BLACK),
    ],
    "boat": [
        (corners("0,-0.95 0.7,0.25 0,0.25"), WHITE),
        (corners("-0.9,0.35 0.9,0.35 0.55,0.8 -0.55,0.8"), BROWN),
        (corners("-0.06,-0.95 0.02,-0.95 0.02,0.4 -0.06,0.4"), BLACK),
    ],
    "kite": [
        (corners("0,-0.95 0.6,-0.25 0,0.6 -0.6,-0.25"), ORANGE),
        (corners("0,-0.95 0.6,-0.25 0,-0.25"), BLUE),
        (corners("0,0.6 0.2,0.75 -0.05,0.95 0.05,0.78"), PINK),
    ],
    "bird": [
        (ellipse(0, 0.1, 0.55, 0.3), GREY),
        (ellipse(0.55, -0.2, 0.22, 0.22), GREY),
        (corners("0.72,-0.25 0.98,-0.15 0.72,-0.08"), ORANGE),
        (corners("-0.1,0.05 -0.5,-0.85 0.3,0"), BLACK),
        (corners("-0.5,0.1 -0.98,-0.1 -0.95,0.3"), BLACK),
    ],
    "fish": [
        (ellipse(0.15, 0, 0.7, 0.42), ORANGE),
        (corners("-0.45,0 -0.95,-0.45 -0.95,0.45"), YELLOW),
        (ellipse(0.55, -0.1, 0.1, 0.1), BLACK),
        (corners("0.1,-0.35 0.2,-0.35 0.2,0.35 0.1,0.35"), WHITE),
    ],
    "balloon": [
        (ellipse(0, -0.25, 0.6, 0.68), PINK),
        (corners("-0.12,0.42 0.12,0.42 0,0.3"), RED),
        (corners("-0.03,0.42 0.03,0.42 0.06,0.95 0,0.95"), BLACK),
    ],
    "rocket": [
        (corners("0,-0.95 0.3,-0.4 0.3,0.5 -0.3,0.5 -0.3,-0.4"), WHITE),
        (corners("-0.3,0.1 -0.65,0.6 -0.3,0.5"), RED),
        (corners("0.3,0.1 0.65,0.6 0.3,0.5"), RED),
        (corners("-0.2,0.5 0.2,0.5 0,0.95"), YELLOW),
        (ellipse(0, -0.2, 0.14, 0.14), BLUE),
    ],
    "wheel": [
        (regular(24), BROWN),
        (ellipse(0, 0, 0.7, 0.7), YELLOW),
        (corners("-0.1,-0.9 0.1,-0.9 0.1,0 -0.1,0"), BLACK),
        (corners("-0.9,0.1 -0.9,-0.1 0,-0.1 0,0.1"), BLUE),
        (corners("0.55,0.7 0.7,0.55 0.07,-0.07 -0.07,0.07"), RED),
    ],
    "flower": [(regular(6, 0.55), PINK), (ellipse(0, 0, 0.35, 0.35), YELLOW), (ellipse(0, 0, 0.15, 0.15), BROWN)],
    "lamp": [
        (corners("-0.3,-0.9 0.3,-0.9 0.7,0 -0.7,0"), YELLOW),
        (corners("-0.07,0 0.07,0 0.07,0.8 -0.07,0.8"), BLACK),
        (corners("-0.4,0.75 0.4,0.75 0.4,0.95 -0.4,0.95"), BROWN),
    ],
    "bottle": [(SHAPES["bottle"], GREEN), (corners("-0.5,0.15 0.5,0.15 0.5,0.65 -0.5,0.65"), WHITE)],
}


def draw_object(name: str, random: Random) -> Image.Image:
    """A picture of an object, its colours varying."""
    picture = Image.new("RGBA", (PATCH, PATCH))
    for i, (points, colour) in enumerate(OBJECTS[name]):
        change = random.uniform(-60, 60, 3) if i == 0 else random.uniform(-15, 15, 3)
        colours = blotchy(np.array(colour) + change, random, PATCH, 0.35)
        picture.alpha_composite(cut_polygon(np.clip(colours, 0, 255), points))
    return picture


def _places(random: Random, unit: float, count: int, low: float, high: float) -> np.ndarray:
    """Random places in pixels, y between two heights."""
    x, y = random.uniform(0, WORLD, count), random.uniform(low + WORLD / 2, high + WORLD / 2, count)
    return np.column_stack([x, y]) * unit


def _blades(canvas: ImageDraw.ImageDraw, random: Random, unit: float) -> None:
    for x, y in _places(random, unit, 260, 0.05, 1.5):
        canvas.line((x, y, x + random.uniform(-3, 3), y - 0.05 * unit), fill=(30, 90 + random.randint(60), 30))


def _waves(canvas: ImageDraw.ImageDraw, random: Random, unit: float) -> None:
    for x, y in _places(random, unit, 150, 0.0, 1.5):
        canvas.arc((x, y, x + 0.12 * unit, y + 0.05 * unit), 180, 360, fill=(190, 220, 240))


def _clouds(canvas: ImageDraw.ImageDraw, random: Random, unit: float) -> None:
    for x, y in _places(random, unit, 34, -1.4, 1.4):
        for dx, dy, r in ((0, 0, 0.07), (0.07, -0.02, 0.09), (0.15, 0.01, 0.06)):
            box = [c * unit for c in (dx - r, dy - r, dx + r, dy + r)]
            canvas.ellipse((x + box[0], y + box[1], x + box[2], y + box[3]), fill=(240, 243, 247))


def _lanes(canvas: ImageDraw.ImageDraw, random: Random, unit: float) -> None:
    y = (WORLD / 2 + 0.3) * unit
    for x in np.arange(random.rand() * 0.2, WORLD, 0.22) * unit:
        canvas.rectangle((x, y, x + 0.1 * unit, y + 0.03 * unit), fill=(235, 235, 225))


def _flakes(canvas: ImageDraw.ImageDraw, random: Random, unit: float) -> None:
    for x, y in _places(random, unit, 220, -1.5, 1.5):
        r = 0.012 * unit
        canvas.ellipse((x - r, y - r, x + r, y + r), fill=(250, 250, 255))


def _stripes(canvas: ImageDraw.ImageDraw, random: Random, unit: float) -> None:
    colour = tuple(random.randint(60, 200, 3).tolist())
    for x in np.arange(0, WORLD, 0.16) * unit:
        canvas.rectangle((x, 0, x + 0.04 * unit, (WORLD / 2 + 0.25) * unit), fill=colour)


def _stars(canvas: ImageDraw.ImageDraw, random: Random, unit: float) -> None:
    for x, y in _places(random, unit, 120, -1.5, 1.5):
        canvas.rectangle((x, y, x + 1, y + 1), fill=(255, 250, 200))


def _trunks(canvas: ImageDraw.ImageDraw, random: Random, unit: float) -> None:
    places = np.arange(0, WORLD, 0.24)
    for x in places + random.uniform(-0.07, 0.07, len(places)):
        width = random.uniform(0.03, 0.06)
        canvas.rectangle((x * unit, 0, (x + width) * unit, (WORLD / 2 + 0.2) * unit), fill=(80, 55, 35))


# The colours above and below the horizon, its height from -1 to 1 of the frame, and details.
SCENES: dict[str, tuple[Colour, Colour, float, Details]] = {
    "meadow": ((170, 205, 235), (85, 150, 60), -0.15, _blades),
    "sea": ((190, 215, 235), (45, 95, 150), -0.2, _waves),
    "sky": ((125, 180, 235), (125, 180, 235), 0, _clouds),
    "road": ((175, 195, 180), (95, 95, 100), 0.0, _lanes),
    "snow": ((160, 175, 195), (225, 230, 238), 0.0, _flakes),
    "room": ((215, 190, 150), (135, 95, 60), 0.25, _stripes),
    "night": ((25, 28, 60), (20, 30, 35), 0.3, _stars),
    "forest": ((95, 130, 85), (85, 75, 45), 0.2, _trunks),
}


def draw_scene(name: str, random: Random, height: int) -> Image.Image:
    """A picture of a scene, a square of side `WORLD` for frames of so many pixels of height; its colours vary."""
    top, ground, horizon, details = SCENES[name]
    n, line = int(WORLD * height), horizon + random.uniform(-0.06, 0.06)
    above, below = (np.array(colour) + random.uniform(-25, 25, 3) for colour in (top, ground))
    ys = np.linspace(-WORLD / 2, WORLD / 2, n)[:, None, None]
    image = to_image(blotchy(np.where(ys < line, above, below), random, n, 0.45, (6, 14, 50)))
    details(ImageDraw.Draw(image), random, height)
    return image
