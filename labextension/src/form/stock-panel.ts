import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';
import type { Changes } from '../changes';

/** The panel of Jupyter-Scheduler, and the parts of its model that are used. */
export interface IStockPanel extends Widget {
  content: {
    model: {
      stateChanged: ISignal<unknown, unknown>;
      jobsView: number;
      createJobModel: { inputFile: string; jobName: string; outputPath: string };
      updateJobDefinitionModel: { schedule?: string; timezone?: string };
    };
  };
}

/** Return the panel of Jupyter-Scheduler, if it is open and as it is known. */
export function findStockPanel(app: JupyterFrontEnd): IStockPanel | undefined {
  const found = [...app.shell.widgets('main')].find(({ id }) => id === 'notebook-jobs-panel');
  return (found as IStockPanel | undefined)?.content?.model ? (found as IStockPanel) : undefined;
}

/** The pages with the list of jobs and that of job definitions, by the stock frontend's numbers. */
const LISTS = [3, 4];

/** What the stock lists show, as far as it changes. */
const describe = ({ jobs, definitions }: Changes) =>
  [
    ...[...jobs.values()].map((job) => job.job_id + job.status),
    ...[...definitions.values()].map((one) => one.job_definition_id + one.update_time + one.active),
  ].join();

/**
 * Press *Reload* in a stock list whose first page is seen and no longer true: it does not ask by itself.
 * See docs/upstream.md#panel-does-not-reload.
 */
export function reloadLists(app: JupyterFrontEnd, changes: Changes, isWanted: () => boolean): void {
  let described = '';
  let isStale = false;
  changes.changed.connect(() => {
    const panel = findStockPanel(app);
    const now = describe(changes);
    isStale = !!panel && (isStale || now !== described);
    described = now;
    if (!panel || !isStale || !panel.isVisible || document.hidden || !isWanted()) {
      return;
    }
    const hasEarlierPage = panel.node.querySelector('.MuiTablePagination-actions button:enabled:first-child');
    if (!hasEarlierPage && LISTS.includes(panel.content.model.jobsView)) {
      panel.node.querySelector<HTMLElement>('.jp-jobs-Cluster > .MuiButton-containedPrimary')?.click();
      isStale = false;
    }
  });
}
