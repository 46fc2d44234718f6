"""Messages to people when a run ends.

- `slack` reads and checks a job's parameters for Slack, and decides whether a run sends a message.
- `summary` says what happened in a run. It knows no service and no markup.
- `slack_message` writes that summary in Slack's markup; `slack_client` sends it with slack-sdk.
- `send_once` sends within a time limit, and never twice.

The step `send-to-slack` connects them to one run. Steps that only read parameters import `slack`, which loads quickly.

A second notifier gets three modules beside these: its parameters, its message made from `summary.RunSummary`, and its client. It
needs its own marker in the run's folder for `SendOnce`, and its own step in `domain.plan`, so that one service that fails does not
cost the other's message.
"""
