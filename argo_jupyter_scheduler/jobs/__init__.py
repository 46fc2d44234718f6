"""Carries out what a user requests with a button, a command or a request.

Contract: services (`JobService`, `DefinitionService`, `Reconciler`, `Retention`, …) that take settings, a database
and engines, and that a test can make without a server. No traits and no Jupyter: requests arrive as the values of
`requests`. All methods block.

Invariants: nothing is stored before `validation` has accepted it; a create that fails leaves nothing behind; a
definition's row is the truth, and an edit that fails leaves row, files and schedule as they were; an interrupted change
is finished by the reconciler; only the engine that owns a job is asked about it.

New code goes here when it is about a job's life between the API and an engine: a rule about what is refused
(`validation`), something that the server does by itself (`reconciler`, with a pass of its own), a new thing that a user
can do with a job (`service`).
"""
