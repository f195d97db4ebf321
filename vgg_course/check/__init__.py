"""Self-checks for the exercises: one call a task, with a verdict that says what to look at.

``check.conv_parameters(your_function)`` calls your function on fresh cases and compares it with the course's own. A
verdict is *passed*, *not attempted* (the stub is still there) or *wrong*; a wrong one shows the smallest failing case
and, when your answers are those of a mistake that many make, names it. It ends with the section of the book that explains
what was asked. Nothing is sent anywhere.
"""

from vgg_course.check.attributing import grad_cam_map, guided_relu, layer_to_look_at, occlusion_falls, rank_correlation
from vgg_course.check.averaging import answer_from_maps, crop_starts, crops_answer, top_k_error
from vgg_course.check.building import block_forward, conv_block, feature_layers, published_lrn
from vgg_course.check.clinic import augmented_anew, depends_on_company, epoch_loss, reported_accuracy, shrinkage
from vgg_course.check.convolving import (
    composed_kernel,
    convolve,
    convolve_backward,
    output_size,
    pixelwise,
    places_that_agree,
    weights_saved,
)
from vgg_course.check.counting import activation_bytes, conv_macs, conv_parameters, largest_batch, peak_values
from vgg_course.check.depth import difference_interval, pairs_against, seeds_needed, with_5x5
from vgg_course.check.diagnosing import cured, diagnosis
from vgg_course.check.figuring import channels_for, maps_with_pool, melted, times_as_many, widened, widest_start
from vgg_course.check.heads import deepest_stage, dilated_span, jump_and_field, mean_iou, roi_pool
from vgg_course.check.initializing import copied_layers, gain, he_normal, keeping_deviation
from vgg_course.check.localizing import box_in_image, greedy_merge, iou, localization_error, per_class_loss
from vgg_course.check.looking import patch_box, selectivity, sparsity, top_cells
from vgg_course.check.painting import best_guess, forgets_places, gram_matrix, total_variation
from vgg_course.check.preparing import for_caffe, pca_color, prepare_for_training, random_crops, rescaled_size
from vgg_course.check.reading import claim_grade, controlled_pairs, fused_classes, headline_error, paired_error
from vgg_course.check.repeating import batch_jitter, paired_interval, verdict_on_ordering, within_budget
from vgg_course.check.sections import SECTIONS, explained
from vgg_course.check.shaping import first_broken, flat_features, grid_after, grid_behind, image_sides_for
from vgg_course.check.sharing import efficiency, merged_gradient, ring_megabytes, speed_up
from vgg_course.check.sliding import as_convolution, crop_of_cell, dense_macs, score_map_size
from vgg_course.check.successors import (
    bottleneck_weights,
    net_within,
    pooled_logits,
    residual_block,
    separable_share,
)
from vgg_course.check.tracing import convolutions_needed, field_size, first_pixel, receptive_field_of
from vgg_course.check.training import channel_statistics, evaluated_accuracy, live_run, random_flip
from vgg_course.check.transferring import hinge_loss, part_rate, ready_for_head, two_view_vectors
from vgg_course.check.vectors import cosines, nearest_accuracy, pooled_vectors, principal_coordinates
from vgg_course.check.verdict import Verdict

__all__ = [
    "Verdict",
    "activation_bytes",
    "answer_from_maps",
    "as_convolution",
    "augmented_anew",
    "batch_jitter",
    "best_guess",
    "block_forward",
    "bottleneck_weights",
    "box_in_image",
    "channel_statistics",
    "channels_for",
    "claim_grade",
    "composed_kernel",
    "controlled_pairs",
    "conv_block",
    "conv_macs",
    "conv_parameters",
    "convolutions_needed",
    "convolve",
    "convolve_backward",
    "copied_layers",
    "cosines",
    "crop_of_cell",
    "crop_starts",
    "crops_answer",
    "cured",
    "deepest_stage",
    "dense_macs",
    "depends_on_company",
    "diagnosis",
    "difference_interval",
    "dilated_span",
    "efficiency",
    "epoch_loss",
    "evaluated_accuracy",
    "feature_layers",
    "field_size",
    "first_broken",
    "first_pixel",
    "flat_features",
    "for_caffe",
    "forgets_places",
    "fused_classes",
    "gain",
    "grad_cam_map",
    "gram_matrix",
    "greedy_merge",
    "grid_after",
    "grid_behind",
    "guided_relu",
    "he_normal",
    "headline_error",
    "hinge_loss",
    "image_sides_for",
    "iou",
    "jump_and_field",
    "keeping_deviation",
    "largest_batch",
    "layer_to_look_at",
    "live_run",
    "localization_error",
    "maps_with_pool",
    "mean_iou",
    "melted",
    "merged_gradient",
    "nearest_accuracy",
    "net_within",
    "occlusion_falls",
    "output_size",
    "paired_error",
    "paired_interval",
    "pairs_against",
    "part_rate",
    "patch_box",
    "pca_color",
    "peak_values",
    "per_class_loss",
    "pixelwise",
    "places_that_agree",
    "pooled_logits",
    "pooled_vectors",
    "prepare_for_training",
    "principal_coordinates",
    "published_lrn",
    "random_crops",
    "random_flip",
    "rank_correlation",
    "ready_for_head",
    "receptive_field_of",
    "reported_accuracy",
    "rescaled_size",
    "residual_block",
    "ring_megabytes",
    "roi_pool",
    "score_map_size",
    "seeds_needed",
    "selectivity",
    "separable_share",
    "shrinkage",
    "sparsity",
    "speed_up",
    "times_as_many",
    "top_cells",
    "top_k_error",
    "total_variation",
    "two_view_vectors",
    "verdict_on_ordering",
    "weights_saved",
    "widened",
    "widest_start",
    "with_5x5",
    "within_budget",
]

for _name in SECTIONS:
    globals()[_name] = explained(_name, globals()[_name])
