"""Trials of what can go wrong: each asks whether a run is lost, doubled, misreported or stuck.

Real processes and real files; Argo is the stand-in. ``injected`` breaks a process at a chosen point: before or after each statement of
the database, and before each change of a file. `world` has the parts of a trial, `verdicts` judges it. A table is printed at the end
of the test run; ``benchmarks/faults.py`` writes it to docs/reliability.md.

A test run has three trials of each test, which ``FAULT_SEED`` (default 1) chooses with their moments. With ``FAULT_ROUNDS`` all are tried,
that often. ``benchmarks/faults.py`` sets both.
"""
