import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { findStockPanel } from './stock-panel';

/** What the stock form allows in the name of a job. */
const MAX_NAME = 63;

/** Return a name for the jobs of a notebook, in the characters that the stock form allows. */
export function nameJob(path: string): string {
  const name = PathExt.basename(path, PathExt.extname(path));
  return name
    .replace(/[^\w. -]/g, '_')
    .replace(/^[ -]/, '_')
    .slice(0, MAX_NAME);
}

/**
 * Fill in the notebook whose calendar icon was pressed. The stock command takes the file that is selected in the file browser:
 * another one, or none, if the notebook was opened in any other way than by a click there. See docs/upstream.md#other-notebook.
 */
export function scheduleOwnNotebook(app: JupyterFrontEnd, notebooks: INotebookTracker): void {
  app.commands.commandExecuted.connect((_, { id }) => {
    const opened = notebooks.currentWidget?.context.path;
    const model = id === 'scheduling:create-from-notebook' && findStockPanel(app)?.content.model;
    if (!model || !opened) {
      return;
    }
    const { contents } = app.serviceManager;
    const path = contents.driveName(opened) === 'RTC' ? contents.localPath(opened) : opened;
    if (model.createJobModel.inputFile !== path) {
      const folder = PathExt.dirname(path);
      model.createJobModel = {
        ...model.createJobModel,
        inputFile: path,
        jobName: nameJob(path),
        outputPath: folder && `${folder}/`,
      };
    }
  });
}
