import { editIcon, fastForwardIcon, runIcon } from '@jupyterlab/ui-components';
import React, { memo, useMemo } from 'react';
import type { IDefinition } from '../api';
import { useServices } from '../form/services';
import { sortDefinitions } from './filter';
import { pauseIcon } from './icons';
import { Button, LongList, Problem, RunSquares, formatZoned, useAction, useChanges } from './parts';

const DefinitionRow = memo(function DefinitionRow({ definition }: { definition: IDefinition }): JSX.Element {
  const { trans, actions } = useServices();
  const [problem, isBusy, run] = useAction();
  const { job_definition_id: id, active, next_run_time: next } = definition;
  const when = !active
    ? trans.__('Paused')
    : next === null
      ? trans.__('No next run')
      : trans.__('Next run: %1', formatZoned(next));
  return (
    <li className="jp-argo-Row" aria-labelledby={`jp-argo-${id}`} aria-busy={isBusy}>
      <div className="jp-argo-Line">
        <button
          type="button"
          id={`jp-argo-${id}`}
          className="jp-argo-Name"
          title={trans.__('Show the details')}
          onClick={() => run(() => actions.openDefinition(id))}
        >
          <bdi>{definition.name}</bdi>
        </button>
        <Button
          icon={active ? pauseIcon : runIcon}
          label={active ? trans.__('Pause') : trans.__('Resume')}
          disabled={isBusy}
          onClick={() => run(() => actions.setActive(definition, !active))}
        />
        <Button
          icon={fastForwardIcon}
          label={trans.__('Run now')}
          disabled={isBusy}
          onClick={() => run(() => actions.runNow(definition))}
        />
        <Button
          icon={editIcon}
          label={trans.__('Edit')}
          disabled={isBusy}
          onClick={() => run(() => actions.editDefinition(definition))}
        />
      </div>
      <div className="jp-argo-Meta">{when}</div>
      {!!definition.runs.length && (
        <RunSquares
          runs={[...definition.runs].reverse()}
          label={trans.__('Last runs, oldest first')}
          open={(jobId) => run(() => actions.openJob(jobId))}
        />
      )}
      {problem && <Problem text={problem} />}
    </li>
  );
});

/** The job definitions with their last runs. */
export function Definitions(): JSX.Element {
  const { trans, changes } = useServices();
  const definitions = useChanges(changes, () => changes.definitions);
  const sorted = useMemo(() => sortDefinitions(definitions.values()), [definitions]);
  return (
    <LongList
      items={sorted}
      label={trans.__('Job definitions')}
      empty={trans.__('No job definitions yet. Choose "Run on a schedule" when you create a job.')}
      draw={(one) => <DefinitionRow key={one.job_definition_id} definition={one} />}
    />
  );
}
