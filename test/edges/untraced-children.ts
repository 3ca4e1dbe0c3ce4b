/**
 * Loaded by tap into every test process before its tests: the programs that a test starts run as they do for users, without tap's
 * tracing. That is a loader in each process and each worker thread, a quarter of a second of CPU each, and only coverage needs it.
 */
import processOnSpawn from 'process-on-spawn';

processOnSpawn.removeAllListeners();
