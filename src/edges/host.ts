/**
 * The host that this process runs on. Any thread; asked once by who tells others of it.
 */
import { hostname } from 'node:os';

export function hostName(): string {
  return hostname();
}
