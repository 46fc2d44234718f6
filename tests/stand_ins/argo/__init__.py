"""A stand-in for Argo's server and controller: a real HTTP server that runs the submitted templates' commands as processes.

It answers as a real Argo did (the recordings in ``data/argo``), refuses what Argo refuses, and keeps the objects. A pod is a
process with the manifest's environment and nothing of the tests', so a manifest must carry what its command needs.

- ``rules``: what Argo refuses, and how it expands templates
- ``controller``: workflows and their pods
- ``cron``: cron workflows, by a clock that stands still until a test moves it, and Nebari's admission controller
- ``server``: HTTP
"""

from tests.stand_ins.argo.server import ArgoStandIn

__all__ = ["ArgoStandIn"]
