import pytest

from cpnet.experiments.parameters import check_parameters

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
        ({"k": 0}, "k=0.*1, 2"),
        ({"k": True}, "k=True"),
        ({"rerun": 1}, "rerun=1.*bool"),
    ],
)
def test_anything_else_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        check_parameters(GIVEN | change, ALLOWED)


def test_a_missing_parameter_is_named():
    with pytest.raises(ValueError, match="seed"):
        check_parameters({name: value for name, value in GIVEN.items() if name != "seed"}, ALLOWED)
