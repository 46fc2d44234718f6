import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { IMainMenu } from '@jupyterlab/mainmenu';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar, TextItem } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';
import type { IJob } from '../api';
import { pageChanges as changes } from '../changes';
import type { IServices } from '../form/services';
import { Actions, startedJobs } from './actions';
import { calendarIcon } from './icons';
import { MonitorPanel } from './panel';
import { useChanges } from './parts';

const ID = 'argo-jupyter-scheduler:plugin';
const PANEL_ID = 'argo-job-monitor';
const SHOW = 'argo-jupyter-scheduler:show-monitor';
const TOAST_MS = 20_000;
/** When more jobs end at once, there is one message for all. */
const MAX_TOASTS = 3;
const RANK = 500;

/** Tell that a job has ended, and offer what the user wants to see then. */
function notify({ trans, actions }: IServices, job: IJob): void {
  const { job_id: id, name, status } = job;
  const isolated = `\u2068${name}\u2069`; // it may be written from right to left
  const open = () => {
    actions.openOutput(id).catch((error: Error) => Notification.error(error.message));
  };
  if (status === 'COMPLETED') {
    const action = { label: trans.__('Open output'), callback: open };
    Notification.success(trans.__('%1 has completed.', isolated), { autoClose: TOAST_MS, actions: [action] });
  } else {
    const action = { label: trans.__('Show reason'), callback: () => actions.showJob(id) };
    Notification.error(trans.__('%1 has failed.', isolated), { autoClose: TOAST_MS, actions: [action] });
  }
}

/** Tell that many jobs have ended at once. */
function notifyOfMany({ trans, actions }: IServices, jobs: IJob[]): void {
  const failed = jobs.filter((job) => job.status === 'FAILED').length;
  const action = { label: trans.__('Show jobs'), callback: () => actions.showJob('') };
  Notification.emit(
    trans.__('%1 jobs have ended. %2 of them have failed.', jobs.length, failed),
    failed ? 'error' : 'success',
    { autoClose: TOAST_MS, actions: [action] },
  );
}

function Running({ services: { changes, trans } }: { services: IServices }): JSX.Element {
  const jobs = useChanges(changes, () => changes.jobs);
  const count = [...jobs.values()].filter(({ status }) => status === 'IN_PROGRESS').length;
  return <>{count > 0 && <TextItem source={trans._n('%1 job running', '%1 jobs running', count)} />}</>;
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Shows running and recent jobs, and reports when they end.',
  autoStart: true,
  optional: [ITranslator, ICommandPalette, IMainMenu, ILayoutRestorer, IStatusBar, ISettingRegistry],
  activate: async (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    menu: IMainMenu | null,
    restorer: ILayoutRestorer | null,
    statusBar: IStatusBar | null,
    registry: ISettingRegistry | null,
  ) => {
    const trans = (translator ?? nullTranslator).load('argo_jupyter_scheduler');
    const services = { trans, changes, actions: new Actions(app, trans, PANEL_ID) };
    const panel = new MonitorPanel(services);
    panel.id = PANEL_ID;
    app.shell.add(panel, 'left', { rank: RANK });
    restorer?.add(panel, PANEL_ID);

    app.commands.addCommand(SHOW, {
      label: trans.__('Jobs: Show Monitor'),
      icon: calendarIcon,
      execute: () => app.shell.activateById(PANEL_ID),
    });
    palette?.addItem({ command: SHOW, category: trans.__('Jobs') });
    menu?.runMenu.addGroup([{ command: SHOW }], RANK);
    const running = ReactWidget.create(<Running services={services} />);
    statusBar?.registerStatusItem(PANEL_ID, { item: running, align: 'left', rank: RANK });

    let unseen = 0;
    const setUnseen = (count: number) => {
      unseen = count;
      const dataset = { ...panel.title.dataset }; // JupyterLab's own is kept
      delete dataset['argo-unseen'];
      panel.title.dataset = count ? { ...dataset, 'argo-unseen': String(count) } : dataset;
      panel.title.caption = count
        ? trans._n('Job monitor: %1 job has ended', 'Job monitor: %1 jobs have ended', count)
        : trans.__('Job monitor');
    };
    setUnseen(0);
    panel.shown.connect(() => setUnseen(0));
    const settings = await registry?.load(ID).catch(() => undefined);
    changes.changed.connect((_, ended) => {
      if (settings?.get('notifications').composite === false) {
        return;
      }
      const own = ended.filter(
        (job) => job.status !== 'STOPPED' && (!job.job_definition_id || startedJobs.has(job.job_id)),
      );
      if (own.length > MAX_TOASTS) {
        notifyOfMany(services, own);
      } else {
        own.forEach((job) => notify(services, job));
      }
      if (own.length && !panel.isVisible) {
        setUnseen(unseen + own.length);
      }
    });
    void changes.run();
  },
};

export default plugin;
