/** The page's colours for pictures, which know no CSS: resolved anew when the theme is another. */
import { computed, signal } from '@preact/signals';
import { theme } from '../preferences.ts';

export interface Colours {
  soft: string;
  line: string;
  raised: string;
  accent: string;
  trouble: string;
  /** For runs, heads, families, …; more than these are drawn dashed. */
  series: readonly string[];
}

const dark = matchMedia('(prefers-color-scheme: dark)');
const systemIsDark = signal(dark.matches);
dark.addEventListener('change', ({ matches }) => {
  systemIsDark.value = matches;
});

const seriesCount = 8;

export const colours = computed((): Colours => {
  const isDark = theme.value === 'system' ? systemIsDark.value : theme.value === 'dark';
  const resolve = resolver(isDark ? 'dark' : 'light');
  return {
    soft: resolve('var(--soft)'),
    line: resolve('var(--line)'),
    raised: resolve('var(--raised)'),
    accent: resolve('var(--accent)'),
    trouble: resolve('var(--trouble)'),
    series: Array.from({ length: seriesCount }, (_, i) => resolve(`var(--series-${i + 1})`)),
  };
});

/** What a colour of CSS is in a scheme, as `rgb(…)`. */
function resolver(scheme: 'light' | 'dark'): (colour: string) => string {
  return (colour) => {
    const probe = document.createElement('span');
    probe.style.colorScheme = scheme;
    probe.style.color = colour;
    document.body.append(probe);
    const resolved = getComputedStyle(probe).color;
    probe.remove();
    return resolved;
  };
}
