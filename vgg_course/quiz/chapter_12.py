"""Chapter 12, Measure what mistakes cost."""

from vgg_course import results
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

CLINIC = results.load("clinic")
FROZEN = CLINIC["runs"]["frozen"]["cost"]
RATE, DECAY, STEPS = 0.01, 0.5, 100

QUIZ = Quiz(
    12,
    [
        Choice(
            f"Frozen augmentation cost {100 * FROZEN['mean']:.1f} points, give or take {100 * FROZEN['interval']:.1f}. What "
            "does that say?",
            [
                wrong(
                    f"it costs {100 * FROZEN['mean']:.1f} points",
                    "That is the mean of a few seeds. The interval around it reaches across zero, so it need not cost "
                    "anything.",
                    "Patient 1: augmentation frozen into a list",
                ),
                wrong(
                    "it costs nothing",
                    "The interval reaches up to a cost that one would mind. Not to see an effect is not to see that "
                    "there is none.",
                    "Admit the patient",
                ),
                right(
                    "these seeds cannot say whether it costs anything; if so, then no more than the upper end",
                    "An effect smaller than the half-width is one that the experiment cannot see.",
                ),
            ],
        ),
        Choice(
            "The training loss is lower than in a healthy run, with every seed, and nothing else looks odd. Which mistake "
            "would do that?",
            [
                right(
                    "images that were augmented once and kept",
                    "What holds still can be learned by heart. It looks like good news, so nobody searches.",
                ),
                wrong(
                    "judging without eval()",
                    "That concerns the judging. The training and its loss are those of a healthy run.",
                    "Patient 2: judged without eval mode",
                ),
                wrong(
                    "a weight decay of 0.5",
                    "Then the loss stands at the logarithm of the number of classes.",
                    "Patient 4: weight decay 0.5",
                ),
                wrong(
                    "printing the loss of the last mini-batch",
                    "Then the printed loss jumps up and down from epoch to epoch, as it is a mean over a few images.",
                    "Patient 6: the loss of the last mini-batch",
                ),
            ],
        ),
        Number(
            f"SGD without momentum, learning rate {RATE}, weight decay {DECAY}. No image holds the weight. Which share of it "
            f"is left after {STEPS} steps?",
            [
                wrong(
                    1 - RATE * DECAY * STEPS,
                    "Each step takes its share off what is left, not off what was there at first.",
                    "Patient 4: weight decay 0.5",
                ),
                wrong(
                    (1 - RATE) ** STEPS,
                    "You left the decay out: a step takes off learning rate times decay.",
                    "Patient 4: weight decay 0.5",
                ),
                wrong(
                    (1 - DECAY) ** STEPS,
                    "You left the learning rate out: decay is added to the gradient, and a step is the learning rate "
                    "times that.",
                    "Patient 4: weight decay 0.5",
                ),
                right(
                    (1 - RATE * DECAY) ** STEPS,
                    f"Half a percent goes in every step: (1 - {RATE} x {DECAY}) to the power of {STEPS}.",
                ),
                wrong(
                    1 - RATE * DECAY,
                    "That is what one step leaves.",
                    "Patient 4: weight decay 0.5",
                ),
            ],
            otherwise="By which factor does one step multiply the weight? Then take it to the power of the steps.",
            section="Patient 4: weight decay 0.5",
            within=0.01,
        ),
        Choice(
            "Deviations copied from the web stand in three programs. In which do they cost accuracy that can be seen?",
            [
                wrong(
                    "where there is no batch norm to make up for them",
                    "We tried that: the interval contains zero. The net learns with these pixels and gets these pixels "
                    "in the test.",
                    "Patient 3: copied deviations",
                ),
                right(
                    "where only the judging has them, and the training had others",
                    "The same wrong number on both sides is a convention. Two numbers are a bug.",
                ),
                wrong(
                    "where training and judging have them, since the numbers are wrong",
                    "Wrong they are, and nothing was seen of it: the net was trained for exactly these pixels.",
                    "Patient 3: copied deviations",
                ),
            ],
        ),
        Choice(
            "A program reports the best of fifty epochs by test accuracy. What makes its number honest?",
            [
                wrong(
                    "ten times as many test images: then there is no luck left",
                    "Less luck, but the epoch is still chosen by the images that judge it.",
                    "Patient 5: the best epoch on the test set",
                ),
                wrong(
                    "looking at the test images in every fifth epoch only",
                    "Ten looks flatter less than fifty, but they flatter.",
                    "Patient 5: the best epoch on the test set",
                ),
                wrong(
                    "the mean of all fifty epochs",
                    "That is the accuracy of no net: it averages over nets that had hardly begun to learn.",
                    "Patient 5: the best epoch on the test set",
                ),
                right(
                    "choosing the epoch with images that were held out of the training set",
                    "Validation picks, the test judges once. It finds nearly as good an epoch, and the number means "
                    "something.",
                ),
            ],
        ),
        Choice(
            "You hand the validation accuracy to `ReduceLROnPlateau` with its default mode. The accuracy rises in every "
            "epoch. What happens to the learning rate?",
            [
                wrong(
                    "nothing: there is no plateau",
                    "To the scheduler there is. Its default waits for a new minimum, as is right for a loss.",
                    "One more: watch the wrong way",
                ),
                wrong(
                    "it rises, as long as things go well",
                    "This scheduler only ever divides.",
                    "One more: watch the wrong way",
                ),
                right(
                    "it is divided, again and again",
                    "No new minimum in sight. Say mode='max' for accuracies.",
                ),
            ],
        ),
    ],
)
