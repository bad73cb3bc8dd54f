"""Drawing: textures, shapes, and layers that move over a background seen by a moving camera.

Lengths are in units of the frame's height, with the origin in its centre, x to the right and y down. Angles are in
radians, clockwise. Whatever moves is an array of one value a frame, or a number if it does not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Random = np.random.RandomState
Motion = np.ndarray | float
Point = tuple[float, float]

WORLD = 3.0  # side of a background, around the origin
PATCH = 64  # pixels of a drawn thing's side
OVERSAMPLING = 4  # for smooth edges
_BILINEAR = Image.Resampling.BILINEAR


@dataclass
class Layer:
    """A drawn square that moves: its centre, its half side, its angle; or one drawn anew for each frame."""

    image: Image.Image | Sequence[Image.Image]  # RGBA
    x: Motion
    y: Motion
    radius: Motion
    angle: Motion = 0.0


@dataclass
class Camera:
    """Where the centre of the frame lies, and how much larger than life things are."""

    x: Motion = 0.0
    y: Motion = 0.0
    zoom: Motion = 1.0


@dataclass
class Film:
    """Layers that move over a background; later ones hide earlier ones.

    Attributes:
        background: a square of side `WORLD`.
        shape: number of frames, height and width, (T, H, W).
        backwards: whether it is shown backwards.
        rate: frames a second.
    """

    background: Image.Image
    layers: Sequence[Layer]
    camera: Camera
    shape: tuple[int, int, int]
    backwards: bool = False
    rate: float = 1.0

    def frames(self, at: Sequence[int] | None = None) -> np.ndarray:
        """(T, H, W, 3), uint8, as shown: all frames, or those `at` some times."""
        T, H, W = self.shape
        order = range(T)[::-1] if self.backwards else range(T)
        at = order if at is None else [order[i] for i in at]
        cx, cy, zoom = self.camera_track()
        tracks = self.tracks()
        frames = np.empty((len(at), H, W, 3), dtype=np.uint8)
        pixels = self.background.width / WORLD
        for shown, t in zip(frames, at, strict=True):
            step = pixels / (H * zoom[t])
            left, top = ((c + WORLD / 2) * pixels - n / 2 * step for c, n in ((cx[t], W), (cy[t], H)))
            frame = self.background.transform((W, H), Image.Transform.AFFINE, (step, 0, left, 0, step, top), _BILINEAR)
            for layer, (x, y, radius, angle) in zip(self.layers, tracks, strict=True):
                image = layer.image if isinstance(layer.image, Image.Image) else layer.image[t]
                _paste(frame, image, (x[t], y[t]), radius[t], angle[t])
            shown[:] = np.asarray(frame)
        return frames

    def corners(self) -> np.ndarray:
        """(layers, T, 4, 2): x and y of the corners of each layer's square in pixels of the frames, as shown."""
        x, y, radius, angle = self.tracks().transpose(1, 0, 2)  # (layers, T) each
        turn = angle[..., None] + np.pi / 4 + np.pi / 2 * np.arange(4)  # (layers, T, 4)
        reach = 2**0.5 * radius[..., None]
        corners = np.stack([x[..., None] + reach * np.cos(turn), y[..., None] + reach * np.sin(turn)], -1)
        return corners[:, ::-1] if self.backwards else corners

    def tracks(self) -> np.ndarray:
        """(layers, 4, T): x, y and half side of each layer in pixels of the frame, and its angle, as filmed."""
        T, H, W = self.shape
        cx, cy, zoom = self.camera_track()
        unit = H * zoom  # pixels
        tracks = np.empty((len(self.layers), 4, T))
        for track, layer in zip(tracks, self.layers, strict=True):
            x, y, radius, angle = (_each_frame(m, T) for m in (layer.x, layer.y, layer.radius, layer.angle))
            track[:] = W / 2 + (x - cx) * unit, H / 2 + (y - cy) * unit, radius * unit, angle
        return tracks

    def camera_track(self) -> np.ndarray:
        """(3, T): x, y and zoom of the camera, as filmed."""
        return np.stack([_each_frame(m, self.shape[0]) for m in (self.camera.x, self.camera.y, self.camera.zoom)])


def _paste(frame: Image.Image, image: Image.Image, centre: Point, radius: float, angle: float) -> None:
    reach = int(np.ceil(1.5 * radius)) + 1  # a turned square needs sqrt(2)
    x0, y0 = int(np.floor(centre[0])) - reach, int(np.floor(centre[1])) - reach
    if radius <= 0 or x0 >= frame.width or y0 >= frame.height or x0 + 2 * reach <= 0 or y0 + 2 * reach <= 0:
        return
    scale = image.width / 2 / radius
    a, b = np.cos(angle) * scale, np.sin(angle) * scale
    dx, dy = x0 - centre[0], y0 - centre[1]
    middle = image.width / 2
    coefficients = (a, b, middle + a * dx + b * dy, -b, a, middle - b * dx + a * dy)
    patch = image.transform((2 * reach, 2 * reach), Image.Transform.AFFINE, coefficients, _BILINEAR)
    frame.paste(patch, (x0, y0), patch)


def odd_length(random: Random, low: int, high: int) -> int:
    """A number of frames from odd `low` to odd `high`, odd, so that clips that span as many can lie in the middle."""
    return int(2 * random.randint(low // 2, (high + 1) // 2) + 1)


def played(random: Random, T: int, frames: tuple[float, float], drift: float) -> np.ndarray:
    """(T,) progress of an action from 0 to 1, with rest before and after; alike in both directions of time.

    Args:
        frames: how long the action takes, from and to.
        drift: frames by which its middle is off that of the film, at most.
    """
    duration, middle = random.uniform(*frames), (T - 1) / 2 + random.uniform(-drift, drift)
    return np.clip((np.arange(T) - middle) / duration + 0.5, 0, 1)


def tremble(random: Random, T: int, size: float) -> np.ndarray:
    """(T,) small deviations that look the same backwards."""
    noise = random.standard_normal(T + 4)
    return size * np.convolve(noise, np.ones(5), "valid") / 5**0.5


def even(length: float) -> int:
    """The nearest even number of pixels but 16, 24, 48 and 72, as widths of which decord 0.6 could not read H.264."""
    pixels = 2 * round(length / 2)
    return pixels + 2 if pixels in (16, 24, 48, 72) else pixels


def _each_frame(motion: Motion, T: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(motion, dtype=np.float64), (T,))


def texture(random: Random, size: int, contrast: float = 1.0, cells: Sequence[int] = (3, 7, 16)) -> np.ndarray:
    """Coloured blotches (size, size, 3) of several sizes, 0 to 255, float."""
    blotches = np.zeros((size, size, 3))
    for i, n in enumerate(cells):
        noise = Image.fromarray(random.randint(0, 256, (n, n, 3)).astype(np.uint8))
        blotches += np.asarray(noise.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float64) / (1 + i)
    blotches -= blotches.mean((0, 1))
    colour = random.uniform(70, 185, 3)
    return np.clip(colour + contrast * 55 * blotches / blotches.std(), 0, 255)


def blotchy(
    colours: np.ndarray, random: Random, size: int, contrast: float, cells: Sequence[int] = (3, 7, 16)
) -> np.ndarray:
    """Colours that broadcast to (size, size, 3), with blotches that leave their mean as it is."""
    blotches = texture(random, size, contrast, cells)
    return colours + blotches - blotches.mean((0, 1))


def to_image(colours: np.ndarray) -> Image.Image:
    """An opaque image of colours (H, W, 3), 0 to 255."""
    return Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))


def background(random: Random, height: int, contrast: float = 0.6) -> Image.Image:
    """A textured square of side `WORLD` for frames of so many pixels of height."""
    return to_image(texture(random, int(WORLD * height), contrast, (5, 12, 40)))


def cut(colours: np.ndarray, draw: Callable[[ImageDraw.ImageDraw, float], None]) -> Image.Image:
    """Of colours (n, n, 3) what `draw` paints white on a canvas whose half side is given to it, with a dark rim."""
    n = len(colours)
    mask = Image.new("L", (n * OVERSAMPLING, n * OVERSAMPLING))
    draw(ImageDraw.Draw(mask), n * OVERSAMPLING / 2)
    inside = np.asarray(mask.resize((n, n), Image.Resampling.BOX), dtype=np.float64) / 255
    small = mask.resize((n // 4, n // 4), Image.Resampling.BOX).resize((n, n), Image.Resampling.BILINEAR)
    rim = 0.25 + 0.75 * np.clip(3 * np.asarray(small, dtype=np.float64) / 255 - 1.8, 0, 1)
    rgba = np.dstack([colours * rim[..., None], 255 * inside])
    return Image.fromarray(np.clip(rgba, 0, 255).astype(np.uint8))


def cut_polygon(colours: np.ndarray, points: Sequence[Point]) -> Image.Image:
    """Of colours (n, n, 3), a polygon of points between -1 and 1."""
    return cut(colours, lambda canvas, half: canvas.polygon([(half * (1 + x), half * (1 + y)) for x, y in points], 255))


def regular(count: int, dent: float = 1.0) -> list[Point]:
    """Corners of a regular polygon, or of a star if every other corner is dented."""
    angles = np.arange(2 * count) * np.pi / count - np.pi / 2
    radii = 0.95 * np.where(np.arange(2 * count) % 2, dent * (np.cos(np.pi / count) if dent == 1 else 1), 1)
    return [(r * np.cos(a), r * np.sin(a)) for r, a in zip(radii, angles, strict=True)]


def corners(text: str) -> list[Point]:
    """Corners of a polygon, written as SVG does: "x,y x,y ..."."""
    return [(float(x), float(y)) for x, y in (point.split(",") for point in text.split())]


SHAPES: dict[str, list[Point]] = {
    "disc": regular(24),
    "triangle": regular(3),
    "square": corners("-0.8,-0.8 0.8,-0.8 0.8,0.8 -0.8,0.8"),
    "pentagon": regular(5),
    "star": regular(5, 0.5),
    "drop": corners("0,-0.95 0.45,-0.1 0.55,0.4 0.3,0.85 -0.3,0.85 -0.55,0.4 -0.45,-0.1"),
    "diamond": corners("0,-0.95 0.6,0 0,0.95 -0.6,0"),
    "bottle": corners("-0.2,-0.95 0.2,-0.95 0.2,-0.4 0.5,-0.1 0.5,0.95 -0.5,0.95 -0.5,-0.1 -0.2,-0.4"),
    "house": corners("0,-0.95 0.85,-0.25 0.85,0.85 -0.85,0.85 -0.85,-0.25"),
}


def thing(random: Random) -> Image.Image:
    """A textured object of a random shape."""
    shape = SHAPES[sorted(SHAPES)[random.randint(len(SHAPES))]]
    return cut_polygon(texture(random, PATCH, 1.2), shape)
