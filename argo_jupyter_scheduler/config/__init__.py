"""The configuration: traits in, frozen dataclasses out.

Each subject has a module with its traits (`pod`, `argo`, `compute`, `environments`, `workflows`, `slack`, `notifications`,
`inputs`). `traits` joins them as `SchedulerTraits`, which `ArgoScheduler` inherits. `settings` turns them into
the dataclasses of the rooms below: `JobSettings`, `EngineSettings`, `EnvironmentSettings`.

- No room below this one sees a trait. The dataclasses belong to the rooms that use them.
- Reading the configuration does no network I/O. A value that is not valid without it is refused here, with the trait's name.
- Environment variables that are defaults of traits are read here, when the trait is read first.

A new trait goes into the module of its subject, its value into a dataclass in `settings`. Its help says the meaning, the unit, one
example, and what an empty value means. Then run ``python docs/make_traits.py``.
"""
