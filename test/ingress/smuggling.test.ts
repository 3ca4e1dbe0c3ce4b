import t from 'tap';
import { type HttpAnswer, readAnswers } from './http-answers.ts';
import { listenHttpForTest } from './http-harness.ts';
import { contraband, hidden, mistakeBetween, smuggling } from './smuggling.ts';

t.test('a request whose end could be seen in two places is answered 400, and its connection is closed', async (t) => {
  const { intake, sender } = await listenHttpForTest(t);
  const judge = async (bytes: string): Promise<{ answers: HttpAnswer[]; taken: string[] }> => {
    intake.offered.length = 0;
    const one = sender();
    one.socket.write(Buffer.from(bytes, 'latin1'));
    await one.end();
    one.socket.destroy();
    return { answers: readAnswers(one.bytes, true), taken: intake.offered.map(({ data }) => data) };
  };
  for (const [name, bytes] of smuggling) {
    const { answers, taken } = await judge(bytes);
    t.strictSame(
      answers.map(({ status }) => status),
      [400],
      name,
    );
    t.notOk(
      taken.some((data) => data.includes(contraband)),
      `${name}: what it hides is not taken`,
    );
  }
  const { answers, taken } = await judge(mistakeBetween);
  t.strictSame([answers.map(({ status }) => status), taken], [[202], ['one']], 'nor what follows a mistake');
  t.ok(smuggling.size >= 60, `${smuggling.size} cases`);
});

t.test('what they hide would be taken on its own', async (t) => {
  const { intake, ask } = await listenHttpForTest(t);
  const [answer] = await ask(hidden);
  t.equal(answer?.status, 202);
  t.equal(intake.offered[0]?.data, contraband);
});
