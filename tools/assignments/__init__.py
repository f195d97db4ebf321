"""Assignments from chapters: ``python -m tools.assignments make COURSE.toml FOLDER``."""
