"""Chapter 7, Slide the classifier."""

from vgg_course.accounting import ledger
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong
from vgg_course.receptive_field import receptive_field

CELL = receptive_field("D")["fc8"]
SIDE, WINDOW = 640, 7
GRID = SIDE // CELL.jump
SHARED = ledger("D").convolutional.macs / ledger("D").macs

QUIZ = Quiz(
    7,
    [
        Number(
            f"You put an image of {SIDE}x{SIDE} pixels into D, made convolutional. How many cells has the score map along "
            "a side?",
            [
                wrong(
                    GRID,
                    "That is the grid behind the last pool. The window of 7 has to fit on it whole.",
                    "Let it slide",
                ),
                wrong(
                    GRID - WINDOW,
                    "You left out the first place. A window of 7 fits on a grid of 7 once, not 0 times.",
                    "Let it slide",
                ),
                right(
                    GRID - WINDOW + 1,
                    f"Five pools leave {GRID} values along a side, and a window of 7 fits {GRID} - 7 + 1 times.",
                ),
                wrong(
                    SIDE // 224,
                    "So many crops fit side by side. The window moves by one value of the grid, so that the crops "
                    "overlap.",
                    "Find where a cell looks",
                ),
                wrong(
                    SIDE - 224 + 1,
                    "So many places a crop has, pixel by pixel. Five pools make the steps larger.",
                    "Find where a cell looks",
                ),
            ],
            otherwise="How large is the grid behind five pools? And where on it does a window of 7 fit?",
            section="Let it slide",
        ),
        Choice(
            "How far apart on the image are the views of two neighboring cells of the score map?",
            [
                wrong(
                    f"{CELL.size} pixels, the receptive field of a cell",
                    "Then neighbors would not overlap at all. How much a cell sees and how far the next one stands are "
                    "two numbers.",
                    "Find where a cell looks",
                ),
                wrong(
                    "224 pixels, the side of a crop",
                    "That would be crops laid side by side. The window slides over the grid in steps of one value.",
                    "Find where a cell looks",
                ),
                wrong(
                    "7 pixels, the width of the window",
                    "7 is how many values the window spans, not how far it moves, and a value of that grid is more than "
                    "a pixel.",
                    "Find where a cell looks",
                ),
                right(
                    f"{CELL.jump} pixels, one value of the last grid",
                    "One step on the grid behind five pools: the product of five strides of 2.",
                ),
            ],
        ),
        Choice(
            "Same weights, same 224x224 pixels. Yet the score of a cell and the score of its crop differ. Why?",
            [
                right(
                    "around the crop there are zeros, around the same pixels in the image there is more image",
                    "Every convolution pads, and in the large image the padding comes from the neighborhood. Without "
                    "padding, and with crops of the whole receptive field, the two are equal.",
                ),
                wrong(
                    "a fully-connected layer that was rewritten as a convolution is only nearly the same",
                    "It is the same: at 224 pixels the two nets agree to the last digits.",
                    "Rewrite all three layers",
                ),
                wrong(
                    "the sums are taken in another order, and rounding adds up",
                    "Rounding is far smaller than the difference that we found, in double precision above all.",
                    "Compare a cell with its crop",
                ),
                wrong(
                    "the cell sees fewer pixels than the crop has",
                    f"It sees more: {CELL.size} along a side, {-CELL.start} beyond the crop at each end.",
                    "Find where a cell looks",
                ),
            ],
        ),
        Choice(
            "You turn the matrix of `fc6` into a kernel with `view(4096, 7, 7, 512)` and then permute the axes to "
            "outputs, channels, rows, columns. What happens?",
            [
                wrong(
                    "the view fails: the numbers do not fit the shape",
                    "They fit. The product of the four sides is the same, and that is all that `view` asks.",
                    "Read a row as a window",
                ),
                right(
                    "it runs, every shape is right, and the scores are noise",
                    "The rows were flattened channel by channel. Cut in another order, each weight meets a value that it "
                    "was not made for.",
                ),
                wrong(
                    "the same scores come out: no number is lost",
                    "No number is lost, but each meets another value of the grid.",
                    "Read a row as a window",
                ),
            ],
        ),
        Choice(
            "Which of these is the paper's answer for a 384-pixel image?",
            [
                wrong(
                    "average the grid down to 7x7 and run the classifier once",
                    "That is what torchvision's net does. It looks once at features that were shrunk, and gives other "
                    "scores.",
                    "Average the map",
                ),
                wrong(
                    "pad `fc6` by 3, so that each place of the grid gets a score",
                    "People who label every pixel do that. But most of these scores come from a layer that has zeros "
                    "where the trained one had features.",
                    "Let it slide",
                ),
                right(
                    "slide the classifier over the whole grid and average its scores",
                    "One set of weights, 6x6 places, one mean.",
                ),
                wrong(
                    "cut out 36 crops of 224 pixels and average their scores",
                    f"Nearly the same answer for eleven times the work: {SHARED:.0%} of the work are convolutions, and "
                    "overlapping crops repeat them.",
                    "Count what sharing saves",
                ),
            ],
        ),
    ],
)
