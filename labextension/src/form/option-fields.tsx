import React, { useEffect, useId, useRef } from 'react';
import * as api from '../api';
import type { IOption } from '../api';
import { Checks, Select } from './inputs';
import { useAnswer, useServices } from './services';
import { readOption, writeOption } from './tags';

interface IFieldProps {
  field: IOption;
  value: string;
  error: string;
  onChange: (value: string) => void;
}

function Field({ field, value, error, onChange }: IFieldProps): JSX.Element {
  const { trans } = useServices();
  const id = useId();
  const { choices, kind, example } = field;
  const initial = choices.find((choice) => choice.value === field.default)?.label ?? field.default;
  const unset = initial && trans.__('Default: %1', trans.__(initial));
  const help = `${id}-help`;
  const common = { id, 'aria-describedby': help, 'aria-invalid': !!error };
  let input: JSX.Element;
  if (kind === 'choices') {
    const chosen = value.split(',').flatMap((one) => one.trim() || []);
    input = (
      <div role="group" aria-labelledby={`${id}-label`} aria-describedby={help}>
        <Checks choices={choices} value={chosen} onChange={(all) => onChange(all.join(','))} />
      </div>
    );
  } else if (kind === 'choice') {
    const all = [{ value: '', label: unset }, ...choices];
    input = <Select {...common} choices={all} value={value.toLowerCase()} onChange={onChange} />;
  } else {
    input = (
      <input
        {...common}
        className="jp-mod-styled"
        inputMode={kind === 'number' ? 'numeric' : undefined}
        list={choices.length ? `${id}-list` : undefined}
        placeholder={unset || (example && trans.__('for example %1', example))}
        value={value}
        onChange={({ target }) => onChange(target.value)}
      />
    );
  }
  return (
    <div className="jp-argo-Field">
      <label id={`${id}-label`} htmlFor={kind === 'choices' ? undefined : id}>
        {trans.__(field.label)}
      </label>
      {input}
      {kind === 'text' && (
        <datalist id={`${id}-list`}>
          {choices.map((choice) => (
            <option key={choice.value} value={choice.value} />
          ))}
        </datalist>
      )}
      <small id={help} className={error ? 'jp-argo-Error' : ''}>
        {error || trans.__(field.help)}
      </small>
    </div>
  );
}

interface IProps {
  tags: string[] | undefined;
  forDefinition: boolean;
  onChange: (tags: string[]) => void;
  onErrors: (errors: { [name: string]: string }) => void;
}

/** A field for each option that the server describes. */
export function OptionFields({ tags, forDefinition, onChange, onErrors }: IProps): JSX.Element {
  const { trans } = useServices();
  const { answer, problem } = useAnswer(api.getOptions, []);
  const errors: { [name: string]: string } = {};
  const fields = (answer?.fields ?? []).filter((field) => forDefinition || !field.only_definitions);
  for (const { name, pattern, example } of fields) {
    const value = readOption(tags, name);
    const isValid = !value || !pattern || new RegExp(`^(?:${pattern})$`, 'i').test(value.replace(/ /g, ''));
    errors[name] = isValid ? '' : trans.__("'%1' is not valid. An example: %2.", value, example);
  }
  const report = useRef(onErrors); // the stock form hands over another function each time
  report.current = onErrors;
  const reported = JSON.stringify(errors);
  useEffect(() => report.current(JSON.parse(reported) as typeof errors), [reported]);
  return (
    <div className="jp-argo-Fields">
      {problem && <p className="jp-argo-Error">{problem}</p>}
      {fields.map((field) => (
        <Field
          key={field.name}
          field={field}
          value={readOption(tags, field.name)}
          error={errors[field.name] ?? ''}
          onChange={(value) => onChange(writeOption(tags, field.name, value))}
        />
      ))}
    </div>
  );
}
