"""Figures from records. Every function takes records, draws, and returns the ``Axes`` it drew on.

One module a chapter; ask for a figure by its name, ``plots.anatomy(configuration)``.
"""

from vgg_course.plots.attributing import after_randomizing, maps_under_pictures, shares_in_rows, where_it_points
from vgg_course.plots.averaging import error_against_cost, error_by_side, posteriors
from vgg_course.plots.building import differences, module_map
from vgg_course.plots.clinic import costs, decaying, judges, picked_epochs, printed_losses
from vgg_course.plots.convolving import (
    along_a_line,
    left_over,
    maps,
    one_gradient_back,
    one_output_value,
    two_bases,
    view_of_a_stack,
)
from vgg_course.plots.counting import anatomy, bars, shares
from vgg_course.plots.depth import accuracy_against_macs, depth_by_net, depth_differences, fit_and_test
from vgg_course.plots.diagnosing import accuracy_by_scale, answers, companies, deviations
from vgg_course.plots.heads import (
    drawn_by_grids,
    few_labels,
    iou_by_size,
    old_places,
    painted,
    reading_a_ramp,
    reads,
    smallest_by_stride,
    what_and_where,
)
from vgg_course.plots.initializing import both_ways, gain_lines, relative_gradients
from vgg_course.plots.localizing import boxes_on_pictures, error_by_arm, error_parts, overlap_by_shift, shared_area
from vgg_course.plots.looking import by_layer, class_responses, color_filters, feature_maps, footprint, patches
from vgg_course.plots.painting import descents, gallery, judgments, texture_by_depth
from vgg_course.plots.preparing import color_cloud, crop_coverage, likeness_by_layer, pictures, sums_of_filters
from vgg_course.plots.pretraining import by_start, pull_by_layer
from vgg_course.plots.reading import (
    errors_by_configuration,
    fused_errors,
    gains_and_chance,
    gains_over_first,
    headline_errors,
    submission_grid,
)
from vgg_course.plots.repeating import errors_by_training, orderings
from vgg_course.plots.shaping import cause_and_complaint, grids_by_size
from vgg_course.plots.sharing import apart_by_shard, message_times, ring_rounds, speed_ups, step_times
from vgg_course.plots.sliding import row_as_window, score_maps, windows_on_pixels
from vgg_course.plots.style import styled
from vgg_course.plots.successors import (
    costs_of_nets,
    depth_by_arm,
    errors_by_epoch,
    gradient_by_block,
    in_proportion,
    two_recipes,
    work_by_stage,
)
from vgg_course.plots.tracing import growth, influence, overlapping_windows, step
from vgg_course.plots.training import (
    confusion_matrix,
    image_grid,
    learning_curves,
    lengths_of_directions,
    races,
    schedules,
)
from vgg_course.plots.transferring import few_shot_curves, margin_losses, marks_by_row
from vgg_course.plots.vectors import image_map, point_maps, sorted_by_layer

__all__ = [
    "accuracy_against_macs",
    "accuracy_by_scale",
    "after_randomizing",
    "along_a_line",
    "anatomy",
    "answers",
    "apart_by_shard",
    "bars",
    "both_ways",
    "boxes_on_pictures",
    "by_layer",
    "by_start",
    "cause_and_complaint",
    "class_responses",
    "color_cloud",
    "color_filters",
    "companies",
    "confusion_matrix",
    "costs",
    "costs_of_nets",
    "crop_coverage",
    "decaying",
    "depth_by_arm",
    "depth_by_net",
    "depth_differences",
    "descents",
    "deviations",
    "differences",
    "drawn_by_grids",
    "error_against_cost",
    "error_by_arm",
    "error_by_side",
    "error_parts",
    "errors_by_configuration",
    "errors_by_epoch",
    "errors_by_training",
    "feature_maps",
    "few_labels",
    "few_shot_curves",
    "fit_and_test",
    "footprint",
    "fused_errors",
    "gain_lines",
    "gains_and_chance",
    "gains_over_first",
    "gallery",
    "gradient_by_block",
    "grids_by_size",
    "growth",
    "headline_errors",
    "image_grid",
    "image_map",
    "in_proportion",
    "influence",
    "iou_by_size",
    "judges",
    "judgments",
    "learning_curves",
    "left_over",
    "lengths_of_directions",
    "likeness_by_layer",
    "maps",
    "maps_under_pictures",
    "margin_losses",
    "marks_by_row",
    "message_times",
    "module_map",
    "old_places",
    "one_gradient_back",
    "one_output_value",
    "orderings",
    "overlap_by_shift",
    "overlapping_windows",
    "painted",
    "patches",
    "picked_epochs",
    "pictures",
    "point_maps",
    "posteriors",
    "printed_losses",
    "pull_by_layer",
    "races",
    "reading_a_ramp",
    "reads",
    "relative_gradients",
    "ring_rounds",
    "row_as_window",
    "schedules",
    "score_maps",
    "shared_area",
    "shares",
    "shares_in_rows",
    "smallest_by_stride",
    "sorted_by_layer",
    "speed_ups",
    "step",
    "step_times",
    "styled",
    "submission_grid",
    "sums_of_filters",
    "texture_by_depth",
    "two_bases",
    "two_recipes",
    "view_of_a_stack",
    "what_and_where",
    "where_it_points",
    "windows_on_pixels",
    "work_by_stage",
]
