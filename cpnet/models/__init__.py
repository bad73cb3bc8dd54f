"""Networks, by name: `create_model("cpnet_toy", k=8)`."""

from cpnet.models import toy_nets, video_nets  # noqa: F401, they register their models
from cpnet.models.registry import create_model, for_clips, list_models, resolve_arguments

__all__ = ["create_model", "for_clips", "list_models", "resolve_arguments"]
