/**
 * The next times of a schedule in the stock form that edits a job definition. That form draws no additional options, so it has no
 * place for a component of ours: the page is watched for it, and the panel's model says what has been typed.
 */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import React, { useEffect, useState } from 'react';
import { createPortal } from 'react-dom';
import { SchedulePreview } from './schedule-preview';
import { Services } from './services';
import type { IServices } from './services';
import { findStockPanel } from './stock-panel';
import type { IStockPanel } from './stock-panel';

/** A field of the form to edit. Those of the form to create have a prefix. */
const INTERVAL = '#interval-label';

/** Return what has the fields once the stock panel draws it; null while it shows another page. */
function useEditForm(panel: HTMLElement): Element | null {
  const [form, setForm] = useState<Element | null>(null);
  useEffect(() => {
    const look = () => setForm(panel.querySelector(INTERVAL)?.parentElement?.parentElement ?? null);
    const observer = new MutationObserver(look);
    observer.observe(panel, { childList: true, subtree: true });
    look();
    return () => observer.disconnect();
  }, [panel]);
  return form;
}

function EditPreview({ panel }: { panel: IStockPanel }): JSX.Element | null {
  const form = useEditForm(panel.node);
  const [place] = useState(() => document.createElement('div'));
  useEffect(() => {
    form?.lastElementChild?.before(place); // the buttons are last
    return () => place.remove();
  }, [form, place]);
  const { schedule = '', timezone = '' } = panel.content.model.updateJobDefinitionModel;
  return form && createPortal(<SchedulePreview schedule={schedule} timezone={timezone} />, place);
}

/** Preview schedules in the panel of Jupyter-Scheduler, which its commands open, unless the user wants the pages as they are. */
export function previewEdits(app: JupyterFrontEnd, services: IServices, isWanted: () => boolean): void {
  const seen = new WeakSet<Widget>();
  app.commands.commandExecuted.connect((_, { id }) => {
    const panel = id.startsWith('scheduling:') && findStockPanel(app);
    if (!panel || seen.has(panel)) {
      return;
    }
    seen.add(panel);
    const draw = () => isWanted() && <EditPreview panel={panel} />;
    const preview = ReactWidget.create(
      <Services.Provider value={services}>
        <UseSignal signal={panel.content.model.stateChanged}>{() => <>{draw()}</>}</UseSignal>
      </Services.Provider>,
    );
    Widget.attach(preview, document.body); // it draws elsewhere, and is nothing itself
    panel.disposed.connect(() => preview.dispose());
  });
}
