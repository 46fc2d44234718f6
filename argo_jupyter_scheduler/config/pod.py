"""The shape of runs' pods, as traits with KubeSpawner's names, units and templates."""

from __future__ import annotations

import sys
from typing import Any

from traitlets import Bool, Callable, Dict, Enum, Float, HasTraits, Integer, List, Unicode, Union, default

from argo_jupyter_scheduler.engines.argo.settings import Switch


def _cores(help: str, default: float | None = None) -> Any:  # noqa: A002 (traitlets' name)
    return Union([Float(), Unicode()], default_value=default, allow_none=True, config=True, help=help)


def _memory(help: str, default: str | None = None) -> Any:  # noqa: A002
    return Union([Integer(), Unicode()], default_value=default, allow_none=True, config=True, help=help)


def _number(help: str) -> Any:  # noqa: A002
    return Integer(None, allow_none=True, config=True, help=help)


def _things(help: str) -> Any:  # noqa: A002
    """Return a trait for a list of mappings, or a mapping of them, which is taken in the order of its keys."""
    return Union([List(Dict()), Dict()], default_value=[], config=True, help=help)


class _Switch(Enum[Switch]):
    """``auto``, ``on`` or ``off``; also True and False, which is what YAML makes of an unquoted ``on`` and ``off``."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(("auto", "on", "off"), default_value="auto", config=True, **keywords)

    def validate(self, obj: Any, value: Any) -> Switch:
        if isinstance(value, bool):
            value = "on" if value else "off"
        valid: Switch = super().validate(obj, value)
        return valid


class PodTraits(HasTraits):
    """The shape of runs' pods, for `ArgoScheduler`.

    Types and names of fields are checked when the server starts; Kubernetes checks the rest. `jupyter argo-scheduler doctor` asks
    the cluster whether it would accept the pods.

    Texts in `environment`, `working_dir`, `volumes`, `volume_mounts`, `init_containers`, `service_account`,
    `executor_service_account`, `extra_labels`, `extra_annotations` and `extra_pod_config` are KubeSpawner's templates. They may
    name `{username}`, `{user_server}`, `{servername}`, `{unescaped_username}`, `{namespace}`, `{pod_name}` and so on. Only the
    hub knows `{pvc_name}`, `{hubnamespace}` and `{userid}`, so these are not available. Write a literal brace twice.
    """

    inherit_pod = _Switch(
        help="""Whether runs inherit the shape of this server's own pod. The server reads its pod from Kubernetes when it starts.
        Inherited are image, environment, volumes, resources, node selector, tolerations, affinity, security contexts and init
        containers. Variables that look like secrets, by their name or value, are left out. `auto`: yes if the pod has a service
        account, but not on Nebari, whose admission controller does the same. The service account needs the right to get `pods`,
        and should have the right to get `persistentvolumeclaims`. All other traits override inherited values.""",
    )
    inherit_service_account = Bool(
        False,
        config=True,
        help="""Whether runs also inherit the service account of this server's pod. The account then needs the right to create and
        patch `workflowtaskresults`, which Argo requires of all pods.""",
    )
    nebari = _Switch(
        help="""Whether Nebari's admission controller gives the pods their shape. Then only the traits that are configured here
        are sent. `auto`: yes if the environment variables CONDA_STORE_SERVICE and CONDA_STORE_SERVICE_NAMESPACE are set, as
        only Nebari does.""",
    )
    slug_scheme = Enum(
        ("safe", "escape"),
        default_value="safe",
        config=True,
        help="""Form of `{username}` and `{servername}` in templates, as in KubeSpawner. Use `escape` for a hub with KubeSpawner
        6 or earlier, or with the same setting; otherwise `safe`.""",
    )
    image = Unicode(
        config=True,
        help="""Image of the pods, such as `quay.io/jupyter/scipy-notebook:2025-10-20`. It must have this package. Empty: the
        image of this server's pod, else of the environment variables JUPYTER_IMAGE or JUPYTER_IMAGE_SPEC.""",
    )
    image_pull_policy = Enum(
        ("", "Always", "IfNotPresent", "Never"),
        default_value="",
        config=True,
        help="When the image is pulled: `Always`, `IfNotPresent` or `Never`. Empty: as this server's, else Kubernetes' default.",
    )
    image_pull_secrets = List(
        Union([Unicode(), Dict()]),
        config=True,
        help="""Secrets with which the image is pulled, by name or as `{"name": …}`, such as `["registry"]`. Empty: those of this
        server's pod.""",
    )
    cpu_guarantee = _cores(
        """Cores that a run is guaranteed, such as `0.5`. None: as many as this server's pod; 0: none."""
    )
    cpu_limit = _cores(
        """Cores that a run may not exceed, such as `2`. None: as many as this server's pod; 0: no limit."""
    )
    mem_guarantee = _memory(
        """Memory that a run is guaranteed, such as `"2G"`: bytes, or a number with the suffix K, M, G or T (powers of 1024).
        Kubernetes' `"2Gi"` is accepted too. None: as much as this server's pod; 0: none."""
    )
    mem_limit = _memory(
        """Memory limit above which a run is killed, such as `"4G"`, in the form of `mem_guarantee`. None: as much as this
        server's pod; 0: no limit."""
    )
    extra_resource_guarantees = Dict(
        config=True,
        help="""Other resources that a run is guaranteed, such as `{"ephemeral-storage": "10Gi"}`. Resources that are missing here
        and in `extra_resource_limits` are as in this server's pod. 0: none.""",
    )
    extra_resource_limits = Dict(
        config=True,
        help="""Other resources that a run may not exceed. Request GPUs here: `{"nvidia.com/gpu": 1}`.""",
    )
    helper_cpu_guarantee = _cores(
        """Cores that a helper pod is guaranteed, instead of the resources above. Helper pods are the exit handler, and with
        `pod_per_step` each step but `main`; they copy files and write rows. 0: none.""",
        0.1,
    )
    helper_cpu_limit = _cores(
        "Cores that a helper pod may not exceed. 0: no limit.",
        1.0,
    )
    helper_mem_guarantee = _memory(
        "Memory that a helper pod is guaranteed, in the form of `mem_guarantee`. 0: none.",
        "128M",
    )
    helper_mem_limit = _memory(
        "Memory limit above which a helper pod is killed, in the form of `mem_limit`. 0: no limit.",
        "1G",
    )
    environment = Dict(
        key_trait=Unicode(),
        value_trait=Union([Unicode(), Dict()]),
        config=True,
        help="""Environment variables of the pods, such as `{"HOME": "/home/{username}"}`, in addition to those of this server's
        pod. Do not write secrets here: anyone who may list workflows can read a manifest. Refer to a Secret as in Kubernetes:
        `{"KEY": {"valueFrom": {"secretKeyRef": {"name": "my-secret", "key": "key"}}}}`.""",
    )
    env_keep = List(
        Unicode(),
        config=True,
        help="""Names of this server's environment variables to pass to the pods, such as `["LANG", "TZ"]`. The values are
        read when the server starts. Unset variables are left out. Secrets are refused. Empty: none.""",
    )
    working_dir = Unicode(
        config=True,
        help="""Working folder of the pods, such as `/home/{username}`; notebooks run in a folder of their own. Empty: that of
        this server's pod, else this server's.""",
    )
    volumes = _things(
        """Volumes of the pods, as in a pod's specification in Kubernetes, such as
        `[{"name": "home", "persistentVolumeClaim": {"claimName": "claim-{username}"}}]`, or a mapping of such. The staging area
        and the database must be on one of them. Empty: those of this server's pod."""
    )
    volume_mounts = _things(
        """Where the volumes are mounted, as in a container in Kubernetes, such as `[{"name": "home", "mountPath":
        "/home/jovyan"}]`, or a mapping of such. The paths must be the same as on the server. Empty: as in this server's pod."""
    )
    init_containers = _things(
        """Containers that run before the one of each pod, as in Kubernetes, such as
        `[{"name": "prepare", "image": "busybox", "command": ["sleep", "5"]}]`, or a mapping of such. Empty: those of this
        server's pod."""
    )
    service_account = Unicode(
        config=True,
        help="""Kubernetes service account that runs the pods, such as `argo-workflow`. Empty: the one in Argo's configuration; see
        also `inherit_service_account`.""",
    )
    executor_service_account = Unicode(
        config=True,
        help="""Kubernetes service account of Argo's own containers in the pods, such as `argo-executor`. The notebook's
        container then does not have a Kubernetes token.
        Argo reads the account's token from the Secret `argo-executor.service-account-token`.
        Empty: all containers have the token of `service_account`.""",
    )
    priority_class_name = Unicode(
        config=True,
        help="""Priority class of the pods, such as `batch`. Empty: the cluster's default.""",
    )
    node_selector = Dict(
        config=True,
        help="""Labels that a node must have, such as `{"pool": "jobs"}`, in addition to those that this server's pod requires.
        Empty: no others.""",
    )
    tolerations = _things(
        """Tolerations for taints of nodes, as in Kubernetes, in addition to those of this server's pod, such as
        `[{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]`, or a mapping of such. Empty: no others."""
    )
    node_affinity_required = _things(
        """Kubernetes' NodeSelectorTerms, of which a node must meet one, such as `[{"matchExpressions": [{"key":
        "topology.kubernetes.io/zone", "operator": "In", "values": ["a", "b"]}]}]`. Empty: as this server's pod."""
    )
    node_affinity_preferred = _things(
        """Kubernetes' PreferredSchedulingTerms, such as `[{"weight": 100, "preference": {"matchExpressions": [{"key":
        "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}]}}]`. Empty: as this server's pod."""
    )
    pod_affinity_required = _things(
        """Kubernetes' PodAffinityTerms, all of which must be met. Empty: as this server's pod. If only one node can mount a
        volume (ReadWriteOnce), runs then also go to the node of this server and its other runs."""
    )
    pod_affinity_preferred = _things("Kubernetes' WeightedPodAffinityTerms. Empty: as this server's pod.")
    pod_anti_affinity_required = _things(
        "Kubernetes' PodAffinityTerms, none of which may be met. Empty: as this server's pod."
    )
    pod_anti_affinity_preferred = _things(
        "Kubernetes' WeightedPodAffinityTerms, for pods to keep away from. Empty: as this server's pod."
    )
    uid = _number(
        """Number (uid) of the user that runs the notebook, such as `1000`. None: as this server, else the image's."""
    )
    gid = _number(
        """Number (gid) of the user's group, such as `100`. None: as this server, else the image's."""
    )
    fs_gid = _number(
        """Number (gid) of the group that owns the volumes, such as `100`. None: as in this server's pod."""
    )
    supplemental_gids = List(
        Integer(),
        config=True,
        help="Numbers (gids) of the user's other groups, such as `[2000]`. Empty: as in this server's pod.",
    )
    container_security_context = Dict(
        config=True,
        help="""Security context of the container, with Kubernetes' names, such as `{"allowPrivilegeEscalation": False}`. Overrides
        `uid` and `gid`. Empty: as in this server's pod.""",
    )
    pod_security_context = Dict(
        config=True,
        help="""Security context of the pod, with Kubernetes' names, such as `{"fsGroupChangePolicy": "OnRootMismatch"}`.
        Overrides `fs_gid` and `supplemental_gids`. Empty: as this server's pod.""",
    )
    extra_labels = Dict(
        config=True,
        help="""Labels of the pods and of Argo's objects, such as `{"team": "blue"}`. Empty: only those of this package.""",
    )
    extra_annotations = Dict(
        config=True,
        help="""Annotations of the pods, such as `{"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}`. Empty: none.""",
    )
    extra_container_config = Dict(
        config=True,
        help="""Other fields of the container, with Kubernetes' or Python's names, such as
        `{"envFrom": [{"secretRef": {"name": "my-secret"}}]}`. Empty: none.""",
    )
    extra_pod_config = Dict(
        config=True,
        help="""Other fields of the pod's specification, with Kubernetes' or Python's names, such as
        `{"runtimeClassName": "nvidia"}`. Empty: none.""",
    )
    modify_pod_hook = Callable(
        None,
        allow_none=True,
        config=True,
        help="""Function that gets the scheduler and the pod, and returns the pod for runs. The pod is a Kubernetes Pod as a
        dict, with a container called `main`. The function is called once, when the server starts. None: no change.""",
    )
    python_executable = Unicode(
        config=True,
        help="""Path of a Python in the pods that has this package. Empty: the path of the server's Python, which is right for the
        server's image.""",
    )

    @default("python_executable")
    def _default_python_executable(self) -> str:
        return sys.executable
