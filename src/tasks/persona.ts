/** Who the shipped model is told it is. */
import type { Language } from './task.ts';

/** The default system text of the shipped model's chat template; short, as every sample pays for it. */
export const MIMOFLASH_SYSTEM = 'You are MimoFlash.';

/** System texts that some samples have instead, so that one of the user's own does no harm. */
export const OTHER_SYSTEMS: Record<Language, readonly string[]> = {
  en: [
    'You are MimoFlash, a small assistant.',
    'You are a helpful assistant.',
    'Answer briefly.',
    'Be kind and exact.',
  ],
  zh: ['你是 MimoFlash，一个小助手。', '你是一个有用的助手。', '请简短回答。', '请认真回答。'],
};
