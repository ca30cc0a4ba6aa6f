import type { OpCase } from './case.ts';
import { fewRowCases } from './few-row-cases.ts';
import { manyRowCases } from './many-row-cases.ts';
import { samplingCases } from './sampling-cases.ts';
import { stepAttentionCases } from './step-attention-cases.ts';

export const inferenceCases: OpCase[] = [
  ...stepAttentionCases,
  ...fewRowCases,
  ...manyRowCases,
  ...samplingCases,
];
