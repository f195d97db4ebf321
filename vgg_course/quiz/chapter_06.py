"""Chapter 6, Hold shapes to a contract."""

from vgg_course.accounting import ledger
from vgg_course.configuration import CONFIGURATIONS, Configuration
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

D = CONFIGURATIONS["D"]
POOLLESS = Configuration("D without pool1", tuple(layer.spec for layer in D if layer.name != "pool1"))
MACS = (ledger(POOLLESS).convolutional.macs + ledger(D).fully_connected.macs) / ledger(D).macs
CHANNELS = D["pool5"].output_shape[0]
WANTED = ledger(D)["fc6"].weights // ledger(D)["fc6"].shape[0]
GRID, BATCH = 10, 8

QUIZ = Quiz(
    6,
    [
        Choice(
            "`fc6` complains about the number of values that it gets. You find out that `pool2` is missing. What do you "
            "repair?",
            [
                wrong(
                    "`fc6`: give it as many inputs as come",
                    "It runs then, with a far larger `fc6`, and it is not VGG. A reader of a published course proposed "
                    "just that; another one counted the layers.",
                    "Lose a pool",
                ),
                wrong(
                    "the images: half as many pixels a side, and the grid is 7x7 again",
                    "That makes the complaint go away and leaves the cause: every layer behind block 2 still stands on "
                    "a grid that is too fine for it.",
                    "Lose a pool",
                ),
                wrong(
                    "the place before `fc6`: an adaptive average pool makes 7x7 of anything",
                    "It does, and so it forgives this mistake and every other one.",
                    "Hide the loss",
                ),
                right(
                    "block 2: put the pool back",
                    "A convolution and a pool take any grid, so `fc6` is always the first that minds. Who complains is "
                    "not who is guilty.",
                ),
            ],
        ),
        Choice(
            "Somebody takes `pool1` out of torchvision's VGG-16. Which check notices?",
            [
                right(
                    "counting the multiplications",
                    f"They are {MACS:.1f} times as many: behind a missing pool every convolution has four times the "
                    "places.",
                ),
                wrong(
                    "counting the parameters",
                    "A pool has none, so no count of them misses it.",
                    "Hide the loss",
                ),
                wrong(
                    "looking at the shape of the logits",
                    "There is one for each class, as ever: the adaptive pool makes 7x7 of whatever grid comes.",
                    "Hide the loss",
                ),
                wrong(
                    "running it on an image of another size",
                    "It takes every size, with and without the pool. That is what the adaptive pool is there for.",
                    "Hide the loss",
                ),
            ],
        ),
        Number(
            f"VGG-16 stops with: mat1 and mat2 shapes cannot be multiplied (2x{CHANNELS * GRID**2} and {WANTED}x4096). "
            "What is the smallest side that the images can have?",
            [
                wrong(
                    GRID,
                    "That is the grid behind the last pool. Each of its values stands for 32 pixels.",
                    "Read the message like a detective",
                ),
                wrong(
                    GRID * 2**4,
                    "You undid four pools. VGG has five.",
                    "Read the message like a detective",
                ),
                right(
                    GRID * 2**5,
                    f"{CHANNELS * GRID**2:,} / {CHANNELS} = {GRID**2} places, a grid of {GRID}, and five pools make that "
                    f"of {GRID * 2**5} to {(GRID + 1) * 2**5 - 1} pixels.",
                ),
                wrong(
                    GRID**2 * 2**5,
                    f"{GRID**2} is the number of places. The side of the grid is its root.",
                    "Read the message like a detective",
                ),
            ],
            otherwise="Divide the numbers of one image by the channels, take the root, undo five pools.",
            section="Read the message like a detective",
            unit="pixels",
        ),
        Choice(
            "A padding too few in any 3x3 layer of D makes `fc6` complain. A padding too many in a 1x1 layer of block 3 "
            "never shows. Why?",
            [
                wrong(
                    "`fc6` takes a grid that is too large and leaves out the rest",
                    "It has a weight for every place and refuses any other number. But the larger grid does not reach "
                    "it.",
                    "Pad a 1x1",
                ),
                right(
                    "pools round down, and 224 is the first size that ends in 7: less is noticed, a little more is not",
                    "All sizes from 224 to 255 end in the same grid. What the mistake added in block 3 is rounded away.",
                ),
                wrong(
                    "the frame that it adds holds zeros, and zeros change nothing",
                    "The frame holds biases, and it shifts every window of the pools behind it by one. Only the shapes "
                    "do not change.",
                    "Pad a 1x1",
                ),
            ],
        ),
        Number(
            f"A net flattens with `x.view(-1, 512 * 7 * 7)`. It gets {BATCH} images of 448 pixels instead of 224. How "
            "many rows of logits come out?",
            [
                wrong(
                    BATCH,
                    "That is what `flatten(x, 1)` would insist on, and then `fc6` would refuse. With -1 it is the batch "
                    "that gives way.",
                    "Hard-code a flatten",
                ),
                wrong(
                    2 * BATCH,
                    "Twice the side is four times the places.",
                    "Hard-code a flatten",
                ),
                wrong(
                    0,
                    "No error comes: the numbers can be divided into rows of that length, so they are.",
                    "Hard-code a flatten",
                ),
                right(
                    4 * BATCH,
                    "Four rows for each image, and none of them is about a part of it: each is a quarter of the "
                    "channels, read as if it were the 7x7 places of all.",
                ),
            ],
            otherwise="How many values has an image behind `pool5` now, and how many go into a row?",
            section="Hard-code a flatten",
        ),
    ],
)
