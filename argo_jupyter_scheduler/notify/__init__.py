"""Messages to people when a run ends, or does not begin.

- `slack` reads and checks a job's parameters for Slack, and decides whether a run sends a message.
- `summary` says what happened in a run. It knows no service and no markup.
- `slack_message` writes that summary in Slack's markup; `slack_client` sends it with slack-sdk.
- `targets`, `target_message`, `target_client` and `target_delivery` do the same for named targets, with Apprise.
- `send_once` sends within a time limit, and never twice; `slack_delivery` connects it to that client.

The steps `send-to-slack` and `send-notifications` connect them to one run, and `jobs.late_runs` to one that did not begin. Steps
that only read parameters import `slack` and `targets`, which load quickly.

Another service is one of Apprise's. Only one that needs more than Apprise does gets modules beside these, a marker in the run's
folder for `SendOnce`, and a step in `domain.plan`, so that one service that fails does not cost the other's message.
"""
