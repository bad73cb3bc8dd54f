"""A tiny data set in Jester's official layout, whose classes are colours."""

import numpy as np

from cpnet.standins.encode import write_jpegs

CLASSES = ("Blue", "Green", "Red")


def make_jester(root, train=8, val=5, test=0, frames=6):
    """Write annotations and videos of 24x32 pixels; video i of a split has class i modulo 3."""
    (root / "20bn-jester-v1").mkdir(parents=True)
    (root / "jester-v1-labels.csv").write_text("".join(f"{name}\n" for name in reversed(CLASSES)))
    number = 0
    for split, count in (("train", train), ("validation", val), ("test", test)):
        lines = []
        for i in range(count):
            number += 1
            colour = 90 * np.eye(3)[2 - i % 3] + 60
            noise = np.random.RandomState(number).randint(0, 60, (frames, 24, 32, 3))
            write_jpegs(root / "20bn-jester-v1" / str(number), (noise + colour).astype(np.uint8))
            lines.append(f"{number};{CLASSES[i % 3]}\n" if split != "test" else f"{number}\n")
        (root / f"jester-v1-{split}.csv").write_text("".join(lines))
    return root
