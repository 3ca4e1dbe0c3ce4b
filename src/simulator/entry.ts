/**
 * The simulator as a child process: options as JSON in the first argument, `ready` and failures by IPC. Ends with its parent;
 * Ctrl-C in the terminal is its parent's business.
 */
import { createSimulator, type SimulatorOptions } from './simulator.ts';

process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
try {
  const { url, adminUrl, certificate } = await createSimulator(JSON.parse(process.argv[2] ?? '{}') as SimulatorOptions);
  process.send?.({ url, adminUrl, certificate });
} catch (error) {
  process.send?.({ error: error instanceof Error ? error.message : String(error) }, () => process.exit(1));
}
