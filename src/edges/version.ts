/**
 * The version of this package, read once from its package.json. Any thread; for `--version`, the log's first line and the user
 * agent. The file lies two folders above the compiled sources, in a checkout as in an installed package.
 */
import { createRequire } from 'node:module';

const { version: read } = createRequire(import.meta.url)('../../../package.json') as { readonly version: string };

/** Like "1.4.0". */
export const version: string = read;
