"""Chapter 1, What a 3x3 convolution computes."""

from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

SIDE, KERNEL, STRIDE, PADDING = 22, 7, 2, 2
ROOM = SIDE + 2 * PADDING - KERNEL  # how far the window can move from its first place

QUIZ = Quiz(
    1,
    [
        Choice(
            "A layer takes in 64 channels and puts out 128, with 3x3 kernels. What is one of its filters?",
            [
                wrong(
                    "one window of 3x3 weights, which is laid on every input channel in turn",
                    "Then all channels would be asked the same question. We did that once, for edges in brightness, and "
                    "it could not see the roof of the car: a filter has weights of its own for every channel.",
                    "See what a kernel finds",
                ),
                wrong(
                    "64 windows of 3x3 weights, each of which makes an output channel",
                    "Then one filter would make 64 output channels. Its sum runs over the input channels too, so that "
                    "all 64 windows together give one number at each place.",
                    "Write it as loops",
                ),
                right(
                    "64 windows of 3x3 weights, whose products are all added up",
                    "A filter spans all input channels and makes one output channel. The layer has 128 of them.",
                ),
                wrong(
                    "128 windows of 3x3 weights, one for each output channel",
                    "128 is how many filters there are. How deep one of them is depends on what comes in, not on what "
                    "goes out.",
                    "Write it as loops",
                ),
            ],
        ),
        Number(
            f"A window of {KERNEL} pixels moves by {STRIDE} over a side of {SIDE} pixels, with padding {PADDING} on "
            "both ends. At how many places does it fit?",
            [
                right(
                    ROOM // STRIDE + 1,
                    f"From its first place the window can move {ROOM} pixels. Every {STRIDE} of them there is another "
                    "place, the odd pixel at the end is never looked at, and the first place counts too.",
                ),
                wrong(
                    ROOM // STRIDE,
                    "One is missing. Either you counted the steps and forgot the place where the window starts, or "
                    "you padded one end only.",
                    "Count the places",
                ),
                wrong(
                    (SIDE - KERNEL) // STRIDE + 1,
                    "So many there are without padding. It makes the side longer, on both ends.",
                    "Count the places",
                ),
                wrong(
                    -(-ROOM // STRIDE) + 1,
                    "You rounded up. The last step would stick out over the end, so it is not taken: the brackets in "
                    "the formula round down.",
                    "Count the places",
                ),
                wrong(
                    ROOM + 1,
                    "So many places there are at stride 1. At stride 2 every second of them is kept.",
                    "Count the places",
                ),
            ],
            otherwise="Ask how far the window can move from its first place, and how many steps fit into that.",
            section="Count the places",
        ),
        Choice(
            "The weights of a filter add up to zero. It runs over a picture that is equally bright everywhere, with a "
            "padding of zeros. Where is its answer not zero?",
            [
                wrong(
                    "nowhere: a plain picture has no edges",
                    "The picture has none, but the padding is not part of the picture. Where bright pixels meet its "
                    "zeros, the network sees an edge.",
                    "Count the places",
                ),
                right(
                    "at the border only",
                    "Inside, the weights cancel. At the border some of them meet zeros, and what is left does not cancel.",
                ),
                wrong(
                    "everywhere, and the brighter the picture, the stronger",
                    "All pixels of a plain area are the same number, so the sum is that number times the sum of the "
                    "weights. That is zero at any brightness.",
                    "See what a kernel finds",
                ),
            ],
        ),
        Choice(
            "Somebody copies the line of a 3x3 convolution for a 1x1 convolution and leaves padding=1 in it. The grid "
            "that goes in is 56 pixels wide. What comes out?",
            [
                wrong(
                    "56 pixels: a padding of 1 keeps the size",
                    "It does for a kernel of 3, which loses a pixel on each side. A kernel of 1 loses none, so the "
                    "padding is added on top.",
                    "Read a 1x1 convolution as a linear map at every pixel",
                ),
                wrong(
                    "58 pixels, with a frame of zeros",
                    "The size is right. But a bias is added at every place, in the frame too.",
                    "Read a 1x1 convolution as a linear map at every pixel",
                ),
                wrong(
                    "an error: the shapes do not fit",
                    "Nothing complains here. A pool behind it makes 29 of 58, the next one 14, and from there on even "
                    "the shapes look right.",
                    "Read a 1x1 convolution as a linear map at every pixel",
                ),
                right(
                    "58 pixels, with a frame that holds the biases and nothing else",
                    "The windows in the frame see only padding, so all they can say is the bias. The right answer "
                    "stands inside, untouched.",
                ),
            ],
        ),
        Choice(
            "From which output can the picture be computed back?",
            [
                right(
                    "that of 64 random 3x3 filters at stride 2, no ReLU",
                    "Three places in four are skipped, yet the windows still cover every pixel, and 64 questions are "
                    "more than enough about the 27 numbers of a window.",
                ),
                wrong(
                    "that of one edge filter at stride 1, no ReLU: no place is skipped",
                    "A picture and a brighter copy of it give this filter the same answers. Stride 1 says that no place "
                    "is skipped, and no more.",
                    "Audit a claim: stride 1 loses no information",
                ),
                wrong(
                    "that of a 2x2 max-pool: it keeps the strongest answers",
                    "It keeps one value of four and forgets where that was. The dotted twin of the edges is another map "
                    "with the same pool.",
                    "Keep the largest of four",
                ),
            ],
        ),
        Choice(
            "A pixel lies in four windows of a convolution. What is its gradient?",
            [
                wrong(
                    "the share that comes from the last of the four windows",
                    "That is what = does in a loop where += is meant. It passes a test only where windows do not "
                    "overlap.",
                    "Let the winner take all",
                ),
                wrong(
                    "the mean of the four shares",
                    "Nothing divides here. A small change of the pixel changes all four outputs, and the changes of the "
                    "loss add up.",
                    "Send the gradient back",
                ),
                right(
                    "the sum of four shares: the gradient of each output times the weight that the pixel met there",
                    "What was read in the forward pass is written to in the backward pass, once for each time it was "
                    "read.",
                ),
                wrong(
                    "the largest of the four shares",
                    "A max-pool chooses a winner. A convolution has used the pixel in all four sums, so all four send "
                    "something back.",
                    "Send the gradient back",
                ),
            ],
        ),
    ],
)
