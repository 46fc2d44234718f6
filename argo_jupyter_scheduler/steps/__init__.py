"""The steps of a run, one module each, and one command that runs them in order.

``python -m argo_jupyter_scheduler.steps NAME [NAME…] --db-url URL --staging-path PATH --job-id ID``

The same command serves one detached process on this machine, one pod on Argo, and one pod a step. Every step is idempotent: a
retried pod, or a recovery after a finished run, changes nothing.
"""
