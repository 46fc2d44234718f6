"""What of volumes Kubernetes would refuse, as `checks` has it for all else.

The rules are those of Kubernetes' own validation (``pkg/apis/core/validation``, ``validateVolumeSource``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from hera.workflows.models import Volume

from argo_jupyter_scheduler.engines.argo.pods import quantities
from argo_jupyter_scheduler.engines.argo.pods.fields import (
    absolute_path,
    config_key,
    dns_label,
    models,
    name,
    needed,
    one_of,
    unique,
    whole,
)

_NEEDED = {
    "awsElasticBlockStore": ("volumeID",),
    "azureDisk": ("diskName", "diskURI"),
    "azureFile": ("secretName", "shareName"),
    "cephfs": ("monitors",),
    "cinder": ("volumeID",),
    "csi": ("driver",),
    "ephemeral": ("volumeClaimTemplate",),
    "flexVolume": ("driver",),
    "gcePersistentDisk": ("pdName",),
    "gitRepo": ("repository",),
    "glusterfs": ("endpoints", "path"),
    "hostPath": ("path",),
    "iscsi": ("targetPortal", "iqn"),
    "nfs": ("server", "path"),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "quobyte": ("registry", "volume"),
    "rbd": ("monitors", "image"),
    "scaleIO": ("gateway", "system", "volumeName"),
    "storageos": ("volumeName",),
    "vsphereVolume": ("volumePath",),
}
"""Fields that must not be empty."""

_HOST_PATHS = (
    *("", "DirectoryOrCreate", "Directory", "FileOrCreate", "File"),
    *("Socket", "CharDevice", "BlockDevice"),
)
_POD_FIELD = re.compile(
    r"metadata\.(name|namespace|uid|labels|annotations)|metadata\.(labels|annotations)\['.+'\]"
)
_AMOUNT = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)")


def volumes(value: Any) -> list[dict[str, Any]]:
    """Return volumes."""

    def check(one: dict[str, Any]) -> None:
        dns_label(one["name"])
        sources = sorted(one.keys() - {"name"})
        if len(sources) != 1:
            has = " and ".join(sources) or "none"
            raise ValueError(
                f"volume '{one['name']}' needs one source, such as persistentVolumeClaim; it has {has}"
            )
        [kind] = sources
        source = one[kind]
        needed(source, *_NEEDED.get(kind, ()))
        for field, highest in (("lun", 255), ("partition", 255), ("defaultMode", 0o777)):
            whole(source.get(field, 0), 0, highest)
        for field in ("secretRef", "nodePublishSecretRef"):
            if field in source:
                name(source[field].get("name"))
        _CHECKS.get(kind, lambda _: None)(source)

    return unique(models(Volume, value, check), "name")


def _host_path(source: Mapping[str, Any]) -> None:
    one_of(source.get("type", ""), *_HOST_PATHS)
    if ".." in source["path"].split("/"):
        raise ValueError("the path of a hostPath must not have '..'")


def _empty_dir(source: Mapping[str, Any]) -> None:
    if source.get("sizeLimit"):
        quantities.other(source["sizeLimit"])


def _files(source: Mapping[str, Any]) -> None:
    """Check which keys of a Secret or ConfigMap are which files."""
    for one in source.get("items") or []:
        config_key(one["key"])
        _file(one)


def _file(one: Mapping[str, Any]) -> None:
    path = one["path"]
    if not path or path.startswith(("/", "..")) or ".." in path.split("/"):
        raise ValueError(f"'{path}' must be a path within the volume")
    whole(one.get("mode", 0), 0, 0o777)


def _secret(source: Mapping[str, Any]) -> None:
    name(source.get("secretName"))
    _files(source)


def _named_files(source: Mapping[str, Any]) -> None:
    name(source.get("name"))
    _files(source)


def _downward(source: Mapping[str, Any]) -> None:
    for one in source.get("items") or []:
        _file(one)
        if len(one.keys() & {"fieldRef", "resourceFieldRef"}) != 1:
            raise ValueError(f"'{one['path']}' needs either fieldRef or resourceFieldRef")
        field, amount = one.get("fieldRef"), one.get("resourceFieldRef")
        if field and not _POD_FIELD.fullmatch(field["fieldPath"]):
            raise ValueError(f"'{field['fieldPath']}' is no field that a volume can have")
        if amount:
            needed(amount, "containerName")
            if not _AMOUNT.fullmatch(amount["resource"]):
                raise ValueError(f"'{amount['resource']}' is no amount such as limits.cpu")


def _token(source: Mapping[str, Any]) -> None:
    _file(source)
    whole(source.get("expirationSeconds", 3600), 600, 2**32)


def _projected(source: Mapping[str, Any]) -> None:
    for one in source.get("sources") or []:
        for kind, content in one.items():
            _PROJECTED.get(kind, lambda _: None)(content)
        if len(one) > 1:
            raise ValueError(f"a projected source is one thing only, not {' and '.join(sorted(one))}")


def _ephemeral(source: Mapping[str, Any]) -> None:
    spec = source["volumeClaimTemplate"]["spec"]
    needed(spec, "accessModes", "resources")
    for mode in spec["accessModes"]:
        one_of(mode, "ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
    if "ReadWriteOncePod" in spec["accessModes"] and len(spec["accessModes"]) > 1:
        raise ValueError("ReadWriteOncePod is the only access mode where it is one")
    storage = (spec["resources"].get("requests") or {}).get("storage", "0")
    if not quantities.amount(quantities.other(storage)):
        raise ValueError("a claim needs an amount in resources.requests.storage, more than 0")
    if spec.get("storageClassName"):
        name(spec["storageClassName"])
    one_of(spec.get("volumeMode", "Filesystem"), "Filesystem", "Block")


def _iscsi(source: Mapping[str, Any]) -> None:
    if not source["iqn"].startswith(("iqn.", "eui.", "naa.")):
        raise ValueError(f"'{source['iqn']}' must begin with iqn., eui. or naa.")


def _fc(source: Mapping[str, Any]) -> None:
    if bool(source.get("targetWWNs")) == bool(source.get("wwids")):
        raise ValueError("fc needs either targetWWNs or wwids")
    if source.get("targetWWNs") and "lun" not in source:
        raise ValueError("fc with targetWWNs needs a lun")


_CHECKS: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "configMap": _named_files,
    "csi": lambda source: name(source["driver"]),
    "downwardAPI": _downward,
    "emptyDir": _empty_dir,
    "ephemeral": _ephemeral,
    "fc": _fc,
    "hostPath": _host_path,
    "iscsi": _iscsi,
    "nfs": lambda source: absolute_path(source["path"]),
    "persistentVolumeClaim": lambda source: name(source["claimName"]),
    "projected": _projected,
    "secret": _secret,
}
_PROJECTED: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "configMap": _named_files,
    "downwardAPI": _downward,
    "secret": _named_files,
    "serviceAccountToken": _token,
}
