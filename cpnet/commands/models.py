"""python -m cpnet models."""

from tyro.conf import Positional


def models(pattern: Positional[str] = "*") -> None:
    """List the networks, with their weights in units of 2^20, as the paper counts them.

    Args:
        pattern: only names that match, such as 'cpnet*'.
    """
    import torch

    from cpnet.models import create_model, list_models
    from cpnet.models.summary import count_parameters

    if not list_models(pattern):
        raise ValueError(f"no network matches {pattern!r}: there are {', '.join(list_models())}")
    for name in list_models(pattern):
        with torch.device("meta"):
            weights = count_parameters(create_model(name))["weights"]
        print(f"{name:20}{weights / 2**20:8.2f} Mi")
