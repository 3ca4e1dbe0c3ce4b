/**
 * Configurations for the tests of this folder: the smallest one that works, and ways to load a text with nothing around it.
 * Only tests import it.
 */
import { type Config, type LoadedConfig, loadConfig, requireConfig } from '../../src/daemon/config.ts';
import { mistakeLine } from '../../src/daemon/mistakes.ts';

/** One stream, one listener, everything else by default. */
export const smallest = `
[[stream]]
name = "orders"
region = "eu-west-1"
[[listen]]
kind = "unix"
path = "/run/spillway/orders.sock"
`;

type Environment = Readonly<Record<string, string>>;

export function load(text: string, environment: Environment = {}, cores = 2): LoadedConfig {
  return loadConfig({ text, file: 'spillway.toml', environment, cores });
}

/** The configuration; throws with every mistake when there are any. */
export function loaded(text: string, environment: Environment = {}, cores = 2): Config {
  return requireConfig(load(text, environment, cores));
}

/** The mistakes as lines for people; empty when there are none. */
export function mistakesOf(text: string, environment: Environment = {}): string[] {
  const result = load(text, environment);
  return result.ok ? [] : result.mistakes.map(mistakeLine);
}
