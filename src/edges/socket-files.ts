/**
 * What a unix socket listener asks of the file system: whether something lies at its path, and to remove a dead socket there.
 * Main thread; the listener takes it as an argument.
 */
import { lstat, unlink } from 'node:fs/promises';

export const socketFiles = { lstat, unlink };
