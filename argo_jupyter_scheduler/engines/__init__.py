"""Where notebooks run.

`base.Engine` is the contract between `jobs` and an engine; `local` and `argo` implement it. `factory` makes those that are
configured.

- Every method blocks, and may be called twice with the same effect as once.
- An engine reports what it observes. Whether a run has done its work is decided by its files, in `jobs`.
- `Engine.owns` says which rows are an engine's own, so that a server with Argo still ends runs that began on this machine.
- Constructors do no network I/O; `start` does, or the first method that needs it.

A new engine is a module or a folder here that implements `base.Engine`, with its settings as a frozen dataclass, and a case in
`factory`.
"""
