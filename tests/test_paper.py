"""The paper's numbers agree with one another, and with what the configurations say."""

import dataclasses
from collections import Counter

import pytest

from tools import facts
from vgg_course import paper
from vgg_course.accounting import ledger
from vgg_course.configuration import CONFIGURATIONS

ROWS = {2: 6, 3: 12, 4: 10, 5: 6, 6: 4, 7: 15, 8: 3, 9: 4, 10: 4, 11: 7, 12: 5}
SECTIONS = {2: "2.2", 3: "4.1", 4: "4.2", 5: "4.3", 6: "4.4", 7: "4.5", 8: "A.2", 9: "A.2", 10: "A.2", 11: "B", 12: "B"}


def numbers(record):
    values = [getattr(record, field.name) for field in dataclasses.fields(record)]
    return [value for value in values if isinstance(value, float)]


@pytest.mark.parametrize("number", ROWS)
def test_every_table_has_its_rows_and_its_place(number):
    table = paper.TABLES[number]
    assert (table.number, table.section, len(table)) == (number, SECTIONS[number], ROWS[number])
    assert repr(table).startswith(f"Table {number} (section {SECTIONS[number]})")
    assert table._repr_html_().count("<tr>") == ROWS[number] + 1


def test_the_tables_are_those_from_2_to_12():
    assert list(paper.TABLES) == list(range(2, 13))
    assert all(getattr(paper, f"TABLE_{n}") is paper.TABLES[n] for n in range(3, 13))


@pytest.mark.parametrize("number", range(3, 13))
def test_every_number_is_a_percentage_with_one_decimal(number):
    for row in paper.TABLES[number]:
        assert all(0 < value < 100 and round(value, 1) == value for value in numbers(row)), row


@pytest.mark.parametrize("number", ROWS)
def test_rows_cannot_be_changed(number):
    table = paper.TABLES[number]
    name = next(iter(table.rows))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(table[name], dataclasses.fields(table[name])[0].name, 0)
    with pytest.raises(TypeError):
        table.rows["new"] = 0


def test_a_row_that_is_not_there_names_those_that_are():
    with pytest.raises(KeyError, match="Table 5 has no row 'C_dense'; it has D_dense, D_multi_crop"):
        paper.TABLE_5["C_dense"]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_table_2_is_the_ledger_in_millions(name):
    row = paper.TABLES[2][name.replace("-", "_")]
    assert row.millions == paper.TABLE_2[name] == round(ledger(name).parameters / 1e6)


def test_more_scales_never_hurt():
    for name, several in paper.TABLE_4.rows.items():
        one = paper.TABLE_3[name]
        assert (one.configuration, one.train) == (several.configuration, several.train)
        assert several.top_1 <= one.top_1
        assert several.top_5 <= one.top_5


def test_one_test_scale_is_the_training_scale_or_the_middle_of_the_range():
    for row in paper.TABLE_3:
        assert row.test.sides == ((384,) if row.train.jittered else row.train.sides)
    assert sum(paper.JITTER.sides) / 2 == 384


def test_several_test_scales_are_32_around_the_training_scale_or_the_range_and_its_middle():
    for row in paper.TABLE_4:
        low, high = row.train.sides[0], row.train.sides[-1]
        around = (low, (low + high) // 2, high) if row.train.jittered else (low - 32, low, low + 32)
        assert row.test.sides == around


def test_top_5_errors_are_below_top_1_errors():
    for number in (3, 4, 5):
        assert all(row.top_5 < row.top_1 for row in paper.TABLES[number])
    for row in (*paper.TABLE_6, *paper.TABLE_7):
        assert row.top_1_val is None or row.top_5_val < row.top_1_val


def test_a_dense_row_of_table_5_is_the_jittered_row_of_table_4():
    for letter in "DE":
        dense, wide = paper.TABLE_5[f"{letter}_dense"], paper.TABLE_4[f"{letter}_jitter"]
        assert (dense.top_1, dense.top_5) == (wide.top_1, wide.top_5)


def test_both_ways_together_are_never_worse_than_one():
    for letter in "DE":
        both = paper.TABLE_5[f"{letter}_both"]
        for way in ("dense", "multi_crop"):
            assert both.top_1 <= paper.TABLE_5[f"{letter}_{way}"].top_1
            assert both.top_5 <= paper.TABLE_5[f"{letter}_{way}"].top_5


def test_table_7_repeats_tables_5_and_6():
    one, two, seven = (paper.TABLE_7[name] for name in ("vgg_1_net", "vgg_2_nets", "vgg_submission"))
    assert (one.top_1_val, one.top_5_val) == (paper.TABLE_5["E_both"].top_1, paper.TABLE_5["E_both"].top_5)
    for row, source in ((two, paper.TABLE_6["both"]), (seven, paper.TABLE_6["submission"])):
        assert (row.networks, row.top_1_val, row.top_5_val, row.top_5_test) == (
            len(source.networks),
            source.top_1_val,
            source.top_5_val,
            source.top_5_test,
        )


def test_the_submission_is_seven_nets_of_d_c_and_e():
    submission = paper.TABLE_6["submission"].networks
    assert submission == paper.SUBMISSION
    assert len(set(submission)) == 7
    assert Counter(network.configuration for network in submission) == {"D": 3, "C": 2, "E": 2}
    assert [str(network) for network in submission if network.train.jittered] == ["D/[256; 512]/256, 384, 512"]


def test_every_submitted_net_is_a_row_of_table_4():
    rows = {(row.configuration, row.train, row.test) for row in paper.TABLE_4}
    assert all((n.configuration, n.train, n.test) in rows for n in paper.SUBMISSION)


def test_table_6_says_how_many_networks_of_each_kind():
    assert "3 x D, 2 x C, 2 x E" in repr(paper.TABLE_6)
    assert "1 x D, 1 x E" in repr(paper.TABLE_6)


def test_e_is_worse_than_d_at_a_fixed_scale_and_better_with_jitter():
    top_1 = {name: row.top_1 for name, row in paper.TABLE_3.rows.items()}
    assert top_1["E_256"] > top_1["D_256"]
    assert top_1["E_384"] > top_1["D_384"]
    assert top_1["E_jitter"] < top_1["D_jitter"]


def test_up_to_d_depth_helps():
    errors = [paper.TABLE_3[f"{letter}_256"].top_1 for letter in "ABCD"]
    assert errors == sorted(errors, reverse=True)


def test_vgg_was_first_in_localization_and_second_in_classification():
    assert min(paper.TABLE_10, key=lambda row: row.test_error).method == "VGG"
    assert paper.TABLE_10["vgg"].test_error == paper.TABLE_9["fusion"].test_error
    assert paper.TABLE_10["vgg"].val_error == paper.TABLE_9["fusion"].val_error
    assert paper.TABLE_7["googlenet_7_nets"].top_5_val < paper.TABLE_7["vgg_submission"].top_5_val


def test_two_nets_transfer_at_least_as_well_as_one():
    for field in ("voc_2007", "voc_2012", "caltech_101", "caltech_256"):
        both = getattr(paper.TABLE_11["D_and_E"], field)
        assert both >= max(getattr(paper.TABLE_11[name], field) for name in "DE")


def test_370_thousand_iterations_are_74_epochs():
    seen = paper.TRAINING["iterations"] * paper.TRAINING["batch_size"]
    assert round(seen / paper.ILSVRC["train_images"]) == paper.TRAINING["epochs"]


def test_150_crops_are_five_by_five_twice_at_three_scales():
    t = paper.TESTING
    assert t["grid"] ** 2 * t["flips"] * t["scales"] == t["crops"] == 150
    assert len(paper.TABLE_4["D_jitter"].test.sides) == t["scales"]


def test_a_fact_reaches_every_table_by_dots_and_by_strings():
    assert facts.show("paper.TABLE_3.D_jitter.top_1") == "25.6"
    assert facts.show("paper.TABLES[7]['vgg_submission'].top_5_test") == "7.3"
    assert facts.show("paper.TABLE_2.D") == "138"
    assert facts.show("paper.TABLE_6.submission.networks[0].configuration") == "D"
    assert (
        facts.show("paper.TRAINING.iterations * paper.TRAINING.batch_size / paper.ILSVRC.train_images | .2") == "73.93"
    )
    with pytest.raises(facts.FactError, match="did you mean D_jitter"):
        facts.show("paper.TABLE_3.D_jiter.top_1")
