"""Chapter 11, Train on reduced CIFAR-10."""

from math import log, sqrt

from vgg_course import paper
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

CLASSES = 10
TRAINING = paper.TRAINING
OUR_STEPS = 106  # of an epoch: 13,500 training images in batches of 128
FEWER = TRAINING["iterations"] / (TRAINING["epochs"] * OUR_STEPS)
ACCURACY, IMAGES = 0.95, 3 * 10**3
ERROR = sqrt(ACCURACY * (1 - ACCURACY) / IMAGES)

QUIZ = Quiz(
    11,
    [
        Number(
            f"A net for {CLASSES} classes has not learned anything yet. What should its loss be, before the first step?",
            [
                wrong(
                    log(3),
                    "That is the loss for three classes. Here there are more to doubt between.",
                    "Predict the loss before the first step",
                ),
                wrong(
                    1 - 1 / CLASSES,
                    "That is the share of wrong answers. The loss is the cross-entropy, minus the logarithm of what the "
                    "right class is given.",
                    "Predict the loss before the first step",
                ),
                right(
                    log(CLASSES), f"Each class gets a probability of 1/{CLASSES}, and minus its logarithm is the loss."
                ),
                wrong(
                    1,
                    "That would be the logarithm to base 10. The cross-entropy takes the natural one.",
                    "Predict the loss before the first step",
                ),
                wrong(
                    0,
                    "0 is the loss of a net that is right and certain. This one is neither.",
                    "Predict the loss before the first step",
                ),
            ],
            otherwise="Which probability does it give to the right class? The loss is minus the natural logarithm of that.",
            section="Predict the loss before the first step",
            within=0.01,
        ),
        Choice(
            "You halve the channels of every layer of VGG. How many weights has a convolution in the middle left?",
            [
                wrong(
                    "as many as before: its kernels are still 3x3",
                    "The window is, but a filter has a window on every input channel, and there is a filter for every "
                    "output channel.",
                    "Build a net of the right size",
                ),
                wrong(
                    "half",
                    "That would be so if only its filters were halved. Each filter also has half as many channels to "
                    "look at.",
                    "Build a net of the right size",
                ),
                right("a quarter", "Half as many channels go in and half as many come out."),
                wrong(
                    "an eighth",
                    "Channels go in and come out: two factors, not three. The window keeps its size.",
                    "Build a net of the right size",
                ),
            ],
        ),
        Choice(
            "You carry the paper's recipe to our images, with its 74 epochs and batches of 128. What have you changed?",
            [
                right(
                    f"the number of steps: one of ours for {FEWER:.0f} of theirs",
                    "An epoch is a walk past every image, and there are far fewer images. Steps are what a net learns by.",
                ),
                wrong(
                    "nothing: 74 epochs are 74 epochs",
                    "The net sees each image as often. But it takes as many steps as there are batches, and here an "
                    "epoch has few.",
                    "Count the paper's steps",
                ),
                wrong(
                    "only the noise: smaller batches make noisier gradients",
                    "They do. But the batch is half as large and the data set a hundredth: the number of steps changes "
                    "far more.",
                    "Count the paper's steps",
                ),
            ],
        ),
        Choice(
            f"Two recipes, one training each: {ACCURACY:.1%} and {ACCURACY + 0.004:.1%} on {IMAGES:,} test images. Is the "
            "second recipe better?",
            [
                wrong(
                    "yes: both were judged on the same images",
                    "That helps against the luck of images. Against the luck of seeds it does nothing, and there was one "
                    "seed each.",
                    "Open the test set, once",
                ),
                wrong(
                    "no: the two are equally good",
                    "That is not known either. One can only say that this test does not tell them apart.",
                    "Open the test set, once",
                ),
                wrong(
                    f"yes: {round(0.004 * IMAGES)} more right answers are no accident",
                    f"The standard error of one such count is {ERROR:.1%}, or {round(ERROR * IMAGES)} images. And the "
                    "seeds come on top.",
                    "Open the test set, once",
                ),
                right(
                    "that cannot be said: train each a few times and compare the spreads",
                    "Other first weights and another order of images would have given other numbers. A result without "
                    "its spread is an anecdote.",
                ),
            ],
        ),
        Choice(
            "Parts are added to a recipe one after the other, and the fourth brings nothing. What do you know about it?",
            [
                wrong(
                    "it is useless and can be left out of any recipe",
                    "Who comes late finds less left to do, and with fewer parts before it, or with more epochs, it might "
                    "have something to do.",
                    "Price every part",
                ),
                right(
                    "that it brought nothing there, as far as these seeds can tell",
                    "Ask the other question as well: what does the finished recipe lose without it?",
                ),
                wrong(
                    "it does harm that the parts before it make up for",
                    "Nothing in a ladder says so. To see it, take the part away from the finished recipe, seed by seed.",
                    "Price every part",
                ),
            ],
        ),
    ],
)
