"""Chapter 16, Read the paper's results."""

from collections import Counter

from vgg_course import paper
from vgg_course.accounting import ledger
from vgg_course.quiz.records import Choice, Quiz, right, wrong

SIX, SEVEN = paper.TABLE_6, paper.TABLE_7
OFFICIAL = SIX["submission"].top_5_test
PAIR, DENSE_PAIR = SIX["both"].top_5_test, SIX["dense"].top_5_test
VALIDATION = SEVEN["vgg_1_net"].top_5_val
COUNTS = Counter(net.configuration for net in paper.SUBMISSION)
MEMBERS = ", ".join(f"{count} x {net}" for net, count in sorted(COUNTS.items()))
C_MORE = len(ledger("C").convolutional) - len(ledger("B").convolutional)

QUIZ = Quiz(
    16,
    [
        Choice(
            "From which two rows can you read off what scale jitter does for D?",
            [
                wrong(
                    "D trained at 256 and D trained with jitter, in Table 3",
                    "Their test scales differ too: 256 and 384. Two things have changed.",
                    "Ask what changed",
                ),
                wrong(
                    "D trained at 384 in Table 3 and D with jitter in Table 4",
                    "The second was looked at with three test sizes. Two things have changed.",
                    "Ask what changed",
                ),
                right(
                    "D trained at 384 and D trained with jitter, in Table 3",
                    "The same net and the same test scale. (That the second was made by training the first one further, "
                    "no column shows.)",
                ),
                wrong(
                    "C with jitter and D with jitter, in Table 3",
                    "Jitter is what these two have in common. What differs is the net.",
                    "Ask what changed",
                ),
            ],
        ),
        Choice(
            "Two nets were judged on the same images. What must you know, besides their error rates, to say whether the "
            "difference is more than luck of the images?",
            [
                right(
                    "on how many images exactly one of them is right",
                    "Where both are right or both are wrong, the difference learns nothing. Few papers print that share.",
                ),
                wrong(
                    "nothing: the standard errors of the two rates add up",
                    "They would if each had been judged on images of its own. Nets that agree on most images differ by "
                    "less luck than that.",
                    "Count what is chance",
                ),
                wrong(
                    "how sure the nets were of their answers",
                    "An error counts, however sure the net was.",
                    "Count what is chance",
                ),
                wrong(
                    "how many seeds were trained",
                    "That is the other kind of luck, the luck of a training. No formula about images tells it.",
                    "Count what is chance",
                ),
            ],
        ),
        Choice(
            '"C is better than B, so the additional non-linearity helps." Which part of the sentence do the tables not bear '
            "out?",
            [
                wrong(
                    "that C is better: it is in one pair of rows only",
                    "It is better in every pair that there is, at the edge of what is surely more than luck.",
                    "Ask what changed",
                ),
                wrong(
                    "that 1x1 convolutions add non-linearity: they see a single pixel",
                    "Each is followed by a ReLU, so they do. Seeing and bending are two things.",
                    "Ask what changed",
                ),
                right(
                    'the "so": other things changed along',
                    f"C has {C_MORE} layers more, with weights, not only as many ReLUs. It may be true all the same.",
                ),
            ],
        ),
        Choice(
            "Which networks did the competition entry average?",
            [
                wrong(
                    "A, A-LRN, B, C, D and E, and one D for several scales",
                    "That is what a popular note says. A, A-LRN and B are not in it.",
                    "Look into the submission",
                ),
                wrong(
                    "seven trainings of E, the deepest",
                    "Every net of the paper was trained once, and D is in it more often than E.",
                    "Look into the submission",
                ),
                wrong(
                    "D and E, both with jitter",
                    "Those two were averaged after the deadline, and beat the entry.",
                    "See why two beat seven",
                ),
                right(
                    f"three architectures, at two or three training scales: {MEMBERS}",
                    "Table 6 lists them. Averaging gained more than two points over its members.",
                ),
            ],
        ),
        Choice(
            "Which top-5 error did VGG have in the competition?",
            [
                wrong(
                    f"{PAIR} %",
                    "That is D with E, whole images and crops, after the deadline.",
                    "Tell four numbers apart",
                ),
                wrong(
                    f"{DENSE_PAIR:.1f} %",
                    "One net with whole images and crops has that on the test images, and so has D with E on whole images. "
                    "Both came after the deadline.",
                    "Tell four numbers apart",
                ),
                wrong(
                    f"{VALIDATION} %",
                    "That was counted on validation images, whose labels the authors had.",
                    "Tell four numbers apart",
                ),
                right(
                    f"{OFFICIAL} %",
                    "Seven nets on whole images, on the test images: second place, behind GoogLeNet. VGG won "
                    "localization.",
                ),
            ],
        ),
        Choice(
            "Two nets beat the average of seven. How can that be?",
            [
                wrong(
                    "averages get worse if there are too many members",
                    "With equal members each further one helps, though less and less.",
                    "See why two beat seven",
                ),
                right(
                    "the two were better, and what all nets have in common cannot be averaged away",
                    "Even endlessly many nets of the seven's kind would not have reached the pair.",
                ),
                wrong(
                    "the two were more different from each other than the seven were",
                    "The seven were more different, and averaging gained more with them. It was not enough.",
                    "See why two beat seven",
                ),
                wrong(
                    "by luck: the difference is within chance",
                    "It is beyond chance even for nets that have nothing to do with each other.",
                    "Count what is chance",
                ),
            ],
        ),
    ],
)
