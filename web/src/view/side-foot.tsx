import { language, texts } from '../preferences.ts';
import { Icon } from './icon.tsx';
import { openSettings } from './settings.tsx';

/** Below what lies at the left: the settings and the other language. */
export function SideFoot() {
  return (
    <div class="foot">
      <button type="button" class="plain" onClick={openSettings}>
        <Icon name="gear" />
        <span class="wide">{texts().settings}</span>
      </button>
      <button
        type="button"
        class="plain"
        lang={language.value === 'en' ? 'zh-CN' : 'en'}
        onClick={() => {
          language.value = language.value === 'en' ? 'zh' : 'en';
        }}
      >
        {language.value === 'en' ? '中文' : 'English'}
      </button>
    </div>
  );
}
