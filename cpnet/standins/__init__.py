"""Rendered stand-ins for the three data sets, and still images to pretrain on, in the official layouts."""

from cpnet.standins.write import NAMES, Spec, class_names, class_table, examples, is_rendered, render

__all__ = ["NAMES", "Spec", "class_names", "class_table", "examples", "is_rendered", "render"]
