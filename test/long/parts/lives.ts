/**
 * What the lanes of kills and power cuts check of a campaign, and where it works. Nothing here starts a process.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Campaign, CampaignReport } from '../../fault/disk-lives.ts';
import type { Lane } from './lane.ts';

/** Acknowledged events of one life, on average; least. */
const acknowledgedLeast = 10;

/** A directory that goes with the lane. */
export function directoryOf(lane: Lane): string {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-lives-'));
  lane.teardown(async () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function checkLives(
  lane: Lane,
  report: CampaignReport,
  { kills, failpoints }: Pick<Campaign, 'kills' | 'failpoints'>,
): void {
  const { struck, broken, acknowledged, duplicates, uncovered } = report;
  const died = [...struck.values()].reduce((sum, times) => sum + times, 0);
  const missed = failpoints.map((point) => point.join(' ')).filter((point) => !struck.has(point));
  lane.figure('kills; of a start; at a failpoint', `${report.kills}; ${report.killsInStarts}; ${died}`);
  for (const [point, times] of [...struck].sort(([one], [other]) => one.localeCompare(other)))
    lane.figure(`  ${point}`, times);
  lane.figure('on disk; delivered', `${acknowledged}; ${report.delivered}`);
  lane.figure('slowest start, ms', report.slowestOpenMs);
  lane.check('there were as many kills as there should be', report.kills >= kills, report.kills);
  lane.check('enough was acknowledged', acknowledged >= acknowledgedLeast * kills, acknowledged);
  lane.check('enough died at a failpoint', died >= kills / 10, died);
  // Short runs need not come by each.
  if (kills >= 50 * failpoints.length) lane.check('every failpoint struck', missed.length === 0, missed.join(', '));
  lane.check('nothing lost, altered, or left behind', broken.length === 0, broken.slice(0, 3).join('; '));
  lane.figure('in flight at one kill, at most', report.uncoveredMost);
  lane.check('came twice: at most what was in flight', duplicates <= uncovered, `${duplicates} of ${uncovered}`);
}
