/**
 * Which process is which: a process id alone says little, because it is given again. Main thread.
 */
import { promises } from 'node:fs';

/**
 * When a process began, in the system's own ticks since its boot, as a word: with its id it names one process for ever. Undefined:
 * there is no such process. Linux (`/proc/PID/stat`, field 22 of proc(5)).
 */
export async function startOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await promises.readFile(`/proc/${pid}/stat`, 'latin1');
    // The second field is a name in parentheses, which may hold spaces and parentheses itself.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
