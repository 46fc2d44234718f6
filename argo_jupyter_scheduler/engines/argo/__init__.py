"""Runs notebooks on Argo Workflows: a Workflow a run, a CronWorkflow a definition.

- `engine` implements the contract; it only connects the others.
- `api` calls Argo's REST API, at the address and with the token of `connection`. Only here HTTP errors are translated.
- `manifests` builds what is sent, from `manifest_settings` and a row. Pure; whole manifests are compared with files in tests/data.
- `cron_workflows` changes live objects in place, with the three-way merge of `live_objects`.
- `observations` says what a list of workflows means for jobs, `phases` what each phase means. Pure.
- `pods` says what a pod looks like.

Names are derived from ids, so a call whose answer was lost can be repeated: what exists already is its own. A manifest holds ids
and paths, never what a user typed, and refers to secrets. Steps never call Argo.

What Argo says goes into `observations`; what is sent, into `manifests`.
"""
