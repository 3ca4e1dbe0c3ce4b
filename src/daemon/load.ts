/**
 * Loads the configuration that an operator named, with the files that it names in turn. Main thread; called by `run` and
 * `check`, so that what `check` accepts is what `run` gets.
 */
import { SpillwayError } from '../base/errors.ts';
import { caFileProblem, readConfigInput } from '../edges/config-file.ts';
import { readListenFiles } from '../edges/listen-files.ts';
import { embeddedConfig, type ListenConfig, type LoadedConfig, loadConfig } from './config.ts';
import { keyMistakes } from './dlq-keys.ts';
import { type Mistake, shownValue } from './mistakes.ts';

/**
 * `named` is the value of `--config`; undefined: SPILLWAY_CONFIG, else /etc/spillway/spillway.toml, else the environment alone.
 * With `embeddedStateDir`, the built-in configuration stands in where there is no file. Throws `config` when there is nothing to
 * load or the file cannot be read; mistakes in it are in the result. `readsKeys` false: files with secrets are not looked at.
 */
export function loadNamed(named: string | undefined, embeddedStateDir?: string, readsKeys = true): LoadedConfig {
  const input = readConfigInput(named);
  const inEnvironment = Object.keys(input.environment).some((name) => name.startsWith('SPILLWAY_STREAM_0_'));
  if (input.file === '' && embeddedStateDir !== undefined) return embeddedConfig(embeddedStateDir, input);
  if (input.file === '' && !inEnvironment) {
    throw new SpillwayError('config', 'no configuration: name one with --config or SPILLWAY_CONFIG');
  }
  const file = input.file === '' ? 'environment' : input.file;
  const loaded = loadConfig({ ...input, file });
  const mistakes = loaded.ok ? caFileMistakes(loaded.config.streams, file) : [];
  if (loaded.ok && readsKeys) {
    mistakes.push(...keyMistakes(loaded.config.dlq, file));
    mistakes.push(...loaded.config.listeners.flatMap((listener) => listenFileMistakes(listener, file)));
  }
  return mistakes.length === 0 ? loaded : { ok: false, mistakes };
}

function caFileMistakes(
  streams: readonly { readonly name: string; readonly caFile?: string | undefined }[],
  file: string,
): Mistake[] {
  return streams.flatMap(({ name, caFile }) => {
    const cure = caFile === undefined ? undefined : caFileProblem(caFile);
    return cure === undefined
      ? []
      : [{ place: file, key: `ca_file of stream ${name}`, value: shownValue(caFile), cure }];
  });
}

function listenFileMistakes(listener: ListenConfig, file: string): Mistake[] {
  if (listener.kind !== 'http') return [];
  const reading = readListenFiles(listener);
  if (reading.ok) return [];
  const { host, port } = listener.address;
  return reading.problems.map(({ option, file: named, problem }) => ({
    place: file,
    key: `${option} of listener ${host}:${port}`,
    value: shownValue(named),
    cure: problem,
  }));
}
