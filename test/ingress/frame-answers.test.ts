import t from 'tap';
import { FrameAnswers } from '../../src/ingress/frame-answers.ts';
import { refusals } from '../../src/ingress/intake.ts';
import { listening } from './feeding.ts';

t.test(
  'whatever waits, an answer has each refusal once and then the ack: the buffer may grow at any frame',
  async (t) => {
    const verdicts = Object.keys(refusals).map(Number);
    for (let count = 0; count <= 40; count += 1) {
      for (const first of verdicts) {
        const answers = new FrameAnswers();
        for (let number = 1; number <= count; number += 1) {
          answers.refused(number, verdicts[(first + number) % verdicts.length] as never, 250);
        }
        answers.breaker(2, 500);
        const { told, push } = listening();
        push(answers.take(count + 1));
        const numbers = told.refusals.map((refused) => refused.first);
        const wrong = numbers.length !== count || told.acks[0] !== count + 1 || told.breakers.length !== 1;
        if (wrong) t.fail(`${count} refusals: told ${JSON.stringify(told)}`);
      }
    }
  },
);
