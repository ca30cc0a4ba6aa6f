import { signal } from '@preact/signals';

/** A line at the top of the page that says what does not work, until it is closed. */
export const notice = signal<string | null>(null);

export function showNotice(text: string): void {
  notice.value = text;
}
