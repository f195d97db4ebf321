"""Every checker of every chapter: the book's own solution passes, and a solution with one small mistake does not."""

from inspect import signature

import pytest
from teeth import exercises, mutants

from vgg_course import check
from vgg_course.check import verdict

EXERCISES = {exercise.name: exercise for exercise in exercises()}
every_exercise = pytest.mark.parametrize("name", EXERCISES)


@every_exercise
def test_the_solution_in_the_book_passes(name):
    found = EXERCISES[name].judged(EXERCISES[name].solution)
    assert found, found


@every_exercise
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_solution_passes_whatever_is_drawn(name, seed):
    exercise = EXERCISES[name]
    if "seed" not in signature(getattr(check, exercise.checker)).parameters:
        pytest.skip("nothing is drawn")
    found = exercise.judged(exercise.solution, seed=seed)
    assert found, found


HARMLESS = {
    "05-conv_block": {"line 7: False for True"},  # in place or not
    "05-feature_layers": {"line 11: False for True", "line 10: 0 for 1"},  # and an odd kernel, halved, is the same
    "06-flat_features": {"line 4: 4 for 3", "line 4: 2 for 3"},  # the first convolution says how many
    "06-first_broken": {"line 5: 2 for 1", "line 5: 0 for 1"},  # shapes are the same in any batch
    "08-he_normal": {"line 4: 1 for 0", "line 4: -1 for 0"},  # all filters are of one size
    "08-copied_layers": {"line 7: 4 for 3"},  # there are three
    "10-pca_color": {"line 6: Sub for Add"},  # an axis points either way
    "10-prepare_for_training": {
        *(
            f"line 4: {side}" for side in ("257 for 256", "255 for 256", "513 for 512", "511 for 512")
        ),  # drawn by chance
        "line 6: -1 for 0",  # a batch of one
    },
    "11-random_flip": {"line 4: LtE for Lt", "line 4: Gt for Lt"},  # one half either way
    "12-depends_on_company": {"line 7: 0.0002 for 0.0001", "line 6: 3 for 2"},  # how near, and how many, is free
    "14-speed_up": {"line 4: FloorDiv for Div"},  # less than a byte
    "16-fused_classes": {"line 4: sum for mean"},  # has its largest value at the same place
    "16-claim_grade": {"line 5: GtE for Gt", "line 6: LtE for Lt"},  # a gain that equals the reach to the last bit
    "17-within_budget": {"line 5: 2 for 1"},  # which of two equals
    "20-passed_down": {"line 4: GtE for Gt"},  # a gradient of 0 is multiplied by 0 or by 1
    "21-pooled_vectors": {"line 4: sum for mean"},  # is scaled to length 1
    "21-nearest_accuracy_of": {"line 6: 0 for 1"},  # a is as like to b as b to a
    "21-principal_coordinates": {"line 5: True for False"},  # more directions than are used
    "22-two_view_vectors": {"line 4: Mult for Div", "line 4: 3 for 2", "line 4: 1 for 2"},  # is scaled to length 1
    "23-forgets_places": {"line 7: 0.0002 for 0.0001", "line 7: 2e-05 for 1e-05"},  # how near is free
}
"""By exercise: mutations that change nothing that was asked for. Each was looked at by a person."""


@every_exercise
def test_a_solution_with_one_mistake_is_caught(name, monkeypatch):
    monkeypatch.setattr(verdict, "LIMIT", 5.0)  # some mistakes never end
    exercise, caught, missed = EXERCISES[name], 0, []
    for words, program in mutants(exercise.solution):
        if words in HARMLESS.get(name, ()):
            continue
        if exercise.judged(program):
            missed.append(words)
        else:
            caught += 1
    assert caught >= 0.95 * (caught + len(missed)), missed
