"""Chapter 25, See what came after."""

from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

KERNEL, IN, OUT = 3, 128, 64

QUIZ = Quiz(
    25,
    [
        Number(
            f"A {KERNEL}x{KERNEL} convolution from {IN} channels to {OUT} is replaced by a depthwise one and a 1x1. How many "
            "times fewer MACs are that?",
            [
                wrong(
                    KERNEL**2,
                    "That leaves the depthwise part out. It is small, but it is there.",
                    "Split a convolution in two",
                ),
                wrong(
                    1 / (1 / IN + 1 / KERNEL**2),
                    "The channels in the formula are those that come out: each of them was a window of its own.",
                    "Split a convolution in two",
                ),
                wrong(
                    OUT,
                    "That is the share of the depthwise part. The 1x1 that mixes costs more.",
                    "Split a convolution in two",
                ),
                wrong(
                    KERNEL**2 + OUT,
                    "Shares are added, not factors: 1 over one, plus 1 over the other.",
                    "Split a convolution in two",
                ),
                right(
                    1 / (1 / OUT + 1 / KERNEL**2),
                    f"The share is 1/{OUT} + 1/{KERNEL**2}. The window has become almost free; what costs is the mixing.",
                ),
            ],
            otherwise="Write down both costs for one place of the output, and divide.",
            section="Split a convolution in two",
            within=0.01,
        ),
        Choice(
            "MobileNetV2 takes fifty times fewer MACs than VGG-16. What of the memory for its activations in training?",
            [
                wrong(
                    "about fifty times less as well",
                    "MACs count work. What is kept is what layers put out, and it has many of them.",
                    "Put ten years on one chart",
                ),
                wrong(
                    "less: its channels are narrow",
                    "Those between its layers are. Inside its blocks they are wide, and each is kept twice.",
                    "Put ten years on one chart",
                ),
                right(
                    "more: it has many layers, and a batch norm behind each",
                    "Few MACs are not little memory.",
                ),
            ],
        ),
        Choice(
            "On a chart of accuracies a net of 2022 stands five points above one of 2015. What have you learned about its "
            "architecture?",
            [
                right(
                    "little, until both are trained by one recipe",
                    "ResNet-50 gained more from a new recipe than it had over VGG.",
                ),
                wrong(
                    "that it is five points better",
                    "The same net, trained again years later, moved by about as much.",
                    "Train the same net again",
                ),
                wrong(
                    "that it has more parameters",
                    "Many of the more accurate nets have fewer. VGG's were in its head.",
                    "Throw out nine weights in ten",
                ),
            ],
        ),
        Choice(
            "A plain net of 56 layers has a higher training error than one of 20. What does a shortcut around each block "
            "change?",
            [
                wrong(
                    "it adds parameters, so that the net can fit more",
                    "It adds none. The two nets have the same parameters by the same names.",
                    "Go deeper until it gets worse",
                ),
                wrong(
                    "it keeps the deep net from overfitting",
                    "A higher training error is no overfitting.",
                    "Go deeper until it gets worse",
                ),
                wrong(
                    "it makes the net as shallow as the other one, for blocks are skipped",
                    "All blocks compute. What came in is added to what comes out.",
                    "Go deeper until it gets worse",
                ),
                right(
                    "a block that adds nothing then hands on what it got",
                    "For a residual block, nothing is doing nothing. A plain one has to build that out of filters.",
                ),
            ],
        ),
        Choice(
            "Batch norm gives each layer of a deep plain net an output of deviation 1. What does the gradient do before "
            "training, on its way to the images?",
            [
                wrong(
                    "it vanishes, as in every deep net",
                    "That was feared, and was not found.",
                    "Go deeper until it gets worse",
                ),
                right(
                    "it grows from layer to layer",
                    "The signal is kept even on its way forward, and that is paid for on the way back.",
                ),
                wrong(
                    "it stays as even as the signal does",
                    "Even forward is not even backward. With shortcuts it nearly is.",
                    "Go deeper until it gets worse",
                ),
            ],
        ),
        Choice(
            "Why does a depthwise layer take more time for a million MACs than a dense one?",
            [
                wrong(
                    "its MACs are larger: each has a window of its own",
                    "A MAC is a MAC. The windows are as large as those of the dense layer.",
                    "Ask the clock",
                ),
                wrong(
                    "it has to mix the channels as well",
                    "It mixes nothing. That is what the 1x1 behind it is for.",
                    "Split a convolution in two",
                ),
                wrong(
                    "torch computes it in double precision",
                    "It computes in float32 like all others. What differs is how much is fetched for each MAC.",
                    "Ask the clock",
                ),
                right(
                    "it uses each value that it fetches only a few times",
                    "The arithmetic waits for memory. MACs say how much must be computed; time also asks how much must "
                    "be moved.",
                ),
            ],
        ),
    ],
)
