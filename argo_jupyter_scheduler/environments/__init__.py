"""Which environments there are, and which kernel of an environment runs a notebook.

- `catalog` answers which environments the server offers, and what a name means. `jobs` sees it as the protocol `Environments`.
- `sources` find environments: conda-store, conda, folders, kernel specs.
- `locations` knows where environments lie on disk. A step uses it to find the environment of its run.
- `kernels` chooses the kernel. Server and steps both use it: the server refuses what it can see to be impossible, and a step
  reports the rest.
- `settings` is what the configuration says about all of this.

What the server knows about a run's environment travels to the step in ``run.json`` (`domain.run_settings`). Steps import only
`locations` and `kernels`, which load quickly.
"""
