"""The checkers of the clinic have teeth."""

import copy

import torch

from vgg_course import check


class Anew:
    def __init__(self, images, labels, augment):
        self.images, self.labels, self.augment = images, labels, augment

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.augment(self.images[index]), self.labels[index]


class Frozen(Anew):
    def __init__(self, images, labels, augment):
        self.pairs = [(augment(image), label) for image, label in zip(images, labels, strict=True)]

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        return self.pairs[index]


class Cached(Anew):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.seen = {}

    def __getitem__(self, index):
        if index not in self.seen:
            self.seen[index] = super().__getitem__(index)
        return self.seen[index]


class Never(Anew):
    def __getitem__(self, index):
        return self.images[index], self.labels[index]


class Stored(Anew):
    def __init__(self, images, labels, augment):
        super().__init__(list(images), labels, augment)

    def __getitem__(self, index):
        self.images[index] = self.augment(self.images[index])
        return self.images[index], self.labels[index]


class InPlace(Anew):
    def __getitem__(self, index):
        self.images[index] = self.augment(self.images[index])
        return self.images[index].clone(), self.labels[index]


class ImageAlone(Anew):
    def __getitem__(self, index):
        return self.augment(self.images[index])


class WrongLabel(Anew):
    def __getitem__(self, index):
        return self.augment(self.images[index]), index + 1


class WholeSet(Anew):
    def __getitem__(self, index):
        return self.augment(self.images), self.labels[index]


class AlwaysFirst(Anew):
    def __getitem__(self, index):
        return self.augment(self.images[0]), self.labels[index]


class Stub(Anew):
    def __getitem__(self, index):
        raise NotImplementedError


class TwiceAsLong(Anew):
    def __len__(self):
        return 2 * len(self.images)


class Twice(Anew):
    def __getitem__(self, index):
        self.augment(self.images[index])
        return super().__getitem__(index)


def alarm(model, images):
    twin = copy.deepcopy(model)
    with torch.no_grad():
        return not torch.allclose(twin(images)[:1], twin(images[:2])[:1], atol=1e-4)


def careless_alarm(model, images):
    with torch.no_grad():
        return not torch.allclose(model(images)[:1], model(images[:2])[:1], atol=1e-4)


def exact_alarm(model, images):
    twin = copy.deepcopy(model)
    with torch.no_grad():
        return not torch.equal(twin(images)[:1], twin(images[:2])[:1])


def calm_alarm(model, images):
    return alarm(copy.deepcopy(model).eval(), images)


def has_batch_norm(model, images):
    return any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules())


def tired_alarm(model, images):
    rings = alarm(model, images)
    model.eval()
    return rings


def pick(validation, test):
    return test[validation.index(max(validation))]


def test_a_tensor_with_one_number_is_a_number():
    assert check.epoch_loss(
        lambda losses, sizes: torch.tensor(losses).double() @ torch.tensor(sizes).double() / sum(sizes)
    )


def test_an_alarm_may_answer_with_a_tensor_and_compare_other_batches():
    def other(model, images):
        twin, again = copy.deepcopy(model), copy.deepcopy(model)
        with torch.no_grad():
            return (twin(images)[0] - again(images[:6])[0]).abs().max() > 1e-3

    assert check.depends_on_company(other)


WRONG = [
    (check.shrinkage, lambda lr, wd, n: 1 - (1 - lr * wd) ** n, "what is left is asked for"),
    (check.shrinkage, lambda lr, wd, n: 1 - n * lr * wd, "multiply, do not subtract"),
    (check.shrinkage, lambda lr, wd, n: (1 - wd) ** n, "not the decay alone"),
    (check.shrinkage, lambda lr, wd, n: 1 - lr * wd, "take all of them"),
    (check.shrinkage, lambda lr, wd, n: (1 - 2 * lr * wd) ** n, "half the square"),
    (check.shrinkage, lambda lr, wd, n: (1 + lr * wd) ** n, "The weight grows"),
    (check.epoch_loss, lambda losses, sizes: losses[-1], "last mini-batch"),
    (check.epoch_loss, lambda losses, sizes: sum(losses) / len(losses), "more weight than the others"),
    (
        check.epoch_loss,
        lambda losses, sizes: sum(a * n for a, n in zip(losses, sizes, strict=True)),
        "divide it by their number",
    ),
    (
        check.epoch_loss,
        lambda losses, sizes: sum(a * n for a, n in zip(losses, sizes, strict=True)) / len(losses),
        "divide by the number of images",
    ),
    (check.epoch_loss, lambda losses, sizes: sum(losses) / sum(sizes), "multiply it by the size"),
    (check.reported_accuracy, lambda held, test: max(test), "with the test images"),
    (check.reported_accuracy, lambda held, test: max(held), "it flatters"),
    (check.reported_accuracy, lambda held, test: test[-1], "the last epoch"),
    (check.reported_accuracy, lambda held, test: held[test.index(max(test))], "exchanged"),
    (check.reported_accuracy, lambda held, test: max(zip(held, test, strict=True))[1], "take the first: whoever"),
    (check.reported_accuracy, lambda held, test: pick(held[::-1], test[::-1]), "not the last"),
    (check.reported_accuracy, lambda held, test: held.index(max(held)), "number of the epoch; its"),
    (check.reported_accuracy, lambda held, test: held.index(max(held)) + 1, "counted from 1"),
    (check.augmented_anew, Frozen, "that list is frozen"),
    (check.augmented_anew, Cached, "is the first one kept"),
    (check.augmented_anew, Never, "never called"),
    (check.augmented_anew, Stored, "made from the first one"),
    (check.augmented_anew, InPlace, "handed in have changed"),
    (check.augmented_anew, ImageAlone, "a pair of image and label"),
    (check.augmented_anew, WrongLabel, "the label is not that of"),
    (check.augmented_anew, WholeSet, "is it one image"),
    (check.augmented_anew, AlwaysFirst, "a guise of another image"),
    (check.augmented_anew, TwiceAsLong, "not the number of images"),
    (check.augmented_anew, Twice, "more than once for one image"),
    (check.depends_on_company, careless_alarm, "running statistics have changed"),
    (check.depends_on_company, exact_alarm, "rounded differently"),
    (check.depends_on_company, calm_alarm, "never rings"),
    (check.depends_on_company, tired_alarm, "in the other mode"),
    (check.depends_on_company, lambda model, images: model.training, "answers for the mode"),
    (check.depends_on_company, has_batch_norm, "answers for the layers"),
    (check.depends_on_company, lambda model, images: True, "always rings"),
    (check.depends_on_company, lambda model, images: not alarm(model, images), "turned around"),
]


def test_a_stub_in_a_method_is_not_attempted():
    assert check.augmented_anew(Stub).status == "not attempted"
