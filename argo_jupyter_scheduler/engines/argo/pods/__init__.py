"""The shape of a run's pod.

`shape.PodShape` is a pod as data; two shapes are merged, and the later one wins. `shape_sources` makes one from what this server
knows of itself, from its own pod (`own_pod` reads it, `inheritance` decides what leaves it) and from traits.

`validation`, `fields`, `resources`, `quantities` and `names` read what an administrator wrote. They check types and units, and what
neither Kubernetes nor Argo would say clearly, with the trait's name. All other rules are the cluster's, for its own version; the
doctor asks for its verdict. A field that hera's models do not know is passed on.

- No secret leaves this server's pod except as a reference.
- Nothing in a pod may contain ``{{``, which Argo would expand.
- Only `own_pod` does I/O.

A new trait of a pod is a reader in `shape.TRAITS`, and its name in `config.settings.POD_TRAITS`.
"""
