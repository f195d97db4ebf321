"""Shapes as contracts: trace what a model does to them, say why a layer refuses, hold a model to its configuration.

Three questions, for any ``nn.Module``:

* :func:`trace`: which shape goes into each layer, and which comes out?
* :class:`ShapeError`: when a layer refuses what reaches it, which layer, what came in, what did it want, what helps?
* :func:`broken_promises`: a configuration promises the layers, their order, the shape behind each and its parameters.
  Where does a model break the promise *first*? That is rarely where something complains.

Shapes are known without computing a value. Handed a shape instead of images, all of this runs on torch's ``meta``
device, where tensors have shapes and no values: a VGG-16 takes milliseconds and no memory.

What forward hooks cannot see is what no module does: ``F.max_pool2d`` or ``x.view`` inside a ``forward``. Where the shape
changed between two modules, the trace has a row that says so. Shapes include the batch, ``(B, C, H, W)``, unless they
are a configuration's.
"""

from vgg_course.shapes.contract import Broken, BrokenPromises, Grid, broken_promises
from vgg_course.shapes.tracing import UNSEEN, ShapeError, Step, Trace, trace

__all__ = ["UNSEEN", "Broken", "BrokenPromises", "Grid", "ShapeError", "Step", "Trace", "broken_promises", "trace"]
