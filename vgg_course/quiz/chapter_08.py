"""Chapter 8, Make deep nets trainable."""

from math import sqrt

from vgg_course import paper, results
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

DEVIATION, CHANNELS = 0.05, 128
FAN_IN = 9 * CHANNELS
VARIANCE = paper.INITIALIZATION["variance"]
STARTS = results.load("pretraining")["starts"]
NO_DECAY = STARTS["D_random_no_decay"]
GLOROT = sqrt(1 / 2)

QUIZ = Quiz(
    8,
    [
        Number(
            f"A 3x3 convolution takes in {CHANNELS} channels, from a ReLU. Its weights have a deviation of {DEVIATION}. "
            "By what factor does it multiply the strength of the signal?",
            [
                right(
                    DEVIATION * sqrt(FAN_IN / 2),
                    f"{DEVIATION} times the root of half of {FAN_IN:,} terms: the ReLU has halved their mean square.",
                ),
                wrong(
                    DEVIATION * sqrt(FAN_IN),
                    "That is without the ReLU, which sets half of the values to 0 and so halves the mean square.",
                    "Follow the signal through one layer",
                ),
                wrong(
                    DEVIATION * sqrt(CHANNELS / 2),
                    "A sum has a term for each channel and each of the nine places of the window.",
                    "Follow the signal through one layer",
                ),
                wrong(
                    DEVIATION * FAN_IN,
                    "That would be so if all terms had one sign. They have random signs, and most of the sum cancels: "
                    "variances add up, not sizes.",
                    "Follow the signal through one layer",
                ),
                wrong(
                    DEVIATION * FAN_IN / 2,
                    "The half is right. But variances add up, so the strength grows with the root of the number of "
                    "terms.",
                    "Follow the signal through one layer",
                ),
                wrong(
                    DEVIATION**2 * FAN_IN / 2,
                    "That is the factor of the mean square. The strength is its root.",
                    "Follow the signal through one layer",
                ),
            ],
            otherwise="How many terms has one sum? Their variances add up, and the ReLU has halved the mean square of "
            "what comes in.",
            section="Follow the signal through one layer",
            within=0.02,
        ),
        Choice(
            "D starts from weights with a deviation of 0.01. In which layers is the gradient smallest, compared with the "
            "weights?",
            [
                wrong(
                    "in the first ones: it vanishes on its way back",
                    "The gradient of the outputs does. That of a weight is a product with what comes in from the front, "
                    "and there the signal is still strong.",
                    "Ask where the gradient vanishes",
                ),
                wrong(
                    "in the last ones: the signal has died before it gets there",
                    "What comes back is strongest there, and makes up for it.",
                    "Ask where the gradient vanishes",
                ),
                right(
                    "in none: it is tiny in all of them alike",
                    "Every path leads through all gains. The whole net is cut off, not its beginning.",
                ),
            ],
        ),
        Choice(
            f"The paper prints a variance of {VARIANCE}. You write `weight.normal_(0, {VARIANCE})`. What have you done?",
            [
                wrong(
                    "what the paper says",
                    f"`normal_` takes a deviation. The printed variance is a deviation of {sqrt(VARIANCE):.1f}.",
                    "Read $10^{-2}$ twice",
                ),
                right(
                    "drawn weights ten times smaller than the paper prints",
                    "And maybe what the authors did: with the variance as printed neither A nor D survives one step. "
                    "That they meant a deviation is an inference.",
                ),
                wrong(
                    "drawn weights ten times larger than the paper prints",
                    "The other way round: the root of a number below 1 is larger than the number.",
                    "Read $10^{-2}$ twice",
                ),
                wrong(
                    "something that torch refuses, for a deviation must be a root",
                    "Torch takes any positive number. That is why this slip is so easily missed.",
                    "Read $10^{-2}$ twice",
                ),
            ],
        ),
        Choice(
            "From a deviation of 0.01, A learns and D does not. What is the reason?",
            [
                wrong(
                    "D has more weights, and so it needs more images",
                    "From Glorot's weights the same D learns from the same images, with every seed.",
                    "Then Glorot made it unnecessary",
                ),
                wrong(
                    "weight decay: it pulls harder at D's weights than the images do",
                    f"It does, but it is not the cause. Without decay {NO_DECAY['learned']} of {len(NO_DECAY['runs'])} "
                    "seeds learned.",
                    "Do what the paper did",
                ),
                wrong(
                    "the learning rate is too large for so deep a net",
                    "Too large a step would show as a loss that jumps or is not a number. D's stands still: its weights "
                    "hardly feel the images.",
                    "Recognize it in the wild",
                ),
                right(
                    "five more layers, each with a gain below 1, and gains multiply",
                    "Each takes another factor of two to six off the signal, until no weight matters.",
                ),
            ],
        ),
        Choice(
            "Glorot's weights multiply the signal by 0.71 in each layer, He's by 1. Yet with the paper's pixels Glorot's "
            "D learned with every seed, and He's did not. Why?",
            [
                right(
                    "pixels come in with a strength of 65, and thirteen times 0.71 brings that down",
                    f"`0.71^13` is about {GLOROT**13:.2f}. A gain of 1 hands the 65 on to the logits. Divide the pixels "
                    "first, and He's weights learn too.",
                ),
                wrong(
                    "Glorot's formula takes the ReLU into account, He's does not",
                    "It is the other way round: the 2 in He's formula is the ReLU.",
                    "Compare six ways to begin",
                ),
                wrong(
                    "a gain of 1 is not stable: small errors grow from layer to layer",
                    "It keeps what comes in, and what came in was too strong. With pixels of strength 1 it is fine.",
                    "Then Glorot made it unnecessary",
                ),
                wrong(
                    "chance: five seeds are few",
                    "Few for a percentage, but it was run twice, and each time every one of Glorot's learned. And "
                    "dividing the pixels by their deviation was enough to save all of He's.",
                    "Run it all again",
                ),
            ],
        ),
        Choice(
            "What does batch norm do for a net with badly chosen first weights?",
            [
                wrong(
                    "it rescales the weights, so that each layer has a gain of 1",
                    "The weights stay what they are, and a layer's gain with them. What is rescaled is what the layer "
                    "puts out.",
                    "Let every layer repair itself",
                ),
                right(
                    "it hands every layer a signal of strength 1, so that gains no longer multiply",
                    "Each output is then one gain away from 1, and not sixteen.",
                ),
                wrong(
                    "it keeps the gradient alive, while the signal still dies on the way forward",
                    "It works on the outputs, on the way forward. The gradient follows.",
                    "Let every layer repair itself",
                ),
            ],
        ),
    ],
)
