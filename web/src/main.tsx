import './style/base.css';
import './style/layout.css';
import './style/chat.css';
import './style/figures.css';
import './style/dialog.css';
import './style/code.css';
import './style/runs.css';
import './style/curves.css';
import { render } from 'preact';
import { loadConversations } from './chat/conversations.ts';
import { connectAsChosen } from './connection/active.ts';
import { followAppearance } from './preferences.ts';
import { App } from './view/app.tsx';

followAppearance();
connectAsChosen();
loadConversations();
render(<App />, document.getElementById('app')!);
