// The stock frontend's package on npm has no types: these are the parts of 2.12 that are used.
declare module '@jupyterlab/scheduler' {
  import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
  import type { Token } from '@lumino/coreutils';
  import type { FC } from 'react';

  export interface IParameter {
    name: string;
    value: string | number | boolean | undefined;
  }

  /** What the create form and the detail pages hand over; some properties are those of one page only. */
  export interface IModel {
    key?: number;
    jobName?: string;
    name?: string;
    jobId?: string;
    definitionId?: string;
    jobDefinitionId?: string;
    inputFile: string;
    environment: string;
    createType?: 'Job' | 'JobDefinition';
    computeType?: string;
    outputFormats?: string[];
    parameters?: IParameter[];
    schedule?: string;
    status?: string;
    tags?: string[];
    timezone?: string;
    active?: boolean;
  }

  export interface IAdvancedOptionsProps {
    jobsView: number;
    model: IModel;
    handleModelChange: (model: IModel) => void;
    errors: { [name: string]: string };
    handleErrorsChange: (errors: { [name: string]: string }) => void;
  }

  export namespace Scheduler {
    const IAdvancedOptions: Token<FC<IAdvancedOptionsProps>>;
  }

  const plugins: JupyterFrontEndPlugin<unknown>[];
  export default plugins;
}
