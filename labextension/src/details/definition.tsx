import type { IModel } from '@jupyterlab/scheduler';
import React, { useRef, useState } from 'react';
import { createPortal } from 'react-dom';
import * as api from '../api';
import { Checks, Select } from '../form/inputs';
import { OptionFields } from '../form/option-fields';
import { usePlace } from '../form/place';
import { SchedulePreview } from '../form/schedule-preview';
import { useAnswer, useServices } from '../form/services';
import { Problem, RunSquares, useAction, useChanges } from '../monitor/parts';
import type { OfferedProps } from '../options/offer';
import { asRequest } from './changes';
import { beforeCards } from './job';

/** The last runs, newest first; each opens its page. */
function History({ model }: { model: IModel }): JSX.Element {
  const { actions, changes, trans } = useServices();
  const id = model.definitionId ?? '';
  const newestRuns = useChanges(changes, () => changes.definitions.get(id)?.runs); // another object if one has changed
  const { answer, problem } = useAnswer(() => api.getHistory(id), [model, newestRuns]);
  return (
    <section>
      <h3>{trans.__('History')}</h3>
      {problem && <Problem text={problem} />}
      {answer?.runs.length === 0 && <p>{trans.__('No run yet.')}</p>}
      <RunSquares
        runs={answer?.runs ?? []}
        label={trans.__('Last runs, newest first')}
        open={(jobId) => void actions.openJob(jobId)}
      />
    </section>
  );
}

/** Names and values, with an empty row for a new one. A parameter without a name is removed. */
function Parameters({ model, change }: IEditorProps): JSX.Element {
  const { trans } = useServices();
  const rows = [...(model.parameters ?? []), { name: '', value: '' }];
  const input = (index: number, part: 'name' | 'value', label: string) => (
    <input
      className="jp-mod-styled"
      aria-label={label}
      placeholder={label}
      value={String(rows[index]?.[part] ?? '')}
      onChange={({ target: { value } }) => {
        const changed = rows.map((row, at) => (at === index ? { ...row, [part]: value } : row));
        change({ parameters: changed.filter((row) => row.name || row.value) });
      }}
    />
  );
  return (
    <fieldset>
      <legend>{trans.__('Parameters')}</legend>
      {rows.map((_, index) => (
        <div key={index} className="jp-argo-Bar">
          {input(index, 'name', trans.__('Name of parameter %1', index + 1))}
          {input(index, 'value', trans.__('Value of parameter %1', index + 1))}
        </div>
      ))}
    </fieldset>
  );
}

interface IEditorProps {
  model: IModel;
  change: (changes: Partial<IModel>) => void;
}

function Environment({ model, change }: IEditorProps): JSX.Element {
  const { trans } = useServices();
  const { answer: all = [], problem } = useAnswer(api.listEnvironments, []);
  const chosen = all.find(({ name }) => name === model.environment);
  const select = (label: string, name: 'environment' | 'computeType', choices: string[]) => (
    <label className="jp-argo-Field">
      {label}
      <Select
        choices={choices.map((value) => ({ value, label: value }))}
        value={model[name] ?? ''}
        onChange={(value) => change({ [name]: value })}
      />
    </label>
  );
  const formats = chosen?.output_formats ?? [];
  const types = chosen?.compute_types ?? [];
  return (
    <>
      {problem && <Problem text={problem} />}
      {select(
        trans.__('Environment'),
        'environment',
        all.map(({ name }) => name),
      )}
      {types.length > 0 && select(trans.__('Compute type'), 'computeType', types)}
      <fieldset>
        <legend>{trans.__('Output formats')}</legend>
        <Checks
          choices={formats.map(({ name, label }) => ({ value: name, label }))}
          value={model.outputFormats ?? []}
          onChange={(outputFormats) => change({ outputFormats })}
        />
      </fieldset>
    </>
  );
}

function Editor({ model, onSaved }: { model: IModel; onSaved: () => void }): JSX.Element {
  const { trans } = useServices();
  const [edited, setEdited] = useState(model);
  const [errors, setErrors] = useState<{ [name: string]: string }>({});
  const [problem, isBusy, run] = useAction();
  const change = (changes: Partial<IModel>) => setEdited({ ...edited, ...changes });
  const text = (label: string, name: 'name' | 'schedule' | 'timezone') => (
    <label className="jp-argo-Field">
      {label}
      <input
        className="jp-mod-styled"
        value={edited[name] ?? ''}
        onChange={({ target }) => change({ [name]: target.value })}
      />
    </label>
  );
  const save = async () => {
    await api.changeDefinition(model.definitionId ?? '', asRequest(model, edited));
    onSaved();
  };
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    run(save);
  };
  return (
    <form className="jp-argo-Fields" onSubmit={submit}>
      {text(trans.__('Name'), 'name')}
      {text(trans.__('Schedule (cron)'), 'schedule')}
      {text(trans.__('Time zone'), 'timezone')}
      <SchedulePreview schedule={edited.schedule ?? ''} timezone={edited.timezone ?? ''} />
      <Environment model={edited} change={change} />
      <Parameters model={edited} change={change} />
      <OptionFields tags={edited.tags} forDefinition onChange={(tags) => change({ tags })} onErrors={setErrors} />
      <label className="jp-argo-Field">
        {trans.__('Tags, one in each line')}
        <textarea
          className="jp-mod-styled"
          value={(edited.tags ?? []).join('\n')}
          onChange={({ target }) => change({ tags: target.value.split('\n') })}
        />
      </label>
      {problem && <Problem text={problem} />}
      <button className="jp-mod-styled jp-mod-accept" disabled={isBusy || Object.values(errors).some(Boolean)}>
        {trans.__('Save')}
      </button>
    </form>
  );
}

/** Additional options on a definition's page; above the stock cards: next runs, history, and a form for all that can change. */
export function DefinitionDetail({ model, stock }: OfferedProps): JSX.Element {
  const { actions, trans } = useServices();
  const home = useRef<HTMLDivElement>(null);
  const place = usePlace(home, beforeCards);
  const [isOpen, setOpen] = useState(false);
  const { definitionId = '', schedule, timezone = '' } = model;
  const showSaved = () => {
    setOpen(false);
    void actions.openDefinition(definitionId);
  };
  return (
    <div ref={home}>
      {createPortal(
        <div className="jp-argo-Live">
          {!isOpen && model.active && schedule && <SchedulePreview schedule={schedule} timezone={timezone} />}
          {!isOpen && !!model.parameters?.length && (
            <section>
              <h3>{trans.__('Parameters')}</h3>
              {model.parameters.map(({ name, value }) => (
                <code key={name} dir="auto">{`${name} = ${String(value)}`}</code>
              ))}
            </section>
          )}
          <History model={model} />
          <details open={isOpen} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
            <summary>{trans.__('Edit all settings')}</summary>
            {isOpen && <Editor model={model} onSaved={showSaved} />}
          </details>
        </div>,
        place,
      )}
      {stock}
    </div>
  );
}
