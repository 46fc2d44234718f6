"""The steps of a run, one module each, and one command that runs them in order.

``python -m argo_jupyter_scheduler.steps NAME [NAME…] --db-url URL --staging-path PATH --job-id ID``

The same command serves one detached process on this machine, one pod on Argo, and one pod a step. CronWorkflows in clusters call it
for years, so its arguments stay. Every step is idempotent: a retried pod, or a recovery after a finished run, changes nothing.

- `create_job_id`, `main`, `rename_files`, `send_to_slack`, `send_notifications`, `success`, `failure`: the steps, in the order
  of `domain.plan`;
- `context`: what every step is given, and how the run ended so far;
- `local_queue`: on this machine, which waiting job runs next;
- `run_log`: copies what is printed to the job's log; `termination`: ends a run from outside;
- `notebook`, `kernel`: the rooms of `main`.

A step is imported when it runs: `failure` must not wait for papermill.
"""
