import React from 'react';
import type { IOption } from '../api';
import { useServices } from './services';

interface IProps<T> {
  choices: IOption['choices'];
  value: T;
  onChange: (value: T) => void;
}

/** One of several choices. A value that is none of them is kept. */
export function Select(props: IProps<string> & React.AriaAttributes & { id?: string }): JSX.Element {
  const { choices, value, onChange, ...more } = props;
  const { trans } = useServices();
  const all = choices.some((choice) => choice.value === value) ? choices : [...choices, { value, label: value }];
  return (
    <select {...more} className="jp-mod-styled" value={value} onChange={({ target }) => onChange(target.value)}>
      {all.map((choice) => (
        <option key={choice.value} value={choice.value}>
          {trans.__(choice.label)}
        </option>
      ))}
    </select>
  );
}

/** Several of several choices. */
export function Checks({ choices, value, onChange }: IProps<string[]>): JSX.Element {
  const change = (name: string, isChosen: boolean) => {
    const others = value.filter((one) => one !== name);
    onChange(isChosen ? [...others, name] : others);
  };
  return (
    <>
      {choices.map(({ value: name, label }) => (
        <label key={name} className="jp-argo-Check">
          <input
            type="checkbox"
            checked={value.includes(name)}
            onChange={({ target }) => change(name, target.checked)}
          />
          <bdi>{label}</bdi>
        </label>
      ))}
    </>
  );
}
