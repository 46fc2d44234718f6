"""What a job brings along, as traits."""

from __future__ import annotations

from traitlets import Enum, Float, HasTraits, Integer, List, Unicode

EXCLUDED = (".git", ".ipynb_checkpoints", ".venv", "__pycache__", "node_modules")


class InputTraits(HasTraits):
    """Inputs of jobs, for `ArgoScheduler`."""

    unknown_parameters = Enum(
        ("refuse", "accept"),
        default_value="refuse",
        config=True,
        help="""What happens to a job with a parameter that the notebook's cell tagged `parameters` does not have, where that
        cell has one of almost the same name: `refuse`, or `accept`.""",
    )
    missing_kernel = Enum(
        ("warn", "refuse"),
        default_value="warn",
        config=True,
        help="""What happens to a job whose notebook names a kernel that the environment does not have, where another one of the
        same language can execute it: `warn` in the run's log, or `refuse` the job. The kernels that JupyterLab's own environment
        has in Argo's pods are not known to this server, so such a job only gets the warning.""",
    )
    input_folder_exclude = List(
        Unicode(),
        list(EXCLUDED),
        config=True,
        help="""Patterns of files and folders that *Run job with input folder* leaves out, by their name or their path within
        the folder, such as `["*.tmp", "data/raw"]`. A file `.jupyterscheduleignore` in the folder adds patterns, one a line.
        The staging area and the folder of downloads (`output_directory`) are always left out.""",
    )
    input_folder_max_files = Integer(
        50_000,
        min=0,
        config=True,
        help="How many files an input folder may have. A job with more is refused. 0: any number.",
    )
    input_folder_max_megabytes = Float(
        10_000.0,
        min=0,
        config=True,
        help="How many megabytes (10⁶ bytes) an input folder may have. A job with more is refused. 0: any number.",
    )
