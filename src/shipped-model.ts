import { fileURLToPath } from 'node:url';

/** Directory of the model that comes with the package. */
export const shippedModel = fileURLToPath(new URL('../models/mimoflash-25m', import.meta.url));

/** The task families that it was trained on. */
export const shippedFamilies: readonly string[] = [
  'arithmetic',
  'recall',
  'strings',
  'equations',
  'word-problems',
  'needles',
  'tracking',
  'gsm-graph',
  'code',
  'shell',
  'functions',
  'instructions',
  'conversation',
  'knowledge',
  'safety',
  'pipelines',
];
