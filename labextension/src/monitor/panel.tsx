import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import React, { useEffect, useState } from 'react';
import { Services } from '../form/services';
import type { IServices } from '../form/services';
import { Definitions } from './definitions';
import { calendarIcon } from './icons';
import { Jobs } from './jobs';
import { Problem, useChanges } from './parts';

function Content({ changes, trans, actions }: IServices): JSX.Element {
  const problem = useChanges(changes, () => changes.problem);
  const [tab, setTab] = useState<'jobs' | 'definitions'>('jobs');
  useEffect(() => {
    const show = () => setTab('jobs');
    actions.shownJobChanged.connect(show);
    return () => void actions.shownJobChanged.disconnect(show);
  }, [actions]);
  const button = (name: typeof tab, text: string) => (
    <button type="button" aria-pressed={tab === name} onClick={() => setTab(name)}>
      {text}
    </button>
  );
  return (
    <>
      <div role="group" aria-label={trans.__('View')} className="jp-argo-Tabs">
        {button('jobs', trans.__('Jobs'))}
        {button('definitions', trans.__('Job definitions'))}
      </div>
      {problem && <Problem text={trans.__('Not up to date, retrying: %1', problem)} />}
      {tab === 'jobs' ? <Jobs /> : <Definitions />}
    </>
  );
}

/** The side panel with jobs and job definitions. */
export class MonitorPanel extends ReactWidget {
  /** Emitted when the user sees the panel. */
  readonly shown = new Signal<this, void>(this);

  constructor(private readonly services: IServices) {
    super();
    this.addClass('jp-argo-Monitor');
    this.title.icon = calendarIcon;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', services.trans.__('Job monitor'));
  }

  protected render(): JSX.Element {
    return (
      <Services.Provider value={this.services}>
        <Content {...this.services} />
      </Services.Provider>
    );
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.shown.emit();
  }
}
