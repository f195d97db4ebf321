"""``python -m vgg_course`` is the command ``vgg-course``."""

import sys

from vgg_course.cli import main

sys.exit(main())
