"""The notebook of a run: its parameters, its execution, and the formats that it is converted to.

- `parameters`: what the notebook and its kernel's environment variables get of the job's parameters;
- `execute`: executes the notebook with papermill, and reports which cell is being executed;
- `papermill_in_environment`: the same with the papermill of the chosen environment;
- `formats`: the output formats that this installation can make;
- `convert`: makes them;
- `pictures`, `charts`, `widgets`: what nbconvert would leave out, or fail on; `libraries` has the JavaScript of charts.

The executed notebook is written after each cell, so there is something to show whatever happens.
"""
