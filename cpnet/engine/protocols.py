"""How videos are tested: single clips or averages over many, the paper's protocols by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from cpnet.data.clips import NUM_CROPS
from cpnet.data.decode import Reader
from cpnet.data.layouts import Index
from cpnet.data.videos import EvaluationViews
from cpnet.engine.evaluate import score_videos
from cpnet.engine.machine import Machine
from cpnet.engine.recipe import Phase
from cpnet.engine.setting import VideoData

if TYPE_CHECKING:
    from accelerate import Accelerator

# Views in time x views in space; Section 5 and supplement G.
PAPER_PROTOCOLS = {
    "1x1": "Kinetics: one clip, its centre crop",
    "25x10": "Kinetics, as ARTNet: corners and centre, plain and mirrored",
    "10x3": "Kinetics, large models, as NL nets: along the long side",
    "16x6": "Something-Something",
    "8x6": "Jester",
}

THERE_ARE = (
    f"give clips x crops, such as {', '.join(PAPER_PROTOCOLS)}; crops are one of {', '.join(map(str, NUM_CROPS))}"
)
VIEWS_AT_ONCE = 16  # loaded together


@dataclass(frozen=True)
class Protocol:
    """How videos are tested: "25x10" of the paper is `Protocol(25, 10)`.

    Attributes:
        num_clips, num_crops: number of views in time and in space, see `cpnet.data.clips`.
        size: height and width of the crops; those of training if None.
        short_side: short side to which frames are resized before; `size` if None, so that corners of crops coincide.
        k: number of proposals of CP modules; that of training if None.
        shuffled: show frames out of order, as a control.
        videos: how many of the first videos of a split that are there are tested; all if None.

    Raises:
        ValueError: no such views; the message says what there is.
    """

    num_clips: int = 1
    num_crops: int = 1
    size: int | None = None
    short_side: int | None = None
    k: int | None = None
    shuffled: bool = False
    videos: int | None = None

    def __post_init__(self) -> None:
        if self.num_clips < 1 or self.num_crops not in NUM_CROPS:
            raise ValueError(f"protocol '{self.num_clips}x{self.num_crops}': {THERE_ARE}")
        if self.size is not None and self.size < 1:
            raise ValueError(f"size={self.size}: give 1 or more pixels")

    @classmethod
    def parse(cls, views: str, **options: Any) -> Protocol:
        """A protocol from views in time and space, such as "10x3".

        Raises:
            ValueError: something else; the message says what there is.
        """
        clips, _, crops = views.partition("x")
        if not (clips.isdecimal() and crops.isdecimal()):
            raise ValueError(f"protocol {views!r}: {THERE_ARE}")
        return cls(int(clips), int(crops), **options)

    def check(self, model: nn.Module) -> None:
        """ValueError for another k than a network has that has none."""
        if self.k is not None and not hasattr(model, "k"):
            raise ValueError(f"k={self.k}: {type(model).__name__} has no CP modules, leave k out")

    def views(self, index: Index, phase: Phase, data: VideoData, read: Reader) -> EvaluationViews:
        """All views of the videos of `index`; clips as in `phase` and `data`, unless the protocol has others."""
        if self.videos is not None:
            index = replace(index, videos=index.videos[: self.videos], missing=[], quarantined=[], malformed=[])
        return EvaluationViews(
            index,
            num_frames=phase.num_frames,
            frame_step=phase.frame_step,
            size=data.size if self.size is None else self.size,
            clip_rule=data.clip_rule,
            read=read,
            num_clips=self.num_clips,
            num_crops=self.num_crops,
            short_side=self.short_side,
            shuffled=self.shuffled,
        )

    def scores(self, model: nn.Module, views: EvaluationViews, machine: Machine, accelerator: Accelerator) -> Tensor:
        """Scores (videos, classes) of `cpnet.engine.evaluate.score_videos`; errors as of `check`."""
        self.check(model)
        videos = max(1, VIEWS_AT_ONCE // (self.num_clips * self.num_crops))
        with changed([model], {} if self.k is None else {"k": self.k}):
            return score_videos(model, views, machine, accelerator, batch_size=videos)


@contextmanager
def changed(modules: Sequence[nn.Module], attributes: Mapping[str, Any]) -> Iterator[None]:
    """Inside, modules have other attributes."""
    before = [(module, name, getattr(module, name)) for module in modules for name in attributes]
    for module, name, _ in before:
        setattr(module, name, attributes[name])
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
