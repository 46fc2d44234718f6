"""The sources of environments, one module each.

A source is a function or a method that takes no arguments, may block, and returns `source.Found`: environments, and what is wrong
with the answer if something is. It raises `EnvironmentsUnknown` when it has no answer. `source.Source` asks it in the background
and keeps its last answer.

To add a source, write a module here and name it in `catalog.make_sources`. The order there decides which of two environments
of one name keeps the name.
"""
