"""A network has one colour in all figures, and a name that says its depth."""

from cpnet.experiments import table4, table5a, table5b
from cpnet.figures.parts import colours, titles


def test_a_network_has_the_same_colour_beside_whatever_it_stands():
    beside = colours(["C2D", "C3D", "NL C2D", "ARTNet", "CPNet"])
    assert len(set(beside.values())) == 5
    for title, other in (("C2D", "c2d_resnet18"), ("NL C2D", "I3D NL Net"), ("CPNet", "CPNet, k = 4")):
        assert colours([other, "TRN"])[other] == beside[title]


def test_every_row_of_the_large_tables_has_a_title_of_its_own():
    for table in (table4.TABLE, table5a.TABLE, table5b.TABLE):
        named = titles(table.rows)
        assert len(set(named.values())) == len(table.rows)
    assert titles(["nl_resnet18", "trn_resnet34"]) == {
        "nl_resnet18": "NL C2D, ResNet-18",
        "trn_resnet34": "TRN, ResNet-34",
    }


def test_rows_of_one_network_have_shades_of_its_colour():
    rows = colours(["C2D", "1 CP", "2 CPs", "6 CPs"])
    assert len(set(rows.values())) == 4 and rows["C2D"] == colours(["C2D"])["C2D"]
    assert rows["6 CPs"] == colours(["CPNet"])["CPNet"]  # the last one is the full colour
    brightness = [sum(rows[title]) for title in ("1 CP", "2 CPs", "6 CPs")]
    assert brightness == sorted(brightness, reverse=True)
