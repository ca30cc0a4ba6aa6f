import { describe, expect, test } from 'vitest';
import { rubricSchema } from './rubric.ts';

describe('a rubric', () => {
  const criterion = { name: 'good', description: 'it is good' };
  test.each([
    [{ task: ' ', criteria: [criterion] }, 'must not be empty'],
    [{ task: 'x', criteria: [] }, 'must not be empty'],
    [{ task: 'x', criteria: [criterion, criterion] }, 'two criteria have one name'],
    [{ task: 'x', criteria: [{ ...criterion, name: 'Very Good' }] }, 'must be like'],
    [{ task: 'x', criteria: [{ ...criterion, weight: 0 }] }, 'must be more than 0'],
    [{ task: 'x', criteria: [criterion], highest: 0 }, 'must be 1 or more'],
    [{ task: 'x', criteria: [criterion], more: 1 }, 'more'],
  ])('%j is refused', (rubric, message) => {
    expect(() => rubricSchema.parse(rubric)).toThrow(message);
  });
});
