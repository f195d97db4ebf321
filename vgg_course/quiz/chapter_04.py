"""Chapter 4, Count parameters and memory."""

from vgg_course.accounting import MB, MiB, ledger, saved_for_backward
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

D = ledger("D")
LAYER = D["conv2_1"]
IN, OUT = D["pool1"].shape[0], LAYER.shape[0]
SAVED = saved_for_backward("D")
CLASSIFIER = D.fully_connected

QUIZ = Quiz(
    4,
    [
        Number(
            f"A 3x3 convolution takes in {IN} channels and puts out {OUT}. How many parameters does it have, biases "
            "included?",
            [
                wrong(
                    LAYER.weights,
                    "Those are the weights. There is also one bias for each output channel.",
                    "Count one layer by hand",
                ),
                wrong(
                    9 * OUT + OUT,
                    "You gave each filter one 3x3 window. A filter has one on every input channel.",
                    "Count one layer by hand",
                ),
                wrong(
                    LAYER.weights + 1,
                    "One bias for the whole layer? Each output channel has its own.",
                    "Count one layer by hand",
                ),
                wrong(
                    9 * IN + 1,
                    "That is one filter with its bias. The layer has one for each output channel.",
                    "Count one layer by hand",
                ),
                wrong(
                    LAYER.weights + IN,
                    "The biases go with what comes out, not with what goes in.",
                    "Count one layer by hand",
                ),
                right(
                    LAYER.parameters,
                    f"(9 x {IN} + 1) x {OUT}: a window on every input channel, and a bias, for each output channel.",
                ),
            ],
            otherwise="Count one filter first: how many numbers are in it? Then multiply by the filters.",
            section="Count one layer by hand",
        ),
        Choice(
            "You cut the three fully-connected layers off VGG-16. What do you save?",
            [
                right(
                    f"{CLASSIFIER.parameters / D.parameters:.0%} of the parameters and next to nothing else",
                    "Many weights, each used once, and hardly any outputs.",
                ),
                wrong(
                    "most of the memory for activations: fully-connected layers are hungry for memory",
                    f"Of the activations they are {CLASSIFIER.values / D.values:.2%}. The first block holds most of "
                    "those.",
                    "See where the cost sits",
                ),
                wrong(
                    "most of the arithmetic: that many weights mean that many multiplications",
                    f"A weight of a convolution is used at every place of the grid, one of `fc6` once. They are "
                    f"{CLASSIFIER.macs / D.macs:.1%} of the MACs.",
                    "Count the work",
                ),
                wrong(
                    "little of anything: 3 of 16 layers",
                    f"Layers are not equally large. `fc6` alone holds {D['fc6'].parameters / D.parameters:.0%} of all "
                    "parameters.",
                    "See where the cost sits",
                ),
            ],
        ),
        Choice(
            "Nobody knows where the famous `24M` came from. Why may we call it wrong all the same?",
            [
                wrong(
                    "because no convention that we tried comes near it",
                    "That is an argument, but somebody could have another convention. We need not guess which.",
                    "Audit the famous `96 MB`",
                ),
                wrong(
                    f"because PyTorch keeps {SAVED.bytes / MB:.0f} MB for the backward pass",
                    "That answers another question: what one framework keeps for training. The line speaks of the "
                    "forward pass alone.",
                    "Ask PyTorch what it really keeps",
                ),
                right(
                    "because it stands below its own addends as their total, and they add up to something else",
                    f"Each line is right, and together they are {D.values / 1e6:.1f} million. A sum needs no other "
                    "witness.",
                ),
            ],
        ),
        Number(
            f"The listed activations of one image are {D.values:,} values in float32. How many MB is that?",
            [
                wrong(
                    D.activation_bytes / MiB,
                    "Those are MiB, of `2^20` bytes. An MB has `10^6`, and five percent lie between the two.",
                    "Write down what we count",
                ),
                right(D.activation_bytes / MB, "Four bytes a value, a million bytes an MB."),
                wrong(
                    D.values / MB,
                    "That counts a byte for each value. A float32 takes four.",
                    "Audit the famous `96 MB`",
                ),
                wrong(
                    2 * D.activation_bytes / MB,
                    "You counted a gradient for each value as well. The question is about the values alone; and PyTorch "
                    "does no such doubling.",
                    "Ask PyTorch what it really keeps",
                ),
            ],
            otherwise="A value in float32 takes four bytes, and an MB is a million bytes.",
            section="Audit the famous `96 MB`",
            unit="MB",
            within=0.01,
        ),
        Choice(
            "You replace every in-place ReLU of VGG-16 by one that makes a new tensor. What happens to the bytes that "
            "PyTorch keeps for the backward pass?",
            [
                wrong(
                    "they grow by one tensor for each ReLU",
                    "More tensors are made, but not more are kept: nobody needs what the convolution put out before the "
                    "ReLU, so it is freed.",
                    "Ask PyTorch what it really keeps",
                ),
                wrong(
                    "they double",
                    "That would be a framework that gives every tensor a gradient of the same size. What PyTorch keeps "
                    "follows from the chain rule.",
                    "Ask PyTorch what it really keeps",
                ),
                wrong(
                    "they shrink, for the ReLU's input is not overwritten any more",
                    "Overwriting does not cost memory. What is kept either way is the ReLU's output.",
                    "Ask PyTorch what it really keeps",
                ),
                right(
                    "nothing: the ReLU keeps its output, the next layer its input, and those are one tensor",
                    "What a layer needs for its gradient decides, not how many tensors were made on the way.",
                ),
            ],
        ),
        Choice(
            f"One page says that VGG-16 takes {D.macs / 1e9:.1f} GFLOPs, another says {2 * D.macs / 1e9:.1f}. What is "
            "the likely reason?",
            [
                wrong(
                    "the second counts the backward pass as well",
                    "A backward pass costs about twice the forward pass, so with it the number would be three times as "
                    "large.",
                    "Count the work",
                ),
                right(
                    "the first counts a multiplication with its addition as one, the second as two",
                    "Both counted the same work: one MAC is two FLOPs, and many who write FLOPs mean MACs.",
                ),
                wrong(
                    "the first leaves out the fully-connected layers",
                    f"They are {CLASSIFIER.macs / D.macs:.1%} of the work. Leaving them out would hardly show.",
                    "Count the work",
                ),
                wrong(
                    "the second counts biases, ReLUs and pools as well",
                    "Some tools do count those. They change the third digit, not the first.",
                    "Reconcile tools that disagree",
                ),
            ],
        ),
    ],
)
