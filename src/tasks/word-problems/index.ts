/**
 * Word problems in the manner of GSM8K (Cobbe et al. 2021): a short story, a question, and a number
 * to be found in steps. Each step of the solution says what it finds and computes it digit by digit.
 */
import type { Random } from '../../random.ts';
import { solve } from '../solution.ts';
import type { Level, TaskFamily } from '../task.ts';
import { acceptsNumber } from '../verdict.ts';
import { ages, pages, ways } from './journeys.ts';
import { comings, comparisons } from './possessions.ts';
import { Story } from './story.ts';
import { shopping, stores, wages } from './trade.ts';

const PLOTS = { comings, comparisons, shopping, wages, stores, pages, ways, ages };

/** Easy: 1 or 2 sums of numbers up to 20. Medium: 3 or 4, up to 60. Hard: 5 to 7, up to 200. */
export const wordProblems: TaskFamily = {
  name: 'word-problems',
  description: 'short stories with a question, solved in steps, in the manner of GSM8K',
  generate(random, { language, level, thinking }) {
    const { name, story } = tell(random, level);
    const { text, steps, sums } = story.tell(language);
    return {
      family: 'word-problems',
      key: `word-problems ${name} ${sums}`,
      messages: [{ role: 'user', content: text }],
      thinking,
      solution: solve(thinking, steps, String(story.answer)),
      verify: acceptsNumber(story.answer),
    };
  },
};

/** A story whose numbers stay small enough to be computed with. */
function tell(random: Random, level: Level): { name: string; story: Story } {
  for (;;) {
    const name = random.pick(Object.keys(PLOTS) as (keyof typeof PLOTS)[]);
    const story = new Story(random, level);
    PLOTS[name](story);
    if (story.answer > 0 && story.answer < 10_000 && story.steps >= story.wanted) {
      return { name, story };
    }
  }
}
