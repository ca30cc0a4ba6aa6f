import { expect, test } from 'vitest';
import { TagScanner } from './tag-scanner.ts';

const scanner = new TagScanner({ end: '</a> </b>', next: '</a> <a=' });

test('finds the first whole tag, with any whitespace inside', () => {
  expect(scanner.scan('x</a>\n <a=y</a></b>')).toEqual({
    before: 'x',
    tag: 'next',
    matched: '</a>\n <a=',
    after: 'y</a></b>',
  });
});

test.each(['<', '</a', '</a>', '</a>\n\n', '</a> <', '</a></'])('holds back %j', (start) => {
  expect(scanner.scan(`x${start}`)).toEqual({ before: 'x', tag: null, matched: '', after: start });
});

test.each(['x', '</b>', '</a>x', '</a> </c', '< /a>', 'a$.*'])('lets %j through', (text) => {
  expect(scanner.scan(text)).toEqual({ before: text, tag: null, matched: '', after: '' });
});
