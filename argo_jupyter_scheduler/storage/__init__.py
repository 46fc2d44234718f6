"""Rows and files: everything that outlives a process.

Contract: `database` has every query and every change of a job's status; `schema` has the columns and the rows as typed
values; `folders` has the staging folder of a run or a definition; `output_names` the names that the panel downloads.

Invariants: each status change is one guarded statement (`UPDATE … WHERE job_id = ? AND status IN (…)`), so that steps,
exit handler, reconciler and a user's *Stop* may all write, in any order, twice; an end status is never overwritten.
Files appear whole (`atomic`). Each run has a folder of its own. No ORM: a step's process must not pay for it.

New code goes here when it is a query, a transition, a column or a kind of file.
"""
