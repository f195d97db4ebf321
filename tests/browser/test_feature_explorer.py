"""The feature explorer in a real browser, held against PyTorch: the same weights, the same pixels, the same numbers."""

import io
import random
import re
import struct
import zlib
from copy import deepcopy
from functools import cache
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from exploring import ROOT
from PIL import Image

from vgg_course import explorers, trained
from vgg_course.configuration import Configuration
from vgg_course.model import VGG
from vgg_course.receptive_field import receptive_field

CLOSE = 1e-5  # of a layer's largest value, or of 0.1 where sums cancel: PyTorch's float32 is off by a third of this


def random_images(count, *shape, seed=0):
    """Images that no one prepared."""
    return torch.randint(256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@cache
def shipped():
    return trained.load("small_vgg"), trained.card("small_vgg"), random_images(3, 3, 32, 32)


@pytest.fixture
def shown(show):
    """The explorer with the net that the course ships and three random images."""
    net, card, images = shipped()
    return show(explorers.features(net, card, images, [2, 0, 1]), viewport={"width": 900, "height": 1700})


def outputs(net, x):
    """What PyTorch computes for one normalized image (1, C, H, W): the output of each layer that has a name."""
    values, modules = {"input": x[0]}, [*net.features, None, *net.classifier]
    inside = [m for m in modules if not isinstance(m, torch.nn.Dropout)]
    names = iter(layer.name for layer in net.configuration)
    with torch.no_grad():
        for module, following in zip(inside, [*inside[1:], None], strict=True):
            x = x.flatten(1) if module is None else module(x)
            norm = isinstance(following, torch.nn.BatchNorm2d | torch.nn.ReLU)
            if module is not None and not norm:
                values[next(names)] = x[0].clone()  # behind its batch norm and its ReLU
    return values


def compare(shown, wanted):
    """Every value of every layer."""
    seen = shown.js("() => Object.entries(ROOT.host.activations).map(([name, values]) => [name, [...values]])")
    assert [name for name, _ in seen] == list(wanted)
    for name, values in seen:
        expected = wanted[name].flatten().double()
        values = torch.tensor(values, dtype=torch.float64)
        assert values.shape == expected.shape, name
        assert (values - expected).abs().max() <= CLOSE * expected.abs().max().clamp(min=0.1), name


def choose(shown, layer, channel=0, row=0, column=0):
    """Choose a value: the layer by its tile, the rest by keys."""
    shown.js(
        "(name) => [...ROOT.querySelectorAll('[name=layer]')].find((e) => e.parentElement.textContent == name).click()",
        layer,
    )
    press = shown.tab.keyboard.press
    shown.js("() => ROOT.getElementById('maps').focus()")
    press("Home")
    columns = 8 if channels_of(shown, layer) <= 16 else 16
    for _ in range(channel // columns):
        press("Shift+ArrowDown")
    for _ in range(channel % columns):
        press("Shift+ArrowRight")
    shown.js("() => ROOT.getElementById('grid').focus()")
    press("Home")
    for key, times in (("ArrowDown", row), ("ArrowRight", column)):
        for _ in range(times):
            press(key)


def channels_of(shown, layer):
    return int(re.match(rf"{layer}: (\d+)", shown.text("#atlas-title"))[1])


def number(text):
    return float(text.replace("−", "-"))


# --- the numbers ---


@pytest.mark.parametrize("place", range(3))
def test_every_map_of_every_layer_is_pytorchs(shown, place):
    net, card, images = shipped()
    shown.tab.locator("#images label").nth(place).click()
    x = card.normalize(images[place : place + 1])
    compare(shown, outputs(net, x))
    assert torch.equal(torch.tensor(shown.js("() => [...ROOT.host.activations.input]")), x.flatten())
    shares = torch.tensor(shown.js("() => [...ROOT.querySelectorAll('#answer data')].map((e) => Number(e.value))"))
    torch.testing.assert_close(shares, net(x).softmax(1)[0].detach(), rtol=1e-4, atol=1e-6)
    assert shown.tab.locator("#answer .top span").inner_text().endswith(card.classes[net(x).argmax()])


NETS = [
    ("conv3-16 maxpool conv3-8 maxpool FC-3", 8, 3, True),
    ("conv5-3/s2/p0 maxpool3/s2/p1 conv1-5 FC-7 FC-2", 13, 1, False),
    ("conv2-4/p1 conv4-4/s3/p3 FC-2", 9, 3, True),
    ("maxpool3/s1/p1 conv3-17/p2 FC-5 FC-5 FC-4", 9, 1, True),
    ("FC-6 FC-2", 4, 3, False),
    ("conv7-2 maxpool4/s4 FC-2", 19, 3, False),
]


@pytest.mark.parametrize(("words", "size", "colors", "norm"), NETS, ids=[net[0] for net in NETS])
def test_any_other_net_is_computed_as_well(show, words, size, colors, norm):
    generator = torch.Generator().manual_seed(5)
    configuration = Configuration.parse(words, input_size=size, in_channels=colors, batch_norm=norm)
    net = VGG(configuration, generator=generator).eval()
    for value in [*net.parameters(), *net.buffers()]:
        if value.is_floating_point():
            value.data = torch.rand(value.shape, generator=generator) - (0 if value.ndim == 1 else 0.5)
    classes = [f"class {i}" for i in range(configuration.classes)]
    scale = SimpleNamespace(classes=classes, mean=torch.full((colors,), 0.8), std=torch.full((colors,), 0.27))
    images = random_images(1, colors, size, size)
    shown = show(explorers.features(net, scale, images))
    x = (images.float() / 255 - 0.8) / 0.27  # mostly negative: the padding of a pool is smaller still
    compare(shown, outputs(net, x))
    for layer in outputs(net, x):
        choose(shown, layer)
        assert f"{layer}, " in shown.text("#says")


def test_the_canvases_show_what_was_computed(shown):
    """Native size, one pixel a value: dark where it is zero, brightest where it is largest."""
    net, card, images = shipped()
    for layer, values in outputs(net, card.normalize(images[:1])).items():
        if layer in ("input", "fc6"):
            continue
        columns = next(n for n in range(1, 100) if n * n >= len(values))
        seen = shown.js(
            """(name) => { const tile = [...ROOT.querySelectorAll('#layers label')].find((e) => e.textContent == name);
            const canvas = tile.querySelector('canvas'), context = canvas.getContext('2d');
            return [canvas.width, [...context.getImageData(0, 0, canvas.width, canvas.height).data]]; }""",
            layer,
        )
        grid = values.shape[1]
        assert seen[0] == columns * grid
        colors = torch.tensor(seen[1]).reshape(-1, columns * grid, 4)
        for which, color in ((values.argmax(), [253, 231, 37, 255]), (values.argmin(), [68, 1, 84, 255])):
            channel, row, column = (int(i) for i in torch.unravel_index(which, values.shape))
            pixel = colors[channel // columns * grid + row, channel % columns * grid + column]
            assert pixel.tolist() == color, layer


# --- one value ---


def test_what_a_value_sees_is_the_packages_receptive_field(shown):
    fields, draw = receptive_field(shipped()[0].configuration), random.Random(3)
    for field in fields:
        if field.name == "fc6":
            continue
        row, column = draw.randrange(field.grid), draw.randrange(field.grid)
        choose(shown, field.name, 0, row, column)
        span = [f"{w.start:,} to {w.stop - 1:,}".replace("-", "−") for w in map(field.window, (row, column))]
        says = shown.text("#says")
        assert f"{field.name}, map 0, row {row}, column {column}, is " in says
        assert f"It sees {field.size} × {field.size} pixels: rows {span[0]}, columns {span[1]}." in says
        y, height, x, width = shown.js(
            "() => ['y', 'height', 'x', 'width'].map((a) => Number(ROOT.querySelector('#image .seen').getAttribute(a)))"
        )
        rows, columns = field.clipped(row), field.clipped(column)
        assert (y, y + height, x, x + width) == (rows.start, rows.stop, columns.start, columns.stop)


@pytest.mark.parametrize("layer", ["conv1_1", "conv2_2", "conv4_1", "conv5_3", "fc6"])
def test_the_arithmetic_of_a_value_is_said_step_by_step(shown, layer):
    net, card, images = shipped()
    values = outputs(net, card.normalize(images[:1]))
    names, draw = list(values), random.Random(layer)
    before, module = values[names[names.index(layer) - 1]], net.layers[layer]
    for channel in draw.sample(range(len(values[layer])), 3):
        linear = isinstance(module, torch.nn.Linear)
        grid = 1 if linear else values[layer].shape[1]
        row, column = draw.randrange(grid), draw.randrange(grid)
        choose(shown, layer, channel, row, column)
        kernel = 1 if linear else 3
        padded = before if linear else torch.nn.functional.pad(before, (1, 1, 1, 1))
        window = padded[:, row : row + kernel, column : column + kernel].detach()
        products = module.weight[channel].detach().reshape(window.shape) * window
        said = shown.text("#formula")
        total = re.search(r"([\d,]+) products add up to (\S+)\.", said)
        assert int(total[1].replace(",", "")) == products.numel()
        assert number(total[2]) == pytest.approx(float(products.sum()), rel=1e-3, abs=1e-4)
        value = float(values[layer].flatten()[(channel * grid + row) * grid + column])
        assert number(shown.text("#value")) == pytest.approx(value, rel=1e-3, abs=1e-4)
        steps = [number(step) for step in re.findall(r"= (−?\d+(?:\.\d+)?(?:e−\d+)?)[. ]", said)]
        assert max(steps[-1], 0 if not linear else steps[-1]) == pytest.approx(value, rel=1e-3, abs=1e-4)
        # one input channel: first the strongest, then one that is asked for
        shares = products.sum((1, 2))
        chosen = re.search(r"chosen: (?:map )?(\w+), (\S+)$", shown.text("#parts-title"))
        assert abs(number(chosen[2])) == pytest.approx(float(shares.abs().max()), rel=1e-3, abs=1e-4)
        shown.js("() => ROOT.getElementById('bars').focus()")
        shown.tab.keyboard.press("Home")
        shown.tab.keyboard.press("ArrowRight")
        assert number(shown.text("#products-title").removeprefix("Products: ")) == pytest.approx(
            float(shares[1]), rel=1e-3, abs=1e-4
        )
        cells = (
            "(id) => [...ROOT.querySelectorAll(`#${id} > *`)].map((e) => (e.value ?? e.textContent).replace('−', '-'))"
        )
        for id, wanted in (("window", window[1]), ("weights", module.weight[channel].flatten()[kernel**2 :])):
            seen = [float(each) for each in shown.js(cells, id)]
            wanted = wanted.detach().flatten()[: kernel**2].tolist()
            assert seen == pytest.approx(wanted, rel=0.06, abs=1e-9)  # two or three figures are shown


def test_a_pool_shows_its_window_and_the_largest_value_in_it(shown):
    net, card, images = shipped()
    values = outputs(net, card.normalize(images[:1]))
    choose(shown, "pool3", 17, 2, 3)
    window = values["conv3_3"][17, 4:6, 6:8].flatten().tolist()
    seen = shown.js(
        "() => [...ROOT.querySelectorAll('#window span')].map((e) => [Number(e.textContent), e.className == 'largest'])"
    )
    assert [value for value, _ in seen] == pytest.approx(window, rel=0.06, abs=1e-9)
    assert [largest for _, largest in seen] == [value == max(window) for value in window]
    assert shown.tab.locator("#tools").is_hidden()


def test_pointing_at_a_map_shows_a_value_and_clicking_keeps_it(shown):
    choose(shown, "conv2_1", 3, 1, 1)
    box = shown.tab.locator("#maps").bounding_box()
    step = box["width"] / 16
    where = box["x"] + step * 5 + (step - 4) * 10.5 / 16, box["y"] + step + (step - 4) * 2.5 / 16
    shown.tab.mouse.move(*where)
    assert "conv2_1, map 21, row 2, column 10," in shown.text("#says")
    shown.tab.mouse.move(2, 2)
    assert "conv2_1, map 3, row 1, column 1," in shown.text("#says")
    shown.tab.mouse.click(*where)
    shown.tab.mouse.move(2, 2)
    assert "conv2_1, map 21, row 2, column 10," in shown.text("#says")


def test_a_touch_on_the_image_chooses_the_value_that_looks_there(show):
    net, card, images = shipped()
    shown = show(explorers.features(net, card, images), viewport={"width": 390, "height": 844}, has_touch=True)
    shown.tab.locator("#layers label", has_text="pool4").tap()
    image = shown.tab.locator("#image")
    box = image.bounding_box()
    image.tap(position={"x": box["width"] * 0.75, "y": box["height"] * 0.25})
    assert ", row 0, column 1," in shown.text("#says")


# --- changing a filter ---


def edit(shown, target, button):
    shown.js(
        "([target, button]) => { ROOT.querySelector(`[name=target][value=${target}]`).click();"
        "ROOT.getElementById(button).click(); }",
        [target, button],
    )


EDITS = {
    "zero": lambda w: w * 0,
    "negate": lambda w: -w,
    "flip": lambda w: w.flip(-1) if w.ndim > 1 else w,
}


def answer_was(shown):
    """The percentages of the shipped net, which stand below those of a changed one."""
    return shown.js("() => [...ROOT.querySelectorAll('#answer small')].map((e) => parseFloat(e.textContent.slice(4)))")


def as_python_says(shown):
    """The shipped net, changed by the lines of Python that the explorer shows."""
    net = deepcopy(shipped()[0])
    exec(shown.js("() => ROOT.getElementById('code').textContent"), {"net": net, "torch": torch})
    return net


@pytest.mark.parametrize("layer", ["conv1_1", "conv3_2", "fc6"])
def test_a_changed_filter_changes_what_it_changes_in_pytorch(shown, layer):
    _, card, images = shipped()
    x, y = card.normalize(images[:1]), card.normalize(images[1:2])
    channel = 2 if layer != "conv3_2" else 37

    def shares(x):
        return (100 * shipped()[0](x).softmax(1)[0]).tolist()

    choose(shown, layer, channel)
    shown.js("() => ROOT.getElementById('bars').focus()")
    shown.tab.keyboard.press("Home")
    shown.tab.keyboard.press("ArrowRight")
    for button, target in product(EDITS, ("slice", "filter")):
        shown.tab.locator("#images label").nth(0).click()
        edit(shown, target, button)
        net = deepcopy(shipped()[0])
        weight = net.layers[layer].weight.data
        part = weight[channel, 1:2] if target == "slice" else weight[channel]
        part.copy_(EDITS[button](part))
        compare(shown, outputs(net, x))
        assert torch.equal(as_python_says(shown).layers[layer].weight, net.layers[layer].weight)
        differs = not torch.equal(weight, shipped()[0].layers[layer].weight)
        assert differs or (button, layer) == ("flip", "fc6")  # one weight has no other side
        assert answer_was(shown) == (pytest.approx(shares(x), abs=0.06) if differs else [])
        # the next image goes through the changed net; restored, the net is the shipped one again
        shown.tab.locator("#images label").nth(1).click()
        compare(shown, outputs(net, y))
        assert answer_was(shown) == (pytest.approx(shares(y), abs=0.06) if differs else [])
        edit(shown, target, "restore")
        compare(shown, outputs(shipped()[0], y))
        assert shown.text("#changed") == "The net is as it was trained."


def test_weights_are_typed_and_everything_is_restored(shown):
    _, card, images = shipped()
    net, draw = deepcopy(shipped()[0]), random.Random(1)
    count = 0
    for layer, channel in [("conv2_2", 30), ("conv1_2", 0), ("conv5_1", 100)]:
        choose(shown, layer, channel)
        shown.js("() => ROOT.getElementById('bars').focus()")
        shown.tab.keyboard.press("End")
        for place in (0, 5, 8):
            value = round(draw.uniform(-3, 3), 3)
            shown.tab.get_by_label(f"weight row {place // 3}, column {place % 3}").fill(str(value))
            net.layers[layer].weight.data[channel, -1].view(-1)[place] = value
            count += 1
        assert shown.text("#changed") == f"{count} weights differ from the net as it was trained."
    x = card.normalize(images[:1])
    compare(shown, outputs(net, x))
    said = as_python_says(shown).state_dict()
    assert all(torch.equal(value, said[name]) for name, value in net.state_dict().items())
    marked = shown.js("() => [...ROOT.querySelectorAll('.tile.changed')].map((e) => e.textContent)")
    assert marked == ["conv1_2", "conv2_2", "conv5_1"]
    shown.tab.get_by_role("button", name="Restore the net").click()
    compare(shown, outputs(shipped()[0], x))
    assert shown.tab.locator(".tile.changed").count() == 0


def test_a_weight_that_is_no_number_is_refused_and_an_absurd_one_does_no_harm(shown):
    choose(shown, "conv1_1", 1)
    field = shown.tab.get_by_label("weight row 1, column 1")
    before = shown.js("() => [...ROOT.host.activations.conv1_1]")
    field.fill("")
    assert shown.text("#error") == "weight row 1, column 1 is ''; it must be a number."
    assert shown.js("() => [...ROOT.host.activations.conv1_1]") == before
    field.fill("3e38")
    assert shown.tab.locator("#error").is_hidden()
    for layer in ("conv1_2", "pool1", "fc6"):
        choose(shown, layer)  # infinities and NaN from here on: gray, but no crash
    shown.tab.get_by_role("button", name="Zero").wait_for()


def test_hovering_over_another_map_does_not_change_which_weights_are_edited(shown):
    net, card, images = deepcopy(shipped()[0]), *shipped()[1:]
    choose(shown, "conv2_1", 3)
    shown.js("() => ROOT.getElementById('bars').focus()")
    shown.tab.keyboard.press("Home")
    box = shown.tab.locator("#maps").bounding_box()
    shown.tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    shown.tab.mouse.move(2, 2)
    edit(shown, "slice", "zero")
    net.layers["conv2_1"].weight.data[3, 0] = 0
    compare(shown, outputs(net, card.normalize(images[:1])))


# --- the reader's own images ---


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def offer(shown, name, content, mime="image/png"):
    shown.tab.locator("#file").set_input_files({"name": name, "mimeType": mime, "buffer": content})
    shown.tab.wait_for_function(f"() => !{ROOT}.getElementById('file').value")


def pixels(shown):
    """The image that the net sees, as uint8 (3, 32, 32)."""
    card = shipped()[1]
    x = torch.tensor(shown.js("() => [...ROOT.host.activations.input]")).reshape(3, 32, 32)
    mean, std = (torch.tensor(part)[:, None, None] for part in (card.mean, card.std))
    return ((x * std + mean) * 255).round().to(torch.uint8)


def test_a_file_of_the_nets_own_size_is_taken_pixel_by_pixel(shown):
    net, card, _ = shipped()
    image = random_images(1, 3, 32, 32, seed=9)
    offer(shown, "noise.png", encoded(Image.fromarray(image[0].permute(1, 2, 0).numpy())))
    assert torch.equal(pixels(shown), image[0])
    compare(shown, outputs(net, card.normalize(image)))
    assert shown.tab.locator("#images label").count() == 4
    assert "noise.png" in shown.text("#image-title")


PLAIN = Image.new("RGB", (32, 32), (10, 200, 30))
ODD = {
    "gray.png": (Image.new("L", (32, 32), 77), [77, 77, 77]),
    "one bit.png": (Image.new("1", (32, 32), 1), [255, 255, 255]),
    "palette.png": (PLAIN.convert("P"), None),
    "clear.png": (Image.new("RGBA", (32, 32), (200, 0, 0, 0)), [255, 255, 255]),
    "half clear.png": (Image.new("RGBA", (32, 32), (255, 0, 0, 128)), [255, 127, 127]),
    "a dot.png": (Image.new("RGB", (1, 1), (1, 2, 3)), [1, 2, 3]),
    "a line.png": (Image.new("RGB", (2000, 1), (9, 8, 7)), [9, 8, 7]),
    "huge.png": (Image.new("RGB", (6000, 4000), (90, 80, 70)), [90, 80, 70]),
    "sixteen bits.png": (Image.new("I;16", (40, 40), 65535), [255, 255, 255]),
    "deep.webp": (Image.new("RGB", (64, 48), (0, 0, 255)), None),
}


def test_odd_images_are_taken_as_they_look(shown):
    for name, (image, color) in ODD.items():
        offer(shown, name, encoded(image, "WEBP" if name.endswith("webp") else "PNG"))
        assert shown.tab.locator("#error").is_hidden()
        assert name in shown.text("#image-title")
        seen = pixels(shown)
        assert color is None or (seen.int() - torch.tensor(color)[:, None, None]).abs().max() <= 1, name
        if image.size != (32, 32):
            assert f"{image.size[0]:,} × {image.size[1]:,} pixels" in shown.text("#legend")


def test_a_large_picture_is_shrunk_by_averaging_its_middle_square(shown):
    image = Image.new("RGB", (1000, 400))
    image.paste((255, 255, 255), (300, 0, 700, 400))  # the middle square is white, but for lines a pixel apart
    for x in range(300, 700, 2):
        image.paste((0, 0, 0), (x, 0, x + 1, 400))
    offer(shown, "lines.png", encoded(image))
    assert "its middle square, shrunk to 32 × 32" in shown.text("#legend")
    assert (pixels(shown)[:, :, 1:-1].float().mean() - 127.5).abs() < 8
    assert pixels(shown)[:, :, 1:-1].float().std() < 25


def header_only(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


NOISE = Image.effect_noise((400, 300), 60).convert("RGB")
BAD = {
    "half.jpg": (encoded(NOISE, "JPEG")[:30_000], "half.jpg could not be read as an image."),
    "changed.png": (encoded(NOISE)[:3000] + bytes(40) + encoded(NOISE)[3040:], "changed.png could not be read"),
    "absurd.png": (header_only(30_000, 30_000), "absurd.png could not be read as an image."),
    "no width.png": (header_only(0, 5), "no width.png could not be read as an image."),
    "no height.gif": (b"GIF89a" + bytes(20), "no height.gif could not be read as an image."),
    "empty.png": (b"", "empty.png is empty, 0 bytes; choose another file."),
    "cut off.png": (encoded(Image.effect_noise((64, 64), 50))[:60], "cut off.png could not be read as an image."),
    "notes.txt": (b"These are words.", "notes.txt could not be read as an image."),
    "zero.bmp": (b"BM" + bytes(60), "zero.bmp could not be read as an image."),
    "drawing.svg": (
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "drawing.svg could not be read as an image.",
    ),
    "long.bin": (bytes(2_000_000), "long.bin could not be read as an image."),
}


def test_what_is_no_image_gets_a_sentence_and_changes_nothing(shown):
    before = shown.js("() => [...ROOT.host.activations.fc6]")
    for name, (content, words) in BAD.items():
        offer(shown, name, content, "application/octet-stream")
        shown.tab.wait_for_function(f"(words) => {ROOT}.getElementById('error').textContent.includes(words)", arg=words)
        assert shown.js("() => [...ROOT.host.activations.fc6]") == before
        assert shown.tab.locator("#images label").count() == 3
    offer(shown, "good.png", encoded(PLAIN))
    assert shown.tab.locator("#error").is_hidden()


def test_a_photograph_stands_upright_cmyk_is_read_as_it_looks_and_an_animation_shows_its_first_picture(shown):
    upright = Image.new("RGB", (32, 32), (0, 0, 255))
    upright.paste((255, 255, 0), (0, 0, 16, 16))
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held on its side
    sideways = upright.transpose(Image.Transpose.ROTATE_90)
    offer(shown, "turned.jpg", encoded(sideways, "JPEG", exif=turned.tobytes(), quality=95), "image/jpeg")
    assert pixels(shown)[:, 8, 8].tolist() == pytest.approx([255, 255, 0], abs=3)
    assert pixels(shown)[:, 24, 8].tolist() == pytest.approx([0, 0, 255], abs=3)
    offer(shown, "print.jpg", encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"), "image/jpeg")
    assert pixels(shown).float().mean((1, 2)).tolist() == pytest.approx([255, 0, 0], abs=3)
    frames = encoded(PLAIN, "GIF", save_all=True, append_images=[Image.new("RGB", (32, 32), (255, 0, 0))])
    offer(shown, "moving.gif", frames, "image/gif")
    assert pixels(shown).float().mean((1, 2)).tolist() == [10, 200, 30]
    assert shown.tab.locator("#error").is_hidden()


DROP = """(bytes) => { const data = new DataTransfer();
  if (bytes > 0) data.items.add(new File([new Uint8Array(bytes)], 'large.png'));
  else if (bytes) data.items.add(new File([new Uint8Array(bytes)], 'dropped.png', { type: 'image/png' }));
  else data.setData('text/plain', 'words');
  ROOT.querySelector('h3').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })); }"""


def test_files_are_dropped(shown):
    shown.js(DROP, None)
    assert "What was dropped is no file" in shown.text("#error")
    shown.js(DROP, 70_000_000)
    shown.tab.wait_for_function(f"() => {ROOT}.getElementById('error').textContent.startsWith('large.png')")
    assert shown.text("#error") == "large.png has 70 MB; up to 64 MB are read. Shrink it first."
    shown.js(DROP, list(encoded(PLAIN)))
    shown.tab.locator("#images label", has_text="dropped.png").wait_for()
    shown.tab.wait_for_function(f"() => {ROOT}.getElementById('error').hidden")
    assert pixels(shown).float().mean((1, 2)).tolist() == [10, 200, 30]


@pytest.mark.parametrize("name", ["gray.png", "half clear.png", "huge.png", "a dot.png", "sixteen bits.png"])
def test_odd_images_may_be_dropped(shown, name):
    image, color = ODD[name]
    shown.js(DROP, list(encoded(image)))
    shown.tab.locator("#images label", has_text="dropped.png").wait_for()
    assert (pixels(shown).int() - torch.tensor(color)[:, None, None]).abs().max() <= 1
    assert shown.tab.locator("#error").is_hidden()


@pytest.mark.parametrize("name", ["half.jpg", "absurd.png", "no width.png", "notes.txt"])
def test_what_is_no_image_may_be_dropped_and_changes_nothing(shown, name):
    before = shown.js("() => [...ROOT.host.activations.fc6]")
    shown.js(DROP, list(BAD[name][0]))
    shown.tab.wait_for_function(f"() => {ROOT}.getElementById('error').textContent.startsWith('dropped.png could not')")
    assert shown.js("() => [...ROOT.host.activations.fc6]") == before
    assert shown.tab.locator("#images label").count() == 3


def paused(shown):
    """The page draws when it comes to it."""
    shown.js("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_an_image_is_drawn_by_mouse_and_by_keyboard(shown):
    tab = shown.tab
    tab.get_by_role("button", name="Blank image").click()
    assert set(pixels(shown).flatten().tolist()) == {255}
    tab.get_by_label("Brush").select_option("1")
    tab.get_by_label("Color", exact=True).fill("#0a141e")
    box = tab.locator("#image").bounding_box()
    margin = shown.js("() => -ROOT.getElementById('image').viewBox.baseVal.x")
    unit = box["width"] / (32 + 2 * margin)

    def at(row, column):
        return box["x"] + (margin + column + 0.5) * unit, box["y"] + (margin + row + 0.5) * unit

    tab.mouse.move(*at(5, 3))
    tab.mouse.down()
    tab.mouse.move(*at(5, 20))
    tab.mouse.up()
    tab.mouse.move(*at(9, 9))  # the pen is up
    paused(shown)
    wanted = torch.full((3, 32, 32), 255, dtype=torch.uint8)
    wanted[:, 5, 3:21] = torch.tensor([10, 20, 30], dtype=torch.uint8)[:, None]
    assert torch.equal(pixels(shown), wanted)
    tab.locator("#image").focus()
    for key in ("Home", "ArrowDown", "ArrowDown", "ArrowRight", "Space"):
        tab.keyboard.press(key)
    paused(shown)
    wanted[:, 2, 1] = torch.tensor([10, 20, 30], dtype=torch.uint8)
    assert torch.equal(pixels(shown), wanted)
    net, card, _ = shipped()
    compare(shown, outputs(net, card.normalize(wanted[None])))


def test_drawing_on_an_image_draws_on_a_copy(shown):
    before = pixels(shown)
    shown.tab.get_by_label("Draw on it").check()
    shown.tab.locator("#image").focus()
    shown.tab.keyboard.press("Enter")
    paused(shown)
    assert (pixels(shown) != before).any(0).sum() == 4  # a brush of 2 x 2
    assert shown.tab.locator("#images label").count() == 4
    shown.tab.locator("#images label").first.click()
    assert torch.equal(pixels(shown), before)


# --- keys ---


def test_it_is_driven_by_keyboard_alone(shown):
    press = shown.tab.keyboard.press
    shown.js("() => ROOT.querySelector('[name=image]:checked').focus()")
    press("ArrowRight")
    assert "airplane 2" in shown.text("#image-title")
    shown.js("() => ROOT.querySelector('[name=layer]:checked').focus()")
    press("ArrowRight")
    press("ArrowRight")
    assert shown.text("#map-title").startswith("pool1, map ")
    shown.js("() => ROOT.getElementById('maps').focus()")
    press("Home")
    press("Shift+ArrowRight")
    press("Shift+ArrowDown")
    press("ArrowRight")
    press("ArrowDown")
    press("ArrowDown")
    assert shown.text("#says").startswith("pool1, map 9, row 2, column 1, is ")
    shown.js("() => ROOT.getElementById('grid').focus()")
    press("End")
    assert ", map 9, row 15, column 15, is " in shown.text("#says")


def test_each_map_may_have_its_own_scale(shown):
    net, card, images = shipped()
    top = float(outputs(net, card.normalize(images[:1]))["conv1_1"].max())
    ends = shown.text("#scale").split()
    assert [number(end) for end in ends] == pytest.approx([0, top], rel=1e-3)
    shown.tab.get_by_label("each map on its own scale").check()
    assert "its largest" in shown.text("#scale")
    brightest = """() => { const canvas = ROOT.querySelector('#layers label:nth-child(2) canvas'), side = canvas.width / 4;
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.width), top = Array(16).fill(0);
        for (let i = 0; i < data.length / 4; i++) {
          const map = 4 * Math.floor(i / canvas.width / side) + Math.floor((i % canvas.width) / side);
          top[map] = Math.max(top[map], data[4 * i]); }
        return top; }"""
    assert set(shown.js(brightest)) == {253}


# --- the page ---


def test_the_answer_stays_in_sight_wherever_a_weight_is_changed(show):
    net, card, images = shipped()
    shown = show(explorers.features(net, card, images), viewport={"width": 900, "height": 600})
    for place in ("h3", "#maps", "#weights"):
        shown.js(f"() => ROOT.querySelector('{place}').scrollIntoView({{ block: 'center' }})")
        top, bottom = shown.js(
            "() => ['top', 'bottom'].map((side) => ROOT.getElementById('answer').getBoundingClientRect()[side])"
        )
        assert 0 <= top < bottom <= 600


def test_a_long_name_does_not_stick_out_on_a_phone(show):
    net, card, images = shipped()
    shown = show(explorers.features(net, card, images), viewport={"width": 390, "height": 844}, is_mobile=True)
    offer(shown, "a_very_long_name_without_any_space" * 6 + ".png", encoded(PLAIN))
    shown.tab.get_by_label("Draw on it").check()
    assert "long_name" in shown.text("#image-title")
    assert shown.js("() => document.documentElement.scrollWidth") <= 390
