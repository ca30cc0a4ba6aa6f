/** What a person chose, kept in the browser: appearance, where the model runs, how it is sampled. */
import { effect } from '@preact/signals';
import { storedSignal } from './stored-signal.ts';
import { type Language, languages, strings } from './strings.ts';

export const themes = ['system', 'light', 'dark'] as const;
export const places = ['server', 'tab'] as const;
export const tabDevices = ['auto', 'webgpu', 'wasm'] as const;

export type Theme = (typeof themes)[number];
/** Where the model runs. */
export type Place = (typeof places)[number];
export type TabDevice = (typeof tabDevices)[number];

export interface Sampling {
  temperature: number;
  topP: number;
  /** `null` as long as the context allows. */
  maxTokens: number | null;
  thinking: boolean;
  system: string;
  /** JSON text of the functions that the model may call; empty for none. */
  tools: string;
}

const usualSampling: Sampling = {
  temperature: 0.6,
  topP: 0.95,
  maxTokens: null,
  thinking: true,
  system: '',
  tools: '',
};

const oneOf =
  <Value>(values: readonly Value[]) =>
  (value: unknown): value is Value =>
    values.includes(value as Value);
const isBoolean = (value: unknown) => typeof value === 'boolean';

export const language = storedSignal<Language>(
  'language',
  navigator.language.startsWith('zh') ? 'zh' : 'en',
  oneOf(languages),
);
export const theme = storedSignal<Theme>('theme', 'system', oneOf(themes));
export const place = storedSignal<Place>('place', 'server', oneOf(places));
export const tabDevice = storedSignal<TabDevice>('tab-device', 'auto', oneOf(tabDevices));
export const sampling = storedSignal('sampling', usualSampling, isSampling);
/** Whether tokens have the colour of the head that drafted them. */
export const tintTokens = storedSignal('tint', true, isBoolean);
export const apiKey = storedSignal('key', '', (value) => typeof value === 'string');

/** The texts of the page in the language chosen. */
export function texts() {
  return strings[language.value];
}

/** Keeps the document in the language and the theme chosen. */
export function followAppearance(): void {
  effect(() => {
    document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en';
    document.documentElement.dataset.theme = theme.value;
  });
}

function isSampling(value: unknown): value is Sampling {
  if (typeof value !== 'object' || value === null) return false;
  const { temperature, topP, maxTokens, thinking, system, tools } = value as Partial<Sampling>;
  return (
    typeof temperature === 'number' &&
    typeof topP === 'number' &&
    (maxTokens === null || typeof maxTokens === 'number') &&
    typeof thinking === 'boolean' &&
    typeof system === 'string' &&
    typeof tools === 'string'
  );
}
