import { send } from '../chat/answering.ts';
import { info } from '../connection/active.ts';
import { texts } from '../preferences.ts';

/** The model that ships is far smaller than one would think of a page to chat in. */
const smallModel = 50e6;

export function Welcome() {
  const text = texts();
  const model = info.value;
  return (
    <div class="welcome column">
      <h2>{text.greeting}</h2>
      {model !== null && model.parameters < smallModel && (
        <>
          <p>{text.limits(model.model)}</p>
          <ul>
            {text.examples.map((example) => (
              <li key={example}>
                <button type="button" onClick={() => send(example)}>
                  {example}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
