// Builds the two prebuilt extensions into the folder that is given, else into `built`.
//
// A prebuilt extension is a script that sets `window._JUPYTERLAB[name]` to a container of webpack's module federation:
// `init(scope)` gets the packages that JupyterLab shares, `get(module)` answers with the extension. This container takes
// all packages from JupyterLab and has none of its own, so it is a few lines, and one file that loads or does not.
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import esbuild from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, 'built');
const common = { absWorkingDir: here, bundle: true, minify: true, write: false, charset: 'utf8' };
const about = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));

/** The container as a script. */
function wrap(name, packages, code, css) {
  return `
  (self._JUPYTERLAB ??= {})[${JSON.stringify(name)}] = (() => {
    let scope, loading, styled;
    const order = version => version.split(/[.+-]/).map(part => part.padStart(9, '0')).join();
    const load = async name => {
      const versions = Object.entries(scope[name] ?? {});
      if (!versions.length) throw new Error('JupyterLab does not share ' + name);
      // The one that is in use, else the newest: as module federation chooses singletons.
      versions.sort(([a, x], [b, y]) => !!y.loaded - !!x.loaded || (order(a) < order(b) ? 1 : -1));
      return (await versions[0][1].get())();
    };
    const run = async () => {
      const names = ${JSON.stringify(packages)};
      const found = await Promise.all(names.map(load));
      const module = { exports: {} };
      const require = name => found[names.indexOf(name)];
      ${code}
      return module.exports;
    };
    return {
      init: shared => { scope = shared; },
      get: async module => {
        if (module === './style') {
          if (!styled) {
            styled = document.head.appendChild(document.createElement('style'));
            styled.textContent = ${JSON.stringify(css)};
          }
          return () => ({});
        }
        const exports = await (loading ??= run());
        return () => exports;
      }
    };
  })();`;
}

async function build(name, entry, style, more) {
  const script = await esbuild.build({
    ...common,
    entryPoints: [entry],
    packages: 'external',
    format: 'cjs',
    target: 'es2021',
    metafile: true,
  });
  const outputs = Object.values(script.metafile.outputs);
  const packages = outputs.flatMap((output) => output.imports.map((one) => one.path));
  const css = style ? (await esbuild.build({ ...common, entryPoints: [style] })).outputFiles[0].text : '';
  const text = wrap(name, [...new Set(packages)].sort(), script.outputFiles[0].text, css.trim());
  const { code } = await esbuild.transform(text, { minify: true, charset: 'utf8', target: 'es2021' });

  const folder = join(target, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'static'), { recursive: true });
  const load = `static/remoteEntry.${createHash('sha256').update(code).digest('hex').slice(0, 16)}.js`;
  writeFileSync(join(folder, load), code);
  // JupyterLab compares these with its own packages, and warns.
  const pins = Object.entries(about.devDependencies).filter(([one]) => one.startsWith('@jupyterlab/'));
  const data = {
    name,
    version: about.version,
    description: about.description,
    license: about.license,
    dependencies: Object.fromEntries(pins.map(([one, pin]) => [one, `^${pin.replace(/\d+$/, '0')}`])),
    jupyterlab: {
      ...more,
      _build: { load, extension: './extension', ...(style && { style: './style' }) },
    },
  };
  writeJson(join(folder, 'package.json'), data);
  writeJson(join(folder, 'install.json'), {
    packageManager: 'python',
    packageName: 'argo-jupyter-scheduler',
    uninstallInstructions: 'pip uninstall argo-jupyter-scheduler',
  });
  if (more.schemaDir) {
    cpSync(join(here, 'schema'), join(folder, 'schemas', name), { recursive: true });
    writeJson(join(folder, 'schemas', name, 'package.json.orig'), data);
  }
}

function writeJson(file, data) {
  writeFileSync(file, `${JSON.stringify(data, null, 2)}\n`);
}

await build(about.name, 'src/index.ts', 'style/index.css', { extension: true, schemaDir: 'schema' });
// It takes the place of Jupyter-Scheduler's plugin of this name.
await build(`${about.name}-options`, 'src/options/plugin.tsx', '', {
  extension: true,
  disabledExtensions: ['@jupyterlab/scheduler:IAdvancedOptions'],
});
