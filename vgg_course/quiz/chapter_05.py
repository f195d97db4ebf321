"""Chapter 5, Build VGG, three times."""

from vgg_course.configuration import CONFIGURATIONS
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

BEFORE = len(CONFIGURATIONS["D"].blocks[0]) - 1  # convolutions in front of conv2_1; then one pool

QUIZ = Quiz(
    5,
    [
        Choice(
            "Two programs hold the same weights. On the same image, in float64, their logits differ by one part in "
            "`10^14`. What do you conclude?",
            [
                wrong(
                    "there is a small bug: equal networks give equal bits",
                    "Only if they add in the same order. Every addition is rounded, so another order shows in the last "
                    "digits.",
                    'Say what "equal" means',
                ),
                right(
                    "they are the same function, computed in another order",
                    "The difference is what rounding allows. A real bug, such as one lost bias, is a billion times "
                    "larger.",
                ),
                wrong(
                    "nothing: one of them might lack a bias",
                    "A missing bias is far above rounding. That is what a tolerance is for: it lies between the two.",
                    "See what a difference looks like",
                ),
            ],
        ),
        Choice(
            "A module calls `F.dropout(x, p=0.5)` in its forward. You call `model.eval()`. What does the module do?",
            [
                wrong(
                    "it passes x on unchanged: eval switches dropout off",
                    "It switches off `nn.Dropout`, which asks the module that it is in. A function knows nothing of "
                    "that, and its default is training=True.",
                    "Say whether you train",
                ),
                wrong(
                    "it halves x, to make up for what is not dropped any more",
                    "Nothing needs making up: in training, what survives is doubled, so the mean is right in both modes.",
                    "Say whether you train",
                ),
                right(
                    "it goes on dropping, and gives another answer each time",
                    "Hand it training=self.training, or use `nn.Dropout`.",
                ),
            ],
        ),
        Choice(
            "Which change leaves the answers of VGG as they are, for any weights?",
            [
                right(
                    "moving a ReLU from in front of a max-pool to behind it",
                    "The largest of four values, made non-negative, is the largest of four values made non-negative.",
                ),
                wrong(
                    "moving a ReLU from behind a convolution to in front of it",
                    "Then negative answers of the convolution get through, and negative inputs do not. Only a maximum "
                    "can change places with a ReLU.",
                    "Level 2: let modules hold the parameters",
                ),
                wrong(
                    "adding a ReLU behind the last fully-connected layer",
                    "All negative scores would tie at zero, and no class could be ruled out any more. The last layer is "
                    "not a hidden one.",
                    "Leave the logits alone",
                ),
                wrong(
                    "replacing padding 1 by padding 0 in every convolution",
                    "Each layer would lose a frame of one pixel, and the grid would not end at 7x7.",
                    "Level 1: write the network as functions",
                ),
            ],
        ),
        Number(
            "In the `features` of VGG-16 with batch norm, modules are numbered from 0. Which number does `conv2_1` have?",
            [
                wrong(
                    2 * BEFORE + 1,
                    "That is its number without batch norm. Each convolution in front of it now has one module more "
                    "behind it.",
                    "Match the names",
                ),
                wrong(
                    3 * BEFORE,
                    "That is the pool. It has nothing to store, but it has a number.",
                    "Match the names",
                ),
                wrong(
                    3 * BEFORE + 2,
                    "You counted from 1. The first convolution is number 0.",
                    "Match the names",
                ),
                wrong(
                    BEFORE,
                    "You counted convolutions only. Norms, ReLUs and pools take up numbers as well.",
                    "Match the names",
                ),
                right(
                    3 * BEFORE + 1,
                    "Two convolutions with a norm and a ReLU each, then a pool: those are 0 to 6.",
                ),
            ],
            otherwise="List the modules of block 1: convolution, norm, ReLU, and so on to the pool.",
            section="Match the names",
        ),
        Choice(
            "You build LRN with PyTorch's layer and alpha = `1e-4`, and compare it with the published formula on random "
            "values around 1. The two agree to four digits. Are you done?",
            [
                wrong(
                    "yes: four digits are good enough for a normalization",
                    "They agree because the sum is next to nothing against k = 2. With values of 50, as come in when "
                    "pixels are not divided, they are far apart.",
                    "Normalize as the formula says",
                ),
                wrong(
                    "no: alpha must be divided by n first",
                    "The layer does that already, and that is the trouble. To undo it, multiply.",
                    "Normalize as the formula says",
                ),
                wrong(
                    "no: in float64 they must agree to twelve digits, so k is wrong",
                    "The doubt is right, the suspect is not: k is 2 in both. The layer divides alpha by n.",
                    "Normalize as the formula says",
                ),
                right(
                    "no: with tame values the sum hardly counts, so a wrong alpha passes",
                    "Test with values as large as those that will come in. Then the division of alpha by n shows.",
                ),
            ],
        ),
        Choice(
            "You feed a 64-pixel picture to torchvision's `vgg16`. What happens?",
            [
                wrong(
                    "an error: `fc6` wants a 7x7 grid and gets 2x2",
                    "Ours refuses so. Torchvision's has a layer between, which makes 7x7 of any grid.",
                    "Mind the pool that torchvision adds",
                ),
                right(
                    "it runs: a 2x2 grid is stretched to 7x7, and the classifier sees copies and means",
                    "It runs, and it is another network than one that was built for 64 pixels.",
                ),
                wrong(
                    "it slides its classifier over the grid, as the paper does with larger images",
                    "The paper's way makes a map of scores. This pool averages or copies features in front of the "
                    "classifier, which is something else.",
                    "Mind the pool that torchvision adds",
                ),
                wrong(
                    "it enlarges the picture to 224 pixels first",
                    "It does nothing to the picture. What it changes is the grid behind the last pool.",
                    "Mind the pool that torchvision adds",
                ),
            ],
        ),
    ],
)
