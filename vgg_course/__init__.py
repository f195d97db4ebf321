"""The helper package of the VGG course: small filters, stacked very deep.

One concept a module, in the field's own words. Start with :mod:`vgg_course.configuration`, which holds Table 1 of the
paper; everything else is a function of it. Importing the package imports nothing heavy: no torch, no matplotlib.
"""

__version__ = "0.1.0"
