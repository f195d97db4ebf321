"""Chapter 2, Why stack small filters."""

from vgg_course.accounting import ledger
from vgg_course.configuration import CONFIGURATIONS, Configuration
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong


def weights(words: str, in_channels: int) -> int:
    return ledger(Configuration.parse(words, in_channels=in_channels)).weights


LAYERS = 4
LESS, MORE = 1 - 27 / 49, 49 / 27 - 1
BLOCK_1 = weights("conv3-64 conv3-64", 3) / weights("conv5-64", 3)
KEPT = weights("conv3-512 conv3-512", 512) / weights("conv5-512", 512)
SHALLOW = " ".join(f"conv5-{block[0].spec.channels}" for block in CONFIGURATIONS["B"].blocks)
SURPLUS = weights(SHALLOW, 3) / ledger("B").convolutional.weights - 1

QUIZ = Quiz(
    2,
    [
        Number(
            f"{LAYERS} convolutions of 3x3 stand in a row, stride 1, with no pool between them. How many pixels across "
            "can change one value of the last?",
            [
                wrong(
                    3 * LAYERS,
                    "You laid the windows side by side. They overlap: a layer adds one pixel on each side, so 2, to "
                    "what was seen before.",
                    "See as far as one large filter",
                ),
                wrong(
                    3**LAYERS,
                    "Views do not multiply. The three values that a layer reads look at almost the same pixels.",
                    "See as far as one large filter",
                ),
                wrong(
                    2 * LAYERS,
                    "2 for each layer is right. But begin at 1: a pixel sees itself.",
                    "See as far as one large filter",
                ),
                right(2 * LAYERS + 1, "1 for the pixel itself, and one more on each side for each layer."),
            ],
            otherwise="The first layer sees 3. How many pixels does each further one add on the left, how many on the "
            "right?",
            section="See as far as one large filter",
            unit="pixels",
        ),
        Choice(
            f"A note says: three 3x3 convolutions save {MORE:.0%} of the weights of one 7x7. What is wrong with it?",
            [
                wrong(
                    "nothing: that is the number in the paper",
                    "The number is. But the paper says that the 7x7 needs that much more than the stack, which is "
                    "another base than what the stack saves of the 7x7.",
                    "Count the weights",
                ),
                right(
                    f"it is measured against the wrong bar: the stack saves {LESS:.0%}",
                    f"The gap is 22 of 49, or 22 on top of 27. A saving is a share of what one had before: {LESS:.1%}.",
                ),
                wrong(
                    f"it should be {27 / 49:.0%}",
                    "That is 27 of 49, what is left of the weights and not what was saved.",
                    "Count the weights",
                ),
                wrong(
                    "a stack saves nothing, for it keeps three feature maps",
                    "Feature maps are activations. The sentence is about weights, and with as many channels in as out "
                    "the stack does have fewer.",
                    "Find the layers where it fails",
                ),
            ],
        ),
        Choice(
            "In which blocks of configuration B do the two 3x3 have fewer weights than the one 5x5 that sees as far?",
            [
                wrong(
                    "in all five: 18 is less than 25",
                    "That assumes as many channels in as out. Four of the five blocks take in fewer than they put out, "
                    "and the second 3x3 has to connect all that the first puts out.",
                    "Find the layers where it fails",
                ),
                wrong(
                    "in block 1, where only 3 channels come in",
                    f"There the pair has {BLOCK_1:.1f} times as many. A large filter on 3 channels costs little; the "
                    "second layer of the pair connects 64 channels with 64.",
                    "Find the layers where it fails",
                ),
                wrong(
                    "in blocks 2 to 4, where the channels double",
                    "Doubling is what costs them the saving: from `a` to `2a` channels the pair has `54a²` weights, the "
                    "5x5 has `50a²`.",
                    "Find the layers where it fails",
                ),
                right(
                    "in block 5 only",
                    f"It is the one block that puts out as many channels as it takes in. There the pair has {KEPT:.0%} "
                    "of the weights of the 5x5.",
                ),
            ],
        ),
        Choice(
            'The authors replaced each pair of B by one 5x5. The error got "7% higher". What may you conclude?',
            [
                right(
                    "that the deep net won, but neither why nor by how much",
                    "Depth, weights and ReLUs changed together, and nothing tells points from percent of B's error.",
                ),
                wrong(
                    "that the error rose by 7 points",
                    "It may have, or by seven percent of B's error, which is some two points. The paper does not say.",
                    "Read the experiment behind it",
                ),
                wrong(
                    "that the extra ReLUs make the difference",
                    "They may. But the deep net also has twice as many convolutions, and other numbers of weights: one "
                    "experiment that changes several things does not choose between them.",
                    "Read the experiment behind it",
                ),
                wrong(
                    "that B did better because it has more weights in its convolutions",
                    f"It has fewer: those of the shallow net are {SURPLUS:.1%} more.",
                    "Read the experiment behind it",
                ),
            ],
        ),
        Choice(
            "Three linear 3x3 convolutions, each with padding 1, melt into one 7x7 with padding 3. Where do the outputs "
            "of the stack and of the 7x7 differ?",
            [
                wrong(
                    "nowhere: without ReLUs they are the same filter",
                    "Inside, yes. At the border the stack puts zeros where its own inner layers would have had answers, "
                    "and the 7x7 counts those answers.",
                    "Look at the border",
                ),
                wrong(
                    "in a frame one pixel wide",
                    "That is the frame of a pair. A third layer carries the difference one pixel further inward.",
                    "Look at the border",
                ),
                right(
                    "in a frame two pixels wide",
                    "Each layer but the first adds a pixel: the zeros around the picture itself are the same for both.",
                ),
                wrong(
                    "in a frame three pixels wide, as far as the padding reaches",
                    "The first layer pads the picture as the 7x7 does and makes no difference. Only the zeros around "
                    "the two inner grids do.",
                    "Look at the border",
                ),
            ],
        ),
        Choice(
            "Leave the ReLU out. Can two 3x3 convolutions, with one channel in and one out, make any 5x5 kernel?",
            [
                wrong(
                    "yes: they see the same 25 pixels",
                    "To see as much is not to compute as much. With one channel between them the two have 17 free "
                    "numbers, and about a third of a random 5x5 is left over.",
                    "Try to go back",
                ),
                right(
                    "only with more than one channel between them, and then for more weights than the 5x5 has",
                    "Two channels were enough for every kernel we drew; they take 36 weights, and a 5x5 has 25.",
                ),
                wrong(
                    "no, and no number of channels between them changes that",
                    "Four channels are enough for certain: four shifted copies of the picture, and a piece of the "
                    "kernel on each.",
                    "Buy it back with channels",
                ),
                wrong(
                    "no, but put the ReLU back and they can",
                    "With a ReLU between them the two are not linear any more, so they are no 5x5 at all.",
                    "Put the ReLU back",
                ),
            ],
        ),
    ],
)
