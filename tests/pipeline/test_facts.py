"""Numbers by name."""

from types import SimpleNamespace

import pytest

from tools import facts
from tools.facts import NO_BREAK_SPACE, FactError

NAMES = {
    "net": SimpleNamespace(parameters=138_357_544, rate=0.0275, _private=1, name="D", total=lambda: 1),
    "run": {"accuracy": 0.9478, "items": [10, 20], "seconds": 58.03, "steps": {"last": 7}},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("net.parameters", 138_357_544),
        ("run.accuracy * 100", 94.78),
        ("run['steps'].last", 7),
        ("run.items[1]", 20),  # an item comes before the method dict.items
        ("run['items'][-1]", 20),
        ("-(net.parameters - 138357544 + 2) ** 3 // 3", -8 // 3),
        ("net.name", "D"),
    ],
)
def test_an_expression_is_arithmetic_over_names(expression, value):
    assert facts.evaluate(expression, NAMES) == (value if isinstance(value, str) else pytest.approx(value))


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("nett.parameters", "there is no 'nett'; did you mean net"),
        ("net.paramters", "'net' has no 'paramters'; did you mean parameters"),
        ("run.steps.lost", "'run.steps' has no 'lost'; did you mean last"),
        ("run.items[5]", "'run.items' has no item 5"),
        ("net._private", "'net' has no '_private'"),
        ("net.__class__", "'net' has no '__class__'"),
        ("net.total()", "'net.total()' is not allowed"),
        ("net.total", "this is a function, not a number"),
        ("run.steps", "this is a dict, not a number; it has last"),
        ("'a' * 3", "is not allowed"),
        ("net.name * 2", "'net.name' is a str"),
        ("[1][0]", "not allowed"),
        ("run.items[net]", "not allowed"),
        ("1 / 0", "division by zero"),
        ("net.", "this is not an expression"),
        ("", "this is not an expression"),
    ],
)
def test_an_unknown_fact_names_the_part_that_failed(expression, complaint):
    with pytest.raises(FactError) as error:
        facts.evaluate(expression, NAMES)
    assert complaint in str(error.value)
    assert repr(expression) in str(error.value)


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        (138_357_544, "", "138,357,544"),
        (138_357_544, "M.1", "138.4_M"),
        (15_470_264_320, "G.2", "15.47_G"),
        (60_950_432, "MB.2", "60.95_MB"),
        (2**20 * 1.5, "MiB.1", "1.5_MiB"),
        (0.9478, "%.1", "94.8%"),
        (94.78, ".1", "94.8"),
        (12345.678, ".0", "12,346"),
        (138_357_544, "raw", "138357544"),
        (0.0275, "", "0.0275"),
        (1 / 3, "", "0.3333"),
        (1e6 / 7, "", "142,857"),
        (2.0, "", "2"),
        (0.00001234567, "", "0.00001235"),
        ("H100", "", "H100"),
    ],
)
def test_formats(value, style, text):
    assert facts.in_style(value, style) == text.replace("_", NO_BREAK_SPACE)


@pytest.mark.parametrize("style", ["M", "x.1", ".two", "M.", "1.M"])
def test_an_unknown_format_is_an_error(style):
    with pytest.raises(FactError, match="no format"):
        facts.in_style(1, style)


def test_a_bar_may_be_escaped_because_a_table_needs_that():
    assert facts.split(r"D.ledger.parameters \| M.1") == ("D.ledger.parameters", "M.1")


def test_the_real_names_lead_to_the_papers_numbers():
    assert facts.show("D.ledger.parameters | M.0") == f"138{NO_BREAK_SPACE}M"  # Table 2
    assert facts.show("A_LRN.ledger.parameters") == "132,863,336"
    assert facts.show("D.receptive_field.pool5.size") == "212"
    assert facts.show("D.configuration.depth") == "16"


def test_marked_facts_are_filled_in_and_drift_is_seen(tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("VGG has <!-- fact: D.ledger.parameters | M.0 -->7<!-- /fact --> parameters.\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"out of date in .*README.md; run: .*--write"):
        facts.main(["--check", str(readme)])
    facts.main(["--write", str(readme)])
    facts.main(["--check", str(readme)])
    assert f"-->138{NO_BREAK_SPACE}M<!--" in readme.read_text(encoding="utf-8")


def test_a_bar_that_would_end_a_tables_cell_is_noticed():
    with pytest.raises(FactError, match=r"in a table write \\\\|"):
        facts.filled("| a |\n|---|\n| <!-- fact: D.ledger.parameters | M.0 --><!-- /fact --> |\n")
    assert "138" in facts.filled("|---|\n| <!-- fact: D.ledger.parameters \\| M.0 --><!-- /fact --> |\n")


def test_the_command_line_says_what_is_wrong_in_one_line():
    with pytest.raises(SystemExit, match=r"error: fact 'D.leger': 'D' has no 'leger'; did you mean ledger"):
        facts.main(["D.leger"])
