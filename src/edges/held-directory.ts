/**
 * A directory that stays the same one whatever is renamed or linked in its place meanwhile. Main thread; used by the tools that work
 * on a state directory, and for sockets in directories with long names. Linux: paths lead through `/proc/self/fd`.
 */
import { constants, promises } from 'node:fs';

export interface HeldDirectory {
  /** A path of it for as long as it is held: short, and of this process alone. */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  close(): Promise<void>;
}

/**
 * Opens the directory at `path`. `follow`: a symbolic link in the last place is followed; otherwise it is refused (ELOOP or ENOTDIR).
 * Rejects with what the system reported.
 */
export async function holdDirectory(path: string, follow: boolean): Promise<HeldDirectory> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | (follow ? 0 : constants.O_NOFOLLOW);
  const handle = await promises.open(path, flags);
  const { uid, gid } = await handle.stat();
  return { path: `/proc/self/fd/${handle.fd}`, uid, gid, close: () => handle.close() };
}
