import t from 'tap';
import { type DaemonSample, Readings, type StreamSample } from '../../src/alerts/readings.ts';

const MB = 1e6;

const quiet: StreamSample = {
  backlogBytes: 0,
  oldestMs: 0,
  roomBytes: 1_000 * MB,
  dlqBytes: 0,
  dead: 0,
  isDiverted: false,
  requests: [0, 0, 0, 0, 0, 0],
  ackP99Ms: undefined,
};

const well: DaemonSample = {
  dlqBytes: 0,
  dlqMaxBytes: 1_000 * MB,
  isFull: false,
  isDiskFull: false,
  isFailing: false,
  dropped: 0,
  lanesLost: 0,
  diskFreeBytes: undefined,
};

interface Scene {
  readonly streams: readonly Partial<StreamSample>[];
  readonly daemon?: Partial<DaemonSample>;
}

/** Readings after `seconds` of a scene that is made for each quarter of a second. */
function after(seconds: number, scene: (second: number) => Scene): Readings {
  const readings = new Readings(scene(0).streams.length);
  for (let ms = 0; ms <= seconds * 1_000; ms += 250) {
    const { streams, daemon = {} } = scene(ms / 1_000);
    const full = streams.map((stream) => ({ ...quiet, ...stream }));
    const bytes = full.reduce((sum, { backlogBytes }) => sum + backlogBytes, 0);
    readings.sample(
      full,
      { ...well, ...daemon },
      { bytes, oldestMs: Math.max(...full.map(({ oldestMs }) => oldestMs)) },
      ms,
    );
  }
  return readings;
}

t.test('the time to full is the room over the rate at which it shrinks, of all the least', async (t) => {
  const readings = after(20, (s) => ({
    streams: [
      { roomBytes: 1_000 * MB - 10 * MB * s, oldestMs: 1_000 * s },
      {},
      { roomBytes: 600 * MB - 10 * MB * s, oldestMs: 2_000 },
    ],
  }));
  t.equal(readings.toFullMs(0), 80_000);
  t.equal(readings.toFullMs(1), undefined);
  t.equal(readings.toFullMs(2), 40_000);
  t.equal(readings.toFullMs(undefined), 40_000);
  t.equal(readings.value('time_to_full', undefined), 40_000);
  t.equal(after(20, () => ({ streams: [{ roomBytes: 0, oldestMs: 9_000 }] })).toFullMs(0), 0, 'what is full is full');
});

t.test('what is only on its way neither fills nor drains', async (t) => {
  const young = after(20, (s) => ({
    streams: [{ roomBytes: 1_000 * MB - MB * s, backlogBytes: 9 * MB - 0.1 * MB * s, oldestMs: 900 }],
  }));
  t.equal(young.toFullMs(0), undefined);
  t.equal(young.toDrainMs(0), undefined);
});

t.test('the time to drain is the backlog over the rate at which it shrinks', async (t) => {
  const readings = after(20, (s) => ({
    streams: [
      { backlogBytes: 100 * MB - MB * s, oldestMs: 5_000 },
      { backlogBytes: 10 * MB + MB * s, oldestMs: 5_000 },
    ],
  }));
  t.equal(readings.toDrainMs(0), 80_000);
  t.equal(readings.toDrainMs(1), undefined);
  t.equal(readings.toDrainMs(undefined), undefined, 'all together stand still');
  t.equal(readings.value('time_to_drain', 0), 80_000);
});

t.test('rates are those of thirty seconds, and none of less than ten requests', async (t) => {
  const requests = (s: number): number[] =>
    s < 60 ? [10 * s, 10 * s, 0, 0, 0, 0] : [600 + 8 * (s - 60), 600 + 2 * (s - 60), s - 60, 100 * s, s, s / 2];
  const readings = after(120, (s) => ({ streams: [{ requests: requests(s) }, {}] }));
  t.equal(readings.value('request_error_rate', 0), 0.2);
  t.equal(readings.value('request_throttle_rate', 0), 0.1);
  t.equal(readings.value('record_error_rate', 0), 0.01);
  t.equal(readings.value('record_throttle_rate', 0), 0.005);
  t.equal(readings.value('request_error_rate', undefined), 0.2, 'all together');
  t.equal(readings.value('request_error_rate', 1), undefined);
  const failing = (seconds: number): Readings =>
    after(seconds, (s) => ({ streams: [{ requests: [0, Math.floor(s), 0, 0, 0, 0] }] }));
  t.equal(failing(9).value('request_error_rate', 0), undefined);
  t.equal(failing(10).value('request_error_rate', 0), 1);
});

t.test('restarts and drops are those of five minutes', async (t) => {
  const readings = (seconds: number): Readings =>
    after(seconds, (s) => ({ streams: [{}], daemon: s < 100 ? {} : { lanesLost: 2, dropped: 70 } }));
  t.match(
    [readings(99), readings(101), readings(399), readings(410)].map((each) => each.value('lane_restarts', undefined)),
    [0, 2, 2, 0],
  );
  t.equal(readings(101).value('dlq_dropped', undefined), 70);
});

t.test('of all streams together it is the sum, the worst, or the count', async (t) => {
  const readings = after(1, () => ({
    streams: [
      { dead: 2, isDiverted: true, ackP99Ms: 70, oldestMs: 3_000, backlogBytes: 5 },
      { dead: 3, isDiverted: true, ackP99Ms: 90, oldestMs: 1_000, backlogBytes: 6 },
      { dlqBytes: 44 },
    ],
    daemon: { dlqBytes: 800 * MB, isFull: true, isFailing: true, diskFreeBytes: 12 },
  }));
  const values = {
    dead_letters: 5,
    breaker_open: 2,
    ingress_to_ack_p99: 90,
    backlog_age: 3_000,
    backlog_bytes: 11,
    dlq_used: 0.8,
    dlq_bytes: 800 * MB,
    dlq_full: 1,
    dlq_failing: 1,
    dlq_disk_full: 0,
    disk_free: 12,
    dlq_growth: 0,
  } as const;
  for (const [name, value] of Object.entries(values))
    t.equal(readings.value(name as 'dlq_full', undefined), value, name);
  t.equal(readings.value('dead_letters', 1), 3);
  t.equal(readings.value('breaker_open', 2), 0);
  t.equal(readings.value('ingress_to_ack_p99', 2), undefined);
  t.equal(readings.value('backlog_age', 1), 1_000);
  t.equal(readings.value('dlq_bytes', 2), 44);
});

t.test('the growth of the DLQ is that of its bytes', async (t) => {
  const readings = after(20, (s) => ({ streams: [{ dlqBytes: 100 * s }], daemon: { dlqBytes: 1_000 - 10 * s } }));
  t.equal(readings.value('dlq_growth', 0), 100);
  t.equal(readings.value('dlq_growth', undefined), 0, 'what shrinks does not grow');
});
