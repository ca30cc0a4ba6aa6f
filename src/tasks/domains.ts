/** What the families are about, as post-training has one teacher for each. */
export const DOMAINS: Readonly<Record<string, readonly string[]>> = {
  mathematics: ['arithmetic', 'equations', 'word-problems', 'gsm-graph'],
  code: ['code', 'pipelines'],
  tools: ['shell', 'functions'],
  retrieval: ['recall', 'needles', 'tracking'],
  instructions: ['instructions', 'strings'],
  safety: ['safety'],
};
