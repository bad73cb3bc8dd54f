"""Training and evaluation; they know models and data by their interfaces only."""

from cpnet.engine.evaluate import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
