"""The explorers in a real browser: the numbers they show are the package's, by mouse, keyboard and touch."""

import random
import re
from itertools import chain
from math import prod
from types import SimpleNamespace

import pytest
import torch
from exploring import ROOT

from vgg_course import explorers
from vgg_course.accounting import PRECISIONS, activation_memory, ledger, saved_for_backward
from vgg_course.configuration import CONFIGURATIONS, Configuration, ConfigurationError
from vgg_course.model import vgg
from vgg_course.receptive_field import receptive_field


def random_words(draw, size):
    """A plain network: convolutions, pools and LRN with any kernel, stride and padding that fit; mostly a classifier."""
    words, grid = [], size
    for _ in range(draw.randint(1, 8)):
        kernel, stride = draw.randint(1, 7), draw.choice([1, 1, 1, 2, 3])
        if draw.random() < 0.15:
            words.append("LRN")
            continue
        if draw.random() < 0.3:
            padding = draw.randint(0, kernel // 2)
            word = f"maxpool{kernel}/s{stride}/p{padding}"
        else:
            padding = draw.randint(0, 3)
            word = f"conv{kernel}-{draw.randint(1, 600)}/s{stride}/p{padding}"
        if grid + 2 * padding >= kernel:
            words.append(word)
            grid = (grid + 2 * padding - kernel) // stride + 1
    if draw.random() < 0.8 or not any(word.startswith("conv") for word in words):
        words += [f"FC-{draw.randint(1, 5000)}" for _ in range(draw.randint(1, 3))]
    return " ".join(words)


def random_case(seed):
    draw = random.Random(seed)
    size = draw.choice([1, 7, 32, 64, 224, 255, draw.randint(1, 500)])
    return {
        "words": random_words(draw, size),
        "size": size,
        "channels": draw.choice([1, 3, 3, 16]),
        "batch": draw.choice([1, 4, 256]),
        "precision": draw.choice(list(PRECISIONS)),
        "norm": draw.random() < 0.4,
    }


SIX = [
    {
        "words": configuration.notation(),
        "size": size,
        "channels": 3,
        "batch": batch,
        "precision": precision,
        "norm": norm,
    }
    for configuration in CONFIGURATIONS.values()
    for size, batch, precision, norm in [
        (224, 1, "float32", False),
        (224, 4, "autocast", True),
        (32, 128, "bfloat16", False),
    ]
]
PLAIN = [random_case(seed) for seed in range(320)]

WRONG = [
    {**random_case(0), **change}
    for change in [
        {"words": ""},
        {"words": "conv3-0"},
        {"words": "conv0-8"},
        {"words": "conv3-8/s0"},
        {"words": "maxpool2/p2"},
        {"words": "maxpool0"},
        {"words": "maxpool/s0"},
        {"words": "conv3-8 convolve"},
        {"words": "conv3-8 maxpool FC-0"},
        {"words": "FC-10 conv3-8"},
        {"words": "FC-10 LRN"},
        {"words": "conv3-64 maxpool\nFC-10 maxpool"},
        {"words": "maxpool maxpool", "size": 2},
        {"words": "maxpool conv5-7/p0/s3", "size": 8},
        {"words": "conv3-8/p0", "size": 2},
        {"words": "conv3"},
        {"words": "Conv3-64"},
        {"words": "conv3-64, maxpool"},
        {"words": 'conv3-64 "it\'s"'},
        {"words": "conv'"},
        {"words": "a\\b <b>bold</b> \u00e9"},
        {"words": "conv3-8/s2/"},
        {"words": "fc-10"},
        {"words": "conv3-8", "size": 0},
        {"words": "conv3-8", "size": -3},
        {"words": "conv3-8", "size": 3.5},
        {"words": "conv3-8", "channels": 0},
    ]
]


def configuration_of(case):
    return Configuration.parse(
        case["words"], input_size=case["size"], in_channels=case["channels"], batch_norm=case["norm"]
    )


# --- the cost explorer ---

COST = """(cases) => {
  const root = ROOT, $ = (id) => root.getElementById(id);
  const values = (row) => [...row.querySelectorAll('data')].map((each) => each.value);
  return cases.map((given) => {
    for (const id of ['size', 'channels', 'batch', 'precision', 'words']) $(id).value = given[id];
    $('norm').checked = given.norm;
    $('words').dispatchEvent(new Event('input'));
    return {
      error: $('error').hidden ? '' : $('error').textContent,
      totals: [...$('totals').querySelectorAll('data')].map((each) => each.value),
      rows: [...root.querySelectorAll('tbody tr')].map((row) =>
        [row.cells[0].textContent, row.cells[1].textContent, ...values(row)]),
      foot: values(root.querySelector('tfoot')),
      words: $('words').value, letter: $('configuration').value, python: $('python').textContent,
    };
  });
}"""


def drive(shown, cases):
    """Type the cases into the cost explorer, one behind the other; what it shows after each."""
    return shown.js(COST, [{key: v if isinstance(v, bool) else str(v) for key, v in case.items()} for case in cases])


def test_the_cost_explorer_shows_the_packages_numbers(show):
    cases = [*SIX, *PLAIN]
    for case, seen in zip(cases, drive(show(explorers.cost()), cases), strict=True):
        configuration, batch, precision = configuration_of(case), case["batch"], case["precision"]
        costs, fields = ledger(configuration), receptive_field(configuration)
        listed = activation_memory(configuration, "listed outputs", batch, precision).bytes
        kept = saved_for_backward(configuration, batch, precision=precision)
        assert seen["error"] == ""
        totals = [costs.parameters, costs.macs, listed, kept.bytes]
        assert list(map(int, seen["totals"])) == [*totals, fields.fields[-1].size], case
        assert list(map(int, seen["foot"])) == totals
        assert len(seen["rows"]) == len(costs)
        sizes = iter(fields)
        width = 4 if precision == "float32" else 2
        for row, (name, shape, *numbers) in zip(costs, seen["rows"], strict=True):
            parameters, macs, activations, _, sees = map(int, numbers)
            assert (name, shape) == (row.name, " × ".join(f"{n:,}" for n in row.shape))
            assert (parameters, macs, activations) == (row.parameters, row.macs, row.values * batch * width)
            if not name.startswith("bn"):
                size = 1 if name == "input" else next(sizes).size
            assert sees == size
        assert sum(int(numbers[5]) for numbers in seen["rows"]) == kept.bytes
        if precision != "autocast":  # under autocast each layer's copy of its weights is added to its line
            for name in {row.name for row in kept} - {"batch norms"}:
                by_layer = sum(int(numbers[5]) for numbers in seen["rows"] if numbers[0] == name)
                assert by_layer == sum(row.bytes for row in kept if row.name == name), (case, name)


def test_the_cost_explorer_exports_what_the_package_reads(show):
    for case, seen in zip(PLAIN[:60], drive(show(explorers.cost()), PLAIN[:60]), strict=True):
        configuration = configuration_of(case)
        assert seen["words"] == configuration.notation()
        assert eval(seen["python"], {"Configuration": Configuration}) == configuration


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case['words'][:20]!r} at {case['size']}")
def test_a_wrong_configuration_gets_the_packages_words_and_changes_nothing(show, case):
    with pytest.raises(ConfigurationError) as refusal:
        configuration_of(case)
    good, bad = drive(show(explorers.cost()), [PLAIN[5], case])
    assert bad["error"] == str(refusal.value)
    assert (bad["totals"], bad["rows"]) == (good["totals"], good["rows"])


def test_random_words_are_refused_as_the_package_refuses_them(show):
    draw = random.Random(1)
    scraps = ["conv3-64", "conv", "3-", "maxpool", "/s2", "/p1", "/p9", "FC-10", "LRN", " ", " ", "-", "0", "7", "é'"]
    words = ["".join(draw.choices(scraps, k=draw.randint(1, 6))) for _ in range(300)]
    cases = [{**SIX[0], "words": text, "size": 16} for text in words]
    for case, seen in zip(cases, drive(show(explorers.cost()), cases), strict=True):
        try:
            configuration_of(case)
            refusal = ""
        except ConfigurationError as error:
            refusal = str(error)
        assert seen["error"] == refusal


def test_numbers_too_large_for_a_float_are_exact(show):
    case = {**SIX[0], "words": "conv7-99999999999 FC-123456789123 FC-7", "size": 4097}
    costs = ledger(configuration_of(case))
    assert costs.macs > 2**53
    (seen,) = drive(show(explorers.cost()), [case])
    assert list(map(int, seen["totals"][:2])) == [costs.parameters, costs.macs]


def test_layers_are_edited_by_mouse(show):
    shown = show(explorers.cost("A"))
    tab, now = shown.tab, list(CONFIGURATIONS["A"].notation().split())

    def expect():
        costs = ledger(Configuration.parse(" ".join(now)))
        assert shown.number("#total-parameters") == costs.parameters
        assert shown.number("#total-macs") == costs.macs
        assert tab.locator("#words").input_value().split() == now

    tab.get_by_label("conv2_1").click()
    tab.get_by_role("button", name="Twice as wide").click()
    now[2] = "conv3-256"
    expect()
    assert "× A" in shown.text("#total-parameters")
    tab.get_by_role("button", name="Add conv behind").click()
    now.insert(3, "conv3-256")
    expect()
    tab.get_by_role("button", name="Half as wide").click()
    now[3] = "conv3-128"
    expect()
    tab.get_by_role("button", name="Add pool behind").click()
    now.insert(4, "maxpool")
    expect()
    tab.get_by_role("button", name="Remove").click()
    del now[4]
    expect()
    tab.get_by_label("Its word").fill("conv5-100/s2")
    now[3] = "conv5-100/s2"
    expect()
    assert tab.locator("#configuration").input_value() == "custom"
    tab.get_by_label("Configuration").select_option("E")
    now[:] = CONFIGURATIONS["E"].notation().split()
    expect()


def test_an_edit_that_cannot_be_leaves_the_last_good_network(show):
    shown = show(explorers.cost(CONFIGURATIONS["D"].variant(input_size=32)))
    before = shown.text("#totals")
    shown.tab.get_by_label("pool5").click()
    shown.tab.get_by_role("button", name="Add pool behind").click()
    assert "pool6 (maxpool) has a 2x2 window, but only 1x1 reaches it" in shown.text("#error")
    assert shown.text("#totals") == before
    assert shown.tab.locator("#words").input_value() == CONFIGURATIONS["D"].notation()
    shown.tab.get_by_label("Input size").fill("64")
    assert shown.tab.locator("#error").is_hidden()


def test_the_cost_explorer_is_driven_by_keyboard_alone(show):
    shown = show(explorers.cost())
    press = shown.tab.keyboard.press
    shown.js("() => ROOT.querySelector('input[name=layer]:checked').focus()")
    press("ArrowDown")
    press("ArrowDown")
    assert shown.text("#chosen") == "pool1"
    shown.js("() => ROOT.getElementById('word').focus()")
    press("Tab")
    assert shown.js("() => ROOT.activeElement.id") == "remove"  # a pool has no width: those buttons are off
    press("Enter")
    without = CONFIGURATIONS["D"].notation().replace("maxpool", "", 1)
    assert shown.number("#total-macs") == ledger(Configuration.parse(without)).macs


# --- the receptive-field explorer ---

FIELDS = """(cases) => {
  const root = ROOT, $ = (id) => root.getElementById(id);
  const type = (id, value, event) => { $(id).value = value; $(id).dispatchEvent(new Event(event)); };
  return cases.map(({ words, size, cells }) => {
    $('size').value = size;
    type('words', words, 'input');
    return cells.map(([layer, row, column]) => {
      type('layer', layer, 'change');
      type('row', row, 'input');
      type('column', column, 'input');
      const value = (id) => Number($(id).querySelector('data').value);
      return {
        error: $('error').hidden ? '' : $('error').textContent,
        numbers: ['fact-size', 'fact-jump', 'fact-start'].map(value),
        says: $('says').textContent,
        seen: ['fact-rows', 'fact-columns'].map((id) => $(id).firstChild.textContent),
        title: $('grid-title').textContent,
      };
    });
  });
}"""


def span(pixels):
    return f"{pixels.start:,} to {pixels.stop - 1:,}".replace("-", "−")


def test_the_receptive_field_explorer_shows_the_packages_numbers(show):
    draw = random.Random(0)
    cases, expected = [], []
    for case in [*SIX, *PLAIN]:
        fields = list(receptive_field(configuration_of(case)))
        places = draw.sample(range(len(fields)), min(3, len(fields))) if case in PLAIN else range(len(fields))
        ends = [[0, f.grid - 1, draw.randrange(f.grid)] for f in fields]
        cells = [(i, draw.choice(ends[i]), draw.choice(ends[i])) for i in places]
        cases.append({"words": case["words"], "size": str(case["size"]), "cells": cells})
        expected.append([(fields[i], row, column) for i, row, column in cells])
    shown = show(explorers.receptive_field()).js(FIELDS, cases)
    for wanted, seen in zip(chain(*expected), chain(*shown), strict=True):
        field, row, column = wanted
        assert seen["error"] == ""
        assert seen["title"] == f"{field.name}: {field.grid:,} × {field.grid:,} values"
        assert seen["numbers"] == [field.size, field.jump, field.start]
        rows, columns = field.window(row), field.window(column)
        assert (
            f"sees {field.size:,} × {field.size:,} pixels: rows {span(rows)}, columns {span(columns)}." in seen["says"]
        )
        rows, columns = field.clipped(row), field.clipped(column)
        if len(rows) and len(columns):
            assert seen["seen"] == [span(rows), span(columns)]
        padding = field.size**2 - len(rows) * len(columns)
        assert ("All of them lie in the image" in seen["says"]) == (padding == 0)
        if shares := re.search(r"([\d.]+) % of them are padding", seen["says"]):
            assert float(shares[1]) == pytest.approx(100 * padding / field.size**2, abs=0.06)


def test_a_cell_that_is_not_there_is_refused_in_the_packages_words(show):
    (seen,) = show(explorers.receptive_field()).js(FIELDS, [{"words": "conv3-8", "size": "9", "cells": [[0, 9, 0]]}])
    with pytest.raises(IndexError) as refusal:
        receptive_field(Configuration.parse("conv3-8", input_size=9))["conv1_1"].window(9)
    assert seen[0]["error"] == str(refusal.value)


@pytest.mark.parametrize("case", WRONG[:8], ids=lambda case: case["words"])
def test_the_receptive_field_explorer_keeps_the_last_good_network(show, case):
    shown = show(explorers.receptive_field())
    before = shown.text("#says")
    shown.js("(text) => ROOT.querySelector('details').open = true", "")
    shown.tab.locator("#words").fill(case["words"])
    with pytest.raises(ConfigurationError) as refusal:
        Configuration.parse(case["words"])
    assert shown.text("#error") == str(refusal.value)
    assert shown.text("#says") == before
    shown.tab.get_by_label("Configuration").select_option("E")
    assert shown.tab.locator("#error").is_hidden()


def where(shown):
    return [int(shown.tab.locator(f"#{id}").input_value()) for id in ("row", "column")]


def test_arrow_keys_move_from_cell_to_cell(show):
    shown = show(explorers.receptive_field("D", "pool4"))
    assert where(shown) == [7, 7]
    shown.tab.locator("#grid").focus()
    for key in ("ArrowLeft", "ArrowUp", "ArrowUp", "ArrowRight", "ArrowRight"):
        shown.tab.keyboard.press(key)
    assert where(shown) == [5, 8]
    shown.tab.keyboard.press("Shift+ArrowUp")  # eight at once, but not over the edge
    assert where(shown) == [0, 8]
    field = receptive_field("D")["pool4"]
    assert f"rows {span(field.window(0))}, columns {span(field.window(8))}" in shown.text("#says")
    shown.tab.keyboard.press("End")
    assert where(shown) == [13, 13]


def test_pointing_shows_and_clicking_keeps(show):
    shown = show(explorers.receptive_field("D", "pool5"), viewport={"width": 1000, "height": 1400})
    box = shown.tab.locator("#grid").bounding_box()

    def at(row, column):
        return box["x"] + box["width"] * (column + 0.5) / 7, box["y"] + box["height"] * (row + 0.5) / 7

    shown.tab.mouse.move(*at(1, 5))
    assert "row 1, column 5" in shown.text("#says")
    shown.tab.mouse.move(1, 1)
    assert "row 3, column 3" in shown.text("#says")
    shown.tab.mouse.click(*at(6, 0))
    shown.tab.mouse.move(1, 1)
    assert where(shown) == [6, 0]
    assert "row 6, column 0" in shown.text("#says")


def test_a_touch_chooses_a_cell_and_a_layer(show):
    shown = show(explorers.receptive_field(), viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    shown.tab.locator(".bar", has_text="pool5").tap()
    grid = shown.tab.locator("#grid")
    box = grid.bounding_box()
    grid.tap(position={"x": box["width"] * 1.5 / 7, "y": box["height"] * 5.5 / 7})
    assert where(shown) == [5, 1]
    image = shown.tab.locator("#image")
    box = image.bounding_box()
    image.tap(position={"x": box["width"] / 2, "y": box["height"] / 2})
    assert where(shown) == [3, 3]


def test_what_is_drawn_is_what_is_said(show):
    shown = show(explorers.receptive_field("D", "conv3_3"))
    field = receptive_field("D")["conv3_3"]
    shown.js(FIELDS, [{"words": CONFIGURATIONS["D"].notation(), "size": "224", "cells": [[8, 0, 30]]}])
    drawn = shown.js(
        "() => ['seen', 'window'].map((name) => { const e = ROOT.querySelector('.' + name);"
        "return ['y', 'height', 'x', 'width'].map((a) => Number(e.getAttribute(a))); })"
    )
    for pixels, (y, height, x, width) in zip((field.clipped, field.window), drawn, strict=True):
        assert (y, y + height) == (pixels(0).start, pixels(0).stop)
        assert (x, x + width) == (pixels(30).start, pixels(30).stop)


# --- the convolution explorer ---

GRID = """(id) => { const cells = [...ROOT.querySelectorAll('#' + id + ' g:not(.outside) text')]
  .map((e) => Number(e.textContent.replace('−', '-'))); const side = Math.sqrt(cells.length);
  return [...Array(side).keys()].map((row) => cells.slice(row * side, (row + 1) * side)); }"""
TYPE = """(given) => { const root = ROOT, fire = (e, name) => e.dispatchEvent(new Event(name));
  for (const [id, value] of Object.entries(given.fields)) root.getElementById(id).value = value;
  fire(root.getElementById('kernel-size'), 'change');
  root.querySelectorAll('#kernel input').forEach((e, i) => { e.value = given.kernel[i]; fire(e, 'input'); }); }"""


@pytest.mark.parametrize("k", range(1, 8))
def test_the_convolution_explorer_computes_what_torch_computes(show, k):
    shown, draw = show(explorers.convolution()), random.Random(k)
    for _ in range(8):
        padding, stride = draw.randint(0, 3), draw.randint(1, 3)
        size = draw.randint(max(1, k - 2 * padding), 12)
        kernel = [draw.choice([-2, -1, 0, 1, 3, 0.5]) for _ in range(k * k)]
        picture = draw.choice(["a disk", "an edge", "a slope", "noise"])
        fields = {"picture": picture, "size": size, "kernel-size": k, "stride": stride, "padding": padding}
        shown.js(TYPE, {"fields": fields, "kernel": kernel})
        assert shown.tab.locator("#error").is_hidden()
        image = torch.tensor(shown.js(GRID, "input"), dtype=torch.float64)[None, None]
        weight = torch.tensor(kernel, dtype=torch.float64).reshape(1, 1, k, k)
        wanted = torch.nn.functional.conv2d(image, weight, stride=stride, padding=padding)[0, 0]
        assert image.shape[-1] == size
        assert shown.js(GRID, "output") == wanted.tolist()
        assert shown.js("() => ROOT.querySelectorAll('#input .outside').length") == (size + 2 * padding) ** 2 - size**2
        row, column = map(int, re.match(r"Row (\d+), column (\d+)", shown.text("#says")).groups())
        products = shown.js(GRID, "products")
        assert sum(map(sum, products)) == wanted[row, column]
        assert float(shown.text("#sum").replace("−", "-")) == wanted[row, column]


def test_a_window_that_does_not_fit_is_refused_in_the_packages_words(show):
    shown = show(explorers.convolution(kernel=7, padding=0))
    before = shown.js(GRID, "output")
    shown.tab.get_by_label("Its size").fill("5")
    with pytest.raises(ConfigurationError) as refusal:
        Configuration.parse("conv7-1/p0", input_size=5)
    assert shown.text("#error") == str(refusal.value)
    assert shown.js(GRID, "output") == before
    shown.tab.get_by_label("Padding").fill("1")
    assert shown.tab.locator("#error").is_hidden()
    assert len(shown.js(GRID, "output")) == 1


def test_every_bad_field_of_the_convolution_explorer_is_named(show):
    shown = show(explorers.convolution())
    for label, value, words in [
        ("Stride", "0", "stride is 0; it must be a whole number of at least 1."),
        ("Padding", "-1", "padding is -1; it must be a whole number of at least 0."),
        ("Padding", "7", "padding is 7; this picture goes up to 6."),
        ("Its size", "2.5", "size is 2.5; it must be a whole number of at least 1."),
        ("kernel row 0, column 1", "", "kernel row 0, column 1 is ''; it must be a number."),
    ]:
        field = shown.tab.get_by_label(label, exact=True)
        old = field.input_value()
        field.fill(value)
        assert shown.text("#error") == words
        assert field.get_attribute("aria-invalid") == "true"
        field.fill(old)
        assert shown.tab.locator("#error").is_hidden()


def test_the_output_is_walked_by_keyboard_and_touch(show):
    shown = show(explorers.convolution(), has_touch=True)
    shown.tab.locator("#output").focus()
    for key in ("Home", "ArrowRight", "ArrowDown", "ArrowDown"):
        shown.tab.keyboard.press(key)
    assert shown.text("#says").startswith("Row 2, column 1 of the output: 9 products")
    box = shown.tab.locator("#output").bounding_box()
    shown.tab.locator("#output").tap(position={"x": box["width"] * 0.95, "y": box["height"] * 0.05})
    assert shown.text("#says").startswith("Row 0, column 7")


# --- all of them ---


def features():
    """The feature explorer with a net that nobody trained: its own tests are in test_feature_explorer.py."""
    generator = torch.Generator().manual_seed(0)
    net = vgg("D", width=1 / 16, input_size=32, classes=3, hidden=(), batch_norm=True, generator=generator)
    images = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return explorers.features(net, SimpleNamespace(classes=["a", "b", "c"], mean=[0.5] * 3, std=[0.25] * 3), images)


ALL = {
    "receptive_field": explorers.receptive_field,
    "cost": explorers.cost,
    "convolution": explorers.convolution,
    "features": features,
}


def test_several_on_one_page_and_one_twice_do_not_disturb_each_other(show):
    shown = show(*(make() for make in ALL.values()), explorers.cost(), explorers.cost("A"))
    parts = shown.js(
        "() => [...document.querySelectorAll('.vgg-explorer')].map((e) => e.shadowRoot.textContent.length)"
    )
    assert len(parts) == 6
    assert min(parts) > 500
    totals = shown.tab.locator("#total-parameters data")
    assert [int(totals.nth(i).get_attribute("value")) for i in range(3)] == [
        ledger(name).parameters for name in ("D", "D", "A")
    ]
    assert shown.js("() => Object.keys(window).filter((name) => /vgg|explorer|parse|ledger|mount/i.test(name))") == []


@pytest.mark.parametrize("name", ALL)
def test_it_runs_in_a_sandboxed_frame_as_colab_has_them(show, name):
    frame = "<iframe sandbox='allow-scripts' style='width:700px;height:1500px'></iframe><template id='t'>{}</template>"
    shown = show(ALL[name](), body=frame)
    shown.js("() => document.querySelector('iframe').srcdoc = document.getElementById('t').innerHTML")
    inside = shown.tab.frame_locator("iframe").locator(".explorer h3")
    inside.wait_for()
    assert len(inside.inner_text()) > 10


@pytest.mark.parametrize("name", ALL)
def test_a_script_that_is_run_late_finds_its_place(show, name):
    """Jupyter puts the HTML in first and then runs the scripts again."""
    shown = show(body="<div id='out'></div>{}")
    shown.js(
        "(html) => { const out = document.getElementById('out'); out.innerHTML = html; const old = out.querySelector('script');"
        "const script = document.createElement('script'); script.textContent = old.textContent; old.replaceWith(script); }",
        ALL[name]().html(),
    )
    assert shown.js("() => ROOT.querySelector('h3').textContent.length") > 10


@pytest.mark.parametrize("name", ALL)
def test_nothing_sticks_out_on_a_phone(show, name):
    shown = show(ALL[name](), viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    if name == "convolution":
        shown.js(TYPE, {"fields": {"kernel-size": 7, "padding": 6, "size": 12}, "kernel": [-12.125] * 49})
    assert shown.js("() => document.documentElement.scrollWidth") <= 390
    wide = """() => [...ROOT.querySelectorAll('.explorer *')].filter((e) => !e.closest('pre, svg, .visually-hidden')
        && e.getBoundingClientRect().width && (e.getBoundingClientRect().right > 390 || e.getBoundingClientRect().left < 0))
        .map((e) => e.outerHTML.slice(0, 100))"""
    assert shown.js(wide) == []


def test_on_a_phone_the_cost_table_shows_the_column_that_is_asked_for(show):
    shown = show(explorers.cost(), viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    shown.tab.get_by_label("kept for backward").tap()
    visible = shown.js(
        "() => [...ROOT.querySelectorAll('thead th')].filter((e) => e.offsetWidth).map((e) => e.textContent)"
    )
    assert visible == ["layer", "output", "kept for backward"]


CONTRAST = """() => {
  const parse = (c) => { const v = c.match(/[\\d.]+/g).map(Number); const k = c.startsWith('color(') ? 255 : 1;
    return [v[0] * k, v[1] * k, v[2] * k, v.length > 3 ? v[3] : 1]; };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => { const up = []; for (; e; e = e.parentElement ?? e.getRootNode().host)
    up.push(parse(getComputedStyle(e).backgroundColor)); return up.reverse().reduce((below, top) => over(top, below)); };
  return [...ROOT.querySelectorAll('.explorer *')].filter((e) => e.checkVisibility() && !e.closest('svg, :disabled, option')
      && (e.matches('input, select, textarea') || [...e.childNodes].some((n) => n.nodeType == 3 && n.textContent.trim())))
    .map((e) => { const back = ground(e), [a, b] = [light(back), light(over(parse(getComputedStyle(e).color), back))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.tagName + '#' + e.id + '.' + e.className]; })
    .filter(([ratio]) => ratio < 4.5); }"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ALL)
def test_text_can_be_read_on_light_and_dark(show, name, theme):
    shown = show(ALL[name](), theme=theme)
    shown.tab.wait_for_function(f"() => {ROOT}.querySelector('.explorer').style.colorScheme == '{theme}'")
    assert shown.js(CONTRAST) == []
    other = {"light": "dark", "dark": "light"}[theme]  # the page's own switch, long after the explorer was drawn
    shown.js(f"() => document.documentElement.dataset.theme = '{other}'")
    shown.tab.wait_for_function(f"() => {ROOT}.querySelector('.explorer').style.colorScheme == '{other}'")
    assert shown.js(CONTRAST) == []


@pytest.mark.parametrize("name", ALL)
def test_every_control_has_a_name_and_a_visible_focus(show, name):
    shown = show(ALL[name]())
    nameless = """() => [...ROOT.querySelectorAll('input, select, textarea, button, [tabindex]')].filter((e) =>
        !(e.labels?.length && [...e.labels].some((l) => l.textContent.trim())) && !e.getAttribute('aria-label')
        && !e.getAttribute('aria-labelledby') && !e.textContent.trim()).map((e) => e.outerHTML)"""
    assert shown.js(nameless) == []
    shown.tab.keyboard.press("Tab")
    for _ in range(40):
        focused = shown.js(
            "() => { const e = ROOT.activeElement; return e && [e.outerHTML, getComputedStyle(e).outlineStyle]; }"
        )
        if focused is None:
            break
        assert focused[1] == "solid", focused
        shown.tab.keyboard.press("Tab")


def test_color_never_speaks_alone(show):
    shown = show(explorers.cost())
    pattern = "(kind) => getComputedStyle(ROOT.querySelector(`tr.${kind} .ink`)).backgroundImage.split('(')[0]"
    kinds = ["convolution", "pool", "fully-connected"]
    assert [shown.js(pattern, kind) for kind in kinds] == ["none", "radial-gradient", "repeating-linear-gradient"]


def test_bars_have_the_lengths_of_their_numbers(show):
    rows = ledger("D").rows
    shown = show(explorers.cost())
    widths = shown.js("() => [...ROOT.querySelectorAll('td.activations .ink')].map((e) => parseFloat(e.style.width))")
    most = max(prod(row.shape) for row in rows)
    assert widths == pytest.approx([100 * prod(row.shape) / most for row in rows], abs=1e-3)


@pytest.mark.parametrize("view", [explorers.cost, explorers.receptive_field, explorers.convolution])
def test_keys_that_are_typed_in_an_explorer_are_no_commands_of_the_notebook(show, view):
    shown = show(view())
    shown.js("() => { window.heard = []; document.addEventListener('keydown', (e) => heard.push(e.key)); }")
    shown.tab.locator(".vgg-explorer input, .vgg-explorer select").first.focus()
    shown.tab.keyboard.type("d1")
    assert shown.js("() => heard") == []
    assert shown.tab.locator(".vgg-explorer").first.get_attribute("data-lm-suppress-shortcuts") == "true"
