/** Kinds of bad policies: each gives one clear error with a place. */

/** A bad policy and the error it must give; `at` is `line:column`. */
export interface BadPolicy {
  readonly claim: string;
  readonly text: string;
  readonly code: string;
  readonly at: string;
  readonly message: RegExp;
}

const HEAD = 'selkie: 1\nsets: 1\narches: [x86_64]\ndefault: errno(EPERM)\n';

/** Rules of the action allow, the first of them on line 7, its text from column 7 on. */
function rules(...lines: readonly string[]): string {
  return `${HEAD}syscalls:\n  allow:\n${lines.map((line) => `    - ${line}\n`).join('')}`;
}

/** One rule for read(fd, buf, count) with a condition, which begins at 7:13. */
function condition(text: string): string {
  return rules(`read: ${text}`);
}

/** A head with one line more, which is line 5. */
function head(line: string): string {
  return `${HEAD}${line}\nsyscalls:\n  allow: [read]\n`;
}

/** A policy whose default, on line 1, is this text. */
function action(text: string): string {
  return `default: ${text}\nselkie: 1\narches: [x86_64]\nsyscalls:\n  allow: [read]\n`;
}

function bad(claim: string, text: string, code: string, at: string, message: RegExp): BadPolicy {
  return { claim, text, code, at, message };
}

const deepIndentation = Array.from({ length: 300 }, (_, level) => `${' '.repeat(level)}a:\n`).join('');

const yaml: readonly BadPolicy[] = [
  bad('an empty file', '', 'empty', '1:1', /holds no policy/),
  bad('only comments', '# nothing\n\n', 'empty', '1:1', /holds no policy/),
  bad('a list', '- read\n- write\n', 'wrong_type', '1:1', /found a list: wanted a map/),
  bad('a word', 'hello\n', 'wrong_type', '1:1', /found "hello": wanted a map/),
  bad('a bracket that is never closed', `${HEAD}syscalls: {allow: [read`, 'yaml', '5:24', /no YAML/),
  bad('a quote that is never closed', rules('"read'), 'yaml', '8:1', /no YAML: Missing closing "quote/),
  bad('a tab as indentation', `${HEAD}syscalls:\n\tallow: [read]\n`, 'yaml', '6:1', /no YAML: Tabs/),
  bad('wrong indentation', `${HEAD}syscalls:\n  allow:\n    - read\n   - write\n`, 'yaml', '8:1', /no YAML/),
  bad('a duplicate key', head('default: allow'), 'duplicate_key', '5:1', /"default" stands in this map already/),
  bad('a duplicate action', `${HEAD}syscalls:\n  allow: [read]\n  allow: [write]\n`, 'duplicate_key', '7:3', /already/),
  bad('an anchor', head('name: &x web'), 'yaml_anchor', '5:7', /anchors .* have no place/),
  bad('an alias', head('name: *x'), 'yaml_alias', '5:7', /aliases .* have no place/),
  bad('a tag', head('name: !!str web'), 'yaml_tag', '5:7', /tags .* have no place/),
  bad('a merge key', head('<<: {}'), 'unknown_key', '5:1', /"<<" is no key/),
  bad('a second document', `${rules('read')}---\nselkie: 1\n`, 'yaml_document', '8:1', /second document/),
  bad('a directive', `%YAML 1.1\n---\n${rules('read')}`, 'yaml_directive', '1:1', /directives/),
  bad('a null', head('name:'), 'null_value', '5:1', /"name" has no value/),
  bad('a tilde as null', head('name: ~'), 'null_value', '5:1', /"name" has no value/),
  bad('a key that is a list', head('[a]: b'), 'wrong_type', '5:1', /a list as a key/),
  bad('20,000 nested brackets', `${HEAD}syscalls: ${'['.repeat(20_000)}`, 'too_deep', '5:42', /deeper than 32/),
  bad('20,000 nested maps', `${HEAD}syscalls: ${'{a: '.repeat(20_000)}`, 'too_deep', '5:135', /deeper than 32/),
  bad('20,000 nested lists', `${'- '.repeat(20_000)}x`, 'too_deep', '1:65', /deeper than 32/),
  bad('20,000 nested explicit keys', `${'? '.repeat(20_000)}x`, 'too_deep', '1:65', /deeper than 32/),
  bad('deep indentation', deepIndentation, 'too_deep', '33:33', /deeper/),
  bad('10 MB', `${rules('read')}${'# x\n'.repeat(2_500_000)}`, 'too_large', '1:1', /larger than 1 MiB/),
  bad('1 MiB of letters of two bytes', `# ${'é'.repeat(600_000)}\n`, 'too_large', '1:1', /larger than 1 MiB/),
  bad('a million quotes', '"'.repeat(1_000_000), 'too_large', '1:120001', /more than 60000 tokens/),
  bad('a million empty lists', '[]'.repeat(500_000), 'too_large', '1:60001', /more than 60000 tokens/),
  bad('half a million rules', `${HEAD}syscalls: {allow: [${'a,'.repeat(500_000)}]}`, 'too_large', '5:59990', /tokens/),
  bad(
    'thousands of keys',
    Array.from({ length: 9_000 }, (_, i) => `a${i}: b\n`).join(''),
    'unknown_key',
    '1:1',
    /"a0"/,
  ),
  bad('binary', '\u0000\u0001\u0002\u007fELF', 'wrong_type', '1:1', /wanted a map/),
];

const TAIL = 'default: allow\nsyscalls: {}\n';

const shape: readonly BadPolicy[] = [
  bad('no version', TAIL, 'missing_key', '1:1', /"selkie" is missing: write "selkie: 1"/),
  bad('no default', 'selkie: 1\nsyscalls: {}\n', 'missing_key', '1:1', /"default" is missing/),
  bad('no syscalls', 'selkie: 1\ndefault: allow\n', 'missing_key', '1:1', /"syscalls" is missing/),
  bad('version 2', `selkie: 2\n${TAIL}`, 'wrong_type', '1:9', /number 2 .* wanted 1/),
  bad('a version as text', `selkie: "1"\n${TAIL}`, 'wrong_type', '1:9', /"1" .* wanted 1/),
  bad('edition 7', `selkie: 1\nsets: 7\n${TAIL}`, 'wrong_type', '2:7', /number 7 .* edition/),
  bad('a misspelled key', head('nmae: web'), 'unknown_key', '5:1', /"nmae" .* did you mean "name"/),
  bad('a key that is nothing like one', head('frobnicate: 1'), 'unknown_key', '5:1', /wanted selkie, sets/),
  bad('a service that is a list', head('service: [read]'), 'wrong_type', '5:10', /a list .* wanted actions/),
  bad('a reserved key', head('flags: []'), 'not_yet', '5:1', /"flags" is reserved: .* not yet/),
  bad('a name that is a number', head('name: 5'), 'wrong_type', '5:7', /the number 5 .* wanted a name/),
  bad('an empty name', head('name: ""'), 'bad_value', '5:7', /wanted a name/),
  bad('ABIs as text', `selkie: 1\narches: x86_64\n${TAIL}`, 'wrong_type', '2:9', /wanted a list/),
  bad('no ABI', `selkie: 1\narches: []\n${TAIL}`, 'bad_value', '2:9', /at least one ABI/),
  bad('an unknown ABI', `selkie: 1\narches: [x86-64]\n${TAIL}`, 'wrong_type', '2:10', /wanted one of x86_64/),
  bad('an ABI twice', `selkie: 1\narches: [i386, i386]\n${TAIL}`, 'bad_value', '2:1', /listed twice/),
  bad('a release without quotes', head('kernel: 6.10\nunknown: log'), 'wrong_type', '5:9', /6.10 .* in quotes/),
  bad('a release with a patch level', head('kernel: "6.1.0"\nunknown: log'), 'bad_value', '5:9', /wanted a release/),
  bad('kernel without unknown', head('kernel: "6.1"'), 'missing_key', '5:1', /"kernel" needs "unknown"/),
  bad('unknown without kernel', head('unknown: errno(ENOSYS)'), 'missing_key', '5:1', /"unknown" needs "kernel"/),
  bad(
    'syscalls as a list',
    `${HEAD}syscalls: [read]\n`,
    'wrong_type',
    '5:11',
    /a list is not accepted: wanted actions with lists/,
  ),
  bad('syscalls as text', `${HEAD}syscalls: read\n`, 'wrong_type', '5:11', /"read" is not accepted/),
  bad('a call in place of a list', `${HEAD}syscalls:\n  allow: read\n`, 'wrong_type', '6:10', /wanted a list of calls/),
  bad('an action without calls', `${HEAD}syscalls:\n  allow:\n`, 'null_value', '6:3', /"allow" has no value/),
  bad('a number as a call', rules('5'), 'wrong_type', '7:7', /wanted a call/),
  bad('a boolean as a call', rules('true'), 'wrong_type', '7:7', /boolean true .* wanted a call/),
  bad('a list as a call', rules('[read]'), 'wrong_type', '7:7', /a list .* wanted a call/),
  bad('an empty text as a call', rules('""'), 'bad_value', '7:7', /wanted a call/),
  bad('two calls in one rule', rules('{read: fd == 1, write: fd == 1}'), 'bad_value', '7:23', /wanted a call, or one/),
  bad('nothing behind a colon', rules('read:'), 'null_value', '7:7', /"read" has no value/),
  bad('a number as a condition', rules('read: 5'), 'wrong_type', '7:13', /the number 5 .* wanted a condition/),
  bad('quotes round call and condition', rules('"read: fd == 1"'), 'bad_value', '7:8', /write name: condition without/),
];

const path = (text: string): string => head(`paths: {read: [${text}]}`);
const paths: readonly BadPolicy[] = [
  bad('paths as a list', head('paths: [/usr]'), 'wrong_type', '5:8', /a list .* wanted lists of paths/),
  bad('paths without a list', head('paths: {abi: 3}'), 'bad_value', '5:1', /"paths" names no path/),
  bad('a misspelled list of paths', head('paths: {raed: [/usr]}'), 'unknown_key', '5:9', /did you mean "read"/),
  bad('no list of paths', head('paths: {frobnicate: 1}'), 'unknown_key', '5:9', /wanted abi, read, write, execute/),
  bad('an empty list of paths', head('paths: {write: []}'), 'bad_value', '5:16', /neither all nor nothing/),
  bad('a path in place of a list', head('paths: {read: /usr}'), 'wrong_type', '5:15', /"\/usr" .* "read: \[\/usr\]"/),
  bad('an ABI of Landlock as text', head('paths: {abi: "3", read: [/]}'), 'wrong_type', '5:14', /"3" .* 1 to 5/),
  bad('ABI 0 of Landlock', head('paths: {abi: 0, read: [/]}'), 'wrong_type', '5:14', /the number 0 .* 1 to 5/),
  bad('an ABI of Landlock to come', head('paths: {abi: 6, read: [/]}'), 'wrong_type', '5:14', /the number 6 .* 1 to 5/),
  bad('a number as a path', path('5'), 'wrong_type', '5:16', /the number 5 .* wanted a path/),
  bad('a relative path', path('usr/lib'), 'bad_path', '5:16', /"usr\/lib" .* from \/ on/),
  bad('a home folder', path('"~/x"'), 'bad_path', '5:16', /no home folder/),
  bad('a variable in a path', path('$HOME/x'), 'bad_path', '5:16', /variables are not replaced/),
  bad('a path with ..', path('/usr/../etc'), 'bad_path', '5:16', /without "." and ".."/),
  bad('a path with .', path('/usr/.'), 'bad_path', '5:16', /without "." and ".."/),
  bad('a path with //', path('/usr//lib'), 'bad_path', '5:16', /single slashes/),
  bad('a path that ends with /', path('/usr/'), 'bad_path', '5:16', /none at the end/),
  bad('a pattern as a path', path('"/usr/*"'), 'bad_path', '5:16', /there are no patterns/),
  bad('a path with a zero', path('"/a\\0b"'), 'bad_path', '5:16', /control character/),
  bad('a path of 4096 bytes', path(`/${'x'.repeat(4095)}`), 'bad_path', '5:16', /longer than 4095 bytes/),
  bad('a path that may be anything', path('/a: maybe'), 'bad_value', '5:16', /"\/lib64: optional"/),
  bad('two paths in one entry', path('{/a: optional, /b: optional}'), 'bad_value', '5:16', /a map is not accepted/),
  bad('a path twice', path('/a, /b, /a: optional'), 'duplicate_path', '5:24', /"\/a" is listed already, on line 5/),
];

const actions: readonly BadPolicy[] = [
  bad('kill', action('kill'), 'unknown_action', '1:10', /write kill_process .* or kill_thread/),
  bad('deny', action('deny'), 'unknown_action', '1:10', /write errno\(EPERM\)/),
  bad('errno without a name', action('errno'), 'unknown_action', '1:10', /write errno\(NAME\)/),
  bad('errno as a key', action('{errno: EPERM}'), 'unknown_action', '1:11', /write errno\(NAME\)/),
  bad('a number as action', action('1'), 'wrong_type', '1:10', /wanted an action/),
  bad('a misspelled action', action('alow'), 'unknown_action', '1:10', /did you mean "allow"/),
  bad('an action in capitals', action('SCMP_ACT_ALLOW'), 'unknown_action', '1:10', /wanted allow, log/),
  bad('a misspelled action as key', `${HEAD}syscalls:\n  alow: [read]\n`, 'unknown_action', '6:3', /mean "allow"/),
  bad('errno 0', action('errno(0)'), 'errno_range', '1:16', /seems to succeed: write return_zero/),
  bad('errno 5000', action('errno(5000)'), 'errno_range', '1:16', /wanted 1 to 4095/),
  bad('a negative errno', action('errno(-1)'), 'bad_number', '1:16', /"-1" is no number/),
  bad('an unknown errno', action('errno(EPRM)'), 'unknown_errno', '1:16', /did you mean "EPERM"/),
  bad('an octal errno', action('errno(017)'), 'octal_number', '1:16', /write 0o17/),
  bad('trap with too much data', action('trap(65536)'), 'data_range', '1:15', /wanted 0 to 65535/),
  bad('trace without data', action('trace'), 'unknown_action', '1:10', /write trace\(n\)/),
  bad('an unknown errno in a key', `${HEAD}syscalls:\n  errno(ENOSYSS): [read]\n`, 'unknown_errno', '6:9', /"ENOSYS"/),
];

const calls: readonly BadPolicy[] = [
  bad('an unknown call', rules('raed'), 'unknown_call', '7:7', /"raed" is no system call: did you mean .*"read"/),
  bad('a call that is nothing like one', rules('frobnicate_everything'), 'unknown_call', '7:7', /selkie sets/),
  bad('a call of another ABI only', rules('socketcall'), 'unknown_call', '7:7', /no system call of x86_64, though of/),
  bad('a name of 900,000 letters', rules('x'.repeat(900_000)), 'unknown_call', '7:7', /no system call/),
  bad('an unknown set', rules('"@netwrok"'), 'unknown_set', '7:7', /no set of edition 1: did you mean "@network"/),
  bad('a set without quotes', rules('@network'), 'unquoted_set', '7:7', /must stand in quotes: write "@network"/),
  bad('a call in capitals', rules('Read'), 'bad_value', '7:7', /"Read" is not accepted: wanted a call/),
  bad('two calls in one text', rules('read write'), 'bad_value', '7:7', /"read write" is not accepted/),
  bad('an octal syscall number', rules('syscall(017)'), 'octal_number', '7:15', /write 0o17/),
  bad('a huge syscall number', rules('syscall(4294967296)'), 'number_too_large', '7:15', /has 32 bits/),
  bad('a range that runs backwards', rules('syscall(9..0x8)'), 'bad_range', '7:18', /the smaller number comes first/),
  bad('a range of one number', rules('syscall(9..9)'), 'bad_range', '7:18', /write syscall\(9\)/),
  bad('a range without an end', rules('syscall(9..)'), 'bad_value', '7:7', /"syscall\(9\.\.\)" is not accepted/),
  bad('a range to an octal number', rules('syscall(9..017)'), 'octal_number', '7:18', /write 0o17/),
  bad('a range beyond 32 bits', rules('syscall(9..0x100000000)'), 'number_too_large', '7:18', /has 32 bits/),
  bad('a range of x32', rules('syscall(0x80000000..0xbfffffff)'), 'number_arch', '7:7', /0xbfffffff\) belongs to x32/),
  bad(
    'a range with a condition',
    rules('syscall(1000..2000): arg0 == 1'),
    'range_condition',
    '7:7',
    /takes no condition/,
  ),
  bad(
    'ranges that overlap',
    `${rules('syscall(1000..2000)', 'syscall(500..600)')}  log:\n    - syscall(1500..3000)\n`,
    'conflict',
    '10:7',
    /^syscall\(1500\) gets log here, but allow by line 7: /,
  ),
  bad('a number of x32', rules('syscall(0x40000001)'), 'number_arch', '7:7', /belongs to x32/),
  bad(
    'two actions for one call',
    `${HEAD}syscalls:\n  allow:\n    - read\n  log:\n    - read\n`,
    'conflict',
    '9:7',
    /gets log here, but allow by line 7/,
  ),
  bad(
    'two actions by sets',
    `${HEAD}syscalls:\n  allow: ["@poll"]\n  log: ["@poll"]\n`,
    'conflict',
    '7:9',
    /by line 6 \("@poll"\)/,
  ),
  bad(
    'conditions that overlap',
    `${HEAD}syscalls:\n  allow:\n    - read: fd < 5\n  log:\n    - read: fd > 3\n`,
    'conflict',
    '9:7',
    /read\(4, 0, 0\) gets log here, but allow by line 7/,
  ),
  bad(
    'start against syscalls',
    `${HEAD}syscalls:\n  kill_process: [execve]\nstart:\n  allow: [execve]\n`,
    'conflict',
    '8:11',
    /gets allow here, but kill_process by line 6/,
  ),
];

/** The pigeonhole principle on the bits of one argument, shuffled: 8 pigeons in 7 holes, against no two in one hole. */
function pigeonholes(): string {
  const bit = (pigeon: number, hole: number): bigint => 1n << BigInt(((pigeon * 7 + hole) * 23) % 56);
  const pigeons = [0, 1, 2, 3, 4, 5, 6, 7];
  const holes = [0, 1, 2, 3, 4, 5, 6];
  const housed = pigeons.map(
    (pigeon) => `(count & ${holes.reduce((mask, hole) => mask | bit(pigeon, hole), 0n)}) != 0`,
  );
  const alone = holes.flatMap((hole) =>
    pigeons.flatMap((one) =>
      pigeons.slice(one + 1).map((other) => {
        const both = bit(one, hole) | bit(other, hole);
        return `(count & ${both}) != ${both}`;
      }),
    ),
  );
  return `${rules(`read: ${housed.join(' && ')}`)}  log:\n    - read: ${alone.join(' && ')}\n`;
}

const conditions: readonly BadPolicy[] = [
  bad('an empty condition', condition('""'), 'bad_value', '7:13', /wanted a condition/),
  bad('! at the start', condition('!fd == 1'), 'yaml_tag', '7:13', /write "not" instead of "!"/),
  bad('! inside', condition('fd == 1 && !(fd == 2)'), 'bad_condition', '7:24', /write "not" instead of "!"/),
  bad('= for ==', condition('fd = 1'), 'bad_condition', '7:16', /write "==" to compare/),
  bad('and for &&', condition('fd == 1 and fd == 2'), 'bad_condition', '7:21', /write "&&"/),
  bad('or for ||', condition('fd == 1 or fd == 2'), 'bad_condition', '7:21', /write "\|\|"/),
  bad('not not', condition('not not fd == 1'), 'bad_condition', '7:17', /leave both out/),
  bad('arithmetic', condition('fd + 1 == 2'), 'bad_condition', '7:16', /no arithmetic/),
  bad('a quoted constant', condition("fd == 'x'"), 'bad_condition', '7:19', /without quotes/),
  bad('0644', condition('fd == 0644'), 'octal_number', '7:19', /write 0o644 for octal/),
  bad('09', condition('fd == 09'), 'octal_number', '7:19', /drop the leading 0/),
  bad('a binary number', condition('fd == 0b11'), 'bad_number', '7:19', /"0b11" is no number/),
  bad('a fraction', condition('fd == 1.5'), 'bad_number', '7:19', /"1.5" is no number/),
  bad('a number beyond 64 bits', condition('count == 18446744073709551616'), 'number_too_large', '7:22', /64 bits/),
  bad('100,000 digits', condition(`count == ${'9'.repeat(100_000)}`), 'number_too_large', '7:22', /64 bits/),
  bad('a number beyond its argument', condition('fd == 0x100000000'), 'constant_width', '7:19', /not fit the 32 bits/),
  bad('a negative number beyond it', condition('fd == -0x80000001'), 'constant_width', '7:19', /32 bits/),
  bad('a mask beyond its argument', condition('(fd & 0x100000000) == 0'), 'constant_width', '7:19', /32 bits/),
  bad('a negative constant with <', condition('fd < -1'), 'negative_constant', '7:18', /==, != and in only/),
  bad('a negative mask', condition('(fd & -2) == 0'), 'negative_constant', '7:19', /not with a mask/),
  bad('a negative constant in within', condition('fd within [-1]'), 'negative_constant', '7:24', /not with within/),
  bad(
    'an argument of other calls',
    condition('flags == 1'),
    'unknown_argument',
    '7:13',
    /arguments are fd, buf, count/,
  ),
  bad('a misspelled argument', condition('cuont == 1'), 'unknown_argument', '7:13', /did you mean "count"/),
  bad('an argument beyond the last', condition('arg3 == 1'), 'unknown_argument', '7:13', /is no argument of read/),
  bad('arg6', condition('arg6 == 1'), 'unknown_argument', '7:13', /is no argument of read/),
  bad('an argument where there is none', rules('getpid: arg0 == 1'), 'unknown_argument', '7:15', /has no arguments/),
  bad('an unknown constant', rules('socket: domain == AF_UNX'), 'unknown_constant', '7:25', /did you mean "AF_UNIX"/),
  bad(
    'a pointer against a value',
    condition('buf == 0x1000'),
    'pointer_test',
    '7:13',
    /only be tested with == 0 or != 0/,
  ),
  bad('a pointer with <', condition('buf < 1'), 'pointer_test', '7:13', /"buf" of read is a pointer/),
  bad('always false', condition('fd < 0'), 'constant_test', '7:13', /"fd < 0" is always false/),
  bad('always true', condition('fd >= 0'), 'constant_test', '7:13', /always true/),
  bad('a mask that excludes its value', condition('(fd & 0xf) == 0x10'), 'constant_test', '7:14', /always false/),
  bad('a mask of nothing', condition('(fd & 0) == 0'), 'constant_test', '7:14', /always true/),
  bad('within everything', condition('fd within [~0]'), 'constant_test', '7:13', /always true/),
  bad('a test without comparison', condition('fd'), 'bad_condition', '7:15', /ends too early: wanted ==/),
  bad('a comparison without constant', condition('fd =='), 'bad_condition', '7:18', /wanted a constant/),
  bad('an empty list', condition('fd in []'), 'bad_condition', '7:20', /wanted a constant/),
  bad('a list without brackets', condition('fd in 1, 2'), 'bad_condition', '7:19', /wanted "\[" after "in"/),
  bad('a list that is never closed', condition('fd in [1, 2'), 'bad_condition', '7:24', /wanted "," or "\]"/),
  bad('a parenthesis that is never closed', condition('(fd == 1'), 'bad_condition', '7:13', /"\(" is never closed/),
  bad('a parenthesis that closes nothing', condition('fd == 1)'), 'bad_condition', '7:20', /"\)" closes nothing/),
  bad('parentheses round an argument', condition('(fd) == 1'), 'bad_condition', '7:16', /leave the parentheses out/),
  bad('a constant first', condition('1 == fd'), 'bad_condition', '7:13', /wanted an argument/),
  bad('a chain of comparisons', condition('fd == 1 == 1'), 'bad_condition', '7:21', /wanted "&&", "\|\|" or the end/),
  bad('two masks', condition('fd & 1 & 2 == 0'), 'bad_condition', '7:20', /wanted ==/),
  bad('u16', condition('u16(fd) == 1'), 'bad_condition', '7:16', /wanted ==/),
  bad('u32 of u64', condition('u32(u64(fd)) == 1'), 'bad_condition', '7:17', /wanted an argument here/),
  bad('raw() of a name', condition('raw(fd) == 1'), 'unknown_argument', '7:13', /takes a register, arg0 to arg5/),
  bad('raw() of raw()', condition('raw(raw(arg0)) == 1'), 'bad_condition', '7:17', /wanted an argument here/),
  bad('raw() always true', condition('raw(arg0) >= 0'), 'constant_test', '7:13', /always true/),
  bad('20,000 parentheses', condition(`${'('.repeat(20_000)}fd == 1`), 'too_deep', '7:45', /deeper than 32/),
  bad('masks that nobody can check', pigeonholes(), 'too_complex', '9:7', /too complex to check/),
];

/** A policy for x86_64 and i386 whose `only:` begins on line 6. */
function only(...lines: readonly string[]): string {
  const above = HEAD.replace('[x86_64]', '[x86_64, i386]');
  return `${above}syscalls: {allow: [read]}\nonly:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

const onlyRules: readonly BadPolicy[] = [
  bad('a list under only', head('only: [read]'), 'wrong_type', '5:7', /a list .* wanted ABIs/),
  bad('an action under only', only('allow: [read]'), 'bad_value', '7:3', /"allow" is no ABI: wanted one of x86_64/),
  bad('an unknown ABI under only', only('x86_6: {}'), 'bad_value', '7:3', /"x86_6" is no ABI: did you mean "x86_64"/),
  bad('an ABI under only without rules', only('i386:'), 'null_value', '7:3', /"i386" has no value/),
  bad('an ABI under only twice', only('i386: {}', 'i386: {}'), 'duplicate_key', '8:3', /"i386" stands in this map/),
  bad('a list of calls under an ABI', only('i386: [read]'), 'wrong_type', '7:9', /wanted actions with lists/),
  bad('an unknown action under an ABI', only('i386: {alow: [read]}'), 'unknown_action', '7:10', /did you mean "allow"/),
  bad(
    'rules for an ABI that is not listed',
    only('arm: {allow: [read]}'),
    'only_arch',
    '7:3',
    /rules for arm, which "arches" does not list \(x86_64, i386\): add it there/,
  ),
  bad(
    'a name that only another ABI has',
    only('x86_64:', '  allow:', '    - socketcall: call == 1'),
    'unknown_call',
    '9:9',
    /"socketcall" is no system call of x86_64, .*: did you mean "socketpair"/,
  ),
  bad(
    'a misspelled name under an ABI, with names that this ABI has',
    only('x86_64: {allow: [socketcal]}'),
    'unknown_call',
    '7:20',
    /"socketcal" is no system call: did you mean "socket"/,
  ),
  bad(
    "another ABI's argument under an ABI",
    only('i386:', '  allow:', '    - socketcall: domain == 1'),
    'unknown_argument',
    '9:21',
    /domain/,
  ),
  bad(
    "x32's number under x86_64",
    only('x86_64: {allow: [syscall(0x40000001)]}'),
    'number_arch',
    '7:20',
    /belongs to x32, not x86_64: put it under that ABI/,
  ),
  bad(
    'two actions, one of them for one ABI',
    only('i386: {log: [read]}'),
    'conflict',
    '7:16',
    /read\(\.\.\.\) gets log here, but allow by line 5/,
  ),
  bad(
    'a name for other ABIs',
    only('other: {allow: [read]}'),
    'other_call',
    '7:19',
    /"read" has no number under "other"/,
  ),
  bad('a set for other ABIs', only('other: {allow: ["@go"]}'), 'other_call', '7:19', /"@go" has no number/),
  bad('a default for other ABIs', only('other: {default: allow}'), 'bad_value', '7:11', /its calls get bad_arch/),
  bad(
    'overlapping rules for other ABIs',
    only('other:', '  allow:', '    - syscall(9)', '  log:', '    - syscall(9)'),
    'conflict',
    '11:9',
    /syscall\(\.\.\.\) gets log here, but allow by line 9/,
  ),
  bad(
    'a named argument for other ABIs',
    only('other:', '  allow:', '    - syscall(41): domain == 1'),
    'unknown_argument',
    '9:22',
    /domain/,
  ),
  bad(
    'overlapping conditions, one of them for one ABI',
    only('i386:', '  allow:', '    - write: fd == 1', '  log:', '    - write: count == 2'),
    'conflict',
    '11:9',
    /write\(1, 0, 2\) gets log here, but allow by line 9/,
  ),
];

/** All of them. */
export const BAD_POLICIES: readonly BadPolicy[] = [
  ...yaml,
  ...shape,
  ...paths,
  ...paths,
  ...actions,
  ...calls,
  ...conditions,
  ...onlyRules,
];
