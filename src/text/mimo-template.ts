/**
 * MiMo-V2-Flash's chat format as a Jinja template, which every engine that reads Hugging Face
 * checkpoints can render. In it there is no newline after `<|im_end|>`; every chat has a system
 * turn; thinking is off unless asked for, and then an empty `<think></think>` is prefilled.
 *
 * All whitespace outside `{{ }}` is trimmed by the dashes, so what is rendered is exactly what the
 * strings say. Scalars are written as Python's `str` writes them (`True`, `None`), since that is
 * how the model has seen them, whichever language renders the template.
 */
const MIMO_SYSTEM = 'You are MiMo, a helpful AI assistant engineered by Xiaomi.';

/** The template text; a chat that has no system message of its own gets `defaultSystem`. */
export function mimoChatTemplate(defaultSystem: string = MIMO_SYSTEM): string {
  return `{%- set default_system = ${JSON.stringify(defaultSystem)} -%}\n${BODY}`;
}

/** The default system text of a template that `mimoChatTemplate` made; undefined for any other. */
export function defaultSystemOf(template: string): string | undefined {
  const [, json, body] = /^\{%- set default_system = ("[^\n]*") -%\}\n(.*)$/s.exec(template) ?? [];
  return body === BODY ? (JSON.parse(json!) as string) : undefined;
}

/** What goes before and after the descriptions of the tools. */
export const TOOLS_OPENING =
  '\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n' +
  'You have access to the following functions:\n\n<tools>';
export const TOOLS_CLOSING =
  '\n</tools>\n\n' +
  'For each function call, output the function name and arguments in the following format:\n' +
  '<tool_call>\n<function=example_function_name>\n' +
  '<parameter=example_parameter_1>value_1</parameter>\n' +
  '<parameter=example_parameter_2>This is the value for the second parameter\n' +
  'that can span\nmultiple lines</parameter>\n</function>\n</tool_call>\n\n<IMPORTANT>\n' +
  '- Function calls MUST follow the specified format: an inner <function=...></function> block must be nested within <tool_call></tool_call> XML tags\n' +
  '- DO NOT use function calls inside <think></think> tags.\n' +
  '- The value enclosed between parameter tags is preserved exactly as-is, including newlines and spaces.\n' +
  '</IMPORTANT>';

/** A string of Jinja. */
function quote(text: string): string {
  return `'${text.replaceAll('\n', '\\n')}'`;
}

const BODY = String.raw`{%- set thinking = enable_thinking is defined and enable_thinking -%}
{%- set keep_all = keep_all_reasoning is not defined or keep_all_reasoning -%}

{%- macro text(value) -%}
  {%- if value is mapping or (value is sequence and value is not string) -%}
    {{- value | tojson -}}
  {%- elif value is none -%}
    {{- 'None' -}}
  {%- elif value is boolean -%}
    {{- 'True' if value else 'False' -}}
  {%- else -%}
    {{- value -}}
  {%- endif -%}
{%- endmacro -%}

{%- macro other_keys(object, known) -%}
  {%- for key in object if key not in known -%}
    {{- '\n<' ~ key ~ '>' ~ text(object[key]) ~ '</' ~ key ~ '>' -}}
  {%- endfor -%}
{%- endmacro -%}

{%- macro describe(object) -%}
  {%- if object.description is string -%}
    {{- '\n<description>' ~ (object.description | trim) ~ '</description>' -}}
  {%- endif -%}
{%- endmacro -%}

{%- macro tool_list(tools) -%}
  {{- ${quote(TOOLS_OPENING)} -}}
  {%- for entry in tools -%}
    {%- set tool = entry.function if entry.function is defined else entry -%}
    {{- '\n<function>\n<name>' ~ tool.name ~ '</name>' ~ describe(tool) ~ '\n<parameters>' -}}
    {%- if tool.parameters is mapping -%}
      {%- if tool.parameters.properties is mapping -%}
        {%- for name in tool.parameters.properties -%}
          {%- set property = tool.parameters.properties[name] -%}
          {{- '\n<parameter>\n<name>' ~ name ~ '</name>' -}}
          {%- if property.type is defined -%}
            {{- '\n<type>' ~ text(property.type) ~ '</type>' -}}
          {%- endif -%}
          {{- describe(property) ~ other_keys(property, ['name', 'type', 'description']) ~ '\n</parameter>' -}}
        {%- endfor -%}
      {%- endif -%}
      {{- other_keys(tool.parameters, ['type', 'properties']) -}}
    {%- endif -%}
    {{- '\n</parameters>' ~ other_keys(tool, ['type', 'name', 'description', 'parameters']) ~ '\n</function>' -}}
  {%- endfor -%}
  {{- ${quote(TOOLS_CLOSING)} -}}
{%- endmacro -%}

{%- macro tool_call(entry) -%}
  {%- set call = entry.function if entry.function is defined else entry -%}
  {{- '<tool_call>\n<function=' ~ call.name ~ '>\n' -}}
  {%- if call.arguments is mapping -%}
    {%- for name in call.arguments -%}
      {{- '<parameter=' ~ name ~ '>' ~ text(call.arguments[name]) ~ '</parameter>\n' -}}
    {%- endfor -%}
  {%- endif -%}
  {{- '</function>\n</tool_call>' -}}
{%- endmacro -%}

{%- set last = namespace(user=-1) -%}
{%- for message in messages if message.role == 'user' -%}
  {%- set last.user = loop.index0 -%}
{%- endfor -%}

{%- set has_system = messages and messages[0].role == 'system' -%}
{{- '<|im_start|>system\n' ~ (messages[0].content if has_system else default_system) -}}
{%- if tools -%}
  {{- tool_list(tools) -}}
{%- endif -%}
{{- '<|im_end|>' -}}

{%- for message in messages -%}
  {%- set content = message.content if message.content is string else '' -%}
  {%- if message.role == 'assistant' -%}
    {%- set reasoning = '' -%}
    {%- if message.reasoning_content is string -%}
      {%- set reasoning = message.reasoning_content -%}
    {%- elif content.startswith('<think>') and '</think>' in content -%}
      {%- set reasoning = content.split('</think>')[0][7:] -%}
      {%- set content = content[(reasoning | length) + 15:] -%}
    {%- endif -%}
    {{- '<|im_start|>assistant\n<think>' -}}
    {%- if keep_all or loop.index0 > last.user -%}
      {{- reasoning -}}
    {%- endif -%}
    {{- '</think>' ~ content -}}
    {%- if message.tool_calls -%}
      {%- for call in message.tool_calls -%}
        {{- tool_call(call) -}}
      {%- endfor -%}
    {%- endif -%}
    {{- '<|im_end|>' -}}
  {%- elif message.role == 'tool' -%}
    {%- if loop.first or loop.previtem.role != 'tool' -%}
      {{- '<|im_start|>tool\n' -}}
    {%- endif -%}
    {{- '<tool_response>\n' ~ content ~ '\n</tool_response>\n' -}}
    {%- if loop.last or loop.nextitem.role != 'tool' -%}
      {{- '<|im_end|>' -}}
    {%- endif -%}
  {%- elif not (loop.first and has_system) -%}
    {{- '<|im_start|>' ~ message.role ~ '\n' ~ content ~ '<|im_end|>' -}}
  {%- endif -%}
{%- endfor -%}

{%- if add_generation_prompt -%}
  {{- '<|im_start|>assistant\n' ~ ('' if thinking else '<think></think>') -}}
{%- endif -%}
`;
