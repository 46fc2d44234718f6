"""The seams to Jupyter-Scheduler and Jupyter Server.

Contract: besides the two doors and the command line, this is the only room that imports `jupyter_scheduler` or
`jupyter_server`. Each module is one seam: the environment manager (what the dialog offers), the job files manager
(*Download*), the task runner (the server's loop), the checks of requests, the request models, the tables, the translation of
errors into those that handlers show, and the extension with the `handlers` of this package's own routes.

Invariants: modules here are thin. They translate and call; what they decide belongs to `jobs`, `environments` or
`domain`.

New code goes here when Jupyter-Scheduler or Jupyter Server offers a new place to plug in: a model, a manager. A
route of our own goes to `handlers`.
"""
