import matplotlib as mpl
import pytest

mpl.use("Agg")


from vgg_course import palette, plots
from vgg_course.accounting import ledger
from vgg_course.configuration import CONFIGURATIONS


def test_bars_start_at_zero_and_are_as_high_as_the_ledger_says():
    ax = plots.bars(ledger("A"), lambda row: row.parameters / 1e6, "parameters, millions")
    assert [bar.get_height() for bar in ax.patches] == [row.parameters / 1e6 for row in ledger("A")]
    assert {bar.get_y() for bar in ax.patches} == {0}
    assert ax.get_ylabel() == "parameters, millions"


def test_shares_fill_each_bar_to_one_hundred_percent():
    ax = plots.shares(ledger("D"))
    for y in range(3):
        widths = [bar.get_width() for bar in ax.patches if round(bar.get_y() + bar.get_height() / 2) == y]
        assert sum(widths) == pytest.approx(100)
    assert "fully connected 89.4 %" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_anatomy_draws_every_layer_of_every_configuration(name):
    figure = plots.anatomy(CONFIGURATIONS[name]).figure
    assert [len(ax.patches) for ax in figure.axes] == [len(CONFIGURATIONS[name])] * 4


def test_drawing_leaves_matplotlibs_settings_alone():
    before = mpl.rcParams.copy()
    plots.shares(ledger("D"))
    assert mpl.rcParams == before


def contrast(one, other):
    """Contrast of two colors as WCAG 2 defines it."""

    def luminance(color):
        channels = mpl.colors.to_rgb(color)
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#14181e"])
def test_text_reads_on_the_light_and_on_the_dark_page(page):
    assert contrast(palette.TEXT, page) > 3.9
