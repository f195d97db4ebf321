from dataclasses import replace

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch

from vgg_course import plots
from vgg_course.training import Epoch, History, Recipe


def history(validation=0.9, is_drawn=False, length=12):
    epochs = tuple(Epoch(i, 0.1, 0.5, 0.5 + i / 100, None, validation, 4.0) for i in range(1, length + 1))
    return History(epochs, Recipe(), 0, "float32", "CPU", is_drawn)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_a_history_plots_itself_with_the_last_accuracy_on_each_curve():
    ax = history().plot()
    assert texts(ax) == ["train 62.0 %", "validation 90.0 %"]
    assert list(ax.lines[0].get_ydata()) == pytest.approx([50 + i for i in range(1, 13)])


def test_without_validation_there_is_one_curve():
    assert texts(history(validation=None).plot()) == ["train 62.0 %"]


def test_a_run_stopped_before_its_first_epoch_can_be_plotted():
    assert not history(length=0).plot().lines


@pytest.mark.parametrize("epochs", [1, 12, 50, 74, 400])
def test_a_long_run_has_ticks_from_the_first_to_near_the_last_epoch_and_not_too_many(epochs):
    run = replace(history(length=epochs), recipe=replace(Recipe(), epochs=epochs))
    ticks = list(run.plot().get_xticks())
    assert ticks[0] == 1
    assert epochs - epochs // 15 <= ticks[-1] <= epochs
    assert len(ticks) <= 16


def test_curves_of_drawn_pictures_say_so():
    assert "drawn stand-ins" in history(is_drawn=True).plot().get_title("left")
    assert history().plot().get_title("left") == ""


def test_a_grid_shows_every_image_marks_the_wrong_ones_and_says_its_note():
    images = torch.zeros(5, 3, 4, 4, dtype=torch.uint8)
    figure = plots.image_grid(images, list("abcde"), columns=3, wrong=[False] * 4 + [True], note="drawn").figure
    assert [len(ax.images) for ax in figure.axes] == [1, 1, 1, 1, 1, 0]
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", "d", "× e", ""]
    assert [len(ax.patches) for ax in figure.axes] == [0, 0, 0, 0, 1, 0]
    assert figure.get_suptitle() == "drawn"


def test_a_grid_of_no_images_is_an_empty_figure():
    assert not plots.image_grid(torch.zeros(0, 3, 4, 4, dtype=torch.uint8)).images


def test_a_confusion_matrix_writes_every_count():
    ax = plots.confusion_matrix(torch.tensor([[1200, 3], [0, 7]]), ("airplane", "bird"), note="drawn")
    assert texts(ax) == ["1,200", "3", "0", "7"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["airplane", "bird"]
    assert ax.get_title("left") == "drawn"


def test_the_first_figure_of_a_notebook_leaves_it_interactive():
    """The inline backend turns interactive mode on while it draws its first figure; later figures need it, too."""
    mpl.interactive(False)
    turn_on = plots.styled(lambda: mpl.interactive(True))
    turn_on()
    assert mpl.is_interactive()
    mpl.interactive(False)


def test_directions_are_drawn_from_the_longest_on_as_shares_of_it():
    ax = plots.lengths_of_directions({"one": torch.diag(torch.tensor([1.0, 4, 2])), "equal": torch.eye(3)})
    one, equal = (list(line.get_ydata()) for line in ax.lines)
    assert one == pytest.approx([1, 0.5, 0.25])
    assert equal == pytest.approx([1, 1, 1])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "equal"]


def test_a_race_has_the_published_curve_in_its_minutes_and_a_dot_for_every_run():
    runs = [{"seconds": 30, "test_accuracy": 0.94}, {"seconds": 60, "test_accuracy": 0.95}]
    ax = plots.races([0.8, 0.9], 120, {"quick": {"words": "small net", "goal": 0.94, "runs": runs}})
    published, dots = ax.lines
    assert list(published.get_xdata()) == [2, 4]
    assert list(published.get_ydata()) == pytest.approx([80, 90])
    assert list(dots.get_xdata()) == [0.5, 1]
    assert dots.get_linestyle() == "None"
    assert texts(ax) == ["published recipe", "small net"]
