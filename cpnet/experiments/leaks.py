"""What C2D, which sees frames without their order, knows of films and the same films backwards: it must be nothing."""

from dataclasses import replace
from functools import partial

from cpnet.data.layouts import Dataset
from cpnet.engine.setting import Network
from cpnet.engine.video_training import VideoTraining
from cpnet.experiments.claims import PAIRED, Claim, Comparison, Measured, within
from cpnet.experiments.profiles import kinetics, on_other_videos, short
from cpnet.experiments.table import Table

GUESSING, MARGIN = 50.0, 5.0  # percent of partners told apart, and how much more or less counts as guessing
AT_GUESSING = f"partners told apart at {GUESSING:.0f} ± {MARGIN:.0f} %; {PAIRED}"

# Validation videos of a stand-in made for this question, so that 1,100 are of classes with a partner.
VIDEOS: dict[Dataset, int] = {"kinetics": 2300, "something": 1300, "jester": 1500}
FRESH = 2  # seed of these stand-ins
EPOCHS = 10  # on Jester, too, where the table's networks begin with weights of stills and train for fewer


def guesses(row: str, protocol: str = "") -> Comparison:
    """A row tells as many partners apart as who does not see the order of frames."""
    told = {Measured(row, protocol, "val_partners"): 1.0}
    return Comparison(f"partners told apart by {row}", told, GUESSING - MARGIN, GUESSING + MARGIN)


def row(name: Dataset, profile: str, seed: int) -> VideoTraining | None:
    """C2D, trained and tested on a stand-in of its own."""
    if profile != "cpu":
        return None
    network = Network("c2d_resnet18")
    of_kinetics = name == "kinetics"
    training = kinetics(network, profile, seed) if of_kinetics else short(name, network, profile, seed, 4)
    (phase,) = training.recipe.phases
    recipe = replace(training.recipe, phases=(replace(phase, epochs=EPOCHS),))
    return on_other_videos(replace(training, recipe=recipe), VIDEOS[name], FRESH)


TABLE = Table(
    name="leaks",
    rows={name: partial(row, name) for name in VIDEOS},
    seeds=lambda row, profile: (0, 1, 2),
    claims=tuple(
        Claim(
            f"C2D does not tell films from films backwards: {name}",
            "ours",
            AT_GUESSING,
            partial(within, comparisons=[guesses(name)]),
        )
        for name in VIDEOS
    ),
)
