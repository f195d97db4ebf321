"""Chapter 21, Turn images into vectors."""

from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

COSINE = 0.8

QUIZ = Quiz(
    21,
    [
        Number(
            f"Two vectors of length 1 have a cosine of {COSINE}. What is the square of their distance?",
            [
                wrong(
                    (2 - 2 * COSINE) ** 0.5,
                    "That is the distance. Its square was asked for.",
                    'Choose what "near" means',
                ),
                wrong(
                    1 - COSINE,
                    "Both vectors have a length, so there are two ones, and the product comes twice.",
                    'Choose what "near" means',
                ),
                wrong(
                    1 - COSINE**2,
                    "That is the square of the sine: how far one end lies from the other one's line.",
                    'Choose what "near" means',
                ),
                right(2 - 2 * COSINE, "One falls exactly where the other grows: two names for one order."),
            ],
            otherwise="Multiply out `(a - b)²`. What are `a · a`, `b · b` and `a · b`?",
            section='Choose what "near" means',
            within=0.01,
        ),
        Choice(
            "You forget to scale the vectors to length 1. Which order of neighbors changes?",
            [
                wrong(
                    "that by cosine",
                    "A cosine does not ask how long the vectors are.",
                    'Choose what "near" means',
                ),
                right("that by distance", "A long vector is far from all others, wherever it points."),
                wrong(
                    "both",
                    "Only one of them asks for lengths.",
                    'Choose what "near" means',
                ),
                wrong(
                    "neither: lengths cancel when neighbors are compared",
                    "They would if all were equally long. Here they are not.",
                    'Choose what "near" means',
                ),
            ],
        ),
        Choice(
            "A net with random weights: how do its layers sort pictures by class, from the first block to the last?",
            [
                right(
                    "worse and worse",
                    "Random filters, pool after pool, blur what the pixels still knew. What sorts is what was learned.",
                ),
                wrong(
                    "better and better, though not as well as a trained net's",
                    "Depth by itself sharpens nothing.",
                    "Measure how the layers sort",
                ),
                wrong(
                    "all alike: nothing was learned in any of them",
                    "They begin near the pixels, which do know something, and lose it on the way.",
                    "Measure how the layers sort",
                ),
            ],
        ),
        Choice(
            "Classes that the net was never taught are sorted best by `pool3`, and by `pool5` worse than by pixels. Why?",
            [
                wrong(
                    "`pool5` has too few numbers for so many classes",
                    "It has twice as many as `pool3`.",
                    "Measure how the layers sort",
                ),
                wrong(
                    "the last block was trained too short",
                    "For its own classes it is excellent. Longer training would have made it forget more.",
                    "Measure how the layers sort",
                ),
                right(
                    "what does not help to tell its own classes apart, the net has learned to drop",
                    "Depth sharpens what was trained for, and blurs the rest.",
                ),
                wrong(
                    "`pool5` still knows where things are, and that distracts",
                    "Its grid is a single place. It is `pool3` that knew where.",
                    "Keep the numbers, forget the picture",
                ),
            ],
        ),
        Choice(
            "On a t-SNE map two islands lie far apart, and one is twice as large as the other. What may you read from it?",
            [
                wrong(
                    "that the larger group is more varied",
                    "t-SNE gives a tight group and a loose one the same room.",
                    "Do not believe the map",
                ),
                wrong(
                    "that the two groups have little in common",
                    "Once far, how far is of no account.",
                    "Do not believe the map",
                ),
                wrong(
                    "that there are two groups",
                    "Not even that: with a small perplexity it finds clumps in pure noise.",
                    "Do not believe the map",
                ),
                right(
                    "who lies beside whom, and for the rest measure in the full space",
                    "Neighbors are what it keeps. Sizes and distances between groups it makes up.",
                ),
            ],
        ),
    ],
)
