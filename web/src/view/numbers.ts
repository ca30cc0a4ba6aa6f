/** Numbers as the language of the page writes them. */
import { language } from '../preferences.ts';

export function formatNumber(value: number, digits = 0): string {
  return new Intl.NumberFormat(language.value, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
}

export function formatPercent(share: number): string {
  return new Intl.NumberFormat(language.value, { style: 'percent' }).format(share);
}

/** Three digits that count, and no zeros after them. */
export function formatSignificant(value: number): string {
  const isTiny = value !== 0 && Math.abs(value) < 1e-4;
  return new Intl.NumberFormat(language.value, {
    maximumSignificantDigits: 3,
    notation: isTiny ? 'scientific' : 'standard',
  }).format(value);
}

/** With a unit for thousands and more: 359K. */
export function formatCompact(value: number): string {
  return new Intl.NumberFormat(language.value, {
    maximumSignificantDigits: 3,
    notation: 'compact',
  }).format(value);
}

export function formatShare(share: number): string {
  return new Intl.NumberFormat(language.value, {
    maximumSignificantDigits: 3,
    style: 'percent',
  }).format(share);
}

/** The two largest units of a time: 1 h 5 min. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [
    [Math.floor(whole / 3600), 'hour'],
    [Math.floor(whole / 60) % 60, 'minute'],
    [whole % 60, 'second'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first < 0 ? 2 : first, first < 0 ? 3 : first + 2)
    .map(([value, unit]) =>
      new Intl.NumberFormat(language.value, { style: 'unit', unit, unitDisplay: 'short' }).format(
        value,
      ),
    )
    .join(' ');
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${formatNumber(value, power > 0 && value < 10 ? 1 : 0)} ${units[power]}`;
}
