import pytest
from torch import nn

from cpnet.models import create_model, list_models
from cpnet.models.registry import register_model


def test_names_are_sorted_and_can_be_filtered():
    assert list_models() == sorted(list_models())
    assert list_models("cpnet*") == ["cpnet_toy"]


def test_unknown_names_and_arguments_are_refused_with_what_there_is():
    with pytest.raises(ValueError, match=r"resnet999.*cpnet_toy"):
        create_model("resnet999")
    with pytest.raises(ValueError, match=r"kk.*k, hidden"):
        create_model("cpnet_toy", kk=3)


def test_a_name_is_given_once():
    def cpnet_toy() -> nn.Module:
        return nn.Identity()

    with pytest.raises(ValueError, match="exists already"):
        register_model(cpnet_toy)
