import type { IModel } from '@jupyterlab/scheduler';
import React, { useCallback, useEffect, useRef, useState } from 'react';
import { createPortal } from 'react-dom';
import * as api from '../api';
import type { OfferedProps } from '../options/offer';
import { OptionFields } from './option-fields';
import { ParameterHints } from './parameter-hints';
import { fillIn } from './parameters';
import { usePlace } from './place';
import { SchedulePreview } from './schedule-preview';
import { useServices } from './services';

export interface ISaving {
  /** Save a notebook's unsaved changes. Return whether it may be scheduled now. */
  saveChanges: (path: string) => Promise<boolean>;
  /** Whether the user is asked before that. */
  asksBeforeSaving: () => boolean;
}

const DEFAULT_FORMATS = ['ipynb', 'html'];

/** Return a function that changes the newest model: the stock form's effects spread that of an earlier render. */
function useChange({ model, handleModelChange }: OfferedProps) {
  const latest = useRef({ model, handleModelChange });
  latest.current = { model, handleModelChange };
  return useCallback((change: (model: IModel) => Partial<IModel>) => {
    const newest = latest.current;
    newest.model = { ...newest.model, ...change(newest.model) };
    newest.handleModelChange(newest.model);
  }, []);
}

function chooseFormats({ outputFormats = [] }: IModel): Partial<IModel> {
  const chosen = outputFormats.filter((format) => DEFAULT_FORMATS.includes(format));
  return chosen.length ? { outputFormats: chosen } : {};
}

/** Save the notebook when *Create* is pressed, before the stock form takes notice. */
function useSaveBeforeCreate(
  home: React.RefObject<HTMLElement>,
  path: string,
  saveChanges: ISaving['saveChanges'],
): void {
  useEffect(() => {
    const form = home.current?.closest('form');
    let [isSaving, isSaved] = [false, false];
    const save = (event: Event) => {
      const button = (event.target as Element).closest<HTMLElement>('.MuiButton-contained');
      if (!button || isSaved) {
        return;
      }
      event.stopPropagation();
      if (isSaving) {
        return; // pressed twice
      }
      isSaving = true;
      void saveChanges(path).then((mayGoOn) => {
        isSaved = mayGoOn;
        if (mayGoOn) {
          button.click();
        }
        isSaving = isSaved = false;
      });
    };
    form?.addEventListener('click', save, true);
    return () => form?.removeEventListener('click', save, true);
  }, [home, path, saveChanges]);
}

/** Additional options in the create form; it also fills in parameters, previews the schedule, and saves the notebook. */
export function CreateForm(props: OfferedProps & ISaving): JSX.Element {
  const { trans } = useServices();
  const { model, saveChanges, asksBeforeSaving } = props;
  const home = useRef<HTMLDivElement>(null);
  const change = useChange(props);
  const [declared, setDeclared] = useState<api.IDeclared[]>([]);
  const isFilledIn = useRef(false);
  const [problem, setProblem] = useState('');

  const hintsPlace = usePlace(home, (own, place) => own.closest('.MuiAccordion-root')?.before(place));
  const previewPlace = usePlace(home, (own, place) => {
    const label = own.closest('form')?.querySelector('#jp-create-job-createType-label');
    label?.parentElement?.after(place);
  });
  useSaveBeforeCreate(home, model.inputFile, saveChanges);

  // The stock form chooses all formats of an environment. Its other effect of the same render would undo a change that is made at once.
  const environment = useRef(model.environment);
  const [chosen, setChosen] = useState('');
  useEffect(() => {
    if (model.environment !== environment.current) {
      environment.current = model.environment;
      setChosen(model.environment);
    }
  }, [model.environment]);
  useEffect(() => {
    if (chosen) {
      change(chooseFormats);
    }
  }, [chosen, change]);

  const isReady = model.environment !== '' && model.inputFile !== '';
  useEffect(() => {
    let isCurrent = true;
    const read = async () => {
      if (!asksBeforeSaving()) {
        await saveChanges(model.inputFile);
      }
      const { parameters } = await api.listParameters(model.inputFile);
      if (isCurrent) {
        isFilledIn.current = false;
        setDeclared(parameters);
      }
    };
    if (isReady) {
      read().catch((error: Error) => isCurrent && setProblem(error.message));
    }
    return () => {
      isCurrent = false;
    };
  }, [isReady, model.inputFile, asksBeforeSaving, saveChanges]);

  // Again until it is seen: the stock form draws a change a moment later, and what is typed until then would undo it.
  useEffect(() => {
    const parameters = fillIn(declared);
    if (model.parameters?.length) {
      isFilledIn.current = true;
    } else if (parameters.length && !isFilledIn.current) {
      change(({ parameters: given }) => (given?.length ? {} : { parameters }));
    }
  }, [model, declared, change]);

  return (
    <div ref={home} className="jp-argo-Options">
      {createPortal(
        <ParameterHints given={model.parameters ?? []} declared={declared} problem={problem} />,
        hintsPlace,
      )}
      {model.createType === 'JobDefinition' &&
        createPortal(<SchedulePreview schedule={model.schedule ?? ''} timezone={model.timezone ?? ''} />, previewPlace)}
      <OptionFields
        tags={model.tags}
        forDefinition={model.createType === 'JobDefinition'}
        onChange={(tags) => change(() => ({ tags }))}
        onErrors={props.handleErrorsChange}
      />
      <details>
        <summary>{trans.__('Expert')}</summary>
        <p>{trans.__('Options are tags such as timeout:2h. All other tags are free text.')}</p>
        {props.stock}
      </details>
    </div>
  );
}
