import math
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch import nn

from vgg_course import training
from vgg_course.data import Dataset, Split
from vgg_course.recipes import small_vgg
from vgg_course.training import Recipe, TrainingError, accuracy, confusion_matrix, evaluate, fit, predict


def split(count, seed, size=8):
    """Three classes that differ in which channel is bright."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    images = torch.randint(0, 160, (count, 3, size, size), dtype=torch.uint8, generator=generator)
    images[torch.arange(count), labels] += 60
    return Split(images, labels)


def dataset(train=50, validation=12, size=8):
    sets = (split(train, 0, size), split(validation, 1, size), split(9, 2, size))
    return Dataset(*sets, ("red", "green", "blue"), "made for a test")


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Dropout(0.2), nn.Linear(32, 3),
    )  # fmt: skip


SHORT = Recipe(epochs=3, batch_size=16)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


# --- learning ---


def test_a_net_learns_a_tiny_set_by_heart():
    data = dataset(train=12, validation=0)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, data.train.images.shape, dtype=torch.uint8, generator=generator)
    data = replace(data, train=Split(noise, data.train.labels))  # nothing to learn but the images themselves
    model = net()
    fit(model, data, epochs=80, batch_size=12, shift=0, flip=False, weight_decay=0, label_smoothing=0)
    assert evaluate(model, data, data.train).accuracy == 1


def test_the_same_seed_gives_the_same_weights_bit_for_bit():
    one, other = net(), net()
    first = fit(one, dataset(), SHORT, seed=5)
    torch.rand(3)  # what the global generator does in between must not matter
    second = fit(other, dataset(), SHORT, seed=5)
    assert same(one, other)
    assert [replace(e, seconds=0) for e in first] == [replace(e, seconds=0) for e in second]


def test_a_vgg_repeats_bit_for_bit_too():
    data, models = dataset(40, size=32), [small_vgg() for _ in range(2)]
    for model in models:
        fit(model, data, epochs=1, batch_size=20)
    assert same(*models)
    assert not same(models[0], small_vgg())


def test_another_seed_gives_other_weights():
    one, other = net(), net()
    fit(one, dataset(), SHORT, seed=5)
    fit(other, dataset(), SHORT, seed=6)
    assert not same(one, other)


def test_training_leaves_the_global_generator_as_it_was():
    model, before = net(), None
    before = torch.get_rng_state()
    fit(model, dataset(), SHORT)
    assert torch.equal(torch.get_rng_state(), before)


def test_validation_images_do_not_change_what_is_learned():
    one, other = net(), net()
    fit(one, dataset(validation=12), SHORT)
    fit(other, dataset(validation=0), SHORT)
    assert same(one, other)


def test_training_never_touches_the_test_images():
    data = dataset()
    poisoned = replace(data, test=None)
    assert len(fit(net(), poisoned, SHORT)) == 3


def test_parameters_that_need_no_gradient_stay():
    model = net()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    fit(model, dataset(), SHORT)
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize("mode", [True, False])
def test_the_model_is_left_in_the_mode_it_was_in_module_by_module(mode):
    model = net().train(mode)
    model[1].train(not mode)
    for use in (lambda: fit(model, dataset(), SHORT), lambda: predict(model, torch.zeros(2, 3, 8, 8))):
        use()
        assert [m.training for m in model] == [mode, not mode, *[mode] * 5]


# --- the recipe ---


def test_weight_decay_pulls_on_weights_and_not_on_biases_and_batch_norms():
    model = net()
    recipe = Recipe()
    decayed, free = training._optimizer(model, recipe, "float32").param_groups
    assert {id(p) for p in decayed["params"]} == {id(model[0].weight), id(model[6].weight)}
    assert decayed["weight_decay"] == recipe.weight_decay
    assert len(free["params"]) == 4
    assert free["weight_decay"] == 0


def test_the_learning_rate_rises_to_its_peak_and_falls_to_zero_in_straight_lines():
    recipe = Recipe(learning_rate=0.4, warm_up=0.25)
    assert [recipe.learning_rate_at(t) for t in (0, 0.125, 0.25, 0.625, 1)] == pytest.approx([0, 0.2, 0.4, 0.2, 0])


def test_a_constant_learning_rate_stays_what_it_is():
    assert {Recipe(schedule="constant").learning_rate_at(t) for t in (0, 0.1, 1)} == {0.1}
    assert {epoch.learning_rate for epoch in fit(net(), dataset(), SHORT, schedule="constant", learning_rate=0.01)} == {
        0.01
    }


@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_the_plateau_schedule_divides_when_pytorchs_does(patience, seed):
    accuracies = torch.rand(60, generator=torch.Generator().manual_seed(seed)).mul(20).round().div(20).tolist()
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=0.1, patience=patience - 1, threshold=0, min_lr=1e-3, eps=0
    )  # its patience counts the epochs that are forgiven; three divisions lead to its least rate
    recipe = Recipe(learning_rate=1.0, schedule="plateau", patience=patience)
    for i, value in enumerate(accuracies):
        theirs.step(value)
        assert recipe.learning_rate_at(0.5, accuracies[: i + 1]) == pytest.approx(optimizer.param_groups[0]["lr"])


def test_on_a_plateau_of_validation_accuracy_the_rate_is_divided_by_ten_three_times_and_no_more(monkeypatch):
    monkeypatch.setattr(training, "evaluate", lambda *_: training.Evaluation(12, 1.0, 0.5))  # the first is the best
    history = fit(net(), dataset(), SHORT, epochs=8, schedule="plateau", patience=2, learning_rate=0.01)
    rates = [epoch.learning_rate for epoch in history]
    assert rates == pytest.approx([0.01] * 3 + [0.001] * 2 + [0.0001] * 2 + [0.00001])
    assert Recipe(schedule="plateau", patience=1).learning_rate_at(1, [0.5] * 9) == pytest.approx(1e-4)


def test_the_plateau_schedule_needs_validation_images():
    with pytest.raises(ValueError, match="'plateau', and there are no validation images"):
        fit(net(), dataset(validation=0), SHORT, schedule="plateau")


@pytest.mark.parametrize("nesterov", [True, False])
def test_momentum_is_nesterovs_or_plain(nesterov):
    """Two steps by hand, in float64, on one weight: v = 0.9 v + g, and w goes along v, or along g + 0.9 v."""
    weight = nn.Parameter(torch.ones(1, 1, dtype=torch.float64))
    model = nn.Module()
    model.weight = weight
    optimizer = training._optimizer(model, Recipe(learning_rate=0.1, weight_decay=0, nesterov=nesterov), "float32")
    w, v = 1.0, 0.0
    for g in (3.0, -1.0):
        weight.grad = torch.full_like(weight, g)
        optimizer.step()
        v = 0.9 * v + g
        w -= 0.1 * (g + 0.9 * v if nesterov else v)
    assert weight.item() == pytest.approx(w)


def test_every_image_is_used_once_an_epoch_in_batches_of_nearly_equal_size(monkeypatch):
    sizes, seen = [], []
    batch = training._Run.batch

    def spy(self, chosen, moves, epoch):
        sizes.append(len(chosen))
        seen.append(chosen)
        return batch(self, chosen, moves, epoch)

    monkeypatch.setattr(training._Run, "batch", spy)
    fit(net(), dataset(train=50), epochs=1, batch_size=16)
    assert sorted(sizes) == [12, 12, 13, 13]
    assert torch.cat(seen).sort().values.tolist() == list(range(50))


def test_every_image_is_mirrored_in_every_second_epoch():
    data = dataset()
    run = training._Run(net(), data, Recipe(epochs=2, shift=0), 0, "float32")
    everything, nowhere = torch.arange(len(data.train)), torch.zeros(2, len(data.train))
    first, second = (run.batch(everything, nowhere, epoch) for epoch in (1, 2))
    assert torch.equal(first, second.flip(3))
    assert torch.equal(run.batch(everything, nowhere, 3), first)


def test_reported_losses_are_means_over_images_not_over_batches():
    data, model = dataset(train=50), nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 3))
    recipe = Recipe(epochs=1, batch_size=16, learning_rate=0, label_smoothing=0, shift=0, flip=False)  # changes nothing
    reported, exact = fit(model, data, recipe, precision="float32")[0], evaluate(model, data, data.train)
    assert math.isclose(reported.train_loss, exact.loss, rel_tol=1e-6)  # 12 + 12 + 13 + 13 images
    assert reported.train_accuracy == exact.accuracy


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "epochs is 0; it must be a whole number of at least 1"),
        ({"epochs": 2.5}, r"epochs is 2\.5"),
        ({"batch_size": 1}, "batch_size is 1"),
        ({"shift": -1}, "shift is -1"),
        ({"learning_rate": -0.1}, r"learning_rate is -0\.1"),
        ({"learning_rate": math.nan}, "learning_rate is nan"),
        ({"momentum": 1}, "momentum is 1; it must be a number, at least 0 and below 1"),
        ({"label_smoothing": 1.5}, r"label_smoothing is 1\.5"),
        ({"lr": 0.1}, "'lr' is no part of a recipe; it has epochs, batch_size"),
        ({"precision": "int8"}, "precision is 'int8'"),
        ({"schedule": "cosine"}, "schedule is 'cosine'; it can be one-cycle, plateau, constant"),
        ({"patience": 0}, "patience is 0"),
        ({"nesterov": 1}, "nesterov is 1; it must be True or False"),
        ({"shift": 8}, "shift is 8, too far for images of 8 pixels; at most 7 will do"),
    ],
)
def test_an_impossible_recipe_is_refused_by_name_value_and_rule(changes, words):
    with pytest.raises(ValueError, match=words):
        fit(net(), dataset(), **changes)


def test_a_single_image_is_refused():
    with pytest.raises(ValueError, match="1 training images"):
        fit(net(), dataset(train=1))


# --- when it goes wrong ---


def test_a_loss_that_is_no_number_is_an_error_that_says_what_to_do():
    model = net()
    with torch.no_grad():
        model[6].weight[0, 0] = math.nan
    with pytest.raises(TrainingError, match=r"loss is nan at step 1 of .* lower learning_rate \(here 0\.1\)"):
        fit(model, dataset(), SHORT, learning_rate=0.1)
    assert model.training


def test_a_gpu_that_is_looked_at_every_20_steps_gets_the_same_run_and_the_step_at_which_it_broke(monkeypatch):
    class Rarely(training._Run):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.look_every = 20  # as on a GPU

    one, other, broken = net(), net(), net()
    often = fit(one, dataset(), SHORT)
    monkeypatch.setattr(training, "_Run", Rarely)
    assert [replace(e, seconds=0) for e in fit(other, dataset(), SHORT)] == [replace(e, seconds=0) for e in often]
    assert same(one, other)
    with pytest.raises(TrainingError, match="at step 3 of 12"):
        fit(nn.Sequential(BreaksAt(3), broken), dataset(), SHORT)


class BreaksAt(nn.Module):
    """Lets images through, until its n-th batch."""

    def __init__(self, n):
        super().__init__()
        self.n = n

    def forward(self, images):
        self.n -= self.training
        return images * math.nan if self.n == 0 else images


def test_a_step_reads_nothing_back_and_copies_nothing_to_the_device(monkeypatch):
    """On a GPU both would make the program wait. The device "meta" has no values: whoever reads one there fails."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Copies(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.found = []

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **kwargs or {})
            devices = {a.device.type for a in args if isinstance(a, torch.Tensor) and a.ndim}
            if isinstance(out, torch.Tensor) and devices - {out.device.type}:
                self.found.append(str(function))
            return out

    run = training._Run(net().to("meta"), dataset(), SHORT, 0, "float32")
    batches, copies = run.draw(1), Copies()
    monkeypatch.setattr(Dataset, "normalize", lambda self, images: images.float())  # two copies of three numbers
    first = next(batches)  # with it, all that chance decides in this epoch has gone to the device
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # which knows no such device
    with copies:
        run.step(*first)
        for batch in batches:
            run.step(*batch)
    assert copies.found == []
    assert len(run.unread) == run.step_number == 4


def test_ctrl_c_ends_training_and_keeps_what_was_learned(monkeypatch):
    step, taken = training._Run.step, []

    def interrupted(self, *batch):
        if len(taken) == 6:  # in the second epoch: there are four steps in one
            raise KeyboardInterrupt
        taken.append(1)
        step(self, *batch)

    monkeypatch.setattr(training._Run, "step", interrupted)
    model, start = net().eval(), net()
    history = fit(model, dataset(), SHORT)
    assert history.interrupted
    assert len(history) == 1
    assert "stopped after 1 of 3 epochs" in repr(history)
    assert not same(model, start)
    assert not model.training
    assert torch.isfinite(predict(model, torch.zeros(1, 3, 8, 8))).all()


# --- what is shown ---


def test_a_history_shows_one_line_an_epoch_and_marks_drawn_pictures():
    history = fit(net(), dataset(), SHORT)
    assert len(repr(history).splitlines()) == 4 + 3
    assert "DRAWN" not in repr(history)
    assert "DRAWN STAND-INS" in fit(net(), replace(dataset(), is_drawn=True), SHORT)._repr_html_()


def test_without_validation_images_there_are_no_validation_numbers():
    history = fit(net(), dataset(validation=0), SHORT)
    assert history[0].validation_accuracy is None
    assert "None" not in repr(history)


def test_a_log_gets_one_plain_line_an_epoch(capsys):
    fit(net(), dataset(), SHORT)
    out, err = capsys.readouterr()
    assert [line.split(",")[0] for line in out.splitlines()] == [f"training: epoch {i} of 3" for i in (1, 2, 3)]
    assert err == ""
    assert "\r" not in out


# --- looking at answers ---


def test_an_answer_does_not_depend_on_the_other_images_of_the_batch():
    model, images = net().train(), torch.randn(20, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    together, alone = predict(model, images), predict(model, images[3:4])
    torch.testing.assert_close(together[3:4], alone)
    model[5].p = 0.0
    assert not torch.allclose(model(images)[3], model(images[2:6])[1], atol=1e-3)  # train mode is another matter


def test_predicting_changes_nothing_in_the_model():
    model = net()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    logits = predict(model, torch.randn(5, 3, 8, 8))
    assert not logits.requires_grad
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_predictions_come_in_order_whatever_the_batch_size():
    model, images = net(), torch.randn(7, 3, 8, 8)
    torch.testing.assert_close(predict(model, images, batch_size=3), predict(model, images))


def test_a_confusion_matrix_counts_every_image_once():
    logits = torch.eye(3)[[0, 1, 1, 2, 0, 2]]
    labels = torch.tensor([0, 1, 0, 2, 2, 2])
    matrix = confusion_matrix(logits, labels)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    assert matrix.sum(1).tolist() == labels.bincount().tolist()
    assert matrix.trace() / matrix.sum() == accuracy(logits, labels)


def test_evaluation_is_exact_over_all_images():
    data, model = dataset(validation=11), net()
    found = evaluate(model, data, data.validation)
    logits = model.eval()(data.normalize(data.validation.images))
    assert found.images == 11
    assert found.accuracy == (logits.argmax(1) == data.validation.labels).sum().item() / 11
    assert math.isclose(found.loss, nn.functional.cross_entropy(logits, data.validation.labels).item(), rel_tol=1e-5)


@pytest.mark.parametrize(("logits", "labels"), [((3, 2), (4,)), ((0, 2), (0,)), ((3,), (3,))])
def test_logits_and_labels_that_do_not_belong_together_are_refused(logits, labels):
    for judge in (accuracy, confusion_matrix):
        with pytest.raises(ValueError, match="do not belong together"):
            judge(torch.zeros(logits), torch.zeros(labels, dtype=torch.int64))


# --- the course's own net ---


def test_the_small_vgg_is_configuration_d_with_a_quarter_of_the_channels():
    channels = [m.out_channels for m in small_vgg().modules() if isinstance(m, nn.Conv2d)]
    assert channels == [c // 4 for c in (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)]


def test_before_training_the_loss_is_about_that_of_guessing():
    data = dataset(train=60, size=32)
    loss = evaluate(small_vgg(), data, data.train).loss
    assert abs(loss - math.log(3)) < 0.1


def test_bfloat16_is_chosen_only_where_the_cpu_computes_it(monkeypatch):
    for native, name in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda native=native: native)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
        assert training.best_precision(torch.device("cpu")) == name


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_weights_stay_float32_in_every_precision(precision):
    model = net()
    history = fit(model, dataset(), SHORT, precision=precision)
    assert history.precision == precision
    assert {p.dtype for p in model.parameters()} == {torch.float32}
