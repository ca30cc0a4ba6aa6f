import { answering, stop } from '../chat/answering.ts';
import {
  conversations,
  current,
  deleteConversation,
  newConversation,
  openConversation,
} from '../chat/conversations.ts';
import { type Conversation, titleOf } from '../chat/message.ts';
import { texts } from '../preferences.ts';
import { Icon } from './icon.tsx';
import { SideFoot } from './side-foot.tsx';

export function Conversations() {
  const text = texts();
  return (
    <nav class="conversations" aria-label={text.conversations}>
      <button type="button" class="new" onClick={newConversation}>
        <Icon name="plus" />
        {text.newConversation}
      </button>
      {conversations.value.length === 0 ? (
        <p class="quiet">{text.noConversations}</p>
      ) : (
        <ul>
          {conversations.value.map((conversation) => (
            <Entry key={conversation.id} conversation={conversation} />
          ))}
        </ul>
      )}
      <SideFoot />
    </nav>
  );
}

function Entry({ conversation }: { conversation: Conversation }) {
  const text = texts();
  const { id } = conversation;
  const title = titleOf(conversation) || text.untitled;
  return (
    <li>
      <button
        type="button"
        class="entry"
        aria-current={current.value.id === id ? 'page' : undefined}
        onClick={() => openConversation(conversation)}
      >
        {title}
      </button>
      <button
        type="button"
        class="plain delete"
        aria-label={text.deleteConversation(title)}
        onClick={() => {
          if (answering.value?.conversation === id) stop();
          deleteConversation(id);
        }}
      >
        <Icon name="bin" />
      </button>
    </li>
  );
}
