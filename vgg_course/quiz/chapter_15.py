"""Chapter 15, Average many views."""

from math import sqrt

from vgg_course import paper, results
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

FIVE, SIX = paper.TABLE_5, paper.TABLE_6
CROPS = FIVE["D_dense"].top_1 - FIVE["D_multi_crop"].top_1
PAIR = FIVE["D_dense"].top_1 - SIX["dense"].top_1_val
OURS = results.load("many_views")["protocols"]
ONE, THREE = (100 * OURS[way]["error"]["mean"] for way in ("flip", "near"))
WRONG, IMAGES = 0.2, 400
LUCK = 100 * sqrt(WRONG * (1 - WRONG) / IMAGES)

QUIZ = Quiz(
    15,
    [
        Number(
            f"A net errs on {WRONG:.0%} of {IMAGES} test pictures. What is the standard error of that, in points?",
            [
                right(
                    LUCK, f"The root of {WRONG} x {1 - WRONG} / {IMAGES}, in hundredths: a point up or down is luck."
                ),
                wrong(
                    100 * sqrt(WRONG / IMAGES),
                    "You left out the pictures that are right. The variance of a throw is `p(1 - p)`.",
                    "Ask once, and count what is wrong",
                ),
                wrong(
                    100 * WRONG * (1 - WRONG) / IMAGES,
                    "That is the variance. The standard error is its root.",
                    "Ask once, and count what is wrong",
                ),
                wrong(
                    2 * LUCK,
                    "Those are two standard errors.",
                    "Ask once, and count what is wrong",
                ),
                wrong(
                    LUCK / 100,
                    "That is the share. A point is a hundredth.",
                    "Ask once, and count what is wrong",
                ),
            ],
            otherwise="It is as exact as the number of heads in as many throws of a coin that falls so with `p`.",
            section="Ask once, and count what is wrong",
            unit="points",
            within=0.02,
        ),
        Choice(
            "What does the paper do with mirror images in the test?",
            [
                wrong(
                    "it flips each test image at random, as in training",
                    "Then a test would give another result each time. In testing chance has no place.",
                    "Ask about the mirror image too",
                ),
                wrong(
                    "it takes the answer of whichever of the two is surer",
                    "Averaging opinions is what it does. The surer of the two can be the wrong one.",
                    "Ask about the mirror image too",
                ),
                wrong(
                    "it averages the two images, and asks once",
                    "That would be a picture of two objects, one over the other. What is averaged are answers.",
                    "Ask about the mirror image too",
                ),
                right(
                    "it asks about both and averages the two posteriors",
                    "Always both: the same picture always gets the same answer, and so does its mirror image.",
                ),
            ],
        ),
        Choice(
            "One of ten views is absolutely sure that a class is impossible. In which average is that class out?",
            [
                wrong(
                    "in the mean of the probabilities",
                    "There each view has one vote of equal weight. Nine others can outvote it.",
                    "Average probabilities or scores",
                ),
                right(
                    "in the mean of the scores",
                    "That is the geometric mean of the probabilities, and one factor near zero is a veto.",
                ),
                wrong(
                    "in both: they order the classes alike",
                    "They do not even agree who wins. A score has no limit, a probability cannot exceed 1.",
                    "Average probabilities or scores",
                ),
                wrong(
                    "in neither: one view in ten is a tenth of the answer",
                    "Of the mean of probabilities it is. A score can be as far below the others as it likes.",
                    "Average probabilities or scores",
                ),
            ],
        ),
        Choice(
            "In the paper, averaging over three test sizes never hurts. You do the same with a net that was trained on one "
            "size of small pictures. What do you expect?",
            [
                wrong(
                    "a gain: an average over more views cannot be worse",
                    f"It can, if the new views are worse. Ours went from {ONE:.1f} to {THREE:.1f} percent errors.",
                    "Show it at several sizes",
                ),
                wrong(
                    "a gain, for larger pictures show more detail",
                    "Small pictures that are scaled up show nothing new, and the net has never seen objects so large.",
                    "Show it at several sizes",
                ),
                right(
                    "more errors: the other sizes are strange to this net",
                    "An average is as good as the views that go into it. The paper's nets knew sizes like these.",
                ),
            ],
        ),
        Choice(
            f"150 crops cost seven times as much as whole images and gain D {CROPS:.1f} points. What would have gained more for "
            "less?",
            [
                wrong(
                    "twice as many crops",
                    "That costs still more, and the views overlap more and more.",
                    "Cut crops",
                ),
                right(
                    "a second net, both on whole images",
                    f"D with E gains {PAIR:.1f} points, at less than a third of the cost of the crops.",
                ),
                wrong(
                    "crops and whole images together",
                    "That gains more than crops alone, and costs more than crops alone.",
                    "Read the paper's bill",
                ),
                wrong(
                    "nothing: what is accurate is expensive",
                    "The bill says otherwise. Cost and gain do not go together.",
                    "Read the paper's bill",
                ),
            ],
        ),
    ],
)
