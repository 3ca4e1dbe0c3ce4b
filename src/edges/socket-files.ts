/**
 * What a unix socket listener asks of the file system: whether something lies at its path, to remove a dead socket there, and who may
 * connect.
 * Main thread; the listener takes it as an argument.
 */
import { chmod, lstat, unlink } from 'node:fs/promises';

export const socketFiles = { chmod, lstat, unlink };
