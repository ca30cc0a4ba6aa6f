import { effect, type Signal, signal } from '@preact/signals';

/** A signal that the browser keeps between visits; what it kept is checked before it is used. */
export function storedSignal<Value>(
  name: string,
  initial: Value,
  isValid: (value: unknown) => value is Value,
): Signal<Value> {
  const key = `mimoflash.${name}`;
  const stored = signal(read(key, initial, isValid));
  effect(() => {
    const text = JSON.stringify(stored.value);
    try {
      localStorage.setItem(key, text);
    } catch {
      // Storage is forbidden or full: the choice then lasts as long as the page.
    }
  });
  return stored;
}

function read<Value>(
  key: string,
  initial: Value,
  isValid: (value: unknown) => value is Value,
): Value {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key) ?? 'null');
    return isValid(value) ? value : initial;
  } catch {
    return initial;
  }
}
