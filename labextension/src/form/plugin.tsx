import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import React from 'react';
import { DefinitionDetail } from '../details/definition';
import { JobDetail } from '../details/job';
import { pageChanges as changes } from '../changes';
import { Actions } from '../monitor/actions';
import { offer } from '../options/offer';
import type { OfferedProps } from '../options/offer';
import { CreateForm } from './create-form';
import type { ISaving } from './create-form';
import { previewEdits } from './edit-preview';
import { scheduleOwnNotebook } from './own-notebook';
import { Services } from './services';
import type { IServices } from './services';
import { reloadLists } from './stock-panel';

const SETTINGS = 'argo-jupyter-scheduler:plugin';

/** The pages of the stock frontend that draw additional options, by its numbers. */
const PAGES: { [jobsView: number]: React.FC<OfferedProps & ISaving> } = {
  1: CreateForm,
  5: JobDetail,
  6: DefinitionDetail,
};

function makeComponent(services: IServices, saving: ISaving): React.FC<OfferedProps> {
  return function Options(props) {
    const Page = PAGES[props.jobsView];
    return Page ? (
      <Services.Provider value={services}>
        <Page {...props} {...saving} />
      </Services.Provider>
    ) : (
      <>{props.stock}</>
    );
  };
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'argo-jupyter-scheduler:inside',
  description: 'Options, parameters, previews, progress and logs inside the pages of Jupyter-Scheduler.',
  autoStart: true,
  requires: [IDocumentManager, ISettingRegistry],
  optional: [ITranslator, INotebookTracker],
  activate: async (
    app: JupyterFrontEnd,
    documents: IDocumentManager,
    registry: ISettingRegistry,
    translator: ITranslator | null,
    notebooks: INotebookTracker | null,
  ) => {
    const trans = (translator ?? nullTranslator).load('argo_jupyter_scheduler');
    const settings = await registry.load(SETTINGS);
    const asksBeforeSaving = () => settings.get('saveBeforeScheduling').composite === 'ask';

    const save = async (path: string) => {
      const { contents } = app.serviceManager;
      for (const widget of app.shell.widgets('main')) {
        const context = documents.contextForWidget(widget);
        if (!context?.model.dirty || contents.localPath(context.path) !== path) {
          continue;
        }
        if (asksBeforeSaving()) {
          const { button } = await showDialog({
            title: trans.__('Save the notebook first?'),
            body: trans.__("'%1' has unsaved changes. A job runs the saved notebook.", path),
            buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Save') })],
          });
          if (!button.accept) {
            return false;
          }
        }
        try {
          await context.save();
        } catch (error) {
          await showErrorMessage(trans.__('The notebook could not be saved'), error as Error);
        }
        return !context.model.dirty;
      }
      return true;
    };
    // One after the other: JupyterLab takes a save during another for a conflict.
    let saved = Promise.resolve(true);
    const saveChanges = (path: string) => (saved = saved.then(() => save(path)));

    const actions = new Actions(app, trans, 'argo-job-monitor');
    const services = { actions, changes, trans };
    const component = makeComponent(services, { saveChanges, asksBeforeSaving });
    const explains = () => settings.get('explainedOptions').composite !== false;
    const choose = () => offer(explains() ? component : undefined);
    settings.changed.connect(choose);
    choose();
    previewEdits(app, services, explains);
    reloadLists(app, changes, explains);
    if (notebooks) {
      scheduleOwnNotebook(app, notebooks);
    }
  },
};

export default plugin;
