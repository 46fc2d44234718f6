import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import * as api from '../api';
import type { IDefinition, IJob } from '../api';

/** Jupyter-Scheduler's command that shows any of its pages. */
const OPEN_PAGE = 'scheduling:restore-layout';
/** Its pages, by its numbers. */
const PAGES = { create: 1, job: 5, definition: 6, edit: 7 };

/** What Jupyter-Scheduler's forms begin with. */
const FORM = {
  schedule: '0 0 * * MON-FRI',
  scheduleInterval: 'weekday',
  scheduleClock: '00:00',
  scheduleMinute: '0',
  scheduleMonthDay: '1',
  scheduleWeekDay: '1',
};

/** Jobs that were started here again, or from their definition: their end is told. */
export const startedJobs = new Set<string>();

/** What the buttons of the monitor do. Errors have a message for the user. */
export class Actions {
  /** The job to show in the monitor, and when it is another one. */
  shownJob = '';
  readonly shownJobChanged = new Signal<this, string>(this);

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly trans: TranslationBundle,
    private readonly monitorId: string,
  ) {}

  /** Whether Jupyter-Scheduler draws its pages here: in JupyterLab, not in Jupyter Notebook. */
  get hasPages(): boolean {
    return this.app.commands.hasCommand(OPEN_PAGE);
  }

  /** Show the monitor, and in it a job, if it has an id. */
  showJob(id: string): void {
    this.app.shell.activateById(this.monitorId);
    this.shownJob = id;
    this.shownJobChanged.emit(id);
  }

  /** Open an output of a job; without a format, the one that reads best. */
  async openOutput(id: string, format = ''): Promise<void> {
    const outputs = (await api.fetchOutputs(id)).outputs.filter((output) => output.path);
    const wanted = format ? [format] : ['html', 'ipynb', ...outputs.map((output) => output.format)];
    const found = wanted.flatMap((one) => outputs.filter((output) => output.format === one))[0];
    if (!found) {
      throw new Error(this.trans.__('This job does not have that output. Its log shows how far the run got.'));
    }
    await this.app.commands.execute('docmanager:open', { path: found.path });
  }

  stop = (job: IJob) => api.stopJob(job.job_id);

  async rerun(job: IJob): Promise<void> {
    startedJobs.add((await api.rerunJob(job.job_id)).job_id);
  }

  /** Open the form to create a job, filled in as an earlier job was. */
  async editAndRerun({ job_id }: IJob): Promise<void> {
    const [detail, job] = await Promise.all([api.getJob(job_id), api.describeJob(job_id)]);
    if (!detail.input_path) {
      throw new Error(
        this.trans.__(
          'The notebook of this job was moved or deleted, so it cannot be edited. Use Run again, which runs the stored copy.',
        ),
      );
    }
    await this.open(PAGES.create, 'createJobModel', {
      key: Math.random(),
      jobName: job.name,
      inputFile: detail.input_path,
      outputPath: '',
      environment: job.runtime_environment_name,
      runtimeEnvironmentParameters: job.runtime_environment_parameters,
      parameters: Object.entries(job.parameters ?? {}).map(([name, value]) => ({ name, value })),
      outputFormats: job.output_formats,
      computeType: job.compute_type,
      packageInputFolder: job.package_input_folder,
      tags: job.tags,
      createType: 'Job',
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    });
  }

  openJob = (id: string) => this.open(PAGES.job, 'jobDetailModel', { id });

  openDefinition = (id: string) => this.open(PAGES.definition, 'jobDetailModel', { id });

  async runNow(definition: IDefinition): Promise<void> {
    startedJobs.add((await api.runNow(definition.job_definition_id)).job_id);
  }

  setActive = (definition: IDefinition, active: boolean) => api.setActive(definition.job_definition_id, active);

  async editDefinition({ job_definition_id }: IDefinition): Promise<void> {
    const definition = await api.describeDefinition(job_definition_id);
    await this.open(PAGES.edit, 'updateJobDefinitionModel', {
      definitionId: job_definition_id,
      name: definition.name,
      environment: definition.runtime_environment_name,
      timezone: definition.timezone || 'UTC',
      inputFileSnapshot: definition.input_filename,
      updateTime: definition.update_time,
      ...(definition.schedule && { schedule: definition.schedule, scheduleInterval: 'custom' }),
    });
  }

  private open(jobsView: number, model: string, value: object): Promise<unknown> {
    if (!this.hasPages) {
      return Promise.reject(
        new Error(this.trans.__('This page is in JupyterLab. Choose Open JupyterLab in the View menu.')),
      );
    }
    return this.app.commands.execute(OPEN_PAGE, {
      jobsView,
      [model]: { ...FORM, ...value },
    });
  }
}
