"""Rendered stand-ins for the three data sets, and still images to pretrain on, in the official layouts."""

from cpnet.data.rendered.write import NAMES, class_table, digest, examples, render

__all__ = ["NAMES", "class_table", "digest", "examples", "render"]
