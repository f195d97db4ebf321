"""An example of an instructor's own tests. The parameter of a test is the name of the task that it belongs to."""


def test_strides_larger_than_kernels(field_size):
    "Layers that skip pixels."
    assert field_size([(2, 3), (2, 3), (1, 2)]) == 5


def test_no_layer_at_all(field_size):
    "An image without a network."
    assert field_size([]) == 1


def test_no_padding_starts_at_zero(first_pixel):
    "Without padding, the first window begins in the corner."
    assert first_pixel([(3, 1, 0), (2, 2, 0), (5, 3, 0)], 0) == 0
