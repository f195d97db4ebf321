"""Chapter 14, Share the training among machines."""

from vgg_course.accounting import MB, ledger
from vgg_course.quiz.records import Choice, Number, Quiz, right, wrong

LARGE, SMALL = 96, 32
MACHINES = 8
GRADIENT = ledger("D").parameter_bytes / MB
HEAD = ledger("D").fully_connected

QUIZ = Quiz(
    14,
    [
        Number(
            f"One machine has {LARGE} images of a batch, the other {SMALL}. You take the plain mean of their two gradients. "
            "How many times as much as an image of the large share does an image of the small one count?",
            [
                wrong(
                    1,
                    "Each machine counts half, whatever it has. So an image counts half, divided by how many share that "
                    "half.",
                    "Give them unequal shares",
                ),
                wrong(
                    SMALL / LARGE,
                    "It is the other way round: fewer images share one half of the mean, so each of them counts more.",
                    "Give them unequal shares",
                ),
                right(
                    LARGE / SMALL, f"1/{SMALL} of a half against 1/{LARGE} of a half. Weight each mean by its share."
                ),
                wrong(
                    (LARGE + SMALL) / SMALL,
                    "That compares the small share with the whole batch. Compare the two shares.",
                    "Give them unequal shares",
                ),
            ],
            otherwise="Each machine's mean counts one half. What does one of its images count in that?",
            section="Give them unequal shares",
            within=0.01,
        ),
        Choice(
            "With batch norm, two machines with 64 images each merge their gradients correctly. How does the result relate to "
            "that of one machine with all 128?",
            [
                wrong(
                    "equal, but for rounding",
                    "Without batch norm it is. With it, each machine normalizes by the images that it has.",
                    "Add batch norm, and lose the equality",
                ),
                wrong(
                    "off by a little, for the running statistics differ",
                    "Running statistics are for eval mode. In training the batch's own are used, in every layer, and the "
                    "difference is most of the gradient's length.",
                    "Add batch norm, and lose the equality",
                ),
                wrong(
                    "useless: such a net does not train",
                    "It trains well. It is the gradient of a batch norm with smaller batches, another function.",
                    "Add batch norm, and lose the equality",
                ),
                right(
                    "it is the gradient of another function",
                    "With other company a picture gets other features. The number of machines has become part of the "
                    "recipe, unless they share their statistics.",
                ),
            ],
        ),
        Number(
            f"{MACHINES} machines in a ring add up a gradient of {GRADIENT:.0f} MB. How many MB does each machine send?",
            [
                wrong(
                    GRADIENT * (MACHINES - 1) / MACHINES,
                    "That is the first lap, after which each machine has one finished chunk. A second one passes the "
                    "sums on.",
                    "Count what travels",
                ),
                right(
                    2 * GRADIENT * (MACHINES - 1) / MACHINES,
                    f"Two laps of {MACHINES - 1} rounds, and in each round a chunk of 1/{MACHINES}. Never more than twice "
                    "the gradient.",
                ),
                wrong(
                    GRADIENT * (MACHINES - 1),
                    "So it would be if everyone sent everything to everyone else. In a ring each round moves one chunk.",
                    "Count what travels",
                ),
                wrong(
                    GRADIENT,
                    "Once around is not enough: chunks are added up in a first lap and handed out in a second.",
                    "Count what travels",
                ),
                wrong(
                    2 * GRADIENT,
                    "That is the limit for very many machines. A lap has one round less than there are machines.",
                    "Count what travels",
                ),
            ],
            otherwise="There are two laps. How many rounds has each, and what is sent in a round?",
            section="Count what travels",
            unit="MB",
            within=0.01,
        ),
        Choice(
            "VGG-16, a fixed batch of 256, a slow network. From some number of machines on, more of them do not help. Why?",
            [
                right(
                    "the message does not shrink when the batch is shared",
                    "Each machine has less to compute and as much to send. In the end a step is the message.",
                ),
                wrong(
                    "in a ring the message grows in proportion to the machines",
                    "What each machine sends stays below twice the gradient, however many there are.",
                    "Count what travels",
                ),
                wrong(
                    "the gradient gets noisier with fewer images on each machine",
                    "The merged gradient is that of the whole batch, and that is the same 256 images.",
                    "Split a batch",
                ),
                wrong(
                    "the convolutions have too many weights to send",
                    f"They send a tenth. {HEAD.parameters / ledger('D').parameters:.0%} of the bytes belong to the "
                    "fully-connected layers, which do next to none of the work.",
                    "Weigh VGG's gradient",
                ),
            ],
        ),
        Choice(
            "The course's small net has few weights. Is it easier to share among fast devices than VGG-16?",
            [
                wrong(
                    "yes: its message is short",
                    "Short, but its work is shorter still. What counts is how much is computed for each byte that is "
                    "sent.",
                    "Go beyond one machine",
                ),
                right(
                    "no: it has less work for each byte that it sends",
                    "On fast devices its eight machines were slower than one. On slow cores the same net was shared well.",
                ),
                wrong(
                    "it makes no difference: latency decides in both",
                    "Latency is what short messages cost. VGG's are long, and bandwidth decides there.",
                    "Predict the time of a message",
                ),
            ],
        ),
    ],
)
