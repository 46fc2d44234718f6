"""Compute types, and the limits of what users may ask for, as traits."""

from __future__ import annotations

from typing import Any

from traitlets import Dict, HasTraits, List, TraitError, Unicode, default, validate

NAME_LENGTH = 256
"""Characters in the column ``compute_type`` (``jupyter_scheduler.orm.CommonColumns``)."""


class ComputeTraits(HasTraits):
    """Compute types and the limits of a job's options, for `ArgoScheduler`."""

    compute_types = Dict(
        key_trait=Unicode(),
        value_trait=Dict(),
        config=True,
        help="""Named shapes of the pods, offered in the dialog as *Compute type*. Each has names and values of the pod's traits,
        which override those of all runs: `{"small": {"cpu_limit": 1, "mem_limit": "2G"}, "gpu": {"extra_resource_limits":
        {"nvidia.com/gpu": "1"}, "node_selector": {"pool": "gpu"}}}`. Helper pods (see `helper_cpu_guarantee`) have the
        same image and nodes as without a compute type. On this machine, `mem_limit` and `cpu_limit` limit the kernel; the others
        have no effect. Empty: the dialog offers none.""",
    )
    default_compute_type = Unicode(
        config=True,
        help="Compute type of jobs for which none is selected, such as `small`. Default: the first one.",
    )
    allowed_images = List(
        Unicode(),
        config=True,
        help="""Globs of the images that a job may request with its option `image`, such as `["quay.io/jupyter/*"]`. Each image must
        have this package. Empty: jobs cannot request an image.""",
    )

    @default("default_compute_type")
    def _default_default_compute_type(self) -> str:
        return next(iter(self.compute_types), "")

    @validate("compute_types")
    def _names_can_be_kept(self, proposal: Any) -> dict[str, dict[str, Any]]:
        for name in proposal.value:
            if not name.strip() or not name.isprintable() or len(name) > NAME_LENGTH:
                raise TraitError(
                    f"compute_types: {name!r} is not a valid name. Use up to {NAME_LENGTH} printable characters."
                )
        return dict(proposal.value)

    def check_compute_types(self) -> None:
        """Refuse a default that does not exist.

        Raises
        ------
        TraitError
            With the available names.
        """
        if self.default_compute_type and self.default_compute_type not in self.compute_types:
            names = ", ".join(self.compute_types) or "none"
            raise TraitError(
                f"c.ArgoScheduler.default_compute_type is '{self.default_compute_type}', which does not exist. Available: {names}."
            )
