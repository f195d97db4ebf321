"""Chapter 22, Transfer what was learned."""

from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

SCORE = 0.4
HEAD, DECAY, STEPS = 0.03, 0.5, 3  # from the head to block 3, past blocks 5 and 4

QUIZ = Quiz(
    22,
    [
        Choice(
            "A net that knows three classes is shown a frog, which is none of them. What does it answer?",
            [
                wrong(
                    "a third for each class, since it cannot know",
                    "That would be modest. Its answers are mostly far surer.",
                    "Meet classes it has never seen",
                ),
                wrong(
                    "nothing: all scores are near zero",
                    "Whatever the scores are, soft-max makes three probabilities of them that add up to 1.",
                    "Meet classes it has never seen",
                ),
                right(
                    "one of the three, and often with great confidence",
                    "Nobody taught it to say none of these. But what it computed on the way may be worth having.",
                ),
            ],
        ),
        Number(
            f"The label of an image is -1, and its score {SCORE}. What does it cost by the hinge (not squared)?",
            [
                wrong(
                    1 - SCORE,
                    "That would be right for a label of 1. The margin is label times score.",
                    "Separate by a plane",
                ),
                right(1 + SCORE, f"Its margin is -{SCORE}, and that much more than 1 is missing to 1."),
                wrong(
                    SCORE,
                    "It is on the wrong side by that much. But the hinge asks for a margin of 1 on the right side.",
                    "Separate by a plane",
                ),
                wrong(
                    (1 + SCORE) ** 2,
                    "That is the squared hinge, which scikit-learn takes by default.",
                    "Separate by a plane",
                ),
                wrong(
                    0,
                    "It is on the wrong side of the plane, and only a margin of 1 costs nothing.",
                    "Separate by a plane",
                ),
            ],
            otherwise="What is the margin, and how much is missing to 1?",
            section="Separate by a plane",
            within=0.01,
        ),
        Choice(
            "The paper takes features in front of the last layer. Our net of three classes does better from `pool3`, for new "
            "classes. What is the rule?",
            [
                wrong(
                    "earlier layers are always better for new classes",
                    "With a thousand old classes the later ones are. And the very first know only edges and colors.",
                    "Ask which layer",
                ),
                wrong(
                    "small nets need earlier layers",
                    "Not the size of the net decides, but how much its last layers were taught to drop.",
                    "Ask which layer",
                ),
                wrong(
                    "take the layer with the most numbers",
                    "Then one would take the first. Its many numbers say little about what is shown.",
                    "Ask which layer",
                ),
                right(
                    "the narrower the old task, the earlier the layer",
                    "The last blocks have forgotten what did not help to tell the old classes apart.",
                ),
            ],
        ),
        Choice(
            "You set `requires_grad_(False)` on a net with batch norm and train a new head on it, in training mode. What "
            "changes in the frozen part?",
            [
                wrong(
                    "nothing: that is what frozen means",
                    "No weight changes. But not all that a layer keeps is a weight.",
                    "Leave the old statistics alone, or follow the new",
                ),
                right(
                    "its running means and variances",
                    "They follow every batch in training mode, gradient or not. Call eval() on the frozen part.",
                ),
                wrong(
                    "scale and shift of its batch norms",
                    "Those are parameters, and they are frozen like the rest.",
                    "Leave the old statistics alone, or follow the new",
                ),
            ],
        ),
        Number(
            f"A net has five blocks and a head. The head learns at a rate of {HEAD}, and from part to part, toward the image, "
            f"the rate is multiplied by {DECAY}. What is the rate of block 3?",
            [
                wrong(
                    HEAD * DECAY ** (STEPS - 1),
                    "That is block 4. Block 5 is already one step away from the head.",
                    "Let the old layers move, the early ones least",
                ),
                wrong(
                    HEAD * DECAY,
                    "That is block 5. Each part has a rate of its own.",
                    "Let the old layers move, the early ones least",
                ),
                wrong(
                    HEAD * DECAY * STEPS,
                    "The factor is applied once for each step: a power, not a product.",
                    "Let the old layers move, the early ones least",
                ),
                right(HEAD * DECAY**STEPS, "Three steps: to block 5, to block 4, to block 3."),
            ],
            otherwise="How many steps is it from the head to block 3? Each multiplies the rate once.",
            section="Let the old layers move, the early ones least",
            within=0.01,
        ),
    ],
)
