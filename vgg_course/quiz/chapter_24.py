"""Chapter 24, Give it a new head."""

from vgg_course.accounting import ledger
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

KERNEL, DILATION = 3, 4
D = ledger("D")
SHARE, WORK = (getattr(D.convolutional, what) / getattr(D, what) for what in ("parameters", "macs"))

QUIZ = Quiz(
    24,
    [
        Choice(
            "You take the stride from a pool and spread every layer behind it by a dilation of 2. What have you got?",
            [
                wrong(
                    "roughly the old values, at four times as many places; it has to be trained again",
                    "Not roughly. At the old places each layer reads exactly what it read before.",
                    "Drop a pool's stride and keep its answer",
                ),
                right(
                    "the old values exactly, new ones between them, and four times the work behind the pool",
                    "Not a single parameter more. Dilation buys density with work.",
                ),
                wrong(
                    "the old values, four times the places, and four times the parameters behind the pool",
                    "A dilated kernel has as many weights as before. They only stand further apart.",
                    "Drop a pool's stride and keep its answer",
                ),
                wrong(
                    "a net that sees twice as far, at as many places",
                    "It sees as far as before, for the grid became finer by as much as the kernels were spread.",
                    "Drop a pool's stride and keep its answer",
                ),
            ],
        ),
        Number(
            f"A kernel of {KERNEL} has a dilation of {DILATION}. How many cells lie from its first value to its last, both "
            "counted?",
            [
                wrong(
                    KERNEL * DILATION,
                    "The last value has no gap behind it.",
                    "Drop a pool's stride and keep its answer",
                ),
                wrong(
                    (KERNEL - 1) * DILATION,
                    "Those are the steps. The first cell counts, too.",
                    "Drop a pool's stride and keep its answer",
                ),
                right((KERNEL - 1) * DILATION + 1, f"{KERNEL - 1} steps of {DILATION}, and the first cell."),
                wrong(
                    KERNEL + DILATION - 1,
                    "Every gap grows, not only one of them.",
                    "Drop a pool's stride and keep its answer",
                ),
                wrong(
                    (KERNEL - 1) * (DILATION + 1) + 1,
                    f"A dilation of {DILATION} means that neighbors stand {DILATION} apart, not that so many cells lie "
                    "between them.",
                    "Drop a pool's stride and keep its answer",
                ),
            ],
            otherwise="How many steps lead from the first value to the last, and how long is each?",
            section="Drop a pool's stride and keep its answer",
        ),
        Choice(
            "Objects of 10 pixels shall be outlined from a map with stride 32, by a head that knows everything. How good can "
            "it get?",
            [
                wrong(
                    "very good: the deepest layer knows most",
                    "It may know all. But it has one number for 32x32 pixels, and those are enlarged.",
                    "Ask how good a grid can be",
                ),
                wrong(
                    "good, with enough channels in the map",
                    "For each class the head says one number a cell, whatever it was made from.",
                    "Ask how good a grid can be",
                ),
                right(
                    "it cannot draw them at all",
                    "A grid cannot draw what is smaller than its cell. That is the price of stride, before any learning.",
                ),
            ],
        ),
        Choice(
            "Maps of three stages are to be added, and nothing may be off by a pixel. What must be known of each?",
            [
                right(
                    "where the centers of its cells lie in the image",
                    "The receptive field has them: not its size, but its center.",
                ),
                wrong(
                    "how large its receptive field is",
                    "The size says how much a cell sees. It does not say which pixel it speaks for.",
                    "Find out why FCN pads by 100",
                ),
                wrong(
                    "how many cells it has: resizing does the rest",
                    "That works where the cells of all stages cover the image in the same way. With FCN's padding they "
                    "do not.",
                    "Find out why FCN pads by 100",
                ),
            ],
        ),
        Choice(
            "On a map of stride 16 a box moves by three pixels, and RoI pooling gives the same answer. Why?",
            [
                wrong(
                    "a maximum does not mind small moves",
                    "The parts in which it is taken did not move at all.",
                    "Cut a box out of a map",
                ),
                wrong(
                    "the features did not change",
                    "They did not. But the box did, and an exact reading of it would have.",
                    "Cut a box out of a map",
                ),
                wrong(
                    "it reads between the cells, which evens small moves out",
                    "That is RoIAlign, which follows the box pixel by pixel.",
                    "Cut a box out of a map",
                ),
                right(
                    "the box is rounded to whole cells first",
                    "Whatever is rounded to cells is blind to half a stride.",
                ),
            ],
        ),
        Choice(
            "Most systems keep the thirteen convolutions of VGG-16 and drop the rest. What do they keep?",
            [
                wrong(
                    f"{1 - SHARE:.0%} of its parameters and little of its work",
                    "That is what they leave: the fully-connected layers.",
                    "See what five systems took",
                ),
                right(
                    f"{SHARE:.0%} of its parameters and {WORK:.0%} of its work",
                    "A backbone is small to store, and as slow as the whole net.",
                ),
                wrong(
                    f"{SHARE:.0%} of its parameters and as much of its work",
                    "A weight of a convolution works at every place, so the work is shared out otherwise.",
                    "See what five systems took",
                ),
            ],
        ),
    ],
)
