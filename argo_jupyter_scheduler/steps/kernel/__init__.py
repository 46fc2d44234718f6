"""The kernel of a run: in its environment, within its limits, on ports of its own.

- `activation`: the environment variables and the command of a kernel in an activated environment, without conda;
- `limits`: what a compute type limits on this machine;
- `manager`: starts a run's kernel with both, and communicates with it without waiting forever.

Which kernel runs a notebook is decided in `environments.kernels`, since the server refuses what cannot run.
"""
