"""The tables of the paper, their trainings, and the claims made about them; what chapters use is named here."""

from cpnet.engine.machine import Machine
from cpnet.experiments.costs import overview
from cpnet.experiments.reproduction import reproduce
from cpnet.experiments.run import load, load_curves, load_origins

__all__ = ["Machine", "load", "load_curves", "load_origins", "overview", "reproduce"]
