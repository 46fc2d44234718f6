"""The command ``jupyter argo-scheduler``: jobs from a terminal, even while no server is running.

A sub-command is a `SchedulerCommand` (`command`): its traits are its options. It reads the same configuration files as
the server, so it does what the panel does, in the same database and the same staging area.

========================================  ==================================================
`app`                                     the list of sub-commands, and the exit code
`arguments`                               what traitlets cannot parse: ``-p NAME VALUE``
`run`, `run_now`, `rerun`                 start a job, as `start` does; `waiting` and `progress` show its cells
`jobs`, `logs`, `outputs`, `stop`         look at jobs and stop them
`definitions`, `apply`, `export`          list job definitions, make them from files, write them to files
`job_queries`, `tables`, `output_files`   what these share: rows, their text, and files
`manifest`, `completion`                  YAML for Argo; a shell's completion script
`doctor`                                  checks everything that runs need
========================================  ==================================================

Exit codes: 0 for success, 1 for a job or a check that failed, 2 for wrong arguments, 130 after Ctrl+C.
"""
