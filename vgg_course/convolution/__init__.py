"""What the layers of VGG compute, forward and backward, in readable form: slow, obvious twins beside fast ones.

The ``_loops`` functions are the specification: one line a sum, one loop an index. Their twins give the same numbers and
are checked against them and against torch. Tensors are ``(B, C, H, W)``; kernels and windows are square.

``f_backward`` takes ``grad``, the gradient of a loss with respect to what ``f`` returned, and the arguments of ``f`` but
for the bias, which no gradient depends on. It returns the gradient with respect to ``x`` or, where there are weights, to
x, weight and bias. No autograd is used.

A window that does not fit whole is left out, so that a side of n pixels becomes

    floor((n + 2 * padding - kernel) / stride) + 1

Like every library for neural networks, "convolution" here slides the kernel as it is. A mathematician turns it by 180
degrees first and calls this one a cross-correlation; :func:`compose` is where the difference shows.
"""

from vgg_course.convolution.convolving import (
    conv2d_im2col,
    conv2d_im2col_backward,
    conv2d_loops,
    conv2d_loops_backward,
    output_size,
)
from vgg_course.convolution.pooling import (
    max_pool2d,
    max_pool2d_loops,
    max_pool2d_loops_backward,
)
from vgg_course.convolution.stacks import (
    compose,
    nearest_pair,
)
from vgg_course.convolution.windowless import (
    cross_entropy_loops,
    cross_entropy_loops_backward,
    linear_loops,
    linear_loops_backward,
    local_response_norm_loops,
    local_response_norm_loops_backward,
    relu,
    relu_backward,
)

__all__ = [
    "compose",
    "conv2d_im2col",
    "conv2d_im2col_backward",
    "conv2d_loops",
    "conv2d_loops_backward",
    "cross_entropy_loops",
    "cross_entropy_loops_backward",
    "linear_loops",
    "linear_loops_backward",
    "local_response_norm_loops",
    "local_response_norm_loops_backward",
    "max_pool2d",
    "max_pool2d_loops",
    "max_pool2d_loops_backward",
    "nearest_pair",
    "output_size",
    "relu",
    "relu_backward",
]
