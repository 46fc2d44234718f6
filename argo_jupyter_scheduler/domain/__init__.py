"""The model of a job: the words that every other room shares.

Contract: plain values and pure functions. Nothing here opens a file, a connection or a process, and nothing imports
another room, so that everything else may import this one and a step's process pays milliseconds for it.

Invariants: ids and names are derived (`identity`), never looked up; an end status is final (`status`); `run_settings`
is the wire format between a server and its pods, which may have different versions; every sentence that a row, the
dialog or a log can show is in `messages`, and every error is in the tree of `errors`.

New code goes here when two rooms need it and it decides something without doing anything: a new option (`options`), a
new status message (`messages`), a new form of schedule (`schedules`), a new step's name and place (`plan`).
"""
