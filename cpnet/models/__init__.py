"""Networks, by name: `create_model("cpnet_toy", k=8)`."""

from cpnet.models import toy_nets, video_nets  # noqa: F401, they register their models
from cpnet.models.registry import create_for_clips, create_model, list_models, resolve_arguments

__all__ = ["create_for_clips", "create_model", "list_models", "resolve_arguments"]
