"""No number about VGG is typed by hand in prose."""

import pytest

from tools.project import ROOT, pages
from tools.typed_numbers import REMEDY, typed_numbers

TYPED = [
    "VGG-16 has 138,357,544 parameters.",
    "It has 138 M parameters.",
    "It has about 138 million parameters.",
    "That is 60.95 MB, or 58.1 MiB.",
    "A layer of 4096 units,",
    "a 2048-way softmax",
    "15.5 GMACs",
    "It reaches 94.8 % on the test set.",
    "It reaches 94.8% on the test set.",
    "It reaches 93 percent.",
    "Trained in 58 seconds.",
    "# Heading with 4096 units",
    "| layer | 4096 |",
    "| 7 | 3.3 MB |",
    ":::{note}\nIt has 138 M parameters.\n:::",
    "```{figure} x.png\n:alt: 4096 units\n\nA caption with 4096 units.\n```",
    "```{code-cell} ipython3\n---\nmystnb:\n  figure:\n    caption: It has 138 M.\n---\n1\n```",
    "The picture has 224 x 224 x 3 = 150528 values.",
    "- a list with 25,088 values",
]
NAMED = [
    "VGG-16 has {fact}`D.ledger.parameters | M.1` parameters.",
    "| a | {fact}`D.ledger.parameters \\| M.1` |",
    "Write `64 * 4096` or ``25_088``.",
    "So $4096 \\cdot 1000$ and\n\n$$\n25088 = 7 \\cdot 7 \\cdot 512\n$$ (eq-x)",
    "```{math}\n25088 = 512\n```",
    "In 2014, on 2026-06-30, in ILSVRC-2014, arXiv:1409.1556, CIFAR-10, Python 3.11, torch 2.15.0.",
    "See page 12 and issue 9536, pytorch/vision#9536, p. 1409.",
    "See [the paper](https://arxiv.org/abs/1409.1556) or https://arxiv.org/abs/1409.15567.",
    "A 3x3 filter, two blocks, 16 layers, 212 pixels, 224 x 224, the first 3 of 13.",
    "About 5 minutes. Difficulty 2 of 5. 100 % of the time.",
    "<img src='x4096.png' width='1200'> <!-- 4096 -->",
    "VGG has <!-- fact: D.ledger.parameters -->138,357,544<!-- /fact --> parameters.",
    "```{code-cell} ipython3\nassert total == 138357544\n```",
    "```python\n4096\n```",
    "---\ntitle: 4096\n---\ntext",
    "% 4096 in a comment",
    'A famous note says "about 96 MB", and \u201c138 M\u201d elsewhere.',
    "(fig-4096)=\n## Heading",
    "{cite:p}`author2048` and {ref}`the 13 layers <fig-4096>`",
]


@pytest.mark.parametrize("text", TYPED)
def test_a_typed_number_is_found(text):
    assert typed_numbers(text)


@pytest.mark.parametrize("text", NAMED)
def test_what_is_no_claim_about_vgg_is_left_alone(text):
    assert typed_numbers(text) == []


def test_the_message_names_file_and_line_and_teaches():
    (message,) = typed_numbers("---\na: 1\n---\n\n# One\n\n:::{note}\n:class: dropdown\n\nTwo, 4096.\n:::\n", "page.md")
    assert message == "page.md:10: '4096' is typed by hand"
    assert "{fact}`" in REMEDY


@pytest.mark.parametrize("name", [*(f"{page}.md" for page in pages()), "README.md"])
def test_no_number_on_this_page_is_typed_by_hand(name):
    found = typed_numbers((ROOT / name).read_text(encoding="utf-8"), name)
    assert not found, "\n".join(["", *found, REMEDY])
