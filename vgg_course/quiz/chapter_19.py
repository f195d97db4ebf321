"""Chapter 19, Look at feature maps."""

from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

BEST, REST = 4, 1

QUIZ = Quiz(
    19,
    [
        Choice(
            "A hook on a convolution of VGG keeps what the module puts out. You look later, and no value is negative. Why?",
            [
                wrong(
                    "a convolution behind a ReLU gets no negative values, so it makes none",
                    "Its weights have both signs, and so have its sums.",
                    "Do not trust a hook",
                ),
                wrong(
                    "the hook is called behind the ReLU",
                    "It is called at once, with the right values. What happens to them afterwards is another matter.",
                    "Do not trust a hook",
                ),
                right(
                    "the ReLU behind it has written its answer over the same tensor",
                    "It works in place. Keep a copy, or have no hooks.",
                ),
                wrong(
                    "training has made all filters positive",
                    "Filters compare places and colors, and that takes both signs.",
                    "Look at the first filters",
                ),
            ],
        ),
        Choice(
            "Deep in a trained VGG far more than half of the values behind a ReLU are zero. Where does that come from?",
            [
                right(
                    "from training: in the untrained net there are fewer zeros, the deeper one looks",
                    "A ReLU begins with a half. What lies above that, training has made.",
                ),
                wrong(
                    "from the ReLUs: each of them cuts off another half",
                    "A second ReLU finds nothing to cut in what is copied. The untrained net shows it.",
                    "Count the zeros, and measure the scale",
                ),
                wrong(
                    "from the pools: they keep one value of four",
                    "They keep the largest, and that is zero only if all four are. Behind a pool there are fewer zeros.",
                    "Count the zeros, and measure the scale",
                ),
                wrong(
                    "from channels that have died",
                    "Each of them fires somewhere in some picture.",
                    "Count the zeros, and measure the scale",
                ),
            ],
        ),
        Number(
            f"A channel's mean over the pictures of one class is {BEST}, and over those of each of the two others {REST}. What "
            "is its selectivity?",
            [
                wrong(
                    BEST / REST,
                    "That is how many times as much it fires. The selectivity lies between 0 and 1.",
                    "Ask which channels fire for which class",
                ),
                wrong(
                    BEST / (BEST + 2 * REST),
                    "That is the share of the best class. A channel that does not care would get a third.",
                    "Ask which channels fire for which class",
                ),
                wrong(
                    (BEST - REST) / (BEST + 2 * REST),
                    "The others count by their mean, and not by their sum.",
                    "Ask which channels fire for which class",
                ),
                wrong(
                    (BEST - REST) / BEST,
                    "Divide by the sum of the two, so that it is 0 for equal and 1 for a single class.",
                    "Ask which channels fire for which class",
                ),
                right((BEST - REST) / (BEST + REST), "Best less rest, over best and rest."),
            ],
            otherwise="Take the largest mean, and the mean of the others: their difference over their sum.",
            section="Ask which channels fire for which class",
            within=0.01,
        ),
        Choice(
            "Somebody shows you a channel of the last block that fires for birds. What would you like to see beside it?",
            [
                wrong(
                    "the eight pictures that excite it most",
                    "They are picked because they look alike to the channel. What it does most of the time is not in "
                    "them.",
                    "Cut out what excites a channel",
                ),
                right(
                    "the same channel before training, and the same count with shuffled labels",
                    "Filters that never saw a label prefer classes too, for classes differ in color.",
                ),
                wrong(
                    "its filter",
                    "It looks at dozens of channels at once, and no eye has so many.",
                    "Look at the first filters",
                ),
            ],
        ),
        Choice(
            "All pixels outside of a value's receptive field are replaced by noise. What happens to the value?",
            [
                wrong(
                    "it changes a little: far pixels matter less, but they matter",
                    "Within the window that is so. From outside no path leads to the value.",
                    "Put the theory to a test it could fail",
                ),
                wrong(
                    "it changes where the noise excites the channel",
                    "At other places of the map it does. This value cannot see them.",
                    "Put the theory to a test it could fail",
                ),
                wrong(
                    "it depends on the picture, for some ReLUs are closed",
                    "What is closed decides how much of the inside matters. Of the outside nothing does.",
                    "Put the theory to a test it could fail",
                ),
                right(
                    "nothing at all",
                    "A receptive field is a promise about what cannot matter, and the net keeps it.",
                ),
            ],
        ),
        Choice(
            "You set all weights of one filter to zero. What does its map look like, behind batch norm and ReLU?",
            [
                wrong(
                    "it is zero everywhere",
                    "The convolution still adds its bias, and batch norm takes off a mean that is not its mean any more.",
                    "Play: the whole net in this page",
                ),
                right(
                    "it has one value everywhere, which may be above zero",
                    "It answers with its bias and its batch norm, whatever the picture. Silence is something else.",
                ),
                wrong(
                    "as before, only fainter: batch norm makes up for it",
                    "In evaluation batch norm uses stored numbers. And there is no picture left to be made louder.",
                    "Play: the whole net in this page",
                ),
            ],
        ),
    ],
)
