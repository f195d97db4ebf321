"""Chapter 3, Trace receptive fields."""

from vgg_course.configuration import CONFIGURATIONS
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong
from vgg_course.receptive_field import receptive_field, window_of

FIELDS = receptive_field("D")
POOL3, CONV4_1, CONV4_2 = (FIELDS[name] for name in ("pool3", "conv4_1", "conv4_2"))


def popular(name: str) -> int:
    """What the popular rule, run from the image on, claims for a layer of D."""
    size = 1
    for layer in CONFIGURATIONS["D"]:
        kernel, stride, _ = window_of(layer)
        size = (size - 1) * stride + kernel
        if layer.name == name:
            break
    return size


QUIZ = Quiz(
    3,
    [
        Number(
            f"In VGG-16 a value of `pool3` sees {POOL3.size} pixels across, and its neighbor stands {POOL3.jump} pixels "
            "further on. Two 3x3 convolutions follow. What does a value of the second, `conv4_2`, see?",
            [
                wrong(
                    POOL3.size + 4,
                    "You added 2 for each convolution, as in block 1. Here the neighbors of the grid are not one pixel "
                    "apart: count in jumps.",
                    "Write the rule down",
                ),
                wrong(
                    CONV4_1.size,
                    f"Either that is one convolution only, or you measured with the jump before the pool. The grid that "
                    f"both windows lie on has jump {POOL3.jump}.",
                    "Write the rule down",
                ),
                wrong(
                    popular("conv4_2"),
                    "That is the popular rule, (size - 1) x stride + kernel, run from the image on. It is right only "
                    "from the output to the image.",
                    "Visit the gallery of wrong rules",
                ),
                right(
                    CONV4_2.size,
                    f"Each adds (3 - 1) x {POOL3.jump} pixels: the kernel less one, in jumps.",
                ),
            ],
            otherwise="A layer adds its kernel less one, times the jump of the grid that its window lies on.",
            section="Write the rule down",
            unit="pixels",
        ),
        Choice(
            "When does size = (size - 1) x stride + kernel give the receptive field?",
            [
                wrong(
                    "when you go from the image to the output, layer by layer",
                    f"That is how most people use it. It claims {popular('pool5')} pixels for `pool5`, and the gradient "
                    f"finds {FIELDS['pool5'].size}.",
                    "Visit the gallery of wrong rules",
                ),
                right(
                    "when you go from the output to the image, layer by layer",
                    "size is then the number of neighbors that are needed on each grid, and at last the number of pixels.",
                ),
                wrong(
                    "in a net without pools only",
                    "Where all strides are 1, either direction will do. But walked backward it is right with pools too.",
                    "Walk backward",
                ),
                wrong(
                    "never: the jump is missing",
                    "The forward rule needs a jump. Walking backward you count neighbors on one grid after the other, "
                    "and the strides come in by themselves.",
                    "Walk backward",
                ),
            ],
        ),
        Choice(
            f"Your program says that `conv2_2` sees {FIELDS['conv2_2'].size} pixels. That is right. What does it prove?",
            [
                wrong(
                    "that the program is right: behind a pool no wrong rule would hit the number",
                    f"One does, by accident: the rule that doubles at every pool says {popular('conv2_2')} here, too.",
                    "Visit the gallery of wrong rules",
                ),
                wrong(
                    "that it is right up to block 2",
                    f"The popular wrong rule passes here and is wrong before: it claims {popular('pool1')} for `pool1`, "
                    f"which sees {FIELDS['pool1'].size}.",
                    "Visit the gallery of wrong rules",
                ),
                wrong(
                    "that it counts what autograd would count",
                    "At this one layer. Asking autograd at all layers would be a proof; agreeing at one is not.",
                    "Let the gradient be the judge",
                ),
                right(
                    "little: a wrong rule hits it as well, so test at a pool",
                    "Its errors cancel at `conv2_2` and once more at `conv3_2`. At a pool they do not.",
                ),
            ],
        ),
        Choice(
            f"`fc6` sees {FIELDS['fc6'].size} pixels across, and the image has {CONFIGURATIONS['D'].input_size}. How can "
            "that be?",
            [
                right(
                    "its window begins in the padding, and most of it is zeros",
                    f"It runs from pixel {FIELDS['fc6'].start} to {FIELDS['fc6'].start + FIELDS['fc6'].size - 1}. The "
                    "rule counts windows; where the image ends is another question.",
                ),
                wrong(
                    f"it cannot: the right number is {CONFIGURATIONS['D'].input_size}",
                    "So many of them are real pixels. But in a larger image the same window would see all of it: the "
                    "receptive field belongs to the layers, not to the image.",
                    "Find the centers, and what the padding clips",
                ),
                wrong(
                    f"it is a slip: `fc6` sees what `pool5` sees, {FIELDS['pool5'].size}",
                    f"`fc6` reads seven values of `pool5` in a row, and they stand {FIELDS['pool5'].jump} pixels apart. "
                    "Their windows together reach further than one of them.",
                    "Write the rule down",
                ),
            ],
        ),
        Choice(
            "Two marks are 4 pixels apart. A net of one 3x3 and two 1x1 convolutions, then an average, stays at chance. "
            "Why?",
            [
                wrong(
                    "it was not trained long enough",
                    "It gives the same answer to every picture before training, after training, and with any weights: "
                    "there is nothing that training could use.",
                    "Train networks that cannot see enough",
                ),
                wrong(
                    "its 1x1 layers add no ReLU",
                    "They do have ReLUs, and the net is as deep as one that solves the task. What it lacks is not depth.",
                    "Train networks that cannot see enough",
                ),
                right(
                    "none of its values ever sees both marks",
                    "A window of 3 holds one of them at most, and the average of what single marks are worth is the same "
                    "in both classes.",
                ),
                wrong(
                    "the average at the end throws away where the marks are",
                    "It does, in the nets that succeed as well. They do not need the place: one value that has seen both "
                    "partners is enough.",
                    "Train networks that cannot see enough",
                ),
            ],
        ),
        Choice(
            "A value has a receptive field of 21 pixels. What follows for a pixel in the corner of that window?",
            [
                wrong(
                    "it matters as much as a pixel in the middle",
                    "From the corner a single path leads to the value, from the middle there are thousands.",
                    "Measure what is really used",
                ),
                right(
                    "it can change the value, and usually does so very little",
                    "The receptive field says which pixels can matter. How much they do is the effective receptive "
                    "field, and that sits in the middle.",
                ),
                wrong(
                    "it cannot change the value, for the effective receptive field is smaller",
                    "Its gradient is small but not zero. The effective field is a matter of how much, with a share that "
                    "somebody chose, such as nine tenths.",
                    "Measure what is really used",
                ),
            ],
        ),
    ],
)
