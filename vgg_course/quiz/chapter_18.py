"""Chapter 18, Find where it is."""

from vgg_course import results
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

SIDE, SHIFT = 10, 5
SHARED = (SIDE - SHIFT) * SIDE
NAMED = -100 * results.load("localization")["differences"]["dense - center, 1"]["mean"]

QUIZ = Quiz(
    18,
    [
        Number(
            f"Two squares with a side of {SIDE} pixels; the second lies {SHIFT} pixels to the right of the first. What is "
            "their IoU?",
            [
                wrong(
                    SHARED / SIDE**2,
                    "That is the shared part of one of them. Divide by what both cover together.",
                    "Measure how well two boxes agree",
                ),
                wrong(
                    SHARED / (2 * SIDE**2),
                    "Whoever adds the two areas counts the shared part twice. Take it off once.",
                    "Measure how well two boxes agree",
                ),
                right(
                    SHARED / (2 * SIDE**2 - SHARED),
                    f"{SHARED} shared of {2 * SIDE**2 - SHARED} covered. It looks half right, and is far from being called "
                    "right.",
                ),
                wrong(
                    SHARED,
                    "So many pixels they share. Divide by what they cover together.",
                    "Measure how well two boxes agree",
                ),
            ],
            otherwise="How many pixels do they share, and how many do they cover together?",
            section="Measure how well two boxes agree",
            within=0.02,
        ),
        Choice(
            "An object is at the left in one half of all pictures and at the right in the other half, and a net cannot see "
            "which. Trained with the Euclidean loss, where does it put its box?",
            [
                wrong(
                    "at one of the two sides, always the same: that is right in half of the cases",
                    "It would have half of the boxes right, and a larger loss. The loss knows near and far, not right and "
                    "wrong.",
                    "Choose a loss",
                ),
                wrong(
                    "now here, now there: it has no reason to prefer one",
                    "A net gives the same answer to what looks the same to it.",
                    "Choose a loss",
                ),
                right(
                    "in the middle, where nothing is",
                    "The mean is what squared distances are smallest for.",
                ),
            ],
        ),
        Choice(
            "A net has a box for each class, and the training picture shows a bird. What do the boxes of the other classes "
            "learn from it?",
            [
                right(
                    "nothing: they get no gradient",
                    "Nobody knows where the airplane would be if the bird were one.",
                ),
                wrong(
                    "to lie where the bird is, too",
                    "That is how a single box for all classes learns. Here only the true class's box counts.",
                    "One box, or a box for each class",
                ),
                wrong(
                    "to shrink to nothing, as there is no such object",
                    "A box cannot say that. Which class it is, the classifier tells.",
                    "One box, or a box for each class",
                ),
                wrong(
                    "to keep away from the bird",
                    "The loss asks for nearness to a target, and they have none.",
                    "One box, or a box for each class",
                ),
            ],
        ),
        Choice(
            "A classifier's features are kept as they are, and a new last layer learns to put out boxes. It does badly. Why?",
            [
                wrong(
                    "the last layer has too few weights for four numbers a class",
                    "It has as many for each number as it had for each class. What it lacks is in front of it.",
                    "Tune more and more of it",
                ),
                wrong(
                    "its convolutions have never seen where the object is",
                    "A convolution's grid has places, and the object shows in it. The place is lost on the way behind.",
                    "Tune more and more of it",
                ),
                wrong(
                    "the Euclidean loss is harder to train than the cross-entropy",
                    "With the same loss, tuning all layers does far better.",
                    "Tune more and more of it",
                ),
                right(
                    "it was taught to give one answer wherever the object is, so it forgot the place",
                    "The more of the net may change, the more it stops discarding what is needed now.",
                ),
            ],
        ),
        Choice(
            "From one guess to two, the share of pictures that fail for a wrong class shrinks, and the share that fail for a "
            "bad box grows. What went wrong?",
            [
                wrong(
                    "second boxes are worse: the net was trained on first guesses",
                    "The net puts out a box for each class and knows no order of guesses.",
                    "Split the error",
                ),
                right(
                    "nothing: some that failed by their class now have the class, and a bad box",
                    "The error moves from one part to the other. Only the sum cannot grow.",
                ),
                wrong(
                    "the count: a second guess cannot make anything worse",
                    "It does not. The sum of the two parts falls, while one of them may grow.",
                    "Split the error",
                ),
            ],
        ),
        Choice(
            f"Looking everywhere won {NAMED:.1f} points over looking at the center, with one guess. With the class given it won "
            "nothing. What did it improve?",
            [
                wrong(
                    "the boxes: nine of them were averaged",
                    "Then it would have won with the class given as well. From the middle alone the box was as good.",
                    "Split the error",
                ),
                wrong(
                    "nothing: the difference is chance",
                    "With one guess its interval lies on one side of zero, over five seeds.",
                    "Split the error",
                ),
                right(
                    "the name: nine windows see more of the object than one",
                    "A measure that splits the error tells which part has moved.",
                ),
                wrong(
                    "both: a better name comes with a better box",
                    "The two parts were counted apart, and only one of them moved.",
                    "Split the error",
                ),
            ],
        ),
    ],
)
