export * from './attention.ts';
export * from './elementwise.ts';
export * from './experts.ts';
export * from './linear.ts';
export * from './logprobs.ts';
export * from './norm.ts';
export * from './rows.ts';
