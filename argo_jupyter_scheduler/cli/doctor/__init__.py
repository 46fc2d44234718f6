"""``jupyter argo-scheduler doctor``: checks everything that runs need, and says what to do about what is missing.

A check returns a `Finding`: *ok*, *warning* (it may be wrong, or is not known) or *problem* (runs will not work), what was found,
and what to do. Without ``--run`` nothing is changed, here or in Argo, and nothing is left behind.

=================  ==================================================================================
`finding`          a finding, as a line for people and as JSON for programs
`examination`      the order of the checks, and what follows from one for the next
`configuration`    files, traits, and whether JupyterLab uses this package
`argo`             the server, the token and its rights, the pods and their image
`storage`          the staging area and the database, here and in the pods
`schedules`        job definitions that never run, and why
`retention`        the room that jobs take, and what is left of jobs of which another part is gone
`formats`          output formats that cannot be made, and why
`trial`            ``--run``: a tiny notebook, a stop and a job definition, all deleted again
`command`          the sub-command itself
=================  ==================================================================================

A new check goes where its subject is. It must not change anything, must answer within seconds, and must say what to do.
"""
