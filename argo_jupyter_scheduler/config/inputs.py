"""Traits for the inputs of jobs."""

from __future__ import annotations

from traitlets import Enum, Float, HasTraits, Integer, List, Unicode

EXCLUDED = (".git", ".ipynb_checkpoints", ".venv", "__pycache__", "node_modules")


class InputTraits(HasTraits):
    """Inputs of jobs, for `ArgoScheduler`."""

    unknown_parameters = Enum(
        ("refuse", "accept"),
        default_value="refuse",
        config=True,
        help="""How to treat a parameter that is missing in the notebook's cell tagged `parameters` but resembles a name there.
        `refuse` refuses the job, `accept` runs it.""",
    )
    missing_kernel = Enum(
        ("warn", "refuse"),
        default_value="warn",
        config=True,
        help="""How to treat a notebook whose kernel the environment lacks, if another kernel of the same language can run it.
        `warn` writes a warning into the run's log, `refuse` refuses the job. On Argo, this server cannot see the kernels that
        its own environment has in the pods, so such a job only gets the warning.""",
    )
    input_folder_exclude = List(
        Unicode(),
        list(EXCLUDED),
        config=True,
        help="""Patterns of files and folders that *Run job with input folder* leaves out, such as `["*.tmp", "data/raw"]`. They
        match the name, or the path within the folder. A file `.jupyterscheduleignore` in the folder adds patterns, one on each
        line. The staging area and the folder of downloads (`output_directory`) are always left out.""",
    )
    input_folder_max_files = Integer(
        50_000,
        min=0,
        config=True,
        help="Maximum number of files in an input folder. A job with more is refused. 0: no limit.",
    )
    input_folder_max_megabytes = Float(
        10_000.0,
        min=0,
        config=True,
        help="Maximum size of an input folder in megabytes (10⁶ bytes). A job with more is refused. 0: no limit.",
    )
