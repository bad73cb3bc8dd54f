"""Layers under the paper's names."""

from cpnet.nn.correspondence import CPModule, Proposals
from cpnet.nn.nonlocal_ import NonLocalBlock
from cpnet.nn.proposals import correspondence_proposals
from cpnet.nn.relation import MultiScaleRelation
from cpnet.nn.smart import SMARTBlock

__all__ = ["CPModule", "MultiScaleRelation", "NonLocalBlock", "Proposals", "SMARTBlock", "correspondence_proposals"]
