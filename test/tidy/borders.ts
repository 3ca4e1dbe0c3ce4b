/**
 * Who may import whom: the table behind test/tidy/imports.test.ts, and the same as src/README.md tells in prose. Only tests
 * import it. To let a folder import another, change the row here and the README together, and say why in the commit.
 */

export interface Border {
  /** Folders of src. Its own is always allowed. */
  readonly folders: readonly string[];
  /** Folders of src whose types alone are known: contracts of what is handed to the other thread. */
  readonly types: readonly string[];
  /** Packages of node_modules; `node:` modules are allowed unless {@link neverNode} or `edges` forbid them. */
  readonly packages: readonly string[];
}

const border = (folders: string, packages = '', types = ''): Border => ({
  folders: words(folders),
  types: words(types),
  packages: words(packages),
});
const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

// biome-ignore format: a table
export const borders: Readonly<Record<string, Border>> = {
  base:      border(''),
  ring:      border('base'),
  batch:     border('base ring'),
  breaker:   border('base'),
  alerts:    border('base observe edges'),
  observe:   border('base ring edges', 'hdr-histogram-js pino asciichart'),
  edges:     border('base ring batch', '@aws-sdk/client-kinesis @aws-sdk/core @smithy/node-http-handler @smithy/types @aws-sdk/credential-provider-node @aws-sdk/credential-provider-ini @aws-sdk/nested-clients koffi'),
  dlq:       border('base ring edges observe', 'mnemonist'),
  ingress:   border('base ring breaker observe edges dlq', 'mnemonist'),
  deliver:   border('base ring batch breaker observe edges dlq', 'mnemonist'),
  threads:   border('base ring batch breaker observe edges deliver dlq', 'piscina'),
  daemon:    border('base ring breaker observe alerts edges dlq ingress threads', 'smol-toml zod', 'deliver'),
  client:    border('base ingress'),
  simulator: border('base', 'selfsigned'),
  cli:       border('base alerts observe edges dlq ingress daemon threads simulator client', 'commander cli-progress'),
  'main.ts': border('base edges', 'commander'),
};

/** Modules of Node that a folder's code has no business with, whatever thread it runs on. */
export const neverNode: Readonly<Record<string, RegExp>> = {
  base: /./,
  ring: /./,
  breaker: /./,
  batch: /^node:(?!crypto$|buffer$)/,
  deliver: /^node:(net|http|https|http2|tls|dgram|fs|fs\/promises|child_process)$/,
};

/** What one kind of thread must never load: the files that it starts from, and what may not be reached from them. */
export interface ThreadRule {
  readonly roots: RegExp;
  readonly folders: readonly string[];
  /** Packages and Node modules. */
  readonly packages: RegExp;
  /** `file -> specifier` of loads that are right nevertheless. */
  readonly except: RegExp;
}

/**
 * What the main thread must never load, however indirectly: the SDK costs 100 ms and tens of megabytes and belongs to the lanes,
 * as does the KPL codec. `roots` are files whose imports (other than types and later ones) are followed.
 */
export const mainThread: ThreadRule = {
  roots: /^src\/(main\.ts|daemon\/|ingress\/|dlq\/|cli\/|client\/)/,
  folders: ['batch', 'deliver'],
  packages: /^(@aws-sdk|@smithy)\//,
  except: /^$/,
};

/** What a lane worker must never load: sockets, configuration, the pool that it runs in. */
export const laneWorker: ThreadRule = {
  roots: /^src\/(deliver\/|threads\/lane)/,
  folders: ['ingress', 'daemon', 'cli', 'simulator', 'client'],
  packages: /^(piscina|smol-toml|zod|commander)$|^node:(net|http|http2|tls)$/,
  /** The client's own connections: edges/kinesis.ts makes agents, never servers. */
  except: /^src\/edges\/\S+ -> node:(http|tls)$/,
};

/** Single imports that the table forbids and that are right nevertheless: `file -> specifier`, with the reason. */
export const exceptions: ReadonlyMap<string, string> = new Map<string, string>([]);
