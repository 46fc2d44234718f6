/**
 * The routes of the server that `docs/openapi.yaml` describes, and those of Jupyter-Scheduler. Of an answer, the types have what is
 * read here. Times are in ms since 1970.
 */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

export type Status = 'CREATED' | 'QUEUED' | 'IN_PROGRESS' | 'COMPLETED' | 'FAILED' | 'STOPPING' | 'STOPPED';

export interface IProgress {
  cell: number;
  cells: number;
  source: string;
  elapsed_seconds: number;
  estimated_seconds: number | null;
  attempt: number;
  attempts: number;
}

export interface IJob {
  job_id: string;
  name: string;
  input_filename: string;
  status: Status;
  status_message: string | null;
  create_time: number;
  start_time: number | null;
  end_time: number | null;
  update_time: number;
  job_definition_id: string | null;
  output_formats: string[];
  progress: IProgress | null;
}

export interface IOutput {
  format: string;
  display_name: string;
  path: string | null;
}

export interface IJobDetail extends IJob {
  input_path: string | null;
  attempts: number;
  engine_url: string | null;
  outputs: IOutput[];
}

export interface IRun {
  job_id: string;
  status: Status;
  start_time: number | null;
  duration_seconds: number | null;
}

export interface IDefinition {
  job_definition_id: string;
  name: string;
  active: boolean;
  update_time: number;
  next_run_time: number | null;
  runs: IRun[];
}

export interface IChanges {
  token: string;
  reset: boolean;
  jobs: IJob[];
  deleted_jobs: string[];
  definitions: IDefinition[];
  deleted_definitions: string[];
}

export interface ILogPart {
  text: string;
  next_offset: number;
  ended: boolean;
}

/** A parameter that a notebook declares. */
export interface IDeclared {
  name: string;
  type: string;
  default: string;
  comment: string;
}

export interface IOption {
  name: string;
  label: string;
  help: string;
  kind: string;
  pattern: string;
  example: string;
  choices: { value: string; label: string }[];
  only_definitions: boolean;
  default: string;
}

export interface IOptions {
  fields: IOption[];
}

export interface IPreview {
  times: { time: number; text: string; clock_change: '' | 'forward' | 'back' }[];
  refusal: string | null;
}

/** What the form can be filled in with: a job or a job definition as Jupyter-Scheduler describes it. */
export interface IDescribed {
  name: string;
  input_filename: string;
  runtime_environment_name: string;
  runtime_environment_parameters?: Record<string, string | number | boolean>;
  output_formats?: string[];
  parameters?: Record<string, string | number | boolean>;
  tags?: string[];
  compute_type?: string;
  package_input_folder?: boolean;
  schedule?: string;
  timezone?: string;
  active?: boolean;
  update_time: number;
}

export interface IEnvironment {
  name: string;
  output_formats: { name: string; label: string }[];
  compute_types: string[] | null;
}

/** A request was refused, or the server could not be reached. The message is for the user. */
export class RequestError extends Error {}

async function request<T>(path: string, init: RequestInit = {}): Promise<T> {
  const settings = ServerConnection.makeSettings();
  let response: Response;
  let body: unknown = null;
  try {
    response = await ServerConnection.makeRequest(URLExt.join(settings.baseUrl, path), init, settings);
    const text = await response.text();
    body = /^\s*[[{]/.test(text) ? JSON.parse(text) : null; // a proxy may answer with a page
  } catch (error) {
    if ((error as Error).name === 'AbortError') {
      throw error;
    }
    throw new RequestError(`The server cannot be reached: ${(error as Error).message}`);
  }
  if (!response.ok) {
    const { message } = (body ?? {}) as { message?: string };
    throw new RequestError(message || `${response.status} ${response.statusText}`);
  }
  return body as T;
}

function send<T>(method: string, path: string, body: object = {}): Promise<T> {
  return request<T>(path, { method, body: JSON.stringify(body) });
}

const job = (id: string) => `argo-scheduler/jobs/${encodeURIComponent(id)}`;
const stockJob = (id: string) => `scheduler/jobs/${encodeURIComponent(id)}`;
const stockDefinition = (id: string) => `scheduler/job_definitions/${encodeURIComponent(id)}`;

/** Get what has changed after a token, without one all; wait up to 25 s for a change unless `atOnce`. */
export function waitForChanges(since: string, atOnce: boolean, signal: AbortSignal): Promise<IChanges> {
  const query = URLExt.objectToQueryString({ ...(since && { since }), ...(atOnce && { wait: '0' }) });
  return request(`argo-scheduler/changes${query}`, { signal });
}

export const getJob = (id: string) => request<IJobDetail>(job(id));
export const getHistory = (id: string) =>
  request<{ runs: IRun[] }>(`argo-scheduler/definitions/${encodeURIComponent(id)}/history`);
export const getOptions = () => request<IOptions>('argo-scheduler/options');
export const readLog = (id: string, offset: number) => request<ILogPart>(`${job(id)}/log?offset=${offset}`);
export const listParameters = (path: string) =>
  request<{ parameters: IDeclared[]; tagged: boolean }>(
    `argo-scheduler/notebook/parameters?path=${encodeURIComponent(path)}`,
  );
export const previewSchedule = (schedule: string, timezone: string) =>
  request<IPreview>(
    `argo-scheduler/schedule/preview${URLExt.objectToQueryString({ schedule, ...(timezone && { timezone }) })}`,
  );

/** Copy a job's outputs into the root folder, and return where they are. */
export const fetchOutputs = (id: string) => send<{ outputs: IOutput[] }>('POST', `${job(id)}/outputs`);
export const rerunJob = (id: string) => send<{ job_id: string }>('POST', `${job(id)}/rerun`);
export const stopJob = (id: string) => send<unknown>('PATCH', stockJob(id), { status: 'STOPPED' });
export const describeJob = (id: string) => request<IDescribed>(stockJob(id));
export const describeDefinition = (id: string) => request<IDescribed>(stockDefinition(id));
export const setActive = (id: string, active: boolean) => send<unknown>('PATCH', stockDefinition(id), { active });
export const runNow = (id: string) => send<{ job_id: string }>('POST', `${stockDefinition(id)}/jobs`);
export const changeDefinition = (id: string, changes: object) => send<unknown>('PATCH', stockDefinition(id), changes);
export const listEnvironments = () => request<IEnvironment[]>('scheduler/runtime_environments');
