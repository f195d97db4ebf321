"""What the feature explorer takes for an image in a browser, against PyTorch on one thread, as a ratio within one run.

    python benchmarks/features.py

Both compute every map of every layer of the small VGG for one image at a time; their numbers are equal (see
tests/browser/test_feature_explorer.py). Medians over random images; loading the page is not timed, its first image is
told apart, because a browser compiles while it computes.
"""

import os
import shutil
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from playwright.sync_api import sync_playwright

from vgg_course import explorers, trained

ROUNDS = 3
FLAGS = ["--no-sandbox", "--disable-gpu"]
CLICK = """(place) => { const root = document.querySelector('.vgg-explorer').shadowRoot;
  root.querySelectorAll('[name=image]')[place].click();
  return Number(root.querySelector('.explorer').dataset.milliseconds); }"""


def in_the_page(explorer, images):
    """Milliseconds for the first image, and for each later one."""
    browser = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = Path(folder) / "page.html"
        page.write_text(f"<!doctype html><meta charset='utf-8'><body>{explorer.html()}</body>", encoding="utf-8")
        with playwright.chromium.launch(executable_path=browser, args=FLAGS) as chromium:
            tab = chromium.new_page()
            tab.goto(page.as_uri())
            first = tab.evaluate(
                "() => Number(document.querySelector('.vgg-explorer').shadowRoot.querySelector('.explorer').dataset.milliseconds)"
            )
            order = [*range(1, images), 0] * ROUNDS  # a click on the chosen one does nothing
            return first, [tab.evaluate(CLICK, place) for place in order]


def in_torch(net, batches):
    times = []
    for _ in range(ROUNDS):
        for x in batches:
            began = perf_counter()
            net(x)
            times.append(1e3 * (perf_counter() - began))
    return times


if __name__ == "__main__":
    torch.set_num_threads(1)
    net, card = trained.load("small_vgg"), trained.card("small_vgg")
    images = torch.randint(256, (12, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    explorer = explorers.features(net, card, images)
    with torch.inference_mode():
        theirs = median(in_torch(net, card.normalize(images).split(1)))
    first, ours = in_the_page(explorer, len(images))
    print(
        f"page {median(ours):.1f} ms an image ({first:.0f} ms the first, {max(ours):.0f} ms the slowest), torch "
        f"{theirs:.1f} ms: {median(ours) / theirs:.0f} times; {len(explorer.html()) / 1e6:.2f} MB of HTML"
    )
