"""Rendered stand-ins for the three data sets, and still images to pretrain on, in the official layouts."""

from cpnet.data.rendered.write import NAMES, digest, render

__all__ = ["NAMES", "digest", "render"]
