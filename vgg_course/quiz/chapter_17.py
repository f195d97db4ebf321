"""Chapter 17, Repeat the paper's tests."""

from vgg_course import results
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

MINIATURE = results.load("miniature")["entries"]
JITTER = MINIATURE["D_jitter"]
TIMES = JITTER["crops"]["macs_an_image"] / JITTER["single"]["macs_an_image"]
CROP, SCALE = 32, 64

QUIZ = Quiz(
    17,
    [
        Number(
            f"A picture is scaled to S = {SCALE}, and a net takes crops of {CROP} pixels. Which share of a square picture does "
            "a crop show, in percent?",
            [
                wrong(
                    100 * CROP / SCALE,
                    "That is the share of a side. A crop is smaller in both directions.",
                    "Shrink the paper, not the question",
                ),
                wrong(
                    100 * (1 - (CROP / SCALE) ** 2),
                    "That is what the crop leaves out.",
                    "Shrink the paper, not the question",
                ),
                right(
                    100 * (CROP / SCALE) ** 2,
                    "Half of each side. What matters for a repetition is this share and not the number of pixels.",
                ),
                wrong(
                    100 * (CROP / 224) ** 2,
                    "224 are the paper's pixels. Compare the crop with its own picture.",
                    "Shrink the paper, not the question",
                ),
            ],
            otherwise="Which share of each side is it? A square has two.",
            section="Shrink the paper, not the question",
            unit="%",
            within=0.01,
        ),
        Choice(
            "A gain lies above zero in the interval over photographs. In the interval over trainings zero is inside. What does "
            "the rule say?",
            [
                wrong(
                    "reappears: three thousand photographs are more than three seeds",
                    "They are sure about these nets. They know nothing about the next one.",
                    "Let the rule decide",
                ),
                right(
                    "cannot tell",
                    "Both kinds of chance must agree. With three seeds that is the usual result, and it is one.",
                ),
                wrong(
                    "contradicts: one of the two intervals disagrees",
                    "To contradict, both would have to lie below zero. This one has room for either sign.",
                    "Count in pairs",
                ),
                wrong(
                    "reappears, if the mean over trainings is positive",
                    "The sign of a mean is decided by luck when its interval holds zero.",
                    "Count in pairs",
                ),
            ],
        ),
        Choice(
            "Why are gains computed seed by seed, and only then averaged?",
            [
                right(
                    "what a seed does to both nets drops out of the difference",
                    "Same first weights, same order, same crops: what is left scatters less. The same holds for "
                    "photographs.",
                ),
                wrong(
                    "the mean of the differences is larger than the difference of the means",
                    "The two are the same number. What changes is how far it scatters.",
                    "Count in pairs",
                ),
                wrong(
                    "then fewer photographs are needed, for each seed has its own",
                    "All seeds are tested on the same photographs. It is the trainings that are paired here.",
                    "Count in pairs",
                ),
            ],
        ),
        Choice(
            "In the miniature, jitter was clearly worse than the smallest training scale. What does that say about jitter?",
            [
                wrong(
                    "that it does not help: the paper is contradicted",
                    "The sentence about these nets is contradicted. But the larger scales were worse here with jitter and "
                    "without.",
                    "Predict, then look",
                ),
                wrong(
                    "that three seeds were too few",
                    "For this comparison they were enough: the difference is large, and both intervals lie below zero.",
                    "Let the rule decide",
                ),
                wrong(
                    "that the jittered nets were trained too long",
                    "All took the same number of steps. The paper's jittered nets had more training, not less.",
                    "Say what is different",
                ),
                right(
                    "nothing: larger scales are poor here, as small photographs hide no detail",
                    "They pay the context and get nothing for it. The fair pair has the same test side and as much "
                    "picture.",
                ),
            ],
        ),
        Choice(
            f"Testing with crops costs {TIMES:.0f} times the work of one pass. Where is effort better spent first?",
            [
                wrong(
                    "on more views: a test takes seconds, a training hours",
                    "A training is paid once. A test is paid for every picture that is ever shown.",
                    "Is it worth the compute?",
                ),
                right(
                    "on training: a good training scale costs nothing at the test",
                    "It was worth more than all views together. Then a second net, then views.",
                ),
                wrong(
                    "on a deeper net: that is what the paper is about",
                    "Whether E is better than D we could not tell. It is more expensive in every case.",
                    "Let the rule decide",
                ),
            ],
        ),
    ],
)
