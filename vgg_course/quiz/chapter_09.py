"""Chapter 9, Diagnose real bugs."""

from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

WIDTH = 32
MISSING = 9 * WIDTH * WIDTH + WIDTH  # a 3x3 convolution between equals, with its biases

QUIZ = Quiz(
    9,
    [
        Choice(
            "You send the same batch through a net twice and get two different answers. What is on?",
            [
                wrong(
                    "batch norm in training mode",
                    "It answers by the mean and deviation of the batch, and those are the same both times. It shows when "
                    "one image is asked about in other company.",
                    "Room 3: change the company",
                ),
                right(
                    "dropout",
                    "Nothing else in a VGG throws dice. Nobody called eval(), or a function drops without asking.",
                ),
                wrong(
                    "nothing: rounding in another order",
                    "On one machine the order hardly changes, and if it did, the answers would agree to many digits.",
                    "Take the checklist home",
                ),
                wrong(
                    "a wrong scale of the pixels",
                    "A wrong scale gives wrong answers, but the same wrong ones each time.",
                    "Pick up the instruments",
                ),
            ],
        ),
        Number(
            f"The convolutions of a net are all 3x3, with biases, and {WIDTH} channels in and out in block 3. A net that "
            "learns well lacks one of these. How many parameters are missing?",
            [
                wrong(
                    MISSING - WIDTH,
                    "Those are the weights. Each output channel has a bias too.",
                    "Room 1: count what ran",
                ),
                wrong(
                    9 * WIDTH + WIDTH,
                    "You counted one window for each filter. It has one on every input channel.",
                    "Room 1: count what ran",
                ),
                wrong(
                    0,
                    "That would be a pool or a ReLU. A convolution takes its weights along, so counting finds it.",
                    "Pick up the instruments",
                ),
                right(MISSING, f"9 x {WIDTH} x {WIDTH} + {WIDTH}. The ledger knows, though no error ever comes."),
            ],
            otherwise="A filter is a 3x3 window on every input channel, and there is one, with a bias, for each output "
            "channel.",
            section="Room 1: count what ran",
        ),
        Choice(
            "A net has a ReLU behind its last layer. Its accuracy is as high as without it. Is the ReLU harmless?",
            [
                wrong(
                    "yes: a ReLU keeps the order of the answers",
                    "It keeps which one is largest, if that one is positive. All negative answers become equal: loss, "
                    "probabilities, second-best and averages over crops change.",
                    "Room 2: look at the sign of the answers",
                ),
                wrong(
                    "yes in use; training does not go through it",
                    "It does. Where the answer is 0 no gradient comes back, and those are the answers that were to "
                    "become small.",
                    "Room 2: look at the sign of the answers",
                ),
                right(
                    "no: only the top answer survives it",
                    "Look at the numbers and not only at the winner: none of them is negative.",
                ),
            ],
        ),
        Choice(
            "A trained net with batch norm has answered a few batches in training mode. Now you call `eval()`. Does it "
            "answer as it should?",
            [
                right(
                    "no: the batches have overwritten its stored statistics",
                    "In training mode every question changes the net. Load it anew, and call eval() before you ask.",
                ),
                wrong(
                    "yes: eval() undoes what training mode has done",
                    "It switches to the stored mean and deviation. It does not bring back those that were stored before.",
                    "Room 3: change the company",
                ),
                wrong(
                    "yes: without a step of the optimizer nothing is learned",
                    "Weights are not, but batch norm keeps running statistics, and those change on every forward pass.",
                    "Room 3: change the company",
                ),
                wrong(
                    "no: eval() only concerns dropout",
                    "It concerns batch norm just as much: it stops looking at the batch. But what has been overwritten "
                    "is gone.",
                    "Room 3: change the company",
                ),
            ],
        ),
        Choice(
            "Weights that want pixels from 0 to 255, less the mean, are fed pixels from -1 to 1. What do they answer?",
            [
                wrong(
                    "the same as ever: convolutions, ReLUs and pools pass a factor on",
                    "Without biases they would. Next to biases that were learned for values up to 255 these pixels are "
                    "noise.",
                    "Room 4: turn the volume knob",
                ),
                wrong(
                    "numbers that run away from layer to layer",
                    "The input is too small, not too large. And a trained net hands a factor on; it does not raise it to "
                    "a power.",
                    "Room 4: turn the volume knob",
                ),
                wrong(
                    "noise: a different class for every picture",
                    "Noise would at least differ. Here the biases decide, and those are the same for all pictures.",
                    "Room 4: turn the volume knob",
                ),
                right(
                    "nearly the same for every picture: only the biases are left",
                    "To this net every picture looks like the mean color.",
                ),
            ],
        ),
        Choice(
            "The deviation of what enters each layer falls by one or two powers of ten per layer, from the first layer to "
            "the last. What is wrong?",
            [
                wrong(
                    "the pixels are too small",
                    "Then the whole line would lie lower by one factor. It would not get steeper.",
                    "Room 5: follow the signal",
                ),
                wrong(
                    "a ReLU is missing",
                    "Then negative numbers would enter some layer, and the signal would be stronger, not weaker.",
                    "Pick up the instruments",
                ),
                right(
                    "each layer was drawn with too small a deviation, perhaps a variance taken for one",
                    "The same factor in every layer points at something that is done in every layer: how its weights "
                    "were drawn.",
                ),
                wrong(
                    "nothing: so deep a net has to lose the signal",
                    "With the root in its place the same layers lose two powers of ten in all, not in each.",
                    "Room 5: follow the signal",
                ),
            ],
        ),
    ],
)
