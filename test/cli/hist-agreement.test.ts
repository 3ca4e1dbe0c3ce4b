import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { createLatencyRecorder, Latency, latencyFields } from '../../src/observe/latency.ts';
import type { LatencyRow } from '../../src/observe/latency-row.ts';
import { createLog } from '../../src/observe/log.ts';
import { exactPercentile, random } from '../observe/latency-log.ts';
import { hist } from './hist-here.ts';

const rounds = 4;
const runs = 4;
const intervals = 5;
const lanes = 10;
const streams = ['orders', 'clicks'];
const startMs = Date.UTC(2026, 10, 27, 18);

/** Raw values by what rows may be asked for. */
type Raw = Map<string, number[]>;

/** A daemon that is started four times: what its log holds, and the values that its whole lines stand for. */
function daemonLog(next: () => number): { readonly text: string; readonly raw: Raw } {
  const raw: Raw = new Map();
  let written = '';
  let nowMs = startMs;
  let lineOnly = '';
  const log = createLog({ level: 'info', nowMs: () => nowMs, write: (line) => (lineOnly = line) });
  const recorder = createLatencyRecorder();
  for (let run = 0; run < runs; run++) {
    log.info('ready', 'ready', { listeners: [], streams, lanes, tookMs: 300 });
    written += lineOnly;
    for (let interval = 0; interval < intervals; interval++) {
      const windowStartMs = nowMs;
      nowMs += 10_000;
      for (let lane = 0; lane < lanes; lane++) {
        const stream = streams[Math.floor(next() * streams.length)] as string;
        const values = Array.from({ length: 1 + Math.floor(next() * 300) }, () =>
          Math.floor(Math.exp(next() ** 2 * (10 + lane))),
        );
        for (const value of values) recorder.record(Latency.ingressToAck, value, 1);
        const [snapshot] = recorder.snapshotAndReset();
        if (snapshot === undefined) throw new Error('nothing was recorded');
        log.info('latency', 'latency', latencyFields(snapshot, { lane, stream }, windowStartMs, 10_000));
        // The run's last line is cut where the daemon was killed; the next run's first line follows without a break.
        const killed = run < runs - 1 && interval === intervals - 1 && lane === lanes - 1;
        written += killed ? lineOnly.slice(0, 40 + Math.floor(next() * (lineOnly.length - 60))) : lineOnly;
        if (killed) continue;
        for (const key of ['total', `lane ${lane}`, `stream ${stream}`]) {
          const known = raw.get(key) ?? [];
          known.push(...values);
          raw.set(key, known);
        }
      }
      log.info('backlog', 'backlog', { events: 1, bytes: 1, oldestMs: 1 });
      written += lineOnly;
    }
    // Down for a while.
    nowMs += 1 + Math.floor(next() * 3_600_000);
  }
  recorder.destroy();
  return { text: written, raw };
}

/** The log as a rotation leaves it: cut anywhere, some files gzipped, some with the end of the one before, the newest after a hole. */
function rotated(log: string, next: () => number): Buffer[] {
  // Each file has some lines: one without any could not be told its place.
  const cuts = [1, 2, 3, 4, 5].map((sixth) => Math.floor(((sixth + 0.8 * next() - 0.4) / 6) * log.length));
  const parts = [0, ...cuts].map((from, index) => ({ from, to: cuts[index] ?? log.length }));
  return parts.map(({ from, to }, index) => {
    // Copied and truncated: lines that were written in between stand in both files, from the start of a line on.
    const lineStart = log.lastIndexOf('\n', Math.max(0, from - 3_000)) + 1;
    const overlaps = index > 0 && next() < 0.4;
    const bytes = Buffer.from(log.slice(overlaps ? lineStart : from, to));
    if (index === parts.length - 1) return Buffer.concat([Buffer.alloc(1 + Math.floor(next() * 600_000)), bytes]);
    return next() < 0.5 ? gzipSync(bytes) : bytes;
  });
}

async function rowsOf(
  files: readonly string[],
  by: string,
): Promise<{ rows: LatencyRow[]; lines: Record<string, number> }> {
  const { out } = await hist(['--json', '--by', by, ...files]);
  const { latency, lines } = JSON.parse(out) as { latency: LatencyRow[]; lines: Record<string, number> };
  return { rows: latency, lines };
}

t.test(
  'ten lanes, three kills and a rotation that cuts and doubles lines: the percentiles are those of the raw values',
  async (t) => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    t.comment(`SEED=${seed}`);
    const next = random(seed);
    const folder = mkdtempSync(join(tmpdir(), 'spillway-agreement-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    for (let round = 0; round < rounds; round++) {
      const { text: log, raw } = daemonLog(next);
      const files = rotated(log, next).map((bytes, index) => {
        const path = join(folder, `${round}-${index}`);
        writeFileSync(path, bytes);
        // Rotations are hours apart.
        utimesSync(path, 3_600 * index, 3_600 * index);
        return { path, place: next() };
      });
      const shuffled = files.sort((a, b) => a.place - b.place).map(({ path }) => path);
      for (const by of ['total', 'lane', 'stream']) {
        const { rows, lines } = await rowsOf(shuffled, by);
        for (const row of rows) {
          const key = row.group === undefined ? by : `${by} ${row.group}`;
          const sorted = (raw.get(key) ?? []).toSorted((a, b) => a - b);
          if (row.count !== sorted.length) {
            t.fail(`round ${round}, ${key}: ${row.count} values for ${sorted.length}; ${JSON.stringify(lines)}`);
          }
          for (const [figure, percentile] of [
            [row.p50Us, 50],
            [row.p90Us, 90],
            [row.p99Us, 99],
            [row.p999Us, 99.9],
            [row.maxUs, 100],
          ] as const) {
            const exact = exactPercentile(sorted, percentile);
            if (Math.abs(figure - exact) > exact / 1_000)
              t.fail(`round ${round}, ${key}: p${percentile} ${figure} for ${exact}`);
          }
        }
        t.equal(rows.length, { total: 1, lane: lanes, stream: streams.length }[by]);
        // What a kill has cut may stand in two files; and so may a line at whose middle one of them ends.
        const damagedMost = 2 * (runs - 1) + shuffled.length - 1;
        t.ok((lines['damaged'] ?? 0) <= damagedMost, `only what was cut is damaged: ${lines['damaged']}`);
      }
    }
  },
);
