"""The two ways to say which run. Both are whole numbers from 0, and equal in the file of a whole
sweep, so that mixing them goes unnoticed until a shard is read: they are types of their own."""

from typing import NewType

Row = NewType("Row", int)
"""Place of a run in a file, or among the runs of a part of an experiment: 0 to R - 1."""

Number = NewType("Number", int)
"""Number of a run in its experiment, which the file of a shard keeps: what users give and see."""
