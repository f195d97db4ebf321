"""Chapter 10, Prepare images as the paper did."""

from vgg_course import results
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

HEIGHT, WIDTH, SHORTER = 480, 640, 256
CROP, SIDE = 224, 384
PLACES = SIDE - CROP + 1
LIKE = {name: layers["conv5_3"]["mean"] for name, layers in results.load("mismatched_inputs")["trained"].items()}

QUIZ = Quiz(
    10,
    [
        Choice(
            "Instead of subtracting the mean color you give `conv1_1` a bias that takes it off again. Where do the two "
            "nets differ?",
            [
                wrong(
                    "nowhere: a convolution is linear",
                    "Inside, they agree. But the padding is zero in both nets, and zero is the mean color in one and "
                    "black in the other.",
                    "Subtract the mean, and nothing else",
                ),
                wrong(
                    "everywhere: the mean has three numbers and a bias is one",
                    "A filter turns the three into one sum, the same at every place, and that is what the bias takes off.",
                    "Subtract the mean, and nothing else",
                ),
                right(
                    "at the border only",
                    "There the padding stands in the window, and without the subtraction every picture has a black frame.",
                ),
            ],
        ),
        Number(
            f"A picture of {HEIGHT}x{WIDTH} pixels (height, width) is rescaled isotropically to S = {SHORTER}. How wide is "
            "it then?",
            [
                wrong(
                    SHORTER,
                    "Then both sides would be alike, and circles would be ellipses. One factor for both sides.",
                    "Keep circles round",
                ),
                right(
                    SHORTER * WIDTH // HEIGHT,
                    f"The shorter side, the height, becomes {SHORTER}; the width goes by the same factor.",
                ),
                wrong(
                    SHORTER * HEIGHT // WIDTH,
                    "The factor is upside down, or you gave S to the longer side. S is the shorter one, so the other "
                    "must be longer than that.",
                    "Keep circles round",
                ),
                wrong(
                    WIDTH - (HEIGHT - SHORTER),
                    "You took off as many pixels as from the height. That is no single factor either.",
                    "Keep circles round",
                ),
            ],
            otherwise="By which factor does the height shrink? The width shrinks by the same.",
            section="Keep circles round",
            unit="pixels",
            within=0.002,
        ),
        Number(
            f"At how many rows can a {CROP}-pixel crop begin in an image of {SIDE}x{SIDE} pixels?",
            [
                wrong(
                    PLACES - 1,
                    "You left out one end: row 0, or the last one. AlexNet's authors counted so, and Caffe's crops were "
                    "cut so.",
                    "Cut a crop, anew each time",
                ),
                wrong(
                    PLACES**2,
                    "Those are rows and columns together.",
                    "Cut a crop, anew each time",
                ),
                wrong(
                    2 * PLACES,
                    "A mirror image is another crop, but it does not begin at another row.",
                    "Cut a crop, anew each time",
                ),
                right(PLACES, f"From row 0 to row {PLACES - 1}, and both of them count."),
            ],
            otherwise="Which is the first row, which the last one at which the crop still fits?",
            section="Cut a crop, anew each time",
        ),
        Choice(
            "You apply AlexNet's color shift to pixels from 0 to 255, with eigenvalues that you computed from these same "
            "pixels, and the printed deviation of 0.1. What comes out?",
            [
                right(
                    "shifts of hundreds of gray levels",
                    "An eigenvalue is a variance, in squared gray levels: it grew by 255 x 255, and the pixels by 255. The "
                    "rule means something on one scale only.",
                ),
                wrong(
                    "the same pictures as with pixels from 0 to 1: pixels and eigenvalues grow together",
                    "They do not grow alike. Pixels grow by 255, eigenvalues by the square of that.",
                    "Shift the color",
                ),
                wrong(
                    "next to no shift: 0.1 is nothing beside 255",
                    "0.1 is multiplied by an eigenvalue, and on this scale that is in the thousands.",
                    "Shift the color",
                ),
                wrong(
                    "pictures whose edges have changed",
                    "One color is added to all pixels of a picture, so no difference between them changes, however "
                    "strong the shift.",
                    "Shift the color",
                ),
            ],
        ),
        Choice(
            "You borrow weights. Least, most, mean and deviation of what arrives at `conv1_1` are as they should be. Which "
            "slip can still be there?",
            [
                wrong(
                    "the division by 255 was forgotten",
                    "Then the largest value would be 255 times too large. That shows at once.",
                    "Speak the dialect of the weights",
                ),
                wrong(
                    "the mean was not subtracted",
                    "Then no value would be negative.",
                    "Speak the dialect of the weights",
                ),
                right(
                    "red and blue are exchanged",
                    f"These four numbers do not know which channel is which. Send a red picture. (At `conv5_3` the "
                    f"likeness falls to {LIKE['blue first']:.2f}.)",
                ),
                wrong(
                    "the division by the deviation was forgotten",
                    "Then the deviation would be a quarter of what it should be, and it costs more than exchanged "
                    "channels.",
                    "Ask a trained net",
                ),
            ],
        ),
        Choice(
            "You use torchvision's ImageNet weights, as they are, on pictures of your own. Which mean and deviation do you "
            "take?",
            [
                wrong(
                    "those of my pictures: data should come in with mean 0 and deviation 1",
                    "That holds where you train. These filters were trained for other numbers, and they cannot know "
                    "that yours were moved.",
                    "Speak the dialect of the weights",
                ),
                wrong(
                    "the true deviations of ImageNet's pixels, since the printed ones are not",
                    "The printed ones are what the weights have seen, mistake included. To correct them now is to "
                    "introduce one.",
                    "Speak the dialect of the weights",
                ),
                wrong(
                    "the authors' three means, in gray levels: it is VGG after all",
                    "Those belong to the authors' own weights, which want blue first and pixels up to 255. Torchvision's "
                    "were trained anew.",
                    "Speak the dialect of the weights",
                ),
                right(
                    "the ones that the weights were trained with",
                    "Preparation belongs to the weights, not to the pictures.",
                ),
            ],
        ),
    ],
)
