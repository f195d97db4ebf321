"""Chapter 23, Paint with features."""

from vgg_course.configuration import CONFIGURATIONS
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

SIDES = 2
FOURTH = [layer.name for layer in CONFIGURATIONS["D"] if layer.name.startswith("conv")][4 - 1]

QUIZ = Quiz(
    23,
    [
        Choice(
            "Two pictures have the same Gram matrix in a layer. Do the same values stand in that layer for both?",
            [
                wrong(
                    "yes, but perhaps at other places",
                    "Places are forgotten, and more: a channel that always fires at 1 and one that fires more strongly half "
                    "of the time look the same.",
                    "Ask which channels fire together",
                ),
                right(
                    "not even if places do not count",
                    "It keeps the mean product of each two channels, and no more.",
                ),
                wrong(
                    "yes, if the two pictures are equally large",
                    "Equal means of products do not make equal values.",
                    "Ask which channels fire together",
                ),
                wrong(
                    "yes, in the same places: a feature map says what is where",
                    "A map does. The Gram matrix is a mean over all places, in any order.",
                    "Ask which channels fire together",
                ),
            ],
        ),
        Choice(
            "A mosaic is cut into tiles of 16 pixels, and the tiles are mixed. Which layers' Gram matrices mind it most?",
            [
                wrong(
                    "none: a Gram matrix has forgotten every place",
                    "The place of a value, yes. But a value saw a whole window, and within that places count.",
                    "Find the places that are left",
                ),
                wrong(
                    "the first ones, which see the finest details",
                    "Few of their windows of 3 pixels were cut, so they hardly notice.",
                    "Find the places that are left",
                ),
                right(
                    "the last ones, whose windows are larger than a tile",
                    "Style is what happens within one receptive field, and how often. Each layer adds a larger one.",
                ),
            ],
        ),
        Number(
            "A program takes the sum over all places for its Gram matrix, not the mean. The picture becomes twice as high and "
            "twice as wide, with the same texture. By what factor do the entries grow?",
            [
                wrong(
                    1,
                    "With the mean they would stay. That is its virtue: a larger piece of a mosaic is the same mosaic.",
                    "Choose a unit",
                ),
                wrong(
                    SIDES,
                    "Twice as high and twice as wide: there are more places than that.",
                    "Choose a unit",
                ),
                right(SIDES**2, "As many times as there are places. In the loss this is squared once more."),
                wrong(
                    SIDES**4,
                    "That is what becomes of a squared difference of two of them.",
                    "Choose a unit",
                ),
            ],
            otherwise="How many times as many places are there, and each adds its product?",
            section="Choose a unit",
        ),
        Choice(
            "A program for VGG counts convolutions from the front and reads `conv_4`. Which layer of the paper is that?",
            [
                wrong(
                    "`conv4_1`",
                    "That is the first of block 4. Counting from the front one gets there much later.",
                    "Put a content into the style",
                ),
                wrong(
                    "`conv4_2`, which the paper of style transfer uses for the content",
                    "The names look alike, and that has misled people.",
                    "Put a content into the style",
                ),
                wrong(
                    "`conv3_2`",
                    "Blocks 1 and 2 have two convolutions each. Count again.",
                    "Put a content into the style",
                ),
                right(f"`{FOURTH}`", "Two in block 1 and two in block 2. A number from the front is no name."),
            ],
        ),
        Choice(
            "A net that enlarges photographs was trained on squared errors, and its answers are blurred. Why?",
            [
                right(
                    "many sharp pictures are possible, and their mean costs least",
                    "It is the right answer to the wrong question, and no weakness of the net.",
                ),
                wrong(
                    "the net is too small for details",
                    "The largest net would answer with the mean as well: nothing costs less.",
                    "See why squares blur",
                ),
                wrong(
                    "the error is averaged over all pixels, so that single ones do not count",
                    "Each pixel counts. The best answer for each of them is the mean of what it might have been.",
                    "See why squares blur",
                ),
                wrong(
                    "it was stopped before it had learned the edges",
                    "Trained to the end, it would be nearer still to the mean.",
                    "See why squares blur",
                ),
            ],
        ),
    ],
)
