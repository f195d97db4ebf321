"""Chapter 13, Does depth help?"""

from vgg_course.accounting import ledger
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong
from vgg_course.receptive_field import receptive_field

SPREAD, DIFFERENCE = 0.6, 0.2
RATIO = SPREAD / DIFFERENCE
WIDE = next(field.name for field in receptive_field("A") if field.size >= 32)  # our images have 32 pixels
C_MORE = (ledger("C").convolutional.weights - ledger("B").convolutional.weights) / 1e6
D_MORE = (ledger("D").convolutional.weights - ledger("C").convolutional.weights) / 1e6

QUIZ = Quiz(
    13,
    [
        Choice(
            "Which two of the paper's nets differ in depth and in nothing else?",
            [
                wrong(
                    "B and C: a 1x1 convolution sees nothing new",
                    f"Their receptive field is the same. But C also has {C_MORE:.1f} million weights more, and costs more.",
                    "Ask what else changed",
                ),
                right(
                    "none of them",
                    "Depth, weights, cost and field change together. Only A and A-LRN are a clean pair, and they are "
                    "equally deep.",
                ),
                wrong(
                    "C and D: the kernels are the only change",
                    f"They are equally deep. And D has a wider view and {D_MORE:.1f} million weights more.",
                    "Ask what else changed",
                ),
                wrong(
                    "D and E: E only adds layers",
                    "The layers that it adds bring weights, cost and a wider view with them.",
                    "Ask what else changed",
                ),
            ],
        ),
        Choice(
            "A deeper net has a lower test accuracy than a shallow one, and a higher training loss as well. What is its "
            "trouble?",
            [
                wrong(
                    "it has learned its training images by heart",
                    "Then its training loss would be the lower one.",
                    "Ask why: fit or overfit",
                ),
                wrong(
                    "it has too many weights for so few images",
                    "Too many weights show as a good fit and a bad test. This net fits badly.",
                    "Ask why: fit or overfit",
                ),
                right(
                    "it could not fit its training images in the time that it had",
                    "That is a problem of training: more epochs, another learning rate or batch norm may help.",
                ),
            ],
        ),
        Number(
            f"Runs of one net spread by {SPREAD} points. You want to see a difference of {DIFFERENCE} points four times in "
            "five. How many seeds of each net does the rule of thumb ask for?",
            [
                wrong(
                    16 * RATIO,
                    "The ratio of spread and difference has to be squared: half the difference takes four times the "
                    "seeds.",
                    "Say what you could have seen",
                ),
                wrong(
                    RATIO**2,
                    "That many are needed to make the standard error of one mean as small as the difference. To see it "
                    "reliably takes sixteen times as many.",
                    "Say what you could have seen",
                ),
                wrong(
                    16 / RATIO**2,
                    "The fraction is upside down: small differences take more seeds, not fewer.",
                    "Say what you could have seen",
                ),
                right(16 * RATIO**2, "16 times the square of spread over difference. Five would never have seen it."),
            ],
            otherwise="The rule is 16 times the square of a ratio. Which ratio?",
            section="Say what you could have seen",
            within=0.01,
        ),
        Choice(
            "The interval of a gain reaches from -0.3 to +0.5 points. Which sentence belongs into the report?",
            [
                right(
                    "we cannot tell, and would have seen a difference of this size or more: ...",
                    "Not to have seen a difference is a result only together with the one that would have been seen.",
                ),
                wrong(
                    "the two nets are equally good",
                    "They may be. They may also be half a point apart; the interval has room for both.",
                    "Agree on a rule, then compare",
                ),
                wrong(
                    "the first net is better, though not significantly so",
                    "The middle of the interval is no result if its ends have both signs.",
                    "Agree on a rule, then compare",
                ),
                wrong(
                    "the paper's gain is contradicted",
                    "Only an interval that leaves out the claim's side contradicts it. This one lies on both sides of "
                    "zero.",
                    "Agree on a rule, then compare",
                ),
            ],
        ),
        Choice(
            "Without batch norm, all seven nets are trained with the learning rate that is best for A. Is the race fair?",
            [
                wrong(
                    "yes: all have the same conditions",
                    "The same number is not the same condition. The deeper a net, the smaller its best rate was.",
                    "See the study",
                ),
                wrong(
                    "yes, if every net gets the same number of epochs",
                    "Epochs matter too. But a rate that is too large for a net is not made up for by them.",
                    "See the study",
                ),
                wrong(
                    "no: each should get the rate that is best on the test images",
                    "Each should get its own, but the test images must not choose it.",
                    "See the study",
                ),
                right(
                    "no: the rate decides, and it was chosen for one of them",
                    "Each net needs its own, found on validation images with seeds that are not used again.",
                ),
            ],
        ),
        Choice(
            "On 224 pixels a deeper net sees more of the image. What becomes of this advantage on 32 pixels?",
            [
                wrong(
                    "it stays: the receptive field is a number of layers, not of pixels",
                    "The field is as wide as before. But what lies beyond the image is padding.",
                    "Shrink the question",
                ),
                right(
                    f"it is gone: even A sees more than the whole image from `{WIDE}` on",
                    "What D and E see beyond that is padding. So the small study asks the same question of other images.",
                ),
                wrong(
                    "it grows: the field covers a larger share of the image",
                    "It covers all of it, for the shallow net as for the deep one. There is nothing left to win.",
                    "Shrink the question",
                ),
            ],
        ),
    ],
)
