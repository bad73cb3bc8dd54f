import pytest

from cpnet.experiments.parameters import OneOrMore, ParameterError, check_device, check_parameters, chosen

ALLOWED = {"profile": ("smoke", "cpu"), "seed": int, "k": range(1, 33), "rerun": bool}
GIVEN = {"profile": "cpu", "seed": 0, "k": 4, "rerun": False, "_": 1, "In": [], "__name__": "x"}


def test_what_is_allowed_passes():
    check_parameters(GIVEN, ALLOWED)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kk": 3}, "unknown parameter kk.*profile, seed, k, rerun"),
        ({"profile": "cup"}, "profile='cup'.*smoke, cpu"),
        ({"seed": "abc"}, "seed='abc'.*int"),
        ({"seed": 1.0}, "seed=1.0.*int"),
        ({"seed": True}, "seed=True.*int"),
        ({"k": 0}, "k=0: give a whole number from 1 to 32"),
        ({"k": True}, "k=True"),
        ({"k": 8.0}, "k=8.0.*1 to 32"),
        ({"k": "8"}, "k='8'.*1 to 32"),
        ({"rerun": 1}, "rerun=1.*bool"),
    ],
)
def test_anything_else_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        check_parameters(GIVEN | change, ALLOWED)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", 1, None])
def test_a_device_is_there(device):
    check_parameters({"device": "cpu"}, {"device": check_device})
    with pytest.raises(ParameterError, match="device=") as refused:
        check_parameters({"device": device}, {"device": check_device})
    assert refused.value._render_traceback_() == [f"ParameterError: {refused.value}"]


def test_a_missing_parameter_is_named():
    with pytest.raises(ValueError, match="seed"):
        check_parameters({name: value for name, value in GIVEN.items() if name != "seed"}, ALLOWED)


@pytest.mark.parametrize(("value", "values"), [("all", [1, 2, 4]), (2, [2]), ([4, 1], [4, 1])])
def test_several_values(value, values):
    check_parameters({"k": value}, {"k": OneOrMore((1, 2, 4))})
    assert chosen(value, (1, 2, 4)) == values


@pytest.mark.parametrize("value", [3, "two", [], [1, 1], [1, 3], True, 2.0, "2", [1, 2.0]])
def test_several_values_are_checked_one_by_one(value):
    with pytest.raises(ValueError, match=r"k=.*: (choose|give)"):
        check_parameters({"k": value}, {"k": OneOrMore((1, 2, 4))})
    with pytest.raises(ValueError, match=r"seed=1\.5.*int"):
        check_parameters({"seed": [0, 1.5]}, {"seed": OneOrMore(int)})
