"""Chapter 20, Ask what it looks at."""

from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

SIDE, SQUARE = 32, 8  # the square moves by its own side
PLACES = (SIDE - SQUARE) // SQUARE + 1

QUIZ = Quiz(
    20,
    [
        Choice(
            "A pixel is bright in a saliency map for bird. What do you know about it?",
            [
                wrong(
                    "it supports the answer bird",
                    "The map shows the size of a slope, not its sign. As many bright pixels lower the score as raise it.",
                    "Follow the gradient",
                ),
                wrong(
                    "without it the score would fall",
                    "That is what occlusion asks. A slope tells of a small change, not of taking the pixel away.",
                    "Cover a part of it",
                ),
                right(
                    "a small change of it would move the score, up or down",
                    "A gradient says what would change the answer, not what made it.",
                ),
                wrong(
                    "it belongs to the bird",
                    "Often it does, and often not. Whether a map points at the object has to be measured.",
                    "Let drawn pictures judge",
                ),
            ],
        ),
        Number(
            f"Occlusion with a square of {SQUARE} pixels that moves by {SQUARE}, on a picture of {SIDE}x{SIDE}. How often must "
            "the net run?",
            [
                wrong(
                    PLACES**2,
                    "And once for the whole picture, or there is nothing to fall from.",
                    "Cover a part of it",
                ),
                right(PLACES**2 + 1, f"{PLACES} places across and {PLACES} down, and once without a square."),
                wrong(
                    PLACES + 1,
                    "That is one row of places.",
                    "Cover a part of it",
                ),
                wrong(
                    (SIDE - SQUARE + 1) ** 2 + 1,
                    "So many are needed if the square moves by a single pixel.",
                    "Cover a part of it",
                ),
            ],
            otherwise="At how many places does the square stand across, and at how many down? And what is each compared with?",
            section="Cover a part of it",
        ),
        Choice(
            "Guided backprop draws the same crisp map for bird and for automobile. What follows?",
            [
                wrong(
                    "both classes are recognized by the same pixels",
                    "Other methods give other maps for the two classes. This one did not hear the question.",
                    "Let only good news pass",
                ),
                right(
                    "that it cannot tell why this net chose the one and not the other",
                    "Its edges come from the picture and from the lowest layers.",
                ),
                wrong(
                    "the net is unsure which of the two it is",
                    "The map is as much alike where it is sure. It hardly depends on the class at all.",
                    "Let only good news pass",
                ),
            ],
        ),
        Choice(
            "The last ten layers of a net get random weights, and a method's map stays as it was. What does that say, and "
            "what would a change have said?",
            [
                right(
                    "the map did not show what these layers knew; a change would not have made it right",
                    "The check finds maps that cannot be explanations. To pass it is not yet to be right.",
                ),
                wrong(
                    "the method is robust; a change would have made it useless",
                    "An explanation of what a net knows has no business to survive the loss of it.",
                    "Ask a net that knows nothing",
                ),
                wrong(
                    "the first layers do the work; a change would have proved the method right",
                    "The net only guesses now. And a map can change for the wrong reasons.",
                    "Ask a net that knows nothing",
                ),
            ],
        ),
        Choice(
            "At which layer do you take Grad-CAM, on pictures of 32 pixels?",
            [
                wrong(
                    "at the last convolution, as everybody does",
                    "At 224 pixels it has 14x14 cells. Here it has four, and each covers a quarter of the picture.",
                    "Weigh the channels",
                ),
                wrong(
                    "at the last pool, where the sum is exact",
                    "Exact, and a single cell: it points nowhere.",
                    "Weigh the channels",
                ),
                wrong(
                    "at the first convolution, whose cells are finest",
                    "Its channels mean edges and colors, not classes.",
                    "Let drawn pictures judge",
                ),
                right(
                    "at the deepest whose cells are no larger than what I look for",
                    "Deeper knows more about the class, and says less about the place.",
                ),
            ],
        ),
        Choice(
            "You suspect that a net reads a stamp in the corner. What would be evidence?",
            [
                wrong(
                    "maps of several methods that are bright at the stamp",
                    "They make the suspicion. They have been wrong before, together too.",
                    "Convict a cheat",
                ),
                wrong(
                    "a poor accuracy on new pictures from the same source",
                    "There the stamp goes with the class as before, and the accuracy is excellent.",
                    "Convict a cheat",
                ),
                wrong(
                    "that the picture which the class likes best shows the stamp",
                    "How such a picture looks is in good part what the brakes like.",
                    "Ask what a class likes best",
                ),
                right(
                    "other answers when the stamp is changed, and nothing else",
                    "Use maps to find out what to change. Then change it.",
                ),
            ],
        ),
    ],
)
