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

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${formatNumber(value, power > 0 && value < 10 ? 1 : 0)} ${units[power]}`;
}
