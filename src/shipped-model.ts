import { fileURLToPath } from 'node:url';

/** Directory of the model that comes with the package. */
export const shippedModel = fileURLToPath(new URL('../models/mimoflash-tiny', import.meta.url));

/** The task families that it was trained on. */
export const shippedFamilies: readonly string[] = ['arithmetic', 'recall', 'strings', 'dialogue'];
