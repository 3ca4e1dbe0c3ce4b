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

/**
 * From here on this process is the user and group that it is told, where it was root: files that it makes must not be beyond the
 * reach of the daemon, and a hostile directory must not have root work for it. Nothing changes for any other user.
 */
export function becomeOwner(owner: { readonly uid: number; readonly gid: number }): void {
  if (process.getuid?.() !== 0 || owner.uid === 0) return;
  process.setgroups?.([owner.gid]);
  process.setgid?.(owner.gid);
  process.setuid?.(owner.uid);
}
