"""Training and evaluation; they know models and data by their interfaces only."""

from cpnet.engine.evaluate import Evaluation, evaluate
from cpnet.engine.train import train

__all__ = ["Evaluation", "evaluate", "train"]
