"""Words of an exercise that may change from section to section, where the answer is a number and no function.

Every alternative asks for the same thought; the checker knows the right answer to each. Exercises that ask for a function need
no entry: their fresh cases, and the questions that ``numbers`` adds, are drawn by the section's seed.
"""

VARIANTS = {
    ("03_trace_receptive_fields", "receptive_field_of"): (
        "conv4_1",
        ("conv3_2", "conv3_3", "conv4_1", "conv4_2", "conv4_3"),
    ),
    ("06_hold_shapes_to_a_contract", "grid_behind"): (
        "8x131072",
        ("8x131072", "8x73728", "16x41472", "4x100352", "2x165888"),
    ),
}
