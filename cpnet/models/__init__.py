"""Networks, by name: `create_model("cpnet_toy", k=8)`."""

from cpnet.models import families as _families  # noqa: F401, registers its models
from cpnet.models import toy_nets as _toy_nets  # noqa: F401, registers its models
from cpnet.models.registry import create_model, for_clips, list_models, resolve_arguments

__all__ = ["create_model", "for_clips", "list_models", "resolve_arguments"]
