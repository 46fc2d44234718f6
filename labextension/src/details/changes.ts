import type { IModel } from '@jupyterlab/scheduler';

/** Return what a user has changed of a definition, by the names of the REST API. */
export function asRequest(before: IModel, after: IModel): { [name: string]: unknown } {
  const request = (model: IModel) => ({
    name: model.name,
    schedule: model.schedule,
    timezone: model.timezone,
    runtime_environment_name: model.environment,
    compute_type: model.computeType,
    output_formats: model.outputFormats,
    parameters: Object.fromEntries(
      (model.parameters ?? []).filter(({ name }) => name).map(({ name, value }) => [name, value]),
    ),
    tags: (model.tags ?? []).map((tag) => tag.trim()).filter(Boolean),
  });
  const old = Object.entries(request(before));
  return Object.fromEntries(
    Object.entries(request(after)).filter(
      ([, value], index) => JSON.stringify(value) !== JSON.stringify(old[index]?.[1]),
    ),
  );
}
