import type { IParameter } from '@jupyterlab/scheduler';
import React, { useEffect } from 'react';
import type { IDeclared } from '../api';
import { findMeant } from './parameters';
import { useServices } from './services';

interface IProps {
  given: IParameter[];
  declared: IDeclared[];
  problem: string;
}

/** What the notebook's parameters are, and which of those in the stock fields are misspelt. */
export function ParameterHints({ given, declared, problem }: IProps): JSX.Element {
  const { trans } = useServices();
  const used = given.map(({ name }) => name);
  const names = declared.map(({ name }) => name);
  const meant = used.map((name) => findMeant(name, used, names));
  useEffect(() => {
    meant.forEach((name, index) => {
      const input = document.querySelector(`.jp-create-job-form [name='parameter-${index}-name']`);
      input?.setAttribute('aria-invalid', String(!!name));
    });
  });
  return (
    <div className="jp-argo-Hints">
      <div role="status">
        {problem && <p className="jp-argo-Error">{problem}</p>}
        {meant.map(
          (name, index) =>
            name && (
              <p key={index} className="jp-argo-Error">
                {trans.__("The notebook has no parameter '%1'. Did you mean '%2'?", used[index], name)}
              </p>
            ),
        )}
      </div>
      {declared.length > 0 && <h3>{trans.__('Parameters of the notebook')}</h3>}
      {declared.length > 0 && (
        <ul aria-label={trans.__('Parameters of the notebook')}>
          {declared.map(({ name, type, default: text, comment }) => (
            <li key={name}>
              <code>{name}</code> {type !== 'other' && type}{' '}
              {text && (
                <>
                  {'= '}
                  <code>{text}</code>
                </>
              )}{' '}
              <bdi>{comment}</bdi>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
