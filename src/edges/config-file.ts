/**
 * The configuration's contact with the outside: its file, the environment, the cores, the CA files that it names. Main thread;
 * called by `run` and `check`. What the contents mean is none of its business (daemon/config.ts).
 */
import { readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { SpillwayError } from '../base/errors.ts';
import { configFileBytesMax } from '../base/limits.ts';

/** Where the configuration is looked for when neither `--config` nor SPILLWAY_CONFIG says. */
export const configFileDefault = '/etc/spillway/spillway.toml';

/** Everything that the loader needs; `text` and `file` are empty where nothing was named and the default does not exist. */
export interface ConfigInput {
  readonly text: string;
  readonly file: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cores: number;
}

/**
 * The configuration to load: `named` (from `--config`), else SPILLWAY_CONFIG, else {@link configFileDefault} if it is there.
 * Throws `config` when a named file cannot be read.
 */
export function readConfigInput(named: string | undefined): ConfigInput {
  const environment = process.env;
  const cores = availableParallelism();
  const file = named ?? environment['SPILLWAY_CONFIG'];
  if (file !== undefined) return { text: readConfigFile(file), file, environment, cores };
  const found = statSync(configFileDefault, { throwIfNoEntry: false }) !== undefined;
  return found
    ? { text: readConfigFile(configFileDefault), file: configFileDefault, environment, cores }
    : { text: '', file: '', environment, cores };
}

/** What keeps a CA file from being used, or undefined when it holds certificates. */
export function caFileProblem(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    return text.includes('-----BEGIN CERTIFICATE-----') ? undefined : 'holds no PEM certificate: give one that does';
  } catch (error) {
    return `cannot be read (${codeOf(error)}): correct the path or its permissions`;
  }
}

function readConfigFile(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > configFileBytesMax) {
      throw new SpillwayError(
        'config',
        `${file}: ${size} bytes, more than a configuration can have (${configFileBytesMax})`,
      );
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    const cure = 'name another with --config or SPILLWAY_CONFIG';
    throw new SpillwayError('config', `${file}: cannot be read (${codeOf(error)}); ${cure}`, { cause: error });
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
