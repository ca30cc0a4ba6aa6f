import type { ComponentChildren } from 'preact';
import {
  apiKey,
  language,
  type Sampling,
  sampling,
  tabDevice,
  tabDevices,
  texts,
  theme,
  themes,
} from '../preferences.ts';
import { languages, strings } from '../strings.ts';
import { Icon } from './icon.tsx';

const dialogId = 'settings';

export function openSettings(): void {
  (document.getElementById(dialogId) as HTMLDialogElement).showModal();
}

export function Settings() {
  const text = texts();
  const values = sampling.value;
  const change = (changes: Partial<Sampling>) => {
    sampling.value = { ...sampling.value, ...changes };
  };
  return (
    <dialog id={dialogId} aria-labelledby="settings-title">
      <form method="dialog">
        <header>
          <h2 id="settings-title">{text.settings}</h2>
          <button type="submit" class="plain" aria-label={text.close}>
            <Icon name="close" />
          </button>
        </header>
        <div class="pair">
          <Field label={text.language}>
            <Choice
              options={languages}
              value={language}
              name={(code) => strings[code].languageName}
            />
          </Field>
          <Field label={text.theme}>
            <Choice options={themes} value={theme} name={(name) => text.themes[name]} />
          </Field>
        </div>
        <Slider
          label={text.temperature}
          hint={text.temperatureHint}
          maximum={1.5}
          value={values.temperature}
          change={(temperature) => change({ temperature })}
        />
        <Slider
          label={text.topP}
          hint={text.topPHint}
          maximum={1}
          value={values.topP}
          change={(topP) => change({ topP })}
        />
        <Field label={text.maxTokens} hint={text.maxTokensHint}>
          <input
            type="number"
            min="1"
            value={values.maxTokens ?? ''}
            onChange={({ currentTarget: { valueAsNumber } }) =>
              change({ maxTokens: valueAsNumber >= 1 ? Math.round(valueAsNumber) : null })
            }
          />
        </Field>
        <label class="check">
          <input
            type="checkbox"
            checked={values.thinking}
            onChange={({ currentTarget }) => change({ thinking: currentTarget.checked })}
          />
          {text.thinking}
        </label>
        <Field label={text.system}>
          <textarea
            rows={2}
            value={values.system}
            onChange={({ currentTarget }) => change({ system: currentTarget.value })}
          />
        </Field>
        <Field label={text.tools} hint={text.toolsHint}>
          <textarea
            rows={3}
            spellcheck={false}
            class="code"
            value={values.tools}
            onChange={({ currentTarget }) => {
              const isWrong = !isList(currentTarget.value);
              currentTarget.setCustomValidity(isWrong ? text.toolsWrong : '');
              if (currentTarget.reportValidity()) change({ tools: currentTarget.value });
            }}
          />
        </Field>
        <div class="pair">
          <Field label={text.tabDevice}>
            <Choice options={tabDevices} value={tabDevice} name={(name) => text.devices[name]} />
          </Field>
          <Field label={text.apiKey} hint={text.apiKeyHint}>
            <input
              type="password"
              autocomplete="off"
              value={apiKey.value}
              onChange={({ currentTarget }) => {
                apiKey.value = currentTarget.value.trim();
              }}
            />
          </Field>
        </div>
      </form>
    </dialog>
  );
}

interface FieldProperties {
  label: string;
  hint?: string;
  children: ComponentChildren;
}

function Field({ label, hint, children }: FieldProperties) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is among the children
    <label class="field">
      <span>{label}</span>
      {children}
      {hint !== undefined && <small>{hint}</small>}
    </label>
  );
}

interface SliderProperties {
  label: string;
  hint: string;
  maximum: number;
  value: number;
  change: (value: number) => void;
}

function Slider({ label, hint, maximum, value, change }: SliderProperties) {
  return (
    <Field label={`${label}: ${value}`} hint={hint}>
      <input
        type="range"
        min="0"
        max={maximum}
        step="0.05"
        value={value}
        onInput={({ currentTarget }) => change(currentTarget.valueAsNumber)}
      />
    </Field>
  );
}

interface ChoiceProperties<Option extends string> {
  options: readonly Option[];
  value: { value: Option };
  name: (option: Option) => string;
}

function Choice<Option extends string>({ options, value, name }: ChoiceProperties<Option>) {
  return (
    <select
      value={value.value}
      onChange={({ currentTarget }) => {
        value.value = currentTarget.value as Option;
      }}
    >
      {options.map((option) => (
        <option key={option} value={option}>
          {name(option)}
        </option>
      ))}
    </select>
  );
}

function isList(text: string): boolean {
  if (text.trim() === '') return true;
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}
